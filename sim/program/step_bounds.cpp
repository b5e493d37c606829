// Bounds of a step without playing it. Of its time: the pipeline of one chain of ranks by itself. Its passes take what
// they take alone, the calls inside them included; messages, gradients, hosts and whoever else is waited for only come
// on top.
#include <algorithm>
#include <map>
#include <utility>

#include "costs.hpp"
#include "orrery/schedule/replay.hpp"
#include "pass_clock.hpp"

namespace orrery::program {
namespace {

using layout::PassKind;

class Chain {
 public:
  Chain(const StepInput& input, StageCosts& costs, const Ranks& ranks) : input_(input), costs_(costs), ranks_(ranks) {}

  // A backward pass in one is two in a row: together no longer than it, and each no longer than by itself.
  schedule::StageTimes times() {
    schedule::StageTimes times;
    const bool split = input_.schedule->split_backward;
    for (int s = 0; s < costs_.stages(); ++s) {
      times.forward.push_back(shortest(s, PassKind::forward));
      const std::int64_t whole = shortest(s, PassKind::backward);
      const std::int64_t of_input = split ? std::min(whole, shortest(s, PassKind::input_gradient)) : whole;
      times.input_gradient.push_back(of_input);
      times.weight_gradient.push_back(split ? std::min(whole - of_input, shortest(s, PassKind::weight_gradient)) : 0);
    }
    return times;
  }

 private:
  std::int64_t shortest(int stage, PassKind kind) {
    const schedule::Placement& placement = input_.schedule->placement;
    std::int64_t least = INT64_MAX;
    for (int pipe = 0; pipe < placement.pipes; ++pipe)
      for (const bool opens : {true, false}) {
        const std::int32_t rank = ranks_.at_pipeline(0, placement.rank_of(stage, pipe));
        least = std::min(least, time_pass(costs_.pass(rank, stage, kind, pipe, opens).steps).finish.value);
      }
    return least;
  }

  const StepInput& input_;
  StageCosts& costs_;
  const Ranks& ranks_;
};

const schedule::Schedule& of_first_replica(const StepInput& input) {
  return input.of_replicas.empty() ? *input.schedule : *input.of_replicas.front();
}

}  // namespace

Time shortest_step(const StepInput& input, Costs& costs) {
  const bool apart = input.passing.any() || post_validates(input) || input.mode == NetworkMode::flows ||
                     input.stack.communication.pass_overlap_percent > 0;
  if (apart) return {};
  Result<StepParts> parts = step_parts(input, costs.parts());
  if (!parts.ok()) return {};
  parts->costs = stage_costs(input, *parts, costs.parts(), false);
  const schedule::StageTimes times = Chain(input, *parts->costs, parts->ranks()).times();
  const schedule::Replay played = schedule::replay(of_first_replica(input), parts->stages->graph, times);
  return played.deadlock.empty() ? Time{played.makespan} : Time{};
}

namespace {

// The most that the tensors of a pass come to, counted from its beginning. Whole gradients are held until the run of
// passes has ended that it is of, whichever pass of it has made them.
Bytes highest(StageCosts& costs, int stage, PassKind kind, const StepInput& input) {
  Bytes held{}, most{}, gradients{};
  for (const layout::Parameters of : layout::kParameterKinds) {
    if (!input.layout.shards_gradients(of) || !input.layout.reduces_after_runs) continue;
    for (const StageCosts::GradientUnit& unit : costs.gradient_units(stage, kind, of))
      gradients += Bytes{unit.parameters * input.stack.optimizer.gradient_bytes};
  }
  for (const layout::PassStep& step : costs.steps(stage, kind))
    for (const bool at_end : {false, true})
      for (const MemoryChange& change : step.memory) {
        if (change.at_end != at_end) continue;
        held += change.bytes;
        most = std::max(most, held);
      }
  return std::max(most, held + gradients);  // at its end all of them are there
}

// The most that a rank holds, of what forward passes keep until their backward pass ends and of the pass it is in. What
// operations of two passes make in them is left out.
Bytes most_held(const std::vector<schedule::Operation>& order, StageCosts& costs, const StepInput& input) {
  std::map<std::pair<int, PassKind>, Bytes> known;
  const auto within = [&](int stage, PassKind kind) {
    const auto [at, fresh] = known.try_emplace({stage, kind});
    if (fresh) at->second = highest(costs, stage, kind, input);
    return at->second;
  };
  const auto saved = [&](int stage) { return costs.stage(stage).saved_activations(); };
  Bytes held{}, most{};
  for (const schedule::Operation& op : order) {
    using schedule::OpKind;
    if (op.kind == OpKind::forward) most = std::max(most, held + within(op.stage, PassKind::forward));
    if (op.kind == OpKind::backward) most = std::max(most, held + within(op.stage, PassKind::backward));
    if (op.kind == OpKind::overlapped) held -= saved(op.backward_stage);
    if (op.kind == OpKind::forward || op.kind == OpKind::overlapped)
      held += saved(op.stage);
    else if (op.kind != OpKind::weight_gradient)
      held -= saved(op.stage);
    most = std::max(most, held);
  }
  return most;
}

}  // namespace

Bytes least_memory(const StepInput& input, Costs& costs) {
  if (input.offload.any() || !input.unlike_gpus.empty()) return {};
  Result<StepParts> parts = step_parts(input, costs.parts());
  if (!parts.ok()) return {};
  const std::shared_ptr<StageCosts> of = stage_costs(input, *parts, costs.parts(), false);
  Bytes most{};
  for (int p = 0; p < input.layout.pipeline; ++p) {
    Bytes held{};
    for (const layout::Parameters kind : layout::kParameterKinds) {
      const layout::StateBytes state =
          layout::state_bytes(of->parameters_of_rank(p, kind), input.state, input.layout, kind);
      held += state.weights + state.gradients + state.optimizer;
    }
    most = std::max(most, held + most_held(of_first_replica(input).order[static_cast<std::size_t>(p)], *of, input));
  }
  return most;
}

}  // namespace orrery::program
