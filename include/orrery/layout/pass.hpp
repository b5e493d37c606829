// What one rank does in one pass (F, B, I, W) of one micro-batch through one stage, after the model graph is cut into
// stages and each operator is split over tensor and context ranks: kernels, communication calls and memory effects in
// program order. Structure only; the cost and network rooms say how long each step takes.
//
// Memory effects. F allocates what is kept for the backward pass as `activations` (saved_activations() in all) and
// everything else as `buffers`, which it frees again; B frees those activations behind their last reader, and what it
// makes or runs again are buffers. I leaves behind for W, as activations, what W reads: inputs and output gradients of
// the products; I + W = B kernel for kernel. A pass counts its incoming message from the start of its first step and
// its outgoing message to the end of its last, so that the time in which a message waits or travels is for the caller
// to count. States (weights, gradients, optimizer), placeholders(), gather_buffer() and parameters gathered by ZeRO-3
// are the caller's too.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "orrery/core/collective.hpp"
#include "orrery/core/short_list.hpp"
#include "orrery/layout/dimension.hpp"
#include "orrery/layout/layout.hpp"
#include "orrery/layout/memory_class.hpp"
#include "orrery/layout/routing.hpp"
#include "orrery/model/kernel.hpp"

namespace orrery::layout {

enum class Recompute : std::uint8_t { none, selective, selective_op, full, alternate_layers };
// Of selective recompute (Megatron-LM, --recompute-modules): what of a layer runs again. layernorm, mla_up_proj and
// moe_act do so where their results are read, the others where their own backward pass begins.
enum class RecomputeModule : std::uint8_t { core_attn, layernorm, mla_up_proj, mlp, moe, moe_act, shared_experts };
std::vector<std::pair<std::string, RecomputeModule>> recompute_module_names();  // for field tables
struct RecomputeModules {
  std::uint32_t bits = 1;  // core_attn
  bool has(RecomputeModule module) const { return (bits >> static_cast<int>(module) & 1) != 0; }
  friend bool operator==(const RecomputeModules&, const RecomputeModules&) = default;
};
RecomputeModules modules_of(std::span<const RecomputeModule> list);

// Of full recompute (Megatron-LM, --recompute-method): so many layers of a stage are run again together, the input of
// the first alone being kept; or the first so many of each stage are run again one by one, the others not.
enum class RecomputeMethod : std::uint8_t { uniform, block };

enum class AttentionKind : std::uint8_t { unfused, flash };
std::vector<std::pair<std::string, AttentionKind>> attention_names();  // for field tables
// How attention sees all of a sequence that is split over context ranks: keys and values travel round, or are gathered;
// or heads are split in place of positions while it runs (DeepSpeed-Ulysses); or they are gathered, attended block by
// block, and their gradients travel round (PyTorch).
enum class ContextExchange : std::uint8_t { ring, all_gather, all_to_all, gathered_ring };

// Which elementwise chains are one kernel, and what stays in memory: part of the section `kernels` of a software stack
// (cost/stack.hpp, where each key has its line of help).
struct OperatorKernels {
  bool fused_softmax = true;    // scale + mask + softmax
  bool softmax_in_fp32 = true;  // not fused: between casts (Megatron --attention-softmax-in-fp32, and layer scaling)
  bool fused_bias_activation = true;
  bool fused_bias_dropout_add = true;
  bool fused_norm = true;
  bool fused_rotary = true;
  bool fused_cross_entropy = false;
  bool fused_log_softmax = false;  // cross-entropy by torch.nn.functional.cross_entropy
  bool compiled_loss = true;       // compiled runs: the loss too, not the layers alone
  // Weight gradients add into the gradient buffer inside the product; false: they are written, and an addition follows.
  bool fused_gradient_accumulation = true;
  // Megatron with fused accumulation hands autograd a placeholder of each weight gradient (see
  // StageModel::placeholders).
  bool gradient_placeholders = false;
  // What the head and the dispatcher `all_gather` gather of all ranks stands in one buffer of the process, made as
  // large as the largest needs and never freed (Megatron-LM, get_global_memory_buffer).
  bool gather_buffer = false;
  // fp32 copies of the logits in the backward pass of the loss, beside the softmax: 0 = in place (Megatron), 2 = the
  // gradient of nll_loss and that of log_softmax (torch.nn.functional.cross_entropy).
  std::int64_t loss_copies = 0;
  bool keep_stage_output = false;  // the message to the next stage stays until the backward pass
  bool repeated_heads = false;     // grouped keys and values are written out for each query head before fused attention
  bool separate_projections = false;  // query, key, value and gate, up as products of their own (torchtitan)
  bool fp8_saves_input = true;  // fp8: the cast input is kept (Transformer Engine); false: the original is (torchao)
  bool recompute_stops_early = false;  // recompute ends with the last tensor needed (torch non-reentrant checkpoint)
  friend bool operator==(const OperatorKernels&, const OperatorKernels&) = default;
};

// How the operators of a rank call the others: part of the section `communication` of a software stack.
struct OperatorCalls {
  bool regather_in_backward = true;  // sequence parallel: the saved shard is gathered again for the weight gradient
  ContextExchange context_exchange = ContextExchange::ring;
  friend bool operator==(const OperatorCalls&, const OperatorCalls&) = default;
};

// How tokens reach their experts and come back (Megatron-LM, core/transformer/moe/token_dispatcher.py): a copy for each
// expert; all tokens to every rank; a copy for each rank (DeepEP: for each node and from there for each rank).
enum class Dispatcher : std::uint8_t { all_to_all, all_gather, deepep, hybridep };

// Routed experts: the section `experts` of a software stack.
struct OperatorExperts {
  bool available = true;  // the framework has them
  Dispatcher dispatcher = Dispatcher::all_to_all;
  // Grouped products are launched for each expert apart (Transformer Engine: cuBLAS on several streams), not once.
  bool launched_apart = false;
  friend bool operator==(const OperatorExperts&, const OperatorExperts&) = default;
};

// What shapes the operators of a rank.
struct PassOptions {
  std::int64_t sequence_length = 0;
  std::int64_t decoder_sequence_length = 0;  // behind an encoder; 0 = as long
  std::int64_t micro_batch = 1;
  DType compute = DType::bf16;     // linear layers (fp8 casts linear layers only)
  DType activation = DType::bf16;  // storage of activations
  Recompute recompute = Recompute::none;
  RecomputeModules recompute_modules;                           // selective
  std::int64_t recompute_every = 1;                             // full: every k-th layer of the model, by itself
  RecomputeMethod recompute_method = RecomputeMethod::uniform;  // full, where every layer counts
  std::int64_t recompute_num_layers = 1;                        // the same: of the method
  AttentionKind attention = AttentionKind::unfused;
  std::int64_t gradient_bytes = 4;  // per parameter; 4 = weight gradients accumulate in fp32
  bool compiled = false;            // a compiler fuses every elementwise chain
  OperatorKernels kernels;
  OperatorCalls calls;
  OperatorExperts experts;
  Routing routing;
  friend bool operator==(const PassOptions&, const PassOptions&) = default;
};

// Of a micro-batch, those that one rank sends to the experts.
std::int64_t tokens_sent(const Layout& layout, const PassOptions& options);

// Category of the step in the split of the step time.
enum class StepRole : std::uint8_t { compute, recompute };

// A tensor of a stage: the same in F, B, I and W of a micro-batch where it is held from one to the other.
using TensorId = std::int32_t;
inline constexpr TensorId kNoTensor = -1;

struct MemoryChange {
  bool at_end = false;  // of the step; false = at its start
  MemoryClass memory_class = MemoryClass::activations;
  Bytes bytes{};  // > 0 allocates, < 0 frees
  TensorId tensor = kNoTensor;
};

// Of a step: few, and steps are copied by the million.
using MemoryChanges = ShortList<MemoryChange, 4>;
using UsedTensors = ShortList<TensorId, 6>;

struct PassStep {
  bool is_communication = false;
  StepRole role = StepRole::compute;
  model::OperatorKind kind = model::OperatorKind::embedding;  // of the operator it is a step of
  std::int16_t copies = 1;  // ranks of a stage that run the same: the model has its FLOPs once
  const char* name = "";    // operator, e.g. "qkv", "attention.softmax"; static text
  std::int64_t layer = -1;  // −1 embedding; = number of layers: head
  model::Kernel kernel;     // of a compute step
  int kernels = 1;          // launches this step stands for (unfused elementwise chains)
  bool of_experts = false;  // gradients_ready: of routed experts, which their own groups reduce
  // of a communication step
  Collective collective = Collective::all_reduce;
  Dimension along = Dimension::tensor;  // of the process groups that make the call
  Bytes message{};                      // S of core/collective.hpp
  UnlikeRows rows;                      // to experts of unlike loads: who sends how much of it to whom
  // Communication that may run beside so many of the steps that follow it: the step behind those (or the end of the
  // pass) needs its result. 0 = the next step does. A stack that does not overlap ignores it.
  std::uint32_t beside = 0;
  // Parameters of this rank whose gradient is final after this step (in the last micro-batch), for gradient buckets.
  std::int64_t gradients_ready = 0;
  MemoryChanges memory;
  UsedTensors uses;  // what it reads or writes of activations, gradients and work space: alive while it runs
};

enum class PassKind : std::uint8_t { forward, backward, input_gradient, weight_gradient };
inline constexpr std::size_t kPassKinds = 4;

// The graph of a model as these passes run it.
model::ModelGraph graph_of(const model::ModelSpec& spec, const PassOptions& options);
model::GraphOptions graph_options(const PassOptions& options);  // all that it depends on beside the model

// The stage as one rank holds it.
struct StageOperators;  // opaque: built once per stage, asked for each pass

class StageModel {
 public:
  // `nodes` are operators of the graph, in its order (layout::operators_of). `place`: of the rank among those that the
  // experts are spread over, which matters where their loads are unlike.
  StageModel(const model::ModelGraph& graph, const Layout& layout, std::span<const std::int32_t> nodes,
             const PassOptions& options, std::int32_t place = 0);

  std::vector<PassStep> pass(PassKind kind) const;
  std::vector<TensorId> held_before(PassKind kind) const;  // tensors that passes before it left behind
  StageSpan span() const;                                  // the layers it has operators of
  // Of this rank (after the tensor split), tied copies included; of routed experts, or of all else.
  std::int64_t parameters(Parameters of = Parameters::dense) const;
  // −1 embedding, layers = head + final norm
  std::int64_t parameters_of_layer(std::int64_t layer, Parameters of = Parameters::dense) const;
  Bytes saved_activations() const;  // held from the end of F to B, per micro-batch
  // Held from the first backward pass to the end of the run where gradient_placeholders is set: one tensor, in the
  // storage type of activations, for each distinct shape of weight (Transformer Engine get_dummy_wgrad keeps them by
  // shape).
  Bytes placeholders() const;
  // Held for the whole run where OperatorKernels::gather_buffer is set: the largest of what it is for.
  Bytes gather_buffer() const;
  // Parameters that every tensor rank holds whole (norms, biases of projection and fc2): under sequence parallel their
  // gradients are partial and are all-reduced over the tensor ranks once a step (Megatron allreduce_layernorm_grads).
  std::int64_t replicated_parameters() const;
  // FLOPs of the model itself (forward + backward, no recompute) on this rank, and those really run.
  Flops model_flops() const;
  Flops hardware_flops() const;

 private:
  std::shared_ptr<const StageOperators> operators_;
};

// The books of a pass that begins with the tensors `held`: a line for each step that uses a tensor which is not there,
// each tensor made twice or freed twice. A call beside other steps uses its tensors until the step that needs it.
// pass() holds every pass to it.
std::vector<std::string> audit_pass(const std::vector<PassStep>& steps, const std::vector<TensorId>& held);

// Bytes that stay for the whole run, per rank, by class (weights, gradients, optimizer), as ZeRO divides them.
struct StateBytes {
  Bytes weights{}, gradients{}, optimizer{};
};
// Per parameter.
struct StateWidths {
  std::int64_t weight_bytes = 2, gradient_bytes = 4, optimizer_bytes = 12;
  std::int64_t gathered_bytes = 2;  // of a weight as it is used, and as a sharded optimizer gathers it
};
StateBytes state_bytes(std::int64_t parameters, const StateWidths& widths, const Layout& layout,
                       Parameters of = Parameters::dense);

}  // namespace orrery::layout
