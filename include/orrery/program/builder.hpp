// Builds a Program task by task. Lane order is kept by the builder: a task follows the one added before it on each lane
// of each of its participants, unless it is added free of lanes.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/program/program.hpp"

namespace orrery::program {

class Builder {
 public:
  // Makes room for about so many tasks.
  void expect_tasks(double count);
  DeviceIndex add_device(Device device);
  Range add_segments(std::span<const Segment> segments);
  std::uint32_t add_inside(std::span<const PassPart> parts);
  Range add_effects(std::span<const MemoryEffect> effects);
  std::uint32_t add_transfer(Transfer transfer);
  Range add_calls(std::span<const Call> calls);
  std::uint8_t add_slowdown(Slowdown slowdown);
  const Slowdown& slowdown(std::uint8_t number) const { return program_.slowdowns[number]; }
  Range add_kernel_ends(std::span<const KernelEnd> ends);
  TemplateId add_template(const TaskTemplate& task);
  // Operations added from now on belong to this step; 0 at first.
  void begin_step(int step);
  OperationId add_operation(Operation operation);

  enum class Ordering : std::uint8_t { by_lane, free };
  TaskId add_task(TemplateId of, std::span<const Participant> participants, Ordering ordering = Ordering::by_lane);
  TaskId add_task(TemplateId of, Participant participant, Ordering ordering = Ordering::by_lane);
  void add_edge(TaskId before, TaskId after);
  Program::Levels& levels() { return program_.levels; }  // by the task ids of the builder until it finishes
  // Last task added on a lane of a device, kNone at first.
  TaskId last_on(DeviceIndex device, Lane lane) const;

  const TaskTemplate& template_at(TemplateId id) const { return program_.templates[id]; }
  const TaskTemplate& template_of(TaskId task) const { return program_.template_of(task); }
  const Device& device(DeviceIndex index) const { return program_.devices[index]; }

  // Renumbers the tasks topologically and packs the edges. A cycle is a deadlock: the error names, per device, the
  // first task that cannot start and what it waits for. The builder is empty afterwards.
  Result<Program> finish();

 private:
  struct Edge {
    TaskId before, after;
  };
  void follow_lane(DeviceIndex device, Lane lane, TaskId task);
  std::vector<TaskId> topological_order(std::vector<std::uint32_t>& waiting) const;
  void renumber(const std::vector<TaskId>& order);
  Diagnostic deadlock(const std::vector<std::uint32_t>& waiting) const;

  Program program_;
  std::vector<Edge> edges_;
  std::vector<TaskId> last_;  // [device · kLanes + lane]
};

// "F3", "optimizer", "send activation 3": the name of an operation for reports, traces and errors.
std::string operation_name(const Operation& operation);
std::string_view activity_name(Activity activity);

}  // namespace orrery::program
