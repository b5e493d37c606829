// Small Programs made by hand: a task is a line, times are picoseconds.
#pragma once
#include <initializer_list>
#include <utility>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/program/builder.hpp"

namespace orrery::engine::testing {

using namespace program;

class ByHand {
 public:
  explicit ByHand(int devices) {
    for (std::int32_t d = 0; d < devices; ++d) {
      Device device;
      device.ranks = {d};
      device.at[layout::Dimension::pipeline] = d;
      builder.add_device(std::move(device));
    }
  }
  // Work of an operation of its own on a device, after what stands before it on the compute lane and after `after`.
  TaskId work(DeviceIndex d, std::int64_t ps, std::initializer_list<TaskId> after = {},
              Category category = Category::compute) {
    TaskTemplate t;
    t.duration = {ps};
    t.category = category;
    return task(t, {{d, operation(d, Activity::forward)}}, after);
  }
  // A piece of a pass as one task: its parts as (length, category).
  TaskId block(DeviceIndex d, std::initializer_list<std::pair<std::int64_t, Category>> parts,
               std::initializer_list<TaskId> after = {}) {
    std::vector<Segment> segments;
    TaskTemplate t;
    for (const auto& [ps, category] : parts) {
      t.duration += Time{ps};
      segments.push_back({t.duration, category});
    }
    t.category = segments.front().category;  // as lowering has it
    t.segments = builder.add_segments(segments);
    return task(t, {{d, operation(d, Activity::forward)}}, after);
  }
  // The host of a device, beside what the device does.
  TaskId host(DeviceIndex d, std::int64_t ps, std::initializer_list<TaskId> after = {}) {
    TaskTemplate t;
    t.duration = {ps};
    t.category = Category::host;
    t.lane = t.partner_lane = Lane::host;
    return task(t, {{d, kNone}}, after);
  }
  // A launch that the device stands still for.
  TaskId launch(DeviceIndex d, std::int64_t ps, std::initializer_list<TaskId> after = {}) {
    return work(d, ps, after, Category::host);
  }
  TaskId message(DeviceIndex from, DeviceIndex to, std::int64_t ps, std::initializer_list<TaskId> after) {
    TaskTemplate t;
    t.duration = {ps};
    t.category = Category::pipeline_comm;
    t.lane = Lane::pipeline_send;
    t.partner_lane = Lane::pipeline_receive;
    return task(t, {{from, operation(from, Activity::send_forward)}, {to, operation(to, Activity::send_forward)}},
                after, Builder::Ordering::free);
  }
  TaskId collective(std::initializer_list<DeviceIndex> group, Category category, Lane lane, std::int64_t ps,
                    std::initializer_list<TaskId> after) {
    TaskTemplate t;
    t.duration = {ps};
    t.category = category;
    t.lane = t.partner_lane = lane;
    std::vector<Participant> members;
    for (const DeviceIndex d : group) members.push_back({d, operation(d, Activity::gradient_reduce)});
    return task(t, members, after);
  }
  // Of the operation made last.
  void name_last(Activity activity) { activities_.back() = activity; }
  Program program() {
    Result<Program> result = builder.finish();
    check(result.ok(), "a Program made by hand has no cycle");
    Program program = std::move(result).value();
    for (std::size_t i = 0; i < activities_.size(); ++i) program.operations[i].activity = activities_[i];
    return program;
  }

  Builder builder;

 private:
  OperationId operation(DeviceIndex d, Activity activity) {
    activities_.push_back(activity);
    return builder.add_operation({d, activity, 0, static_cast<std::int32_t>(d), made_++});
  }
  TaskId task(const TaskTemplate& of, const std::vector<Participant>& who, std::initializer_list<TaskId> after,
              Builder::Ordering ordering = Builder::Ordering::by_lane) {
    const TaskId id = builder.add_task(builder.add_template(of), who, ordering);
    for (const TaskId before : after) builder.add_edge(before, id);
    return id;
  }
  std::int32_t made_ = 0;
  std::vector<Activity> activities_;  // [operation]
};

// A split by the names of its parts; the others are 0.
inline Breakdown parts(std::initializer_list<std::pair<Category, std::int64_t>> given) {
  Breakdown b{};
  for (const auto& [category, ps] : given) b[static_cast<std::size_t>(category)] = ps;
  return b;
}

}  // namespace orrery::engine::testing
