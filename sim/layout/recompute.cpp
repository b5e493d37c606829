#include "recompute.hpp"

#include <algorithm>
#include <optional>

#include "orrery/core/error.hpp"

namespace orrery::layout {
namespace {

using K = model::OperatorKind;
using M = RecomputeModule;
using Segment = Recomputation::Segment;

constexpr std::int64_t kModules = 8;

bool between(K kind, K first, K last) {
  return kind >= first && kind <= last;
}

// Whose results are dropped behind their reader and made again where its backward pass begins; others run again where
// their own does (Megatron-LM: CheckpointWithoutOutput, checkpoint).
bool until_read(M module) {
  return module == M::layernorm || module == M::mla_up_proj || module == M::moe_act;
}

// The module of selective recompute that an operator belongs to, of those chosen.
std::optional<M> module_of(K kind, bool attention_core, const RecomputeModules& chosen) {
  const auto in = [&](M module, bool belongs) { return belongs && chosen.has(module); };
  if (in(M::core_attn, attention_core)) return M::core_attn;
  if (in(M::layernorm, kind == K::norm || kind == K::cross_norm || kind == K::mlp_norm)) return M::layernorm;
  if (in(M::mla_up_proj, kind == K::latent_up || kind == K::latent_keys_values || kind == K::rotary))
    return M::mla_up_proj;
  if (in(M::mlp, between(kind, K::fc1, K::fc2))) return M::mlp;
  if (in(M::moe, between(kind, K::router, K::expert_sum))) return M::moe;
  if (in(M::moe_act, kind == K::expert_activation)) return M::moe_act;
  if (in(M::shared_experts, between(kind, K::shared_fc1, K::shared_gate))) return M::shared_experts;
  return {};
}

// Between the stacks of an encoder–decoder: named after a layer beside them, but none of its parts.
bool beside_layers(K kind) {
  return kind == K::relative_bias || kind == K::encoder_norm || between(kind, K::embedding, K::embedding_dropout);
}

struct Part {
  std::int64_t id = -1;  // −1: it is never run again
  bool until_read = false;
};

bool in_layer(const RankOp& op, const model::ModelSpec& spec) {
  return op.layer >= 0 && op.layer < spec.layers && !beside_layers(op.kind);
}

// `first`: layer of the stage.
Part part_of(const RankOp& op, std::int64_t first, const model::ModelSpec& spec, const PassOptions& o) {
  const bool inside = in_layer(op, spec);
  const auto layers = [&](std::int64_t every) { return Part{inside && op.layer % every == 0 ? op.layer : -1}; };
  switch (o.recompute) {
    case Recompute::none:
      return {};
    case Recompute::selective: {
      const auto module = module_of(op.kind, op.attention_core, o.recompute_modules);
      if (!module) return {};
      return {op.layer * kModules + static_cast<std::int64_t>(*module), until_read(*module)};
    }
    case Recompute::selective_op:
      return layers(1);
    case Recompute::full:
      return {inside ? run_again_from(op.layer, first, spec, o) : -1};
    case Recompute::alternate_layers:
      return layers(std::max<std::int64_t>(o.recompute_every, 2));
  }
  internal_error("part_of: unknown policy");
}

class Policy {
 public:
  Policy(const Tape& tape, const model::ModelSpec& spec, const PassOptions& options) : tape_(tape), o_(options) {
    recomputed_.producer.assign(tape.tensors.size(), -1);
    // Eager, the policy keeps what it names; compiled, only what is read of it (functorch partitioners: what the
    // backward graph does not take is no output of the forward graph).
    recomputed_.saved = options.compiled ? std::vector<bool>(tape.tensors.size(), false) : tape.keep_always;
    if (options.kernels.keep_stage_output)
      for (const TensorId t : tape.outputs) recomputed_.saved[at(t)] = true;
    const auto first = std::ranges::find_if(tape.ops, [&](const RankOp& op) { return in_layer(op, spec); });
    const std::int64_t first_layer = first == tape.ops.end() ? 0 : first->layer;
    std::int64_t before = -1;
    for (std::size_t i = 0; i < tape.ops.size(); ++i) {
      const Part part = part_of(tape.ops[i], first_layer, spec, options);
      const auto op = static_cast<std::int32_t>(i);
      if (part.id >= 0 && part.id != before) recomputed_.segments.push_back({op, op, op, part.until_read});
      if (part.id >= 0) recomputed_.segments.back().last = recomputed_.segments.back().at = op;
      if (!beside_layers(tape.ops[i].kind)) before = part.id;  // within a layer it parts nothing
      recomputed_.segment.push_back(part.id < 0 ? -1 : static_cast<std::int32_t>(recomputed_.segments.size()) - 1);
      recomputed_.again.push_back(part.id >= 0 && std::ranges::any_of(tape.ops[i].forward, [&](const OpStep& step) {
                                    return runs_again(tape, step);
                                  }));
      for (const TensorId out : tape.ops[i].out) recomputed_.producer[at(out)] = op;
    }
  }

  Recomputation run() {
    if (o_.kernels.recompute_stops_early || o_.recompute == Recompute::selective_op) stop_early();
    for (std::size_t i = tape_.ops.size(); i-- > 0;) {
      const RankOp& op = tape_.ops[i];
      for (const auto* needs : {&op.keep_for_input, &op.keep_for_weight})
        for (const TensorId t : *needs) need(t, i, i);
      if (recomputed_.again[i])
        for (const TensorId t : op.in) need(t, i, at(segment_of(i)->at));
    }
    return std::move(recomputed_);
  }

 private:
  Segment* segment_of(std::size_t op) {
    const std::int32_t s = recomputed_.segment[op];
    return s < 0 ? nullptr : &recomputed_.segments[at(s)];
  }
  Segment* made_again_in(TensorId t) {
    const std::int32_t from = recomputed_.producer[at(t)];
    return from < 0 ? nullptr : segment_of(at(from));
  }
  bool made_again_for(TensorId t, std::size_t reader) {
    const Segment* from = made_again_in(t);
    return from != nullptr && (from->until_read || from == segment_of(reader));
  }
  // By operator `reader`, when the backward pass reaches operator `when`. Readers come last to first, so that where a
  // segment runs is known before what it reads is asked for.
  void need(TensorId t, std::size_t reader, std::size_t when) {
    if (!made_again_for(t, reader) || tape_.keep_always[at(t)]) {
      recomputed_.saved[at(t)] = true;
      return;
    }
    Segment& from = *made_again_in(t);
    from.at = std::max(from.at, static_cast<std::int32_t>(when));
    check(recomputed_.saved[at(t)] || recomputed_.again[at(recomputed_.producer[at(t)])],
          "recompute: a tensor is neither kept nor made again");
  }
  // Nothing after the last operator that makes a tensor the backward pass of its segment reads. What runs again for its
  // readers is all read.
  void stop_early() {
    std::vector<bool> read(tape_.tensors.size(), false);
    for (std::size_t i = 0; i < tape_.ops.size(); ++i)
      for (const auto* needs : {&tape_.ops[i].keep_for_input, &tape_.ops[i].keep_for_weight})
        for (const TensorId t : *needs)
          if (made_again_for(t, i) && !recomputed_.saved[at(t)] && !tape_.keep_always[at(t)]) read[at(t)] = true;
    std::int64_t reached = -1;  // segment whose last needed operator has been found
    for (std::size_t i = tape_.ops.size(); i-- > 0;) {
      const Segment* segment = segment_of(i);
      if (segment == nullptr || segment->until_read || recomputed_.segment[i] == reached) continue;
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

std::vector<std::pair<std::string, RecomputeModule>> recompute_module_names() {
  return {{"core_attn", M::core_attn},
          {"layernorm", M::layernorm},
          {"mla_up_proj", M::mla_up_proj},
          {"mlp", M::mlp},
          {"moe", M::moe},
          {"moe_act", M::moe_act},
          {"shared_experts", M::shared_experts}};
}

RecomputeModules modules_of(std::span<const RecomputeModule> list) {
  RecomputeModules modules{0};
  for (const RecomputeModule m : list) modules.bits |= 1U << static_cast<int>(m);
  return modules;
}

Recomputation recomputation_of(const Tape& tape, const model::ModelSpec& spec, const PassOptions& options) {
  return Policy(tape, spec, options).run();
}

// Encoder and decoder are blocks of their own: what a stage holds of each is counted by itself (transformer_block.py).
std::int64_t run_again_from(std::int64_t layer, std::int64_t first, const model::ModelSpec& spec,
                            const PassOptions& o) {
  if (o.recompute_every > 1) return layer % o.recompute_every == 0 ? layer : -1;
  if (spec.has_two_stacks() && layer >= spec.encoder_layers) first = std::max(first, spec.encoder_layers);
  const std::int64_t place = layer - first, count = std::max<std::int64_t>(o.recompute_num_layers, 1);
  if (o.recompute_method == RecomputeMethod::block) return place < count ? layer : -1;
  return layer - place % count;
}

bool dropped_until_read(K kind, const PassOptions& options) {
  if (options.recompute != Recompute::selective) return false;
  const auto module = module_of(kind, false, options.recompute_modules);
  return module && until_read(*module);
}

}  // namespace orrery::layout
