// Work of a slowdown class runs at denominator/numerator of its speed while gradient or parameter traffic of its device
// is in flight: the collective's kernels take multiprocessors and memory bandwidth. What is left of a kernel is kept in
// picoseconds of its nominal time, rounded up whenever the speed changes; the kernels behind it take what their
// KernelEnds say. So a task of many kernels has an event for each change of speed, and ends when they would one by one.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "orrery/engine/engine.hpp"
#include "paces.hpp"

namespace orrery::engine {

class SlowedWork {
 public:
  // `paces`: where something is slow for a part of the step, else null; tasks then have one step each.
  SlowedWork(const program::Program& program, const Paces* paces);

  // When it ends as things stand. An end of an older version no longer holds.
  struct End {
    program::TaskId task;
    std::int64_t time;
    std::uint32_t version;
  };
  End start(program::TaskId task, std::int64_t now);
  bool holds(program::TaskId task, std::uint32_t version) const;
  void finish(program::TaskId task, Timeline& timeline);
  // So many transfers more (or fewer) that slow the device; the new end of what it runs, where that changes it.
  std::optional<End> change_traffic(program::DeviceIndex device, std::int64_t now, std::int32_t by);

 private:
  struct OnDevice {
    program::TaskId task = program::kNone;  // slowable work that runs
    std::uint32_t version = 0;
    std::int32_t in_flight = 0;  // transfers that slow it
    program::Slowdown slowdown;
    const program::KernelEnd* ends = nullptr;
    std::uint32_t steps = 0, step = 0;  // the one that runs
    std::int64_t left = 0, since = 0;   // of that step
    std::vector<Leg> legs;

    bool slowed() const { return in_flight > 0; }
    std::int64_t end_of(std::uint32_t of) const { return slowed() ? ends[of].slowed : ends[of].alone; }
    std::int64_t begin_of(std::uint32_t of) const { return of == 0 ? 0 : end_of(of - 1); }
    std::int64_t length(std::uint32_t of) const { return ends[of].alone - (of == 0 ? 0 : ends[of - 1].alone); }
    bool slows(std::uint32_t of) const { return slowed() && end_of(of) - begin_of(of) != length(of); }
    std::int64_t takes() const { return slows(step) ? slowdown.slowed(left) : left; }
    std::int64_t done(std::int64_t in) const { return slows(step) ? slowdown.done(in) : in; }
    void advance(std::int64_t elapsed);
    void begin_leg();
  };
  OnDevice& on(program::TaskId task) { return devices_[device_of(task)]; }
  program::DeviceIndex device_of(program::TaskId task) const { return program_.participant(task).device; }
  End predict(OnDevice& device) const;

  const program::Program& program_;
  const Paces* paces_;
  std::vector<OnDevice> devices_;
};

}  // namespace orrery::engine
