// Lowers a PipelineInput: operations in pipeline.cpp, messages in messages.cpp, the tasks of a pass in pieces.cpp. One
// object lowers the steps of a Program one after the other.
#pragma once
#include <array>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "orrery/program/pipeline.hpp"
#include "orrery/schedule/exchange.hpp"

namespace orrery::program {

class PipelineLowering {
 public:
  PipelineLowering(const PipelineInput& input, Builder& builder);
  PipelineEnds run(const StepStart& start);

 private:
  void begin(const StepStart& start);
  void lower_team(const Team& team);
  // Of the passes of its stage on this rank: the first forward; the last backward, or of a run of them; the first of
  // one.
  struct Place {
    bool first = false, last = false, opens = true;
  };
  std::vector<Place> places_of(const std::vector<schedule::Operation>& order) const;
  void lower_operation(const Team& team, const schedule::Operation& op, Place place);
  void enter(const Team& team, const schedule::Operation& op, int stage, int micro_batch, int pipe, bool forward);
  void leave(const Team& team, int stage, int micro_batch, int pipe, bool forward);
  static bool meets(const std::vector<bool>& in, int stage, bool forward) {
    return !in.empty() && in[static_cast<std::size_t>(2 * stage + (forward ? 0 : 1))];
  }
  void exchange(DeviceIndex device, std::span<const schedule::Message> messages);
  void emit_pass(const Team& team, const std::vector<std::vector<DataCall>>& calls);
  void emit_piece(const Team& team, std::uint32_t begin, std::uint32_t end, bool slowable);
  struct FusedKey {
    const Pass* pass;
    std::uint32_t begin, end;
    bool slowable;
    auto operator<=>(const FusedKey&) const = default;
  };
  struct Fused {
    TemplateId task;
    TemplateId host_before, host_after;
    bool has_host, chain;  // no call runs beside its steps
  };
  const Fused& fused(const Pass& pass, std::uint32_t begin, std::uint32_t end);
  void emit_fused(const std::vector<DeviceIndex>& members, const Fused& f);
  void emit_steps(const Team& team, std::uint32_t begin, std::uint32_t end);
  TemplateId step_template(const Pass& pass, std::uint32_t index);
  TemplateId call_template(const std::vector<DeviceIndex>& group, std::uint32_t index);
  // `before`: steps of the piece being emitted that it follows (PassOrder).
  void emit_step(const std::vector<DeviceIndex>& group, std::uint32_t index, const std::vector<std::uint32_t>& before);
  void meet(const std::vector<DeviceIndex>& group, const std::vector<std::uint32_t>& before);
  void follow(const std::vector<std::uint32_t>& steps, TaskId task, DeviceIndex device);
  TaskId blocking_launch(DeviceIndex device, Time launch, const std::vector<std::uint32_t>& before);
  TaskId launch_ahead(DeviceIndex device, Time launch);
  void launch_before(TemplateId host, DeviceIndex device);
  // Tasks of the gathers and fetches of a pass so far, of each kind in their order.
  static constexpr std::size_t kAhead = 3;
  using Ahead = std::array<std::vector<TaskId>, kAhead>;
  void gather_before(DeviceIndex device, const std::vector<DataCall>& calls, std::uint32_t position, Ahead& issued);
  TaskId ahead_task(DeviceIndex device, const std::vector<DataCall>& calls, const DataCall& call, const Ahead& issued);
  void reduce_after(const Team& team, std::size_t member, const std::vector<DataCall>& calls, std::uint32_t position);
  // Copies between a device and its host (moves.cpp).
  TaskId move_out(DeviceIndex device, const DataCall& call, TaskId before);
  TaskId fetch(DeviceIndex device, const DataCall& call);
  void wait_for_copies(DeviceIndex device);
  TaskId data_task(DeviceIndex device, const DataCall& call);
  TaskId message(DeviceIndex from, std::int32_t edge, int micro_batch, int pipe, bool forward);
  void add_after(TaskId task, DeviceIndex device);
  void serialise_messages();

  void number_slots();
  // What a stage makes of a micro-batch, on its own device.
  TaskId& made(DeviceIndex device, int stage, int micro_batch, int pipe, bool forward) {
    return output_[device][slot(stage_slot_, (pipe * stages_ + stage) * 2 + (forward ? 0 : 1), micro_batch)];
  }
  // What an edge carries of a micro-batch, on the device that it reaches.
  TaskId& arrived(DeviceIndex device, std::int32_t edge, int micro_batch, int pipe, bool forward) {
    const int edges = static_cast<int>(graph_.edges().size());
    return arrived_[device][slot(edge_slot_, (pipe * edges + edge) * 2 + (forward ? 0 : 1), micro_batch)];
  }
  std::size_t slot(const std::vector<std::int32_t>& number, int of, int micro_batch) const {
    return static_cast<std::size_t>(number[static_cast<std::size_t>(of)]) * static_cast<std::size_t>(micro_batches_) +
           static_cast<std::size_t>(micro_batch);
  }

  const PipelineInput& input_;
  Builder& builder_;
  const schedule::Placement& placement_;
  const layout::StageGraph& graph_;
  int stages_, micro_batches_ = 0;                    // of the team that has most
  std::vector<std::int32_t> stage_slot_, edge_slot_;  // [pipe, stage or edge, way] number among those of its rank
  std::vector<std::int32_t> made_on_, arrive_on_;     // [rank] how many there are
  // Per device: what the next task must wait for, the operation being lowered, tails of the pieces so far.
  std::vector<std::vector<TaskId>> waits_;
  std::vector<OperationId> operation_;
  std::vector<const Pass*>
      pass_;  // the one being lowered: of the same steps, but not the same times, for all of a team
  std::vector<std::vector<TaskId>> history_;
  std::vector<std::vector<TaskId>> step_tasks_;        // [device] of the piece being emitted, step by step
  std::vector<std::vector<TaskId>> host_waits_;        // [device] what the host has yet to wait for
  std::vector<std::vector<TaskId>> output_, arrived_;  // [device][slot] last task of a pass; message to this device
  static constexpr std::size_t kDataKinds = 4;         // of shards or replicas, of experts or of all else
  std::vector<std::vector<TaskId>> data_tasks_;  // [first device of the group · kinds + kind] in order of the calls
  std::vector<std::size_t> data_calls_seen_;     // [device · kinds + kind]
  std::vector<std::vector<std::pair<DeviceIndex, TaskId>>> sent_;  // [device · 2 + forward] (to, message) in order
  std::vector<std::vector<TaskId>> copied_;  // [device] copies of activations to the host, in their order
  std::vector<std::map<std::array<std::int32_t, 3>, TaskId>> last_copy_;  // [device] of stage, pipe and micro-batch
  const StepStart* start_ = nullptr;
  std::vector<bool> validated_;  // [device] its first backward pass waits already
  PipelineEnds ends_;
  std::map<FusedKey, Fused> fused_;
  std::unordered_map<const Pass*, std::array<std::vector<TemplateId>, 2>> steps_;   // [whether slowed][step], or kNone
  std::map<std::pair<std::vector<const Pass*>, std::uint32_t>, TemplateId> calls_;  // among members of unlike passes
  std::map<std::int64_t, TemplateId> launches_, ahead_;
  bool slowable_ = false, launch_steps_ = false;  // the piece being emitted
  std::vector<Participant> participants_;         // of the step being emitted, and the launches it waits for
  std::vector<TaskId> blocking_, launched_;
  TemplateId join_;  // no time: where an unfused piece waits for the calls still in flight
};

}  // namespace orrery::program
