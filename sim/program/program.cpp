#include "orrery/program/program.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/program/builder.hpp"

namespace orrery::program {

// Of these a run has one an operation, a task or a part of one: hundreds of millions at the most. A member more is a
// decision.
static_assert(sizeof(Participant) == 8 && sizeof(Operation) == 28, "two and one of each task");
static_assert(sizeof(Segment) == 16 && sizeof(MemoryEffect) == 32, "of templates: some for each step of a pass");
static_assert(sizeof(TaskTemplate) == 72 && sizeof(Call) == 80, "one a step of a pass that is not fused");

std::int64_t Program::ranks() const {
  std::int64_t count = 0;
  for (const Device& device : devices) count += static_cast<std::int64_t>(device.ranks.size());
  return count;
}

std::size_t Stretches::begun(Time by) const {
  return static_cast<std::size_t>(std::upper_bound(begin.begin(), begin.end(), by) - begin.begin());
}

std::uint32_t Program::transfer_of(TaskId task, Time start) const {
  if (stretches.transfers.empty() || stretches.pace[task] == kNone) return template_of(task).transfer;
  const std::uint32_t state = stretches.state_behind(stretches.begun(start));
  return stretches.transfers[std::size_t{stretches.pace[task]} * stretches.states + state];
}

std::string_view activity_name(Activity activity) {
  constexpr std::array<std::string_view, 18> names{"F",
                                                   "B",
                                                   "I",
                                                   "W",
                                                   "X",
                                                   "optimizer",
                                                   "send activation",
                                                   "send gradient",
                                                   "reduce gradients",
                                                   "gather parameters",
                                                   "reduce embedding gradients",
                                                   "gradient norm",
                                                   "step",
                                                   "launch",
                                                   "validate optimizer",
                                                   "to host",
                                                   "from host",
                                                   "optimizer on the host"};
  return names[static_cast<std::size_t>(activity)];
}

std::string operation_name(const Operation& operation) {
  const std::string_view base = activity_name(operation.activity);
  if (operation.micro_batch < 0) return std::string(base);
  const bool compute = operation.activity <= Activity::overlapped;
  const auto pipe = [](int of) { return of != 0 ? "@1" : ""; };
  if (operation.activity == Activity::overlapped && operation.backward_micro_batch >= 0)
    return fmt::format("F{}{} B{}{}", operation.micro_batch, pipe(operation.pipe), operation.backward_micro_batch,
                       pipe(operation.backward_pipe));
  return fmt::format("{}{}{}{}", base, compute ? "" : " ", operation.micro_batch, pipe(operation.pipe));
}

}  // namespace orrery::program
