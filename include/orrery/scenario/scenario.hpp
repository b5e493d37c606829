// A scenario: the validated values of every room that a run needs, read from YAML.
#pragma once
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/core/yaml.hpp"
#include "orrery/cost/kernel_model.hpp"
#include "orrery/cost/stack.hpp"
#include "orrery/hardware/cluster.hpp"
#include "orrery/hardware/gpu.hpp"
#include "orrery/hardware/placement.hpp"
#include "orrery/layout/pass.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/program/lower.hpp"
#include "orrery/reliability/failures.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::scenario {

// fp8 (a scale for a tensor), mxfp8 (for 32 elements), nvfp4 (4 bits, a scale for 16 elements), tf32: linear layers
// only, the rest in bf16, in fp32
enum class Precision : std::uint8_t { fp32, tf32, fp16, bf16, fp8, mxfp8, nvfp4 };
inline constexpr std::array kPrecisionNames{"fp32", "tf32", "fp16", "bf16", "fp8", "mxfp8", "nvfp4"};
constexpr bool is_fp32(Precision precision) {  // as stored
  return precision == Precision::fp32 || precision == Precision::tf32;
}
enum class FlopsCount : std::uint8_t { full, causal };

// How tokens spread over the routed experts (layout/routing.hpp): balanced where neither a law nor a file is named.
enum class RoutingKind : std::uint8_t { balanced };
struct RoutingChoice {
  std::optional<RoutingKind> type;
  std::optional<double> power_law;  // exponent
  std::int64_t seed = 1;
  std::string file;  // columns layer, expert, load
  // What stands in the file, once it has been read for the model of the scenario (resolve).
  std::shared_ptr<const layout::ExpertLoads> loads;

  bool balanced() const { return !power_law && file.empty(); }
};

struct Training {
  std::int64_t sequence_length = 2048;
  std::optional<std::int64_t> decoder_sequence_length;  // behind an encoder; default: as long
  std::int64_t global_batch = 1;                        // sequences per step
  std::int64_t micro_batch = 1;                         // sequences per micro-batch
  Precision precision = Precision::bf16;
  layout::Recompute recompute = layout::Recompute::none;
  std::vector<layout::RecomputeModule> recompute_modules{layout::RecomputeModule::core_attn};  // selective
  std::int64_t recompute_every = 1;                                                            // full: every k-th layer
  layout::RecomputeMethod recompute_method = layout::RecomputeMethod::uniform;                 // full
  std::int64_t recompute_num_layers = 1;                                                       // full: of the method
  std::optional<layout::AttentionKind> attention;                                              // default: the stack's
  std::optional<std::int64_t> weight_bytes;     // per parameter; default by precision
  std::optional<std::int64_t> gradient_bytes;   // default 4 (2 where the stack reduces in 16 bits)
  std::optional<std::int64_t> optimizer_bytes;  // default 12 (8 in fp32)
  std::optional<bool> overlap_data, overlap_tensor, overlap_context;  // default: the stack's
  bool compiled = false;                                              // elementwise chains fused by a compiler
  RoutingChoice routing;
  std::optional<double> capacity;  // factor; default: dropless
  bool pad_to_capacity = false;
  FlopsCount flops = FlopsCount::full;
  layout::Offload offload;
};

struct ScheduleChoice {
  std::string type;       // default: 1f1b, with virtual stages interleaved_1f1b
  std::string file;       // instead of a type: a schedule in PyTorch's notation (schedule/csv.hpp)
  int group = 0;          // interleaved schedules: micro-batches per group; 0 = pipeline degree
  double memory_cap = 0;  // zb_auto: most full micro-batches a rank may hold; 0 = pipeline degree
};

// automatic: flows where it is quick, else steady (see network_mode()).
enum class NetworkModeChoice : std::uint8_t { automatic, ideal, steady, flows };

struct NetworkChoice {
  NetworkModeChoice mode = NetworkModeChoice::automatic;
  std::string algorithm = "auto", protocol = "auto";  // of collectives; auto = by size, ranks and topology
};

// How unlike GPUs and steps are; parts of the speed of kernels. Drawn for each rank's GPU: one figure for the whole
// run, one for each step.
struct Variation {
  double gpus = 0;        // standard deviation between GPUs
  double steps = 0;       // of one GPU from step to step
  double slow_share = 0;  // chance of a GPU to be a slow one
  double slow_speed = 1;  // of such a one
  std::int64_t count = 100;
  std::int64_t seed = 1;
  bool given() const { return gpus > 0 || steps > 0 || slow_share > 0; }
};

struct Scenario {
  std::string name;  // of the file
  model::ModelChoice model;
  hardware::ClusterSpec cluster;  // what the section `perturb` says is in its `perturb`
  hardware::Placement placement;
  hardware::Gpu gpu;
  cost::KernelModel kernels;
  std::vector<program::GpuKind> pools;  // [of cluster.pools] its GPU; of the first also above
  layout::Layout layout;                // data: GPUs / (tensor · context · pipeline) where the file does not say
  Training training;
  ScheduleChoice schedule;
  cost::Stack stack;
  NetworkChoice network;
  Variation variation;
  reliability::Reliability reliability;    // of a long run; no failures: nothing is said of one
  std::vector<std::string> notes;          // what a report must say of how the scenario was read
  std::shared_ptr<const YamlTree> source;  // it was read from: gives errors of a run their place; may be empty

  std::int64_t gpus() const {
    return cluster.gpus > 0 ? cluster.gpus : static_cast<std::int64_t>(cluster.nodes) * cluster.gpus_per_node;
  }
  // Tokens of a sequence, 0 of a decoder where there is none behind an encoder; both together.
  model::Lengths lengths() const {
    const std::int64_t first = training.sequence_length;
    return {first, model.has_two_stacks() ? training.decoder_sequence_length.value_or(first) : 0};
  }
  // Those of the pools, or the one there is.
  std::span<const hardware::ClusterSpec> clusters() const {
    if (cluster.of_pools.empty()) return {&cluster, 1};
    return cluster.of_pools;
  }
  // What of a GPU is no allocator's to give: the context, and what the libraries of the stack have beside it.
  Bytes outside_allocator(const hardware::Gpu& on) const { return on.context_memory + stack.libraries.outside; }
  std::int64_t tokens_of_sequence() const { return lengths().sequence + lengths().decoder; }
  // Of the replica that has most.
  std::int64_t micro_batches() const {
    if (const auto unlike = layout.unlike_micro_batches(); !unlike.empty()) return std::ranges::max(unlike);
    return ceil_div(training.global_batch, layout.data * training.micro_batch);
  }
};

std::string lengths_text(const Scenario& scenario);  // "512", or of an encoder–decoder "512 + 128"

// What `auto` stands for in a run, and why, in words.
struct NetworkDecision {
  program::NetworkMode mode = program::NetworkMode::steady;
  std::string why;
};
NetworkDecision network_mode(const Scenario& scenario);

// The resolved scenario with every default, as one JSON object; reads back as the same scenario.
std::string to_json(const Scenario& scenario);
std::string json_schema();  // draft-07

}  // namespace orrery::scenario
