// The operators of a stage as one rank runs them, with the tensors that flow between them: a small tape for
// reverse-mode differentiation. What is kept for the backward pass, what is freed when, and what a recompute policy
// runs again all follow from the tape; no operator knows of a policy.
#pragma once
#include <cstdint>
#include <vector>

#include "orrery/layout/pass.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::layout {

inline std::size_t at(std::int64_t id) {
  return static_cast<std::size_t>(id);
}

enum class Phase : std::uint8_t { input, weight };  // I or W

// Step of an operator. What runs beside it (PassStep::beside) are steps of the same list.
struct OpStep {
  PassStep step;
  Phase phase = Phase::input;
  TensorId makes = kNoTensor;  // forward: not run again where this tensor is kept by selective_op
};

// How the gradient of an input comes about.
struct GradientOf {
  TensorId input = kNoTensor;
  TensorId same_as = kNoTensor;  // it is the gradient of this output, passed through; kNoTensor = a tensor of its own
  bool in_place = false;         // it stands where the input stood
};

// Work space of a pass, held from the first to the last step of the phases that use it.
struct Workspace {
  Bytes bytes{};
  bool in_input = false, in_weight = false;
};

struct RankOp {
  const char* name = "";
  model::OperatorKind kind = model::OperatorKind::embedding;
  std::int64_t layer = -1;
  bool attention_core = false;  // what the module core_attn runs again
  bool loss = false;            // gradients begin here
  std::vector<TensorId> in, out;
  std::vector<TensorId> keep_for_input, keep_for_weight;  // forward tensors its backward reads
  std::vector<GradientOf> gradients;
  std::vector<TensorId> weight_reads_gradient_of;  // outputs whose gradient the weight gradient reads
  std::vector<OpStep> forward, backward;
  Bytes forward_workspace{};
  Bytes gather_buffer{};  // what it gathers stands in the buffer that stays (OperatorKernels::gather_buffer)
  std::vector<Workspace> backward_workspace;
};

// Operators of one layer that stand one after the other, with the tensors they make.
struct TapePart {
  std::int64_t layer = -1;
  TensorId first_tensor = 0;
  std::int32_t first_op = 0;
  std::int64_t replicated_parameters = 0;  // held whole by every tensor rank
};

struct Tape {
  std::vector<Bytes> tensors;
  std::vector<bool> keep_always;  // [tensor] kept by the policy selective_op even inside what is recomputed
  std::vector<RankOp> ops;
  std::vector<TensorId> inputs;   // read here, made by other stages
  std::vector<TensorId> outputs;  // made here, read by other stages
  std::vector<TapePart> parts;
};

// Sizes that the layout gives the shard of one rank; those of its operators follow from the model graph.
struct RankShape {
  std::int64_t micro_batch = 1, sequence = 0;  // sequence: positions of this rank (context parallel)
  std::int64_t tokens = 0;                     // of this context rank: micro_batch · sequence
  std::int64_t shard_tokens = 0;               // tokens / t under sequence parallel, else tokens
  std::int64_t tensor = 1, context = 1;
  bool sequence_parallel = false;
  std::int64_t expert = 1, expert_tensor = 1;
  std::int64_t experts = 0;               // routed ones that it holds, or shares with the ranks of expert_tensor
  std::int64_t copies = 0, received = 0;  // of its tokens for their experts; of any tokens for its own experts
  std::vector<std::int64_t> of_expert;    // [expert it holds] of `received`; empty where they are alike
  std::vector<std::int64_t> sent;         // [place among the ranks of the experts] of `copies`; empty: alike
};
RankShape rank_shape(const model::ModelSpec& spec, const Layout& layout, const PassOptions& options,
                     model::Tokens tokens);
// What a layer with experts gives the rank at `place` of their group; as the graph numbers layers, so that modules that
// predict further tokens stand behind the head.
void set_rows(RankShape& rank, const model::ModelSpec& spec, const Layout& layout, const Routing& routing,
              std::int64_t layer, std::int32_t place);
// Features of a tensor that a rank has, and its elements there.
std::int64_t columns_on_rank(const model::Tensor& tensor, const RankShape& rank);
std::int64_t values_on_rank(const model::Tensor& tensor, const RankShape& rank);

}  // namespace orrery::layout
