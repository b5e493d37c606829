// What stands in the memory of the hosts, in words and in JSON.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

bool fits(const HostUse& use);
std::string host_use_text(const RunResult& run);             // of a run that has one
nlohmann::ordered_json host_use_json(const RunResult& run);  // {} of a run that has none

}  // namespace orrery::report
