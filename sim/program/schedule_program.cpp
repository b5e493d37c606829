#include "orrery/program/schedule_program.hpp"

#include <array>
#include <utility>

#include "pipeline_lowering.hpp"

namespace orrery::program {
namespace {

using schedule::OpKind;

Pass one_step(Time duration, bool takes, bool releases) {
  TimedStep step;
  step.duration = duration;
  step.name = "operation";
  if (takes) step.memory.push_back({false, MemoryClass::activations, {1}});
  if (releases) step.memory.push_back({true, MemoryClass::activations, {-1}});
  return Pass{{std::move(step)}};
}

// The kinds of operation of every stage but the overlapped ones, each one step that takes and releases one activation
// as the convention says.
std::vector<std::array<Pass, 4>> passes_of(const OperationTimes& times, int stages, Release release) {
  std::vector<std::array<Pass, 4>> passes(static_cast<std::size_t>(stages));
  for (std::size_t s = 0; s < passes.size(); ++s) {
    const Time f = times.forward[s], i = times.input_gradient[s], w = times.weight_gradient[s];
    const bool early = release == Release::input_gradient;
    passes[s] = {one_step(f, true, false), one_step(i + w, false, true), one_step(i, false, early),
                 one_step(w, false, !early)};
  }
  return passes;
}

// Overlapped operations: the time given for the stage of the forward half, else F + B of the two halves.
class Overlapped {
 public:
  explicit Overlapped(const OperationTimes& times) : times_(times) {}
  const Pass& pass(const schedule::Operation& op) {
    const auto f = static_cast<std::size_t>(op.stage), b = static_cast<std::size_t>(op.backward_stage);
    const auto [it, fresh] = passes_.try_emplace({f, b});
    if (fresh)
      it->second =
          one_step(times_.overlapped.empty() ? times_.forward[f] + times_.input_gradient[b] + times_.weight_gradient[b]
                                             : times_.overlapped[f],
                   true, true);
    return it->second;
  }

 private:
  const OperationTimes& times_;
  std::map<std::pair<std::size_t, std::size_t>, Pass> passes_;
};

}  // namespace

Result<Program> lower_schedule(const schedule::Schedule& schedule, const OperationTimes& times, Release release,
                               int steps) {
  return lower_schedule(schedule, layout::stage_chain(schedule.placement.stages), times, release, steps);
}

Result<Program> lower_schedule(const schedule::Schedule& schedule, const layout::StageGraph& stages,
                               const OperationTimes& times, Release release, int steps) {
  Builder builder;
  PipelineInput input;
  input.stages = &stages;
  input.messages = times.mode;
  for (std::int32_t r = 0; r < schedule.placement.ranks; ++r) {
    Device device;
    device.ranks = {r};
    device.at[layout::Dimension::pipeline] = r;
    const DeviceIndex d = builder.add_device(std::move(device));
    input.teams.push_back({&schedule, {d}, true, {}});
  }
  TaskTemplate sent;
  sent.duration = times.message;
  sent.category = Category::pipeline_comm;
  sent.lane = Lane::pipeline_send;
  sent.partner_lane = Lane::pipeline_receive;
  sent.name = "message";
  const TemplateId message = builder.add_template(sent);
  const auto passes = passes_of(times, schedule.placement.stages, release);
  input.pass = [&](DeviceIndex, OpKind kind, int stage, int, bool) -> const Pass& {
    return passes[static_cast<std::size_t>(stage)][static_cast<std::size_t>(kind)];
  };
  Overlapped overlapped(times);
  input.overlapped_pass = [&](DeviceIndex, const schedule::Operation& op, bool) { return &overlapped.pass(op); };
  input.peer = [&](DeviceIndex, int stage, int pipe) {
    return static_cast<DeviceIndex>(schedule.placement.rank_of(stage, pipe));
  };
  input.message = [&](DeviceIndex, DeviceIndex, std::int32_t, bool) { return message; };
  PipelineLowering lowering(input, builder);
  PipelineEnds ends;
  for (int step = 0; step < steps; ++step) {
    builder.begin_step(step);
    const StepStart start{ends.tail, ends.tail, {}};
    ends = lowering.run(start);
  }
  return builder.finish();
}

}  // namespace orrery::program
