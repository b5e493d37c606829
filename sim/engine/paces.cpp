#include "paces.hpp"

#include <algorithm>
#include <limits>

#include "orrery/core/error.hpp"

namespace orrery::engine {

using program::kNone;
using program::Stretches;
using program::TaskId;

Paces::Paces(const program::Program& program) : program_(program), stretches_(program.stretches) {
  for (std::size_t i = 0; i < stretches_.takes.size(); ++i) {
    const std::int64_t duration = stretches_.takes[i - i % stretches_.states].value;
    const Int128 takes = stretches_.takes[i].value;
    const bool at_once = duration == 0 || takes == 0;
    const Int128 whole = Int128{duration} << kShift;
    speeds_.push_back(stretches_.takes[i] == Stretches::kStands ? 0 : at_once ? kAtOnce : (whole + takes - 1) / takes);
  }
}

std::int64_t Paces::end(std::size_t stretch) const {
  return stretch < stretches_.begin.size() ? stretches_.begin[stretch].value : std::numeric_limits<std::int64_t>::max();
}

Int128 Paces::speed(TaskId task, std::size_t stretch) const {
  return speeds_[std::size_t{stretches_.pace[task]} * stretches_.states + stretches_.state_behind(stretch)];
}

std::int64_t Paces::end_of(TaskId task, std::int64_t start, std::int64_t amount) const {
  if (stretches_.pace[task] == kNone) return checked_add(start, amount);
  Int128 left = Int128{amount} << kShift;
  std::int64_t at = start;
  for (std::size_t stretch = stretches_.begun({start});; ++stretch) {
    const Int128 per = speed(task, stretch);
    const std::int64_t until = end(stretch);
    if (per == kAtOnce) return at;
    if (per > 0) {
      const Int128 needed = (left + per - 1) / per;
      if (needed <= until - at) return at + static_cast<std::int64_t>(needed);
      left -= per * (until - at);
    }
    if (stretch >= stretches_.begin.size()) throw_overflow("end of a task that is slow");
    at = until;
  }
}

std::int64_t Paces::done(TaskId task, std::int64_t from, std::int64_t to) const {
  if (stretches_.pace[task] == kNone) return to - from;
  Int128 sum = 0;
  for (std::size_t stretch = stretches_.begun({from}); from < to; ++stretch) {
    const std::int64_t until = std::min(to, end(stretch));
    sum += std::max<Int128>(speed(task, stretch), 0) * (until - from);
    from = until;
  }
  return static_cast<std::int64_t>(sum >> kShift);
}

}  // namespace orrery::engine
