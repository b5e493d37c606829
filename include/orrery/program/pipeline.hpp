// Lowering of a pipeline schedule: per-rank operation lists + what each pass does → tasks and edges of a Program.
//
// A pass is a list of steps (kernels and communication calls) in program order. Fused, a piece of a pass is one task
// that keeps its inner split of time and its memory effects; unfused, each step is a task. Both give the same times: a
// piece has one entry and one exit, and a team shares a fused piece only where its members are provably alike.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "orrery/layout/pass.hpp"
#include "orrery/layout/stage_graph.hpp"
#include "orrery/program/builder.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::program {

using layout::MemoryChange;  // of 0 bytes: the step uses the tensor

// A step of a pass with its times on a device.
struct TimedStep {
  Time duration{};
  Category category = Category::compute;
  Lane lane = Lane::compute;  // of a dimension: a communication call along it
  bool backward = false;      // of a backward pass
  std::uint32_t beside = 0;   // of a call: so many of the next steps run beside it, and the one behind them waits
  const char* name = "";      // static text
  const Transfer* transfer = nullptr;  // network.mode flows
  Bytes bytes_sent{};
  Call call;      // of a communication call
  Time launch{};  // host time to launch it, beside what the device does
  Time before{};  // host time during which the device waits (blocking launches)
  layout::MemoryChanges memory;
  std::int32_t layer = kNoLayer;
};

// A collective of the data-parallel ranks that goes with a pass: parameters gathered before the step at `position`, or
// gradients reduced after the steps before `position`.
struct DataCall {
  bool gather = false;
  std::uint32_t position = 0;
  Activity activity = Activity::gradient_reduce;
  TemplateId task = 0;
  int prefetch = 0;       // gather: issued when this many pieces before its own begin
  bool replicas = false;  // a reduction among the replicas of a shard: it follows the call before it, if that reduces
  bool experts = false;   // of the parameters of routed experts, among the ranks that hold the same ones
  // A copy between the device and its host instead, of the device alone: in place of a reduction it goes out.
  enum class Move : std::uint8_t { none, weights, gradients, activations };
  Move move = Move::none;
  std::int32_t stage = -1, micro_batch = -1;  // activations
  std::uint8_t pipe = 0;
};

struct Block;  // sim/program/block.hpp

struct Pass {
  std::vector<TimedStep> steps;
  std::uint32_t received = 0;  // steps before those of the stage: they gather what reaches it
  // Positions, ascending: the host reads what the steps before them made before it launches the next.
  std::vector<std::uint32_t> host_reads = {};
  bool inside = true;  // its blocks keep their parts
  // [first step, behind the last] pieces of it as blocks, made when they are asked for.
  mutable std::map<std::pair<std::uint32_t, std::uint32_t>, std::shared_ptr<const Block>> blocks = {};
};

// Devices that work on the same micro-batches with the same layers: of one pipeline stage, all ranks along the
// dimensions whose calls are steps of the passes.
struct Team {
  const schedule::Schedule* schedule = nullptr;  // each runs the list of its pipeline rank
  std::vector<DeviceIndex> members;
  bool alike = true;  // one fold class: always in lockstep
  layout::PerDimension<std::vector<std::vector<DeviceIndex>>>
      groups;  // that communicate along it; those dimensions only
};

using layout::MessageMode;

// Everything the lowering asks about the run. All ids of templates refer to the Builder given to the lowering
// (sim/program/pipeline_lowering.hpp).
struct PipelineInput {
  const layout::StageGraph* stages = nullptr;  // who feeds whom; of as many stages as the schedules have
  std::vector<Team> teams;                     // at least one; their schedules have one placement
  bool fuse = true;
  MessageMode messages = MessageMode::asynchronous;
  // [stage][forward, backward] Members of a team meet in the pass: all of them, those of a kind (Program::levels).
  std::vector<bool> meets, meets_in_part;  // empty = in none
  bool sums_together = false;              // all of them do in the sums of gradients, where not in a pass
  std::uint8_t slowdown_class = 0;         // of kernels in passes that collectives of the gradient group go with
  // Gradients are reduced behind each run of backward passes of one stage: the first of a run opens them, and the last
  // is for `data_calls` the last of its stage.
  bool reduces_after_runs = false;
  // The steps of an operation on a device of the team (for overlapped operations: forward half or backward half).
  std::function<const Pass&(DeviceIndex, schedule::OpKind kind, int stage, int pipe, bool opens)> pass;
  // Overlapped operations as one pass of their own; empty = forward steps, then backward steps.
  std::function<const Pass*(DeviceIndex, const schedule::Operation&, bool opens)> overlapped_pass;
  // Collectives of the data-parallel ranks that go with this operation, by ascending position; empty for most. Of
  // overlapped operations those of the forward half or of the backward half.
  std::function<std::vector<DataCall>(DeviceIndex, const schedule::Operation&, bool forward_half, bool first_of_stage,
                                      bool last_of_stage)>
      data_calls;
  // The device that runs a stage for the same coordinates otherwise, and the template of what an edge of
  // `stages` carries from one device to another: the activation (forward) or its gradient. Never asked for within a
  // device.
  std::function<DeviceIndex(DeviceIndex, int stage, int pipe)> peer;
  std::function<TemplateId(DeviceIndex from, DeviceIndex to, std::int32_t edge, bool forward)> message;
  // Who makes the call with a device: the ranks of its shards, or the replicas of its shard, of its experts or of all
  // else.
  std::function<const std::vector<DeviceIndex>&(DeviceIndex, const DataCall&)> data_group;
};

// What a step hangs on at its beginning; an empty list = nothing.
struct StepStart {
  std::vector<TaskId> ready;      // [device] its first operation waits for it
  std::vector<TaskId> previous;   // [device] end of its step before: what is asked for ahead of time waits for it
  std::vector<TaskId> validated;  // [device] its first backward pass waits for it; kNone = for nothing
};

// Where each device stands after its last operation: what the epilogue hangs on.
struct PipelineEnds {
  std::vector<TaskId> tail;                     // [device] last task, kNone if it had none
  std::vector<std::vector<TaskId>> reductions;  // [device] gradient collectives the optimizer waits for
  std::vector<std::vector<TaskId>> sent;        // [device] copies of gradients that the host's waits for
};

}  // namespace orrery::program
