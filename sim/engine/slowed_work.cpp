#include "slowed_work.hpp"

#include <algorithm>

namespace orrery::engine {

using program::DeviceIndex;
using program::KernelEnd;
using program::kNone;
using program::TaskId;

SlowedWork::SlowedWork(const program::Program& program, const Paces* paces)
    : program_(program), paces_(paces), devices_(program.devices.size()) {}

// A change of speed at which no step has begun since the last replaces that one's leg.
void SlowedWork::OnDevice::begin_leg() {
  if (!legs.empty() && legs.back().first == step) legs.pop_back();
  legs.push_back({since + takes() - end_of(step), step, slowed(), false});
}

SlowedWork::End SlowedWork::predict(OnDevice& d) const {
  const std::int64_t takes = d.takes() + d.end_of(d.steps - 1) - d.end_of(d.step);
  const std::int64_t end = paces_ ? paces_->end_of(d.task, d.since, takes) : checked_add(d.since, takes);
  d.begin_leg();
  return {d.task, end, ++d.version};
}

SlowedWork::End SlowedWork::start(TaskId task, std::int64_t now) {
  const program::TaskTemplate& t = program_.template_of(task);
  OnDevice& d = on(task);
  d.task = task;
  d.slowdown = program_.slowdowns[t.slowdown_class];
  d.ends = program_.kernel_ends.data() + t.steps.first;
  d.steps = t.steps.count;
  d.step = 0;
  d.left = d.length(0);
  d.since = now;
  d.legs.clear();
  return predict(d);
}

bool SlowedWork::holds(TaskId task, std::uint32_t version) const {
  const OnDevice& d = devices_[device_of(task)];
  return d.task == task && d.version == version;
}

void SlowedWork::finish(TaskId task, Timeline& timeline) {
  OnDevice& d = on(task);
  d.task = kNone;
  const bool block = program_.template_of(task).segments.count > 0;
  const Leg& first = d.legs.front();
  if (!block || (d.legs.size() == 1 && !first.slowed && first.base == timeline.start[task])) return;
  if (timeline.first_leg.empty()) timeline.first_leg.assign(program_.tasks(), kNone);
  timeline.first_leg[task] = static_cast<std::uint32_t>(timeline.legs.size());
  d.legs.back().last = true;
  timeline.legs.insert(timeline.legs.end(), d.legs.begin(), d.legs.end());
}

// Which step runs after so long at this speed, and what is left of it.
void SlowedWork::OnDevice::advance(std::int64_t elapsed) {
  const std::int64_t takes_now = takes();
  if (elapsed < takes_now || step + 1 == steps) {
    left -= done(elapsed);
    return;
  }
  const std::int64_t at = elapsed - takes_now + end_of(step);
  const KernelEnd* const next = std::upper_bound(
      ends + step + 1, ends + steps, at,
      [this](std::int64_t time, const KernelEnd& e) { return time < (slowed() ? e.slowed : e.alone); });
  const bool ended = next == ends + steps;
  step = ended ? steps - 1 : static_cast<std::uint32_t>(next - ends);
  left = ended ? 0 : length(step) - done(at - begin_of(step));
}

std::optional<SlowedWork::End> SlowedWork::change_traffic(DeviceIndex device, std::int64_t now, std::int32_t by) {
  OnDevice& d = devices_[device];
  const bool changes = d.task != kNone && d.slowed() != (d.in_flight + by > 0);
  if (changes) {
    d.advance(paces_ ? paces_->done(d.task, d.since, now) : now - d.since);
    d.since = now;
  }
  d.in_flight += by;
  if (!changes) return {};
  return predict(d);
}

}  // namespace orrery::engine
