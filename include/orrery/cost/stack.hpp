// A software stack: what a training framework of a certain year does with the hardware, whatever the model. One file
// per stack in scenarios/stacks/, each figure there with what it assumes. Nothing in it may depend on a model or a
// layout. The mechanisms read these sections as they are: a new knob is a member here, its line in sim/cost/stack.cpp,
// and the place that reads it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/error.hpp"
#include "orrery/core/fields.hpp"
#include "orrery/core/units.hpp"
#include "orrery/cost/kernel_model.hpp"
#include "orrery/layout/pass.hpp"
#include "orrery/layout/stage_graph.hpp"

namespace orrery::cost {

// Which kernels run.
struct StackKernels : layout::OperatorKernels {
  std::vector<layout::AttentionKind> attention{layout::AttentionKind::unfused};  // allowed; the first is the default
  AttentionLibrary attention_library = AttentionLibrary::flash2;
  // Factors on the rates that topologies/kernels/ gives for the library generation measured there.
  double matrix_rate = 1;
  double memory_rate = 1;
  friend bool operator==(const StackKernels&, const StackKernels&) = default;
};

// ZeRO-2 (layout.zero: gradients): each backward pass reduces to shards (DeepSpeed stage 2, FSDP's SHARD_GRAD_OP); or
// the gradients of a stage accumulate whole over the backward passes that a rank runs of it one after the other
// (forward passes between them do not count) and are reduced behind the last of them, so that few stages are whole at
// once; or all accumulate whole over all micro-batches and are reduced once, so that only the optimizer is sharded.
enum class GradientShards : std::uint8_t { each_pass, each_group, at_end };

// What runs beside compute, and what it costs the compute meanwhile (shared memory bandwidth, multiprocessors, power):
// work takes percent/100 of its time, a rational number.
struct StackCommunication : layout::OperatorCalls {
  bool overlap_tensor = false, overlap_context = false, overlap_data = false;
  bool overlap_gather = true;  // with overlap_data: parameters of a sharded optimizer beside the first passes
  layout::MessageMode messages = layout::MessageMode::asynchronous;
  std::int64_t tensor_slowdown_percent = 100, context_slowdown_percent = 100, data_slowdown_percent = 100;
  bool scatter_gather_messages = false;  // over the tensor ranks
  // FSDP: parameters are sharded again after each pass, gradients reduced after each backward pass. False: with a
  // pipeline both stay whole through the step, gathered and reduced once (torchtitan: reshard_after_forward "default").
  bool reshard_in_pipeline = true;
  GradientShards gradient_shards = GradientShards::each_pass;
  // In a pipeline the copies of tied embeddings on the first and last stage sum their gradients each step. False: the
  // framework unties them there.
  bool embedding_reduce = true;
  // Operations that run a forward and a backward pass together (DualPipe, overlapped interleaving): of the tensor,
  // context and expert calls of each half, how many of a hundred run beside the compute of the other; the rest stop
  // both. 0: the operation takes the time of its halves.
  std::int64_t pass_overlap_percent = 0;
  // The library drives NICs behind a GPU's own PCIe switch alone, so that a group which has no two GPUs of a switch in
  // a node leaves it by one NIC, the one through which its ring came (NCCL before 2.12, network/collective.hpp).
  bool near_nics = false;
  // The shard of a sharded optimizer is a run of whole parameters, not a part of each bucket: a bucket is reduced to
  // the rank that holds it, and each rank in turn broadcasts what it holds (network/algorithms/chain.cpp).
  bool contiguous_shards = false;
  Time network_step{};        // of a call inside the passes, more for each step of its ring between nodes
  Bytes bucket{};             // of gradients; 0 = one bucket per stage
  std::int64_t prefetch = 1;  // layers gathered ahead (ZeRO-3, FSDP)
  friend bool operator==(const StackCommunication&, const StackCommunication&) = default;
};

// What the host costs. eager: each launch takes host time, the device runs on meanwhile; graph: launches of a pass cost
// nothing on the host; blocking: the host waits for each kernel before it launches the next (CUDA_LAUNCH_BLOCKING=1).
// Kernels are those a pass lists (layout::PassStep::kernels). Frameworks launch several small ones beside each (copies,
// casts, random-number state) and run their interpreter: the figure holds the cost of all of that per kernel listed.
enum class LaunchMode : std::uint8_t { eager, graph, blocking };

// Parts of a layer replayed as graphs where the rest is launched one by one (Megatron-LM, --cuda-graph-modules).
enum class GraphModule : std::uint8_t { attn, mlp, moe_router, moe_preprocess };

struct StackLaunch {
  LaunchMode mode = LaunchMode::eager;
  std::vector<GraphModule> graphs;  // eager: whose launches cost nothing
  Time per_kernel{};                // host, forward and recompute: interpreter, dispatch, launch
  Time per_kernel_backward{};       // host, backward: the autograd engine's thread
  Time per_expert_kernel{};         // host: where each expert is launched apart, per cast or product of one; 0 = as any
  Time per_collective{};            // host, on top of the launch
  Time per_collective_rank{};       // host, more per rank of the group, where a pipeline spans several nodes (see
                                    // nanotron.yaml)
  Time per_micro_batch{};           // host: data loader, schedule, bookkeeping
  Time per_step{};                  // host: logging, loss scale, learning rate, timers, barriers
  friend bool operator==(const StackLaunch&, const StackLaunch&) = default;
};

// Post-validation: a stage updates its parameters without waiting for the norm of all gradients and checks it in the
// next step (Qi et al. 2023, section 4): never, under schedules that split the backward pass (zero bubble), or always.
enum class PostValidation : std::uint8_t { never, split_backward, always };

struct StackOptimizer {
  std::int64_t traffic = 0;           // bytes read + written per parameter this rank updates
  std::int64_t gradient_traffic = 0;  // bytes per parameter held: unscale, overflow check, clip norm, copies to fp32
  std::int64_t gradient_bytes = 4;    // per parameter as reduced, unless the run says otherwise
  std::int64_t kernels = 0;           // launches per step
  // The parameters that stay are fp32 and cast where they are gathered or used (PyTorch's FSDP): the optimizer has no
  // masters beside them, and gradients are held as wide.
  bool fp32_parameters = false;
  // Per parameter: 16-bit gradients held beside those that are reduced where these are wider (buckets of PyTorch's
  // distributed data parallel beside fp32 accumulation; DeepSpeed's BF16 optimizer).
  std::int64_t held_gradient_bytes = 0;
  // Gradients reduced after the passes go through a buffer of so many elements; 0 = in place.
  std::int64_t reduce_buffer_elements = 0;
  // Per parameter updated, while the optimizer runs: copies of 16-bit gradients (flat, and widened to fp32).
  std::int64_t gradient_copy_bytes = 0;
  PostValidation post_validation = PostValidation::never;
  friend bool operator==(const StackOptimizer&, const StackOptimizer&) = default;
};

// What libraries hold: of the memory that the framework allocates, from their first call on, and outside of it.
struct StackLibraries {
  Bytes held{};                 // on any GPU
  Bytes outside{};              // beside the GPU's context: code of kernels, buffers of communicators
  std::int64_t workspaces = 0;  // so many of what the GPU's library of products asks for (Gpu::library_workspace)
  friend bool operator==(const StackLibraries&, const StackLibraries&) = default;
};

struct Stack {
  std::string type;  // the stack whose values are changed, in a scenario or in a file of its own
  std::string name;
  std::string about;
  StackKernels kernels;
  StackCommunication communication;
  StackLaunch launch;
  StackOptimizer optimizer;
  layout::OperatorExperts experts;
  StackLibraries libraries;
  bool expandable_segments = false;  // PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
  friend bool operator==(const Stack&, const Stack&) = default;
};

const Fields<Stack>& stack_fields();

// By name (scenarios/stacks/NAME.yaml, $ORRERY_SCENARIOS/stacks first) or by path.
Result<Stack> load_stack(const std::string& name, Catalogue& catalogue = Catalogue::shared());
std::vector<std::string> stack_names();

// The kernel constants as this stack's libraries reach them.
KernelModel with_stack(KernelModel constants, const Stack& stack);

}  // namespace orrery::cost
