// The own state of a device as runs: a run is a stretch in which one work task runs, in which only transfers of one
// kind move bytes, in which the host launches while the device stands still, or in which nothing of the device's own
// happens.
#pragma once
#include <tuple>
#include <vector>

#include "orrery/engine/engine.hpp"
#include "participation.hpp"

namespace orrery::engine {

struct Run {
  std::int64_t begin, end;
  program::Category category;  // bubble = nothing of the device's own: it waits
  program::TaskId task;        // a fused block, by whose segments the run counts; else kNone
  program::TaskId next;  // of a waiting run: the next task in the order of the device; kNone = the end of the step
};

class DeviceRuns {
 public:
  DeviceRuns(const program::Program& program, const Timeline& timeline);
  std::vector<Run> of(program::DeviceIndex device) const;  // by time, from 0 to the makespan

 private:
  struct Change;
  std::vector<Change> changes_of(program::DeviceIndex device) const;
  void add_changes(program::TaskId task, std::vector<Change>& changes) const;
  void find_next(program::DeviceIndex device, std::vector<Run>& runs) const;
  program::Lane lane_of(const Participation& p) const;

  const program::Program& program_;
  const Timeline& timeline_;
  ByDevice by_device_;
  std::vector<bool> stands_still_;  // [template] a fused block in which the device waits for launches
};

// Order that depends neither on task ids nor on how a pass is cut into tasks, so folded and expanded, fused and
// unfused Programs choose alike.
std::tuple<bool, program::Activity, std::int32_t, std::int32_t, std::uint8_t, std::int32_t> rank_of(
    const program::Program& program, program::TaskId task);

}  // namespace orrery::engine
