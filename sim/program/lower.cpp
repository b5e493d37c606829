#include "orrery/program/lower.hpp"

#include <algorithm>

#include "flops_book.hpp"
#include "orrery/program/footprint.hpp"
#include "passing.hpp"
#include "step_lowering.hpp"

namespace orrery::program {

using layout::Dimension;
using layout::PassKind;

std::vector<GpuRef> gpu_kinds(const StepInput& input) {
  if (!input.unlike_gpus.empty()) return {input.unlike_gpus.begin(), input.unlike_gpus.end()};
  return {{input.gpu, input.kernels}};
}

std::int64_t mean_peak(const StepInput& input) {
  if (input.unlike_gpus.empty()) return input.gpu.peak(input.pass.compute).value;
  Int128 sum = 0;
  for (const std::int32_t kind : input.gpu_of)
    sum += input.unlike_gpus[static_cast<std::size_t>(kind)].gpu.peak(input.pass.compute).value;
  return static_cast<std::int64_t>(sum / static_cast<Int128>(input.gpu_of.size()));
}

std::int64_t micro_batches_of_step(const StepInput& input) {
  if (input.of_replicas.empty()) return checked_mul(input.schedule->micro_batches, input.layout.data);
  std::int64_t sum = 0;
  for (const auto& schedule : input.of_replicas) sum += schedule->micro_batches;
  return sum;
}

namespace {

// [stage][kind] what ranks of a replica count for, over all that hold the stage.
template <class OfReplica>
std::vector<std::vector<std::int64_t>> sum_by_kind(const StepInput& input, const OfReplica& of_replica) {
  const schedule::Placement& placement = input.schedule->placement;
  const layout::Layout& l = input.layout;
  const std::size_t kinds = std::max<std::size_t>(1, input.unlike_gpus.size());
  std::vector<std::vector<std::int64_t>> at_pipeline(static_cast<std::size_t>(l.pipeline),
                                                     std::vector<std::int64_t>(kinds));
  if (kinds == 1) {
    std::int64_t all = 0;
    for (int replica = 0; replica < l.data; ++replica) all += of_replica(replica);
    for (auto& counts : at_pipeline) counts[0] = checked_mul(all, std::int64_t{l.tensor} * l.context);
  } else {
    const layout::RankGrid grid(l);
    for (int r = 0; r < l.ranks(); ++r) {
      const layout::Coordinates at = grid.coordinates(r);
      at_pipeline[static_cast<std::size_t>(at[Dimension::pipeline])][gpu_kind(input, r)] +=
          of_replica(at[Dimension::data]);
    }
  }
  std::vector<std::vector<std::int64_t>> result;
  for (int s = 0; s < placement.stages; ++s) {
    result.emplace_back(kinds);
    for (int pipe = 0; pipe < placement.pipes; ++pipe)
      for (std::size_t k = 0; k < kinds; ++k)
        result.back()[k] += at_pipeline[static_cast<std::size_t>(placement.rank_of(s, pipe))][k];
  }
  return result;
}

}  // namespace

std::vector<std::vector<std::int64_t>> ranks_by_kind(const StepInput& input) {
  return sum_by_kind(input, [](int) { return std::int64_t{1}; });
}

std::vector<std::vector<std::int64_t>> micro_batches_by_kind(const StepInput& input) {
  return sum_by_kind(input, [&](int replica) { return std::int64_t{schedule_of(input, replica).micro_batches}; });
}

// Where work crosses the boundary between steps, the last is the one that is asked for, and whether it takes as long as
// the one before it must be seen.
int StepLowering::steps() const {
  if (options_.steps > 0) return options_.steps;
  return post_validates(input_) ? kStepsToSettle : 1;
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

void StepLowering::sum_up_stages(LoweredStep& step) {
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
    for (const std::int32_t r : on[static_cast<std::size_t>(input_.schedule->placement.rank_of(stage))])
      most = std::max(most, stages_.compute_time(r, stage, kind));
    return most;
  };
  for (int s = 0; s < stages_.stages(); ++s) {
    const layout::StageModel& stage = stages_.stage(s);
    step.stages.push_back({stages_.span(s), stage.parameters() + stage.parameters(layout::Parameters::experts),
                           slowest(s, PassKind::forward), slowest(s, PassKind::backward),
                           slowest(s, PassKind::input_gradient), slowest(s, PassKind::weight_gradient)});
  }
}

void StepLowering::sum_up(LoweredStep& step) {
  if (options_.stage_times) sum_up_stages(step);
  step.flops = count_flops(input_, stages_);
  if (options_.flops_book) step.flops_book = audit_flops(input_, step.flops);
  for (DeviceIndex d = 0; offloading_ && d < devices(); ++d)
    step.moved.push_back(offloading_->moved(devices_.representative[d]));
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
  const schedule::Placement& p = input_.schedule->placement;
  return footprint_of({input_.graph->spec, input_.layout, input_.pass, input_.stack, p.stages, p.pipes,
                       input_.schedule->micro_batches, input_.schedule->split_backward,
                       input_.mode == NetworkMode::flows, options_.fuse, steps(), shape, input_.offload},
                      stages_);
}

// No step is longer than all passes of one device of each pipeline rank, one after the other; no device holds more than
// the activations of all of its micro-batches.
StepExamination StepLowering::examine() {
  StepExamination e{footprint(), 0, 0};
  const std::int64_t micro_batches = input_.schedule->micro_batches;  // of the fullest replica
  for (DeviceIndex d = 0; d < devices(); ++d) {
    double bytes = 0, time = static_cast<double>(input_.stack.launch.per_step.value);
    for (const std::int64_t resident : builder_.device(d).resident) bytes += static_cast<double>(resident);
    for (const int stage : stages_.on_rank(builder_.device(d).pipeline_rank())) {
      for (const PassKind kind : {PassKind::forward, PassKind::backward})
        for (const TimedStep& s : stages_.pass(devices_.representative[d], stage, kind, 0).steps)
          time += static_cast<double>(micro_batches) *
                  (static_cast<double>(s.duration.value) + static_cast<double>((s.launch + s.before).value));
      const layout::StageModel& own = stages_.stage(stage, stages_.place_in_experts(devices_.representative[d]));
      bytes += static_cast<double>(micro_batches) * static_cast<double>(own.saved_activations().value);
    }
    if (offloading_) time += offloading_->at_most(devices_.representative[d], micro_batches);
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
  sum_up(step);
  Result<Program> program = builder_.finish();
  if (!program.ok()) return program.errors();
  step.program = std::move(program).value();
  return step;
}

namespace {

Result<LoweredStep> lower(const StepInput& input, const LowerOptions& options, Result<StepParts> parts, Costs& costs) {
  if (!parts.ok()) return parts.errors();
  parts->costs = stage_costs(input, *parts, costs.parts(), options.inside);
  if (input.passing.any()) return lower_passing(input, options, std::move(parts).value(), costs);
  StepLowering lowering(input, options, *parts);
  if (options.admit) {
    const Footprint size = lowering.footprint();
    if (Diagnostics refused = options.admit(size); !refused.empty()) return refused;
    lowering.expect(size);
  }
  return lowering.lower();
}

}  // namespace

Result<LoweredStep> lower_step(const StepInput& input, const LowerOptions& options, Costs& costs) {
  return lower(input, options, step_parts(input, costs.parts()), costs);
}

Result<LoweredStep> lower_step(const StepInput& input, const LowerOptions& options) {
  Costs own;
  return lower_step(input, options, own);
}

Result<LoweredStep> lower_step(const StepInput& input, std::span<const std::int32_t> stage_of,
                               const LowerOptions& options) {
  Costs own;
  return lower(input, options, checked_parts(input, {stage_of.begin(), stage_of.end()}, own.parts()), own);
}

Diagnostics check_step(const StepInput& input) {
  Costs own;
  const Result<StepParts> parts = step_parts(input, own.parts());
  return parts.ok() ? Diagnostics() : parts.errors();
}

Result<StepExamination> examine_step(const StepInput& input, const LowerOptions& options, Costs& costs) {
  Result<StepParts> parts = step_parts(input, costs.parts());
  if (!parts.ok()) return parts.errors();
  parts->costs = stage_costs(input, *parts, costs.parts(), options.inside);
  LowerOptions played = options;
  played.fuse = options.fuse && !input.passing.any();
  return StepLowering(input, played, *parts).examine();
}

}  // namespace orrery::program
