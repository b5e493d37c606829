// Schedules as text, in the notation of PyTorch's pipelining (torch.distributed.pipelining, _dump_csv / _load_csv): one
// line per rank, operations apart by commas, blanks allowed:
//   0F3 stage 0, forward, micro-batch 3; I gradient of the input; W of the weights; B both;
//   (0F7;7B3)OVERLAP_F_B one overlapped operation; a suffix @1 names the second pipe (DualPipe, Chimera).
#pragma once
#include <string>
#include <string_view>

#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule {

std::string to_string(const Operation& operation);
std::string to_csv(const Schedule& schedule);

// The schedule of a CSV text; the placement follows from which rank runs which stage. Errors carry file, line and
// column. Communication operations of a lowered list (SEND_F, RECV_B, UNSHARD…) are left out, with a warning. The
// result is checked as validate() checks.
Result<Schedule> from_csv(std::string_view text, const std::string& file);
// The same of a regular file, or of standard input for "-".
Result<Schedule> load_csv(const std::string& file);

}  // namespace orrery::schedule
