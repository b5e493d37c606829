// Times within a task: its template puts what it is made of at offsets from its start, a task that traffic slowed has
// them later.
#pragma once
#include <cstdint>

#include "orrery/engine/engine.hpp"

namespace orrery::engine {

class Within {
 public:
  Within() = default;  // of a task that starts at 0 and is as its template says
  Within(const program::Program& program, const Timeline& timeline, program::TaskId task)
      : start_(timeline.start[task]) {
    if (timeline.first_leg.empty() || timeline.first_leg[task] == program::kNone) return;
    const program::Range steps = program.template_of(task).steps;
    leg_ = timeline.legs.data() + timeline.first_leg[task];
    ends_ = program.kernel_ends.data() + steps.first;
    steps_ = steps.count;
  }
  bool slowed() const { return leg_ != nullptr; }
  std::int64_t start() const { return start_; }
  // An offset at which a step of the task begins or ends.
  std::int64_t at(std::int64_t offset) const {
    return leg_ == nullptr || offset == 0 ? start_ + offset : slowed_at(offset);
  }

 private:
  std::int64_t slowed_at(std::int64_t offset) const;

  std::int64_t start_ = 0;
  const Leg* leg_ = nullptr;
  const program::KernelEnd* ends_ = nullptr;
  std::uint32_t steps_ = 0;
};

}  // namespace orrery::engine
