#include "rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "orrery/layout/layout.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"
#include "running.hpp"
#include "size.hpp"

namespace orrery::scenario {

Diagnostic broken(std::string path, std::string message) {
  Diagnostic d;
  d.path = std::move(path);
  d.message = std::move(message);
  return d;
}

namespace {

void check_degrees(const Scenario& s, Diagnostics& errors) {
  const layout::Layout& l = s.layout;
  const std::int64_t gpus = s.gpus(), there = static_cast<std::int64_t>(s.cluster.nodes) * s.cluster.gpus_per_node;
  if (gpus > there)
    errors.push_back(broken("cluster.gpus", fmt::format("{} is more than the {} GPUs of the cluster", gpus, there)));
  Int128 product = 1;
  std::string degrees;
  for (const layout::DimensionFacts& d : layout::kDimensionList) {
    if (d.folded) continue;
    product *= l.*d.degree;
    degrees += fmt::format("{}{} {}", degrees.empty() ? "" : " · ", d.name, l.*d.degree);
  }
  if (product != gpus)
    errors.push_back(
        broken("layout", fmt::format("{} must multiply to the {} GPUs of the run (cluster: {} nodes of {})", degrees,
                                     gpus, s.cluster.nodes, s.cluster.gpus_per_node)));
}

// Micro-batches of replicas that are said must be the batch.
void check_counts(const Scenario& s, Diagnostics& errors) {
  const std::vector<std::int64_t>& counts = s.layout.micro_batches_per_replica;
  Int128 sum = 0;
  for (const std::int64_t count : counts) sum += count;
  if (sum * s.training.micro_batch == s.training.global_batch) return;
  errors.push_back(broken("layout.micro_batches_per_replica",
                          fmt::format("{} micro-batches of {} are {} sequences, and training.global_batch is {}", sum,
                                      s.training.micro_batch, sum * s.training.micro_batch, s.training.global_batch)));
  errors.back().help = "layout: {batch_split: balanced} chooses the numbers";
}

void check_batch(const Scenario& s, Diagnostics& errors) {
  const std::int64_t at_once = s.training.micro_batch * s.layout.data;
  const bool even = s.layout.batch_split == layout::BatchSplit::even;
  if (!even && !s.schedule.file.empty()) {
    errors.push_back(broken("layout.batch_split", "a schedule of a file has one number of micro-batches"));
    errors.back().help = "layout: {batch_split: even}, or schedule.type in place of schedule.file";
  }
  if (s.layout.batch_split == layout::BatchSplit::explicit_counts) return check_counts(s, errors);
  const std::int64_t of = even ? at_once : s.training.micro_batch;
  if (s.training.global_batch % of == 0 && s.training.global_batch >= at_once) return;
  errors.push_back(broken("training.global_batch",
                          fmt::format("{} sequences do not divide into micro-batches of {} on {} data-parallel ranks; "
                                      "{} {} is needed",
                                      s.training.global_batch, s.training.micro_batch, s.layout.data,
                                      even ? "a multiple of" : "at least", at_once)));
  if (even && s.training.global_batch % s.training.micro_batch == 0 && s.training.global_batch > at_once)
    errors.back().help = "layout: {batch_split: balanced} gives some of them more than others";
}

// Learned positions have a row for each; without one there is nothing to add.
void check_positions(const Scenario& s, const char* key, std::int64_t length, Diagnostics& errors) {
  if (s.model.position != model::Position::learned || length <= s.model.max_positions) return;
  Diagnostic d = broken(fmt::format("training.{}", key),
                        fmt::format("{} is beyond the {} learned positions of {} (model.max_positions)", length,
                                    s.model.max_positions, s.model.name));
  d.help = fmt::format(
      "say model.max_positions={}, which adds rows to the position table, or choose a shorter sequence", length);
  errors.push_back(std::move(d));
}

const char* word_of(model::ModelKind kind) {
  return kind == model::ModelKind::encoder ? "an encoder" : "a decoder";
}

void check_lengths(const Scenario& s, Diagnostics& errors) {
  check_positions(s, "sequence_length", s.training.sequence_length, errors);
  if (s.model.has_two_stacks()) {
    if (s.training.decoder_sequence_length)
      check_positions(s, "decoder_sequence_length", *s.training.decoder_sequence_length, errors);
  } else if (s.training.decoder_sequence_length) {
    errors.push_back(
        broken("training.decoder_sequence_length",
               fmt::format("{} is {} alone: none stands behind an encoder", s.model.name, word_of(s.model.kind))));
    errors.back().help = "leave it out: training.sequence_length is that of all its tokens";
  }
}

// Fused kernels take no bias on the scores.
void check_bias(const Scenario& s, Diagnostics& errors) {
  if (s.model.position != model::Position::relative_bias || pass_options(s).attention == layout::AttentionKind::unfused)
    return;
  errors.push_back(broken(s.training.attention ? "training.attention" : "stack",
                          fmt::format("fused attention takes no bias on the scores, which {} has (model.position: "
                                      "relative_bias)",
                                      s.model.name)));
  errors.back().help = s.training.attention ? "training: {attention: unfused}"
                                            : "choose a stack with unfused attention, such as megatron-2024";
}

void check_precision(const Scenario& s, Diagnostics& errors) {
  const DType type = compute_type(s.training.precision);
  const auto missing = [&](const program::GpuRef& kind, DType used) -> std::string {
    if (kind.gpu.peak(used).value == 0) return fmt::format("{} has no {} arithmetic", kind.gpu.name, name_of(used));
    if (kind.kernels.gemm.rate.of(used) > 0) return {};
    return fmt::format("the kernel constants of {} have no {} products", kind.kernels.name, name_of(used));
  };
  std::vector<program::GpuRef> kinds(s.pools.begin(), s.pools.end());
  if (kinds.empty()) kinds.emplace_back(s.gpu, s.kernels);
  for (const program::GpuRef& kind : kinds) {
    std::string wrong = missing(kind, type);
    if (wrong.empty() && is_quantised(type)) wrong = missing(kind, DType::bf16);  // what is no linear layer
    if (!wrong.empty()) return errors.push_back(broken("training.precision", wrong));
  }
  if (s.training.attention) {
    const auto& allowed = s.stack.kernels.attention;
    if (std::find(allowed.begin(), allowed.end(), *s.training.attention) == allowed.end())
      errors.push_back(
          broken("training.attention", fmt::format("the stack {} has no such attention kernels", s.stack.name)));
  }
}

// Of pools one whose switches add is enough: what the others cannot do so is chosen there.
void check_network(const Scenario& s, Diagnostics& errors) {
  network::Tuning tuning;
  for (const hardware::ClusterSpec& c : s.clusters()) {
    tuning.in_switch_reduction = tuning.in_switch_reduction || c.scale_up.in_switch_reduction;
    tuning.fabric_reduction = tuning.fabric_reduction || c.scale_out.in_switch_reduction;
  }
  if (const std::string why = network::lacks_switches(s.network.algorithm, tuning); !why.empty()) {
    errors.push_back(broken("network.algorithm", why));
    errors.back().help = "network: {algorithm: auto}";
  }
}

// A module that no layer has.
void check_modules(const Scenario& s, Diagnostics& errors) {
  using M = layout::RecomputeModule;
  const auto& chosen = s.training.recompute_modules;
  if (chosen.empty()) {
    errors.push_back(broken("training.recompute_modules", "names nothing to run again"));
    errors.back().help = "training: {recompute: none}, or {recompute: selective, recompute_modules: [core_attn]}";
  }
  const auto names = layout::recompute_module_names();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const M m = chosen[i];
    const std::string why = m == M::mla_up_proj && !s.model.latent()                         ? "has no latent attention"
                            : (m == M::moe || m == M::moe_act) && s.model.experts.count == 0 ? "has no experts"
                            : m == M::shared_experts && s.model.experts.shared_hidden == 0   ? "has no shared experts"
                                                                                             : "";
    if (why.empty()) continue;
    const auto name = std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.second == m; })->first;
    errors.push_back(broken(fmt::format("training.recompute_modules[{}]", i),
                            fmt::format("'{}' is of no layer: {} {}", name, s.model.name, why)));
    errors.back().help = "core_attn, layernorm and mlp are of every model";
  }
}

// DeepEP (deepseek-ai/DeepEP, README) and HybridEP are written for NVIDIA's GPUs of Ampere and later, joined by NVLink;
// between nodes they write to the other's memory over InfiniBand or RoCE. What each says of a cluster's own graph it
// says itself.
std::string lacks_dispatcher(const char* name, int ranks, const hardware::Gpu& gpu, const hardware::ClusterSpec& c) {
  const auto is = [&](std::initializer_list<const char*> list) {
    return std::find(list.begin(), list.end(), gpu.architecture) != list.end();
  };
  if (!is({"ampere", "hopper", "blackwell"}))
    return fmt::format("{} is for NVIDIA's GPUs of Ampere and later, not for {}", name, gpu.name);
  if (!c.graph.cables.empty()) return {};
  if (c.gpus_per_node > 1 && c.scale_up.kind != hardware::ScaleUpKind::switched)
    return fmt::format("{} sends over NVLink switches, which the nodes of {} have not", name, c.name);
  using N = hardware::NetworkKind;
  const N net = c.scale_out.kind;
  if (ranks > c.gpus_per_node * std::max(c.scale_up.nodes_per_domain, 1) && net != N::infiniband && net != N::roce)
    return fmt::format(
        "{} writes to other nodes over InfiniBand or RoCE, and the {} ranks of the experts reach beyond "
        "the NVLink domains of {}",
        name, ranks, c.name);
  return {};
}

// On each of the pools there are.
std::string lacks_dispatcher(const Scenario& s) {
  const layout::Dispatcher kind = s.stack.experts.dispatcher;
  const int ranks = s.layout.expert * s.layout.expert_tensor;
  if ((kind != layout::Dispatcher::deepep && kind != layout::Dispatcher::hybridep) || ranks == 1) return {};
  const char* name = kind == layout::Dispatcher::deepep ? "DeepEP" : "HybridEP";
  const std::span<const hardware::ClusterSpec> clusters = s.clusters();
  for (std::size_t i = 0; i < clusters.size(); ++i)
    if (std::string why = lacks_dispatcher(name, ranks, s.pools.empty() ? s.gpu : s.pools[i].gpu, clusters[i]);
        !why.empty())
      return why;
  return {};
}

// Layers are chosen by their number in the model or by their place in a stage.
void check_full_recompute(const Training& t, Diagnostics& errors) {
  const bool by_stage = t.recompute_method != layout::RecomputeMethod::uniform || t.recompute_num_layers != 1;
  if (t.recompute_every == 1 || !by_stage) return;
  errors.push_back(
      broken("training.recompute_every", "recompute_method and recompute_num_layers say which layers, too"));
  errors.back().help = "leave one of them out";
}

// selective_op keeps every second product of a layer as torchtitan counts them, which is told of plain layers alone.
void check_recompute(const Scenario& s, Diagnostics& errors) {
  if (s.training.recompute == layout::Recompute::selective) return check_modules(s, errors);
  if (s.training.recompute == layout::Recompute::full) return check_full_recompute(s.training, errors);
  const bool plain = s.model.experts.count == 0 && !s.model.latent() && s.model.kind == model::ModelKind::decoder;
  if (s.training.recompute != layout::Recompute::selective_op || plain) return;
  errors.push_back(
      broken("training.recompute", "selective_op is not described for experts, latent attention and encoders"));
  errors.back().help = "training: {recompute: selective} or {recompute: full}";
}

// Heads are split in place of positions: each context rank needs some, of keys and values too.
void check_context(const Scenario& s, Diagnostics& errors) {
  const layout::Layout& l = s.layout;
  if (s.stack.communication.context_exchange != layout::ContextExchange::all_to_all || l.context == 1) return;
  const auto wrong = [&](std::string message) {
    errors.push_back(broken("stack.communication.context_exchange", std::move(message)));
    errors.back().help = "ring and all_gather leave each rank its heads";
  };
  if (s.training.attention.value_or(s.stack.kernels.attention.front()) != layout::AttentionKind::flash)
    return wrong("all_to_all is described for flash attention alone");
  for (const auto& [heads, what] :
       {std::pair{s.model.heads, "attention heads"}, std::pair{s.model.kv_heads, "key/value heads"}})
    if (heads % (l.tensor * l.context) != 0)
      return wrong(fmt::format("all_to_all: {} {} do not divide over {} tensor · {} context ranks", heads, what,
                               l.tensor, l.context));
}

void check_experts(const Scenario& s, Diagnostics& errors) {
  const layout::OperatorExperts& e = s.stack.experts;
  const auto wrong = [&](const char* path, std::string message, std::string help) {
    errors.push_back(broken(path, std::move(message)));
    errors.back().help = std::move(help);
  };
  if (s.training.pad_to_capacity && !s.training.capacity)
    wrong("training.pad_to_capacity", "there is no capacity to pad to",
          "training: {capacity: 1, pad_to_capacity: true}");
  if (s.model.experts.count == 0) return;
  if (!e.available)
    wrong("stack",
          fmt::format("{} runs no experts, and {} has {} a layer", s.stack.name, s.model.name, s.model.experts.count),
          "choose a stack that does, such as megatron-2025-moe, nemo-2026 or fsdp2-ep-2026, or say stack: {type: " +
              s.stack.type + ", experts: {available: true}}");
  if (s.training.pad_to_capacity && e.dispatcher != layout::Dispatcher::all_to_all && s.training.capacity)
    wrong("training.pad_to_capacity", "only all_to_all sends rows that are padding",
          "stack: {experts: {dispatcher: all_to_all}}");
  if (const std::string why = lacks_dispatcher(s); !why.empty())
    wrong("stack.experts.dispatcher", why, "all_to_all and all_gather are of every cluster");
}

void check_memory_outside(const Scenario& s, Diagnostics& errors) {
  std::vector<const hardware::Gpu*> gpus{&s.gpu};
  for (const program::GpuKind& pool : s.pools) gpus.push_back(&pool.gpu);
  for (const hardware::Gpu* gpu : gpus) {
    if (s.outside_allocator(*gpu) <= gpu->usable_memory) continue;
    errors.push_back(broken("stack.libraries.outside", fmt::format("leaves {} no memory", gpu->name)));
    errors.back().help = fmt::format("a value of up to {} MiB, what the GPU has beside its context, is allowed",
                                     (gpu->usable_memory - gpu->context_memory).value >> 20);
    return;
  }
}

}  // namespace

Diagnostics check_rules(const Scenario& s) {
  Diagnostics errors;
  check_degrees(s, errors);
  check_batch(s, errors);
  check_lengths(s, errors);
  check_precision(s, errors);
  check_bias(s, errors);
  check_recompute(s, errors);
  check_network(s, errors);
  check_experts(s, errors);
  check_context(s, errors);
  check_memory_outside(s, errors);
  const model::ModelSpec padded = model::pad_vocab(s.model, s.layout.tensor);
  for (Diagnostic& e : layout::check_layout(padded, s.layout, s.lengths())) errors.push_back(std::move(e));
  if (errors.empty() && s.micro_batches() > 1'000'000) {
    errors.push_back(broken("training.global_batch", "more than 1 000 000 micro-batches per pipeline"));
    errors.back().help = likely_mistake(s);
  }
  return errors;
}

}  // namespace orrery::scenario
