// What a run keeps in the memory of its hosts.
#pragma once
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::scenario {

// Nothing where the run keeps all on its GPUs.
std::optional<report::HostUse> host_use(const Run& run, const program::Program& program,
                                        const engine::Timeline& timeline);

}  // namespace orrery::scenario
