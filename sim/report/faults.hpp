// What is slow or down for a part of the step, in words and as JSON.
#pragma once
#include <nlohmann/json.hpp>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

// " costs 81 ms (6.2 %): …": the sentence behind its name and its times.
std::string fault_text(const RunResult& run, const Fault& fault);
// "GPU 3 at 0.5 of its speed from 200 ms until 400 ms"
std::string fault_name(const Fault& fault);
nlohmann::ordered_json faults_json(const RunResult& run);

}  // namespace orrery::report
