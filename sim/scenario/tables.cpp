#include "tables.hpp"

#include "orrery/network/collective.hpp"

namespace orrery::scenario {

using layout::Layout;
using layout::Partition;
using layout::Recompute;
using layout::Zero;

namespace {

std::vector<std::pair<std::string, Precision>> named_precisions() {
  std::vector<std::pair<std::string, Precision>> named;
  for (const char* name : kPrecisionNames) named.emplace_back(name, static_cast<Precision>(named.size()));
  return named;
}

}  // namespace

const Fields<Layout>& layout_fields() {
  static const auto table =
      Fields<Layout>("layout", "How the model is split over the GPUs.")
          .add("tensor", &Layout::tensor, "tensor-parallel degree: ranks that share each matrix")
          .range(1, 1 << 20)
          .add("context", &Layout::context, "context-parallel degree: ranks that share each sequence")
          .range(1, 1 << 20)
          .add("pipeline", &Layout::pipeline, "pipeline degree: ranks that share the layers")
          .range(1, 1 << 20)
          .add("data", &Layout::data, "data-parallel degree; default: GPUs / (tensor · context · pipeline)")
          .range(1, 1 << 20)
          .add("expert", &Layout::expert,
               "expert-parallel degree: ranks that the routed experts are spread over, of the tensor · context · data "
               "of a stage")
          .range(1, 1 << 20)
          .add("expert_tensor", &Layout::expert_tensor, "ranks that share each expert, of the same")
          .range(1, 1 << 20)
          .add("virtual", &Layout::virtual_stages, "virtual stages (chunks of layers) per pipeline rank")
          .range(1, 1024)
          .add("sequence_parallel", &Layout::sequence_parallel, "split norms and dropouts over the tensor ranks too")
          .choice("zero", &Layout::zero,
                  {{"none", Zero::none},
                   {"optimizer", Zero::optimizer},
                   {"gradients", Zero::gradients},
                   {"parameters", Zero::parameters}},
                  "what the data-parallel ranks share instead of each holding it: ZeRO 0, 1, 2, 3 (parameters = FSDP)")
          .add("shard_degree", &Layout::shard_degree,
               "hybrid sharding (HSDP): ranks one copy of the shards is spread over, out of data · context; gradients "
               "are then summed over the copies; 0 = all")
          .range(0, 1 << 20)
          .add("order", &Layout::order,
               "rank order, fastest first, of tp, cp, dp, pp, and ep where it is said (else before dp)")
          .choice("partition", &Layout::partition,
                  {{"even", Partition::even},
                   {"ends_count_as_layers", Partition::ends_count_as_layers},
                   {"balanced", Partition::balanced},
                   {"cost_shares", Partition::cost_shares},
                   {"explicit", Partition::explicit_layers}},
                  "how layers go to stages; ends_count_as_layers: embedding and head take the place of a layer each; "
                  "balanced: least cost of the costliest "
                  "stage; cost_shares: a stage ends with the layer that reaches its share of the cost (nanotron)")
          .add("layers_per_stage", &Layout::layers_per_stage,
               "partition explicit: layers of each stage, in model order")
          .choice(
              "batch_split", &Layout::batch_split,
              {{"even", layout::BatchSplit::even},
               {"balanced", layout::BatchSplit::balanced},
               {"explicit", layout::BatchSplit::explicit_counts}},
              "how micro-batches go to replicas (data-parallel ranks); balanced: by the speed of their GPUs, so that "
              "the last is done soonest")
          .add("micro_batches_per_replica", &Layout::micro_batches_per_replica,
               "batch_split explicit: micro-batches of each replica; balanced: those chosen")
          .add("encoder_stages", &Layout::encoder_stages,
               "encoder–decoder models: stages in front that hold the encoder alone, the others the decoder; 0: "
               "partition even counts all layers alike, balanced chooses by cost")
          .range(0, 1 << 20);
  return table;
}

const Fields<RoutingChoice>& routing_fields() {
  static const auto table =
      Fields<RoutingChoice>("routing", "How tokens spread over the routed experts.")
          .shorthand("type")
          .choice("type", &RoutingChoice::type, {{"balanced", RoutingKind::balanced}},
                  "every expert is given as many; a power law or a file stands in place of it")
          .add("power_law", &RoutingChoice::power_law,
               "exponent of the density of loads from 1 to 0.8 of all tokens (aiconfigurator: 1.01 and 1.2 of real "
               "models), for each layer in an order of its own")
          .number_range(0, 8)
          .positive()
          .add("seed", &RoutingChoice::seed, "power_law: of the order of the experts")
          .range(0, std::int64_t{1} << 53)
          .add("file", &RoutingChoice::file,
               "a CSV file of loads, relative to this file: columns layer, expert and load (tokens or shares; the same "
               "sum in each layer), a row for each expert of each layer that has experts")
          .rule("type",
                [](const RoutingChoice& r) {
                  return r.type && !r.balanced() ? std::string("power_law and file are not beside balanced")
                                                 : std::string();
                })
          .rule("file", [](const RoutingChoice& r) {
            return !r.file.empty() && r.power_law ? std::string("is all there is: power_law cannot be given beside it")
                                                  : std::string();
          });
  return table;
}

const Fields<layout::Offload>& offload_fields() {
  using O = layout::Offload;
  static const auto table =
      Fields<O>("offload", "What is kept in the memory of the hosts (cluster.host), as shares.")
          .add("optimizer", &O::optimizer,
               "of the parameters that a rank updates: their states and gradients, and the update itself on the host's "
               "cores (DeepSpeed offload_optimizer and its ratio; Megatron-LM --optimizer-cpu-offload, "
               "--optimizer-offload-fraction)")
          .number_range(0, 1)
          .add("weights", &O::weights,
               "of the layers of each stage, the first ones, fetched for each pass; 1: embedding and head, too "
               "(DeepSpeed offload_param; FSDP CPUOffload); needs optimizer: 1")
          .number_range(0, 1)
          .add("activations", &O::activations,
               "of the layers of each stage, the first ones: what the backward pass reads leaves behind the forward "
               "pass (Megatron-LM --cpu-offloading, --cpu-offloading-num-layers; DeepSpeed cpu_checkpointing)")
          .number_range(0, 1)
          .rule("weights", [](const O& o) {
            return o.weights > 0 && o.optimizer < 1
                       ? std::string("needs optimizer: 1 beside it: weights that stand on the host are updated there")
                       : std::string();
          });
  return table;
}

const Fields<Training>& training_fields() {
  static const auto table =
      Fields<Training>("training", "The training step.")
          .add("sequence_length", &Training::sequence_length,
               "tokens per sequence; of an encoder–decoder the encoder's")
          .range(1, std::int64_t{1} << 32)
          .required()
          .add("decoder_sequence_length", &Training::decoder_sequence_length,
               "encoder–decoder models: tokens of the decoder's sequence; default: sequence_length")
          .range(1, std::int64_t{1} << 32)
          .add("global_batch", &Training::global_batch, "sequences per step")
          .range(1, std::int64_t{1} << 32)
          .required()
          .add("micro_batch", &Training::micro_batch, "sequences per micro-batch")
          .range(1, 1 << 24)
          .choice("precision", &Training::precision, named_precisions(),
                  "of the matrix products; fp8, mxfp8, nvfp4, tf32: of linear layers only, the rest in bf16, in fp32")
          .choice("recompute", &Training::recompute,
                  {{"none", Recompute::none},
                   {"selective", Recompute::selective},
                   {"selective_op", Recompute::selective_op},
                   {"full", Recompute::full},
                   {"alternate_layers", Recompute::alternate_layers}},
                  "activations computed again in the backward pass instead of kept")
          .choice("recompute_modules", &Training::recompute_modules, layout::recompute_module_names(),
                  "recompute selective: what of each layer runs again, as in Megatron-LM's --recompute-modules")
          .add("recompute_every", &Training::recompute_every, "recompute full: of every k-th layer")
          .range(1, 1 << 16)
          .choice("recompute_method", &Training::recompute_method,
                  {{"uniform", layout::RecomputeMethod::uniform}, {"block", layout::RecomputeMethod::block}},
                  "recompute full, as Megatron-LM's --recompute-method; uniform: recompute_num_layers of a stage run "
                  "again together, of which the input of the first is kept; block: the first recompute_num_layers of "
                  "each (virtual) stage run again, each by itself")
          .add("recompute_num_layers", &Training::recompute_num_layers, "recompute full: layers of recompute_method")
          .range(1, 1 << 16)
          .choice("attention", &Training::attention, layout::attention_names(),
                  "attention kernels; default: the stack's")
          .add("weight_bytes", &Training::weight_bytes, "per parameter; default: 2 (fp32, tf32: 4)")
          .range(1, 16)
          .add("gradient_bytes", &Training::gradient_bytes,
               "per parameter, as accumulated and reduced; default: the stack's")
          .range(1, 16)
          .add("optimizer_bytes", &Training::optimizer_bytes,
               "per parameter: master weights and moments; default: 12 (fp32: 8)")
          .range(0, 64)
          .add("overlap_data", &Training::overlap_data,
               "gradient and parameter communication beside compute; default: the stack's")
          .add("overlap_tensor", &Training::overlap_tensor,
               "tensor-parallel communication beside compute; default: the stack's")
          .add("overlap_context", &Training::overlap_context,
               "context-parallel communication beside compute; default: the stack's")
          .add("compiled", &Training::compiled, "elementwise chains fused by a compiler")
          .section("routing", &Training::routing, routing_fields(),
                   "how tokens spread over the routed experts: balanced, {power_law: EXPONENT} or {file: LOADS.csv}")
          .add("capacity", &Training::capacity,
               "capacity factor of the experts: each takes at most factor · tokens · top_k / experts of what a rank "
               "sends a micro-batch, the rest is dropped (Megatron-LM --moe-expert-capacity-factor); default: dropless")
          .number_range(0, 1024)
          .positive()
          .add("pad_to_capacity", &Training::pad_to_capacity,
               "each expert is given as many rows as it takes at most, padding where there are fewer (Megatron-LM "
               "--moe-pad-expert-input-to-capacity)")
          .choice("flops", &Training::flops, {{"full", FlopsCount::full}, {"causal", FlopsCount::causal}},
                  "how MFU counts attention: in full, or the half a causal mask leaves")
          .section("offload", &Training::offload, offload_fields(),
                   "what is kept in the memory of the hosts: {optimizer: 1, weights: 0, activations: 0.5}");
  return table;
}

const Fields<ScheduleChoice>& schedule_fields() {
  static const auto table =
      Fields<ScheduleChoice>("schedule", "The pipeline schedule.")
          .shorthand("type")
          .add("type", &ScheduleChoice::type,
               "name of the schedule (orrery list schedules); default: 1f1b, with virtual stages interleaved_1f1b")
          .add("file", &ScheduleChoice::file,
               "instead of `type`: a CSV file in PyTorch's notation, relative to this file (orrery schedule NAME "
               "--export csv)")
          .add("group", &ScheduleChoice::group,
               "interleaved schedules: micro-batches per group; 0 = the pipeline degree")
          .range(0, 1 << 24)
          .add("memory_cap", &ScheduleChoice::memory_cap,
               "zb_auto: most micro-batches in flight on a rank; 0 = the pipeline degree")
          .number_range(0, 1e6)
          .rule("file", [](const ScheduleChoice& s) {
            return s.file.empty() || (s.type.empty() && s.group == 0 && s.memory_cap == 0)
                       ? std::string()
                       : std::string("is the whole schedule: type, group and memory_cap cannot be given beside it");
          });
  return table;
}

const Fields<NetworkChoice>& network_fields() {
  using Mode = NetworkModeChoice;
  const auto or_auto = [](std::vector<std::string> names) {
    names.insert(names.begin(), "auto");
    return names;
  };
  static const auto table =
      Fields<NetworkChoice>("network", "What happens between transfers.")
          .shorthand("mode")
          .choice("mode", &NetworkChoice::mode,
                  {{"auto", Mode::automatic}, {"ideal", Mode::ideal}, {"steady", Mode::steady}, {"flows", Mode::flows}},
                  "ideal: nothing is shared; steady: all groups of a family (tensor, data, …) communicate at once; "
                  "flows: every transfer shares links with what is in flight, every rank is played; auto: flows where "
                  "that takes a second or two, else (and in sweeps) steady")
          .add("algorithm", &NetworkChoice::algorithm, "of every collective it can serve; auto: chosen as NCCL does")
          .one_of(or_auto(network::algorithm_names()))
          .add("protocol", &NetworkChoice::protocol, "of every collective; auto: chosen as NCCL does")
          .one_of(or_auto(network::protocol_names()));
  return table;
}

const Fields<Variation>& variation_fields() {
  using V = Variation;
  static const auto table =
      Fields<V>("variation", "How unlike GPUs and steps are: the step played again and again, every rank.")
          .add("gpus", &V::gpus,
               "standard deviation of the speed of kernels between GPUs, as a part of it: 0.01 is 1 %")
          .number_range(0, 0.2)
          .add("steps", &V::steps, "of each GPU from step to step")
          .number_range(0, 0.2)
          .add("slow_share", &V::slow_share, "chance of a GPU to be a slow one")
          .number_range(0, 1)
          .add("slow_speed", &V::slow_speed, "of such a one, as a part of what it should be")
          .number_range(0.01, 1)
          .add("count", &V::count, "steps to play")
          .range(1, 1'000'000)
          .add("seed", &V::seed, "of the random numbers")
          .range(0, std::int64_t{1} << 53);
  return table;
}

const std::vector<std::string>& section_names() {
  static const std::vector<std::string> names{"model",   "cluster",   "layout",  "training",  "schedule",    "stack",
                                              "network", "placement", "perturb", "variation", "reliability", "sweep"};
  return names;
}

}  // namespace orrery::scenario
