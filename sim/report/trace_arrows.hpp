// Arrows of a trace: from the operation that made a pipeline message, over the message where it arrives, to the
// operation that waits for it.
#pragma once
#include <cstdint>
#include <vector>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

// Between two operations, each of which is one slice. Times in ns.
struct Arrow {
  program::OperationId from = 0, to = 0;
  std::int64_t leave = 0, arrive = 0;
  bool forward = true;
};
std::vector<Arrow> arrows_of(const program::Program& program, const engine::OperationTimes& times);

}  // namespace orrery::report
