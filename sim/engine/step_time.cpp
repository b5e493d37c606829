#include "step_time.hpp"

#include <algorithm>
#include <cstdlib>

namespace orrery::engine {

std::vector<std::int64_t> step_ends(const program::Program& program, const Timeline& timeline) {
  const std::size_t devices = program.devices.size();
  std::vector<std::int64_t> ends(static_cast<std::size_t>(program.steps) * devices, 0);
  for (program::TaskId task = 0; task < program.tasks(); ++task)
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i) {
      const program::Participant& p = program.participants[i];
      if (p.operation == program::kNone) continue;
      std::int64_t& end = ends[program.operations[p.operation].step * devices + p.device];
      end = std::max(end, timeline.end[task]);
    }
  return ends;
}

namespace {

std::int64_t end_of(const std::vector<std::int64_t>& ends, const program::Program& program, int step) {
  const auto devices = static_cast<std::ptrdiff_t>(program.devices.size());
  return *std::max_element(ends.begin() + step * devices, ends.begin() + (step + 1) * devices);
}

// [step · devices · lanes …] When each lane of each device was free; the tasks of a device stand step after step.
std::vector<std::int64_t> lane_ends(const program::Program& program, const Timeline& timeline) {
  const std::size_t each = program.devices.size() * program::kLanes;
  std::vector<std::int64_t> ends(static_cast<std::size_t>(program.steps) * each, 0);
  std::vector<std::size_t> step(program.devices.size(), 0);  // of the last operation; what the host does follows one
  for (program::TaskId task = 0; task < program.tasks(); ++task) {
    const program::TaskTemplate& t = program.template_of(task);
    const std::uint32_t first = program.participant_begin[task];
    for (std::uint32_t i = first; i < program.participant_begin[task + 1]; ++i) {
      const program::Participant& p = program.participants[i];
      if (p.operation != program::kNone)
        step[p.device] = static_cast<std::size_t>(program.operations[p.operation].step);
      const auto lane = static_cast<std::size_t>(i == first ? t.lane : t.partner_lane);
      std::int64_t& end = ends[step[p.device] * each + p.device * program::kLanes + lane];
      end = std::max(end, timeline.end[task]);
    }
  }
  return ends;
}

}  // namespace

// What a step leaves behind is when the lanes of its devices are free. Were each of them free as much later than a step
// before as the step is long, all steps to come were as long: they are made by additions and maxima alone. A lane that
// is free by more later will be waited for some day; one that is free by less will not.
bool has_settled(const program::Program& program, const Timeline& timeline) {
  if (program.steps == 1) return true;
  if (program.steps < 4) return false;  // the first begins as no other does, behind the last nothing follows
  const std::vector<std::int64_t> ends = step_ends(program, timeline), lanes = lane_ends(program, timeline);
  const int last = program.steps - 1;
  const std::int64_t step = end_of(ends, program, last) - end_of(ends, program, last - 1);
  const std::int64_t before = end_of(ends, program, last - 1) - end_of(ends, program, last - 2),
                     little = step / 1'000'000;
  const std::size_t each = program.devices.size() * program::kLanes, at = static_cast<std::size_t>(last - 1) * each;
  // Of the last but one: behind the last, nothing is launched any more.
  for (std::size_t i = 0; i < each; ++i)
    if (lanes[at + i] - lanes[at + i - each] > step + little) return false;
  return std::abs(step - before) <= little;
}

Time begin_of_last_step(const program::Program& program, const Timeline& timeline) {
  if (program.steps == 1) return {};
  return {end_of(step_ends(program, timeline), program, program.steps - 2)};
}

Time step_time(const program::Program& program, const Timeline& timeline) {
  if (program.steps == 1) return timeline.makespan;
  const std::vector<std::int64_t> ends = step_ends(program, timeline);
  return {end_of(ends, program, program.steps - 1) - end_of(ends, program, program.steps - 2)};
}

}  // namespace orrery::engine
