#include "recompute.hpp"

#include <algorithm>

#include "orrery/core/error.hpp"

namespace orrery::layout {
namespace {

// none; the attention core of each layer (selective); all of the layers that the policy names (the others).
std::int64_t segment_of(const RankOp& op, std::int64_t model_layers, const PassOptions& o) {
  const bool in_layer = op.layer >= 0 && op.layer < model_layers;
  switch (o.recompute) {
    case Recompute::none:
      return -1;
    case Recompute::selective:
      return op.attention_core ? op.layer : -1;
    case Recompute::selective_op:
      return in_layer ? op.layer : -1;
    case Recompute::full:
      return in_layer && op.layer % std::max<std::int64_t>(o.recompute_every, 1) == 0 ? op.layer : -1;
    case Recompute::alternate_layers:
      return in_layer && op.layer % std::max<std::int64_t>(o.recompute_every, 2) == 0 ? op.layer : -1;
  }
  internal_error("segment_of: unknown policy");
}

class Policy {
 public:
  Policy(const Tape& tape, std::int64_t model_layers, const PassOptions& options) : tape_(tape), o_(options) {
    recomputed_.producer.assign(tape.tensors.size(), -1);
    recomputed_.saved = tape.keep_always;
    if (options.kernels.keep_stage_output)
      for (const TensorId t : tape.outputs) recomputed_.saved[at(t)] = true;
    for (std::size_t i = 0; i < tape.ops.size(); ++i) {
      recomputed_.segment.push_back(segment_of(tape.ops[i], model_layers, options));
      recomputed_.again.push_back(
          recomputed_.segment[i] >= 0 &&
          std::ranges::any_of(tape.ops[i].forward, [&](const OpStep& step) { return runs_again(tape, step); }));
      for (const TensorId out : tape.ops[i].out) recomputed_.producer[at(out)] = static_cast<std::int32_t>(i);
    }
  }

  Recomputation run() {
    if (o_.kernels.recompute_stops_early || o_.recompute == Recompute::selective_op) stop_early();
    for (std::size_t i = 0; i < tape_.ops.size(); ++i) {
      const RankOp& op = tape_.ops[i];
      for (const auto* needs : {&op.keep_for_input, &op.keep_for_weight})
        for (const TensorId t : *needs) need(t, i);
      if (recomputed_.again[i])
        for (const TensorId t : op.in) need(t, i);
    }
    return std::move(recomputed_);
  }

 private:
  bool made_again_for(TensorId t, std::size_t reader) const {
    const std::int32_t from = recomputed_.producer[at(t)];
    return from >= 0 && recomputed_.segment[at(from)] >= 0 &&
           recomputed_.segment[at(from)] == recomputed_.segment[reader];
  }
  void need(TensorId t, std::size_t reader) {
    if (!made_again_for(t, reader))
      recomputed_.saved[at(t)] = true;
    else
      check(recomputed_.saved[at(t)] || recomputed_.again[at(recomputed_.producer[at(t)])],
            "recompute: a tensor is neither kept nor made again");
  }
  // Nothing after the last operator that makes a tensor the backward pass of its segment reads.
  void stop_early() {
    std::vector<bool> read(tape_.tensors.size(), false);
    for (std::size_t i = 0; i < tape_.ops.size(); ++i)
      for (const auto* needs : {&tape_.ops[i].keep_for_input, &tape_.ops[i].keep_for_weight})
        for (const TensorId t : *needs)
          if (made_again_for(t, i) && !recomputed_.saved[at(t)]) read[at(t)] = true;
    std::int64_t reached = -1;  // segment whose last needed operator has been found
    for (std::size_t i = tape_.ops.size(); i-- > 0;) {
      if (recomputed_.segment[i] < 0 || recomputed_.segment[i] == reached) continue;
      if (std::ranges::any_of(tape_.ops[i].out, [&](TensorId t) { return read[at(t)]; }))
        reached = recomputed_.segment[i];
      else
        recomputed_.again[i] = false;
    }
  }

  const Tape& tape_;
  const PassOptions& o_;
  Recomputation recomputed_;
};

}  // namespace

Recomputation recomputation_of(const Tape& tape, std::int64_t model_layers, const PassOptions& options) {
  return Policy(tape, model_layers, options).run();
}

}  // namespace orrery::layout
