// How a model is split: degrees, rank order, and which layers a stage holds. The dimensions that the degrees belong to
// stand in dimension.hpp, the process groups in rank_grid.hpp.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::layout {

enum class Zero : std::uint8_t { none, optimizer, gradients, parameters };  // ZeRO 0, 1, 2, 3 (3 = FSDP)
enum class Partition : std::uint8_t { even, ends_count_as_layers, balanced, explicit_layers, cost_shares };
enum class BatchSplit : std::uint8_t { even, balanced, explicit_counts };

// Routed experts have groups of their own that sum their gradients, and their own shards.
enum class Parameters : std::uint8_t { dense, experts };
inline constexpr std::array kParameterKinds{Parameters::dense, Parameters::experts};

struct Layout {
  int tensor = 1, context = 1, pipeline = 1, data = 1;
  // Of routed experts, over the same ranks of a stage grouped anew: ranks that share each expert (0 = as many as
  // `tensor`), ranks that the experts are spread over. What is left of tensor · context · data holds them once more.
  int expert_tensor = 1, expert = 1;
  int virtual_stages = 1;  // chunks per rank
  bool sequence_parallel = false;
  Zero zero = Zero::none;
  // ZeRO-2: gradients of a stage accumulate whole over consecutive backward passes of it, and are reduced behind the
  // last. Not a choice of the user but of the framework.
  bool reduces_after_runs = false;
  int shard_degree = 0;               // HSDP: ranks one copy of the shards is spread over; 0 = all of data · context
  std::string order = "tp-cp-dp-pp";  // first varies fastest (Megatron)
  Partition partition = Partition::even;
  std::vector<std::int64_t> layers_per_stage;  // explicit_layers: one entry a stage, in model order
  // [pipeline rank] how fast its GPUs are beside the others'; empty = all alike. Partition balanced goes by it.
  std::vector<std::int64_t> speeds;
  // [pipeline rank] layers that its GPUs have memory for; empty = not asked. Balanced by speed goes by it, too.
  std::vector<std::int64_t> most_layers;
  int encoder_stages = 0;  // of an encoder–decoder: stages in front that hold the encoder alone; 0 = see partition
  BatchSplit batch_split = BatchSplit::even;
  // Micro-batches of each replica: explicit_counts as said, balanced as chosen.
  std::vector<std::int64_t> micro_batches_per_replica;

  int ranks() const;
  int gradient_ranks() const;  // that hold the same parameters and sum their gradients
  int expert_data() const;     // the same of routed experts
  int stages() const { return pipeline * virtual_stages; }
  // Ranks that one copy of what `zero` names is spread over (1 = nothing is), and how many copies there are.
  int shards(Parameters of = Parameters::dense) const {
    if (zero == Zero::none) return 1;
    if (of == Parameters::experts) return std::max(expert_data() / replicas(), 1);
    return shard_degree > 0 ? shard_degree : gradient_ranks();
  }
  int replicas() const { return gradient_ranks() / shards(); }
  // Of the data-parallel ranks, where some have more than others; else empty.
  std::vector<std::int64_t> unlike_micro_batches() const;
  // Parameters are gathered for each use and dropped behind it. Spread over one rank they are whole, as in ZeRO 0.
  bool gathers_parameters(Parameters of = Parameters::dense) const {
    return zero == Zero::parameters && shards(of) > 1;
  }
  // ZeRO-2 and 3: between the passes of a stage its gradients are held in shards.
  bool shards_gradients(Parameters of = Parameters::dense) const { return zero >= Zero::gradients && shards(of) > 1; }
  // Each backward pass reduces the gradients of a unit to its shards behind it; they are never whole.
  bool reduces_in_each_pass(Parameters of = Parameters::dense) const {
    return shards_gradients(of) && !reduces_after_runs;
  }
  friend bool operator==(const Layout&, const Layout&) = default;
};

// What of a layout the passes of a stage depend on, all else as in a layout of one rank.
Layout in_passes(const Layout& layout);

// Everything that is wrong with the layout for this model (empty = it runs). Paths begin with `layout.`; places are for
// the caller to fill in. Lengths of 0 are not known: what divides them is then not looked at.
Diagnostics check_layout(const model::ModelSpec& spec, const Layout& layout, const model::Lengths& lengths = 0);

// ⌈vocab / (multiple · tensor)⌉ · multiple · tensor: Megatron pads the vocabulary so that every tensor rank holds as
// many rows, a multiple of 128 (`make_vocab_size_divisible_by`). Vocabularies are taken as given here; nobody pads
// silently.
std::int64_t padded_vocab(std::int64_t vocab, int tensor, std::int64_t multiple = 128);

// The part of the model one stage holds: layers [first_layer, first_layer + layers), embedding and head where said.
struct StageSpan {
  std::int64_t first_layer = 0;
  std::int64_t layers = 0;
  bool embedding = false;
  bool head = false;
  friend bool operator==(const StageSpan&, const StageSpan&) = default;
};
// One span a stage (pipeline · virtual_stages of them), in model order; errors name `layout.pipeline` and the like.
Result<std::vector<StageSpan>> partition_layers(const model::ModelSpec& spec, const Layout& layout);
// Of an encoder–decoder, balanced: the number of stages for the encoder that makes the costliest stage least, by the
// FLOPs of sequences of these lengths; of equals the fewest. 0: there is one stage, or too few layers.
int encoder_stages_by_cost(const model::ModelSpec& spec, const Layout& layout, const model::Lengths& lengths);
// [operator] its stage.
std::vector<std::int32_t> stage_of_operators(const model::ModelGraph& graph, std::span<const StageSpan> spans);
// The operators of a stage, in the order of the graph.
std::vector<std::int32_t> operators_of(std::span<const std::int32_t> stage_of, std::int32_t stage);

}  // namespace orrery::layout
