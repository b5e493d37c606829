#include "orrery/program/lower.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "dimension_calls.hpp"
#include "flops_book.hpp"
#include "orrery/program/footprint.hpp"
#include "overlap.hpp"
#include "pipeline_lowering.hpp"
#include "step_end.hpp"

namespace orrery::program {
namespace {

using layout::Dimension;
using layout::PassKind;
using schedule::OpKind;

PassKind pass_kind(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return PassKind::forward;
    case OpKind::input_gradient:
      return PassKind::input_gradient;
    case OpKind::weight_gradient:
      return PassKind::weight_gradient;
    case OpKind::backward:
    case OpKind::overlapped:
      return PassKind::backward;
  }
  internal_error("unknown operation kind");
}

class StepLowering {
 public:
  StepLowering(const StepInput& input, const LowerOptions& options, const layout::StageGraph& graph,
               std::span<const std::int32_t> stage_of)
      : input_(input),
        options_(options),
        graph_(graph),
        ranks_(input, graph),
        communication_(input),
        stages_(input, graph, ranks_, communication_, builder_, stage_of),
        data_(input, ranks_, devices_, communication_, stages_, builder_),
        end_(input, graph, ranks_, devices_, communication_, stages_, data_, builder_),
        // Where transfers share links, ranks that are alike by themselves may meet on them: each is played.
        devices_(fold_ranks(ranks_, observed_calls(), input, communication_, options.fold)) {
    data_.form_groups();
    add_devices();
  }

  Result<LoweredStep> lower();
  Footprint footprint();
  StepExamination examine();

 private:
  std::vector<ObservedCall> observed_calls();
  void add_devices();
  std::vector<Team> teams() const;
  PipelineInput pipeline_input();
  TemplateId message(DeviceIndex from, DeviceIndex to, std::int32_t edge, bool forward);
  int steps() const;
  StepStart start_of_step(const PipelineEnds& before);
  void summarise(LoweredStep& step);

  std::size_t devices() const { return devices_.representative.size(); }

  const StepInput& input_;
  const LowerOptions& options_;
  const layout::StageGraph& graph_;
  Builder builder_;
  Ranks ranks_;
  Communication communication_;
  StageCosts stages_;
  DataParallel data_;
  StepEnd end_;
  Devices devices_;
  std::map<std::tuple<const ProcessGroups*, std::int32_t, std::int64_t, bool>, TemplateId> messages_;
  std::optional<TemplateId> overhead_;
  OverlappedPasses overlapped_{stages_, static_cast<int>(input_.stack.communication.pass_overlap_percent)};
};

// What tells ranks apart: every call of the step on a group of theirs. (All wait for the gradient norm together.)
std::vector<ObservedCall> StepLowering::observed_calls() {
  std::vector<ObservedCall> calls = stages_.calls();
  for (const ObservedCall& call : data_.observed()) calls.push_back(call);
  for (const ObservedCall& call : end_.observed()) calls.push_back(call);
  return calls;
}

void StepLowering::add_devices() {
  for (std::size_t d = 0; d < devices(); ++d) {
    Device device;
    device.ranks = devices_.ranks[d];
    device.at = ranks_.at[static_cast<std::size_t>(devices_.representative[d])];
    device.at[layout::Dimension::pipeline] = device.at[Dimension::pipeline];
    const layout::StateBytes state =
        layout::state_bytes(stages_.parameters_of_rank(device.pipeline_rank()), input_.state, input_.layout);
    device.resident[static_cast<std::size_t>(MemoryClass::weights)] = state.weights.value;
    device.resident[static_cast<std::size_t>(MemoryClass::gradients)] = state.gradients.value;
    device.resident[static_cast<std::size_t>(MemoryClass::optimizer)] = state.optimizer.value;
    for (const int s : stages_.on_rank(device.pipeline_rank())) {
      std::int64_t& buffers = device.resident[static_cast<std::size_t>(MemoryClass::buffers)];
      buffers = std::max(buffers, stages_.stage(s).placeholders().value);
    }
    builder_.add_device(std::move(device));
  }
}

std::vector<Team> StepLowering::teams() const {
  const std::vector<Dimension> in_pass = layout::dimensions_that(&layout::DimensionFacts::in_pass);
  std::vector<Team> teams;
  std::vector<bool> placed(devices(), false);
  for (std::size_t d = 0; d < devices(); ++d) {
    if (placed[d]) continue;
    const std::int32_t rank = devices_.representative[d];
    const layout::Coordinates& at = ranks_.at[static_cast<std::size_t>(rank)];
    const std::vector<std::int32_t> members = ranks_.grid.group(at, in_pass);
    Team team;
    for (const Dimension along : in_pass) {
      std::vector<Dimension> others = in_pass;
      std::erase(others, along);
      for (const std::int32_t r : ranks_.grid.group(at, others)) {
        const auto of = static_cast<std::size_t>(ranks_.along_of[along][static_cast<std::size_t>(r)]);
        const auto group = devices_of(devices_, ranks_.along[along].groups[of]);
        auto& known = team.groups[along];
        if (std::find(known.begin(), known.end(), group) == known.end()) known.push_back(group);
      }
    }
    team.members = devices_of(devices_, members);
    for (const std::int32_t r : members)
      team.alike = team.alike && devices_.fold_class[static_cast<std::size_t>(r)] ==
                                     devices_.fold_class[static_cast<std::size_t>(rank)];
    for (const DeviceIndex m : team.members) placed[m] = true;
    teams.push_back(std::move(team));
  }
  return teams;
}

TemplateId StepLowering::message(DeviceIndex from, DeviceIndex to, std::int32_t edge, bool forward) {
  const int to_rank = builder_.device(to).pipeline_rank();
  const ProcessGroups& among = ranks_.pairs(builder_.device(from).pipeline_rank(), to_rank);
  const std::int32_t pair = ranks_.pair_of(devices_.representative[from], to_rank);
  const Bytes bytes = stages_.message_bytes(edge);
  const auto [it, fresh] = messages_.try_emplace({&among, pair, bytes.value, forward});
  if (!fresh) return it->second;
  const CallCost& cost = communication_.costs(among, Collective::send_receive, bytes)[static_cast<std::size_t>(pair)];
  // The sender keeps its copy until the message has left; the receiver's goes over to the pass that uses it.
  const std::array<MemoryEffect, 3> effects{MemoryEffect{0, false, MemoryClass::buffers, {}, bytes.value},
                                            MemoryEffect{0, true, MemoryClass::buffers, {}, -bytes.value},
                                            MemoryEffect{1, false, MemoryClass::buffers, {}, bytes.value}};
  TaskTemplate t;
  t.duration = cost.duration;
  t.category = among.category;
  t.lane = Lane::pipeline_send;
  t.partner_lane = Lane::pipeline_receive;
  t.name = forward ? "send activation" : "send gradient";
  t.effects = builder_.add_effects(effects);
  t.bytes_sent = bytes;
  if (!cost.transfer.phases.empty()) t.transfer = builder_.add_transfer(cost.transfer);
  t.calls = builder_.add_calls({&cost.call, 1});
  return it->second = builder_.add_template(t);
}

PipelineInput StepLowering::pipeline_input() {
  PipelineInput p;
  p.schedule = &input_.schedule;
  p.stages = &graph_;
  p.teams = teams();
  p.fuse = options_.fuse && input_.mode != NetworkMode::flows;
  p.messages = input_.stack.communication.messages;
  const DimensionCalls& gradients = calls_along(Dimension::data);
  const Slowdown slowdown = gradients.slowdown_in(input_.stack.communication);
  if (gradients.overlap_in(input_.stack.communication) && slowdown.numerator != slowdown.denominator)
    p.slowdown_class = builder_.add_slowdown(slowdown);
  p.pass = [this](DeviceIndex d, OpKind kind, int stage, int pipe) -> const Pass& {
    return stages_.pass(devices_.representative[d], stage, pass_kind(kind), pipe);
  };
  // A host that waits for each kernel keeps nothing beside another.
  const bool overlaps =
      input_.stack.communication.pass_overlap_percent > 0 && input_.stack.launch.mode != cost::LaunchMode::blocking;
  if (overlaps)
    p.overlapped_pass = [this](DeviceIndex d, const schedule::Operation& op) {
      return &overlapped_.pass(devices_.representative[d], op);
    };
  p.data_calls = [this, overlaps](DeviceIndex d, const schedule::Operation& op, bool forward_half, bool first,
                                  bool last) {
    std::vector<DataCall> calls = data_.calls(d, op, forward_half, first, last);
    if (overlaps && op.kind == OpKind::overlapped) overlapped_.place(op, forward_half, calls);
    return calls;
  };
  p.peer = [this](DeviceIndex d, int stage, int pipe) {
    const int to = input_.schedule.placement.rank_of(stage, pipe);
    return devices_.device_of[static_cast<std::size_t>(ranks_.at_pipeline(devices_.representative[d], to))];
  };
  p.message = [this](DeviceIndex from, DeviceIndex to, std::int32_t edge, bool forward) {
    return message(from, to, edge, forward);
  };
  p.data_group = [this](DeviceIndex d, bool replicas) -> const std::vector<DeviceIndex>& {
    return data_.group(d, replicas);
  };
  return p;
}

// Where work crosses the boundary between steps, the second of two steps is the one that is asked for.
int StepLowering::steps() const {
  if (options_.steps > 0) return options_.steps;
  return post_validates(input_) ? 2 : 1;
}

// The host prepares a step once the device has ended the one before (it reads the loss and the norm).
StepStart StepLowering::start_of_step(const PipelineEnds& before) {
  StepStart start{before.tail, before.tail, end_.validate(before)};
  if (input_.stack.launch.per_step.value == 0) return start;
  if (!overhead_) {
    TaskTemplate host;
    host.duration = input_.stack.launch.per_step;
    host.category = Category::host;
    host.lane = host.partner_lane = Lane::host;
    host.name = kStepOverhead;
    overhead_ = builder_.add_template(host);
  }
  start.ready.clear();
  for (DeviceIndex d = 0; d < devices(); ++d) {
    start.ready.push_back(builder_.add_task(*overhead_, Participant{d, kNone}));
    if (!before.tail.empty()) builder_.add_edge(before.tail[d], start.ready[d]);
  }
  return start;
}

void StepLowering::summarise(LoweredStep& step) {
  std::vector<std::vector<std::int32_t>> on(
      static_cast<std::size_t>(input_.layout.pipeline));  // one rank of each class
  std::int32_t classes = 0;
  for (std::int32_t r = 0; r < ranks_.count; ++r) {
    const auto i = static_cast<std::size_t>(r);
    if (devices_.fold_class[i] != classes) continue;
    ++classes;
    on[static_cast<std::size_t>(ranks_.at[i][Dimension::pipeline])].push_back(r);
  }
  const auto slowest = [&](int stage, PassKind kind) {
    Time most{};
    for (const std::int32_t r : on[static_cast<std::size_t>(input_.schedule.placement.rank_of(stage))])
      most = std::max(most, stages_.compute_time(r, stage, kind));
    return most;
  };
  for (int s = 0; s < stages_.stages(); ++s) {
    const layout::StageModel& stage = stages_.stage(s);
    step.stages.push_back({stages_.span(s), stage.parameters(), slowest(s, PassKind::forward),
                           slowest(s, PassKind::backward), slowest(s, PassKind::input_gradient),
                           slowest(s, PassKind::weight_gradient)});
  }
  step.flops = count_flops(input_, stages_);
  step.flops_book = audit_flops(input_, step.flops);
  step.ranks = ranks_.count;
  step.fold_class = devices_.fold_class;
  step.splits = devices_.splits;
}

Footprint StepLowering::footprint() {
  TeamShape shape{0, 0, {}, 0};
  const std::vector<Team> all = teams();
  const auto count = static_cast<double>(all.size());
  for (const Team& team : all) {
    shape.members += static_cast<double>(team.members.size()) / count;
    for (std::size_t d = 0; d < layout::kDimensions; ++d)
      shape.groups.values[d] += static_cast<double>(team.groups.values[d].size()) / count;
    shape.alike += (team.alike ? 1 : 0) / count;
  }
  shape.teams = count / input_.layout.pipeline;
  const schedule::Placement& p = input_.schedule.placement;
  return footprint_of({input_.graph.spec, input_.layout, input_.pass, input_.stack, p.stages, p.pipes,
                       input_.schedule.micro_batches, input_.schedule.split_backward, input_.mode == NetworkMode::flows,
                       options_.fuse, steps(), shape},
                      stages_);
}

// No step is longer than all passes of one device of each pipeline rank, one after the other; no device holds more than
// the activations of all of its micro-batches.
StepExamination StepLowering::examine() {
  StepExamination e{footprint(), 0, 0};
  const std::int64_t micro_batches = input_.schedule.micro_batches;
  for (DeviceIndex d = 0; d < devices(); ++d) {
    double bytes = 0, time = static_cast<double>(input_.stack.launch.per_step.value);
    for (const std::int64_t resident : builder_.device(d).resident) bytes += static_cast<double>(resident);
    for (const int stage : stages_.on_rank(builder_.device(d).pipeline_rank())) {
      for (const PassKind kind : {PassKind::forward, PassKind::backward})
        for (const TimedStep& s : stages_.pass(devices_.representative[d], stage, kind, 0).steps)
          time += static_cast<double>(micro_batches) *
                  (static_cast<double>(s.duration.value) + static_cast<double>((s.launch + s.before).value));
      bytes += static_cast<double>(micro_batches) * static_cast<double>(stages_.stage(stage).saved_activations().value);
    }
    e.longest += time;
    e.most_bytes = std::max(e.most_bytes, bytes);
  }
  return e;
}

Result<LoweredStep> StepLowering::lower() {
  const PipelineInput pipeline = pipeline_input();
  PipelineLowering lowering(pipeline, builder_);
  PipelineEnds ends;
  for (int step = 0; step < steps(); ++step) {
    builder_.begin_step(step);
    const StepStart start = start_of_step(ends);
    ends = lowering.run(start);
    end_.lower(ends);
  }
  LoweredStep step;
  summarise(step);
  Result<Program> program = builder_.finish();
  if (!program.ok()) return program.errors();
  step.program = std::move(program).value();
  return step;
}

Result<std::vector<std::int32_t>> partition_of(const StepInput& input) {
  const auto spans = layout::partition_layers(input.graph.spec, input.layout);
  if (!spans.ok()) return spans.errors();
  return layout::stage_of_operators(input.graph, *spans);
}

layout::StageGraph stages_of(const StepInput& input, std::span<const std::int32_t> stage_of) {
  return layout::stage_graph(input.graph, stage_of, input.schedule.placement.stages, input.layout, input.pass);
}

}  // namespace

Result<LoweredStep> lower_step(const StepInput& input, const LowerOptions& options) {
  const auto stage_of = partition_of(input);
  if (!stage_of.ok()) return stage_of.errors();
  return lower_step(input, *stage_of, options);
}

Result<LoweredStep> lower_step(const StepInput& input, std::span<const std::int32_t> stage_of,
                               const LowerOptions& options) {
  const layout::StageGraph stages = stages_of(input, stage_of);
  if (!model::acyclic(input.graph, stage_of)) {
    Diagnostic circle;
    circle.path = "layout.partition", circle.message = "stages wait for each other in a circle";
    return circle;
  }
  if (Diagnostics broken = check_routes(Ranks(input, stages), input); !broken.empty()) return broken;
  StepLowering lowering(input, options, stages, stage_of);
  if (options.admit)
    if (Diagnostics refused = options.admit(lowering.footprint()); !refused.empty()) return refused;
  return lowering.lower();
}

Diagnostics check_step(const StepInput& input) {
  const auto stage_of = partition_of(input);
  if (!stage_of.ok()) return stage_of.errors();
  return check_routes(Ranks(input, stages_of(input, *stage_of)), input);
}

Result<StepExamination> examine_step(const StepInput& input, const LowerOptions& options) {
  const auto stage_of = partition_of(input);
  if (!stage_of.ok()) return stage_of.errors();
  const layout::StageGraph stages = stages_of(input, *stage_of);
  if (Diagnostics broken = check_routes(Ranks(input, stages), input); !broken.empty()) return broken;
  StepLowering lowering(input, options, stages, *stage_of);
  return lowering.examine();
}

}  // namespace orrery::program
