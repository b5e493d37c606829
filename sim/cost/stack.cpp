#include "orrery/cost/stack.hpp"

#include <algorithm>

#include "orrery/core/data_files.hpp"

namespace orrery::cost {
namespace {

constexpr DataCollection kStacks{"ORRERY_SCENARIOS", "scenarios", "stacks", "stack"};

const Fields<StackKernels>& kernel_fields() {
  using K = StackKernels;
  static const auto table =
      Fields<K>("kernels", "Which kernels run, and how well.")
          .choice("attention", &K::attention, layout::attention_names(),
                  "kinds of attention the stack has, its default first")
          .choice("attention_library", &K::attention_library, attention_library_names(),
                  "generation of fused attention")
          .add("fused_softmax", &K::fused_softmax, "scale, mask and softmax are one kernel")
          .add("softmax_in_fp32", &K::softmax_in_fp32, "where they are not: in fp32, between casts; false: in 16 bits")
          .add("fused_bias_activation", &K::fused_bias_activation, "bias and activation are one kernel")
          .add("fused_bias_dropout_add", &K::fused_bias_dropout_add, "bias, dropout and residual are one kernel")
          .add("fused_norm", &K::fused_norm, "a norm is one kernel")
          .add("fused_rotary", &K::fused_rotary, "rotary embedding is one kernel")
          .add("fused_cross_entropy", &K::fused_cross_entropy, "the loss is one kernel over the logits")
          .add("fused_log_softmax", &K::fused_log_softmax,
               "the loss of a whole vocabulary is PyTorch's cross_entropy: one kernel for log-softmax")
          .add("compiled_loss", &K::compiled_loss, "where layers are compiled, the loss is too")
          .add("fused_gradient_accumulation", &K::fused_gradient_accumulation,
               "weight gradients add into the main gradient inside the product")
          .add("gradient_placeholders", &K::gradient_placeholders,
               "a tensor is held for each shape of weight, as Transformer Engine does for autograd")
          .add("gather_buffer", &K::gather_buffer,
               "the head and the dispatcher all_gather gather into one buffer that is never freed, as Megatron-LM does")
          .add("loss_copies", &K::loss_copies,
               "fp32 copies of the logits in the backward pass of the loss, beside the softmax; 0 = in place")
          .range(0, 4)
          .add("keep_stage_output", &K::keep_stage_output, "a pipeline message is kept until its backward pass")
          .add("repeated_heads", &K::repeated_heads,
               "grouped keys and values are written out for each query head before fused attention")
          .add("separate_projections", &K::separate_projections,
               "query, key, value, gate, up are products of their own")
          .add("fp8_saves_input", &K::fp8_saves_input, "fp8: the cast input is kept for the backward pass")
          .add("recompute_stops_early", &K::recompute_stops_early, "recompute ends with the last tensor needed")
          .add("matrix_rate", &K::matrix_rate, "factor on the rate of matrix products")
          .number_range(0.3, 1.5)
          .add("memory_rate", &K::memory_rate, "factor on the bandwidth of memory-bound kernels")
          .number_range(0.1, 1.5);
  return table;
}

const Fields<StackCommunication>& communication_fields() {
  using C = StackCommunication;
  static const auto table =
      Fields<C>("communication", "What runs beside compute, and how.")
          .add("overlap_tensor", &C::overlap_tensor, "tensor-parallel calls run beside compute where the pass allows")
          .add("overlap_context", &C::overlap_context, "context-parallel exchanges run beside attention")
          .add("overlap_data", &C::overlap_data, "gradients are reduced and parameters gathered beside the passes")
          .add("overlap_gather", &C::overlap_gather,
               "with overlap_data: parameters of a sharded optimizer are gathered beside the first passes; false: "
               "behind "
               "its update")
          .choice("messages", &C::messages,
                  {{"asynchronous", layout::MessageMode::asynchronous},
                   {"serialised", layout::MessageMode::serialised},
                   {"blocking", layout::MessageMode::rendezvous}},
                  "pipeline messages: beside compute | in the compute stream | sender and receiver wait for each other")
          .add("tensor_slowdown_percent", &C::tensor_slowdown_percent, "time of compute beside a tensor-parallel call")
          .range(100, 1000)
          .add("context_slowdown_percent", &C::context_slowdown_percent, "time of compute beside a context exchange")
          .range(100, 1000)
          .add("data_slowdown_percent", &C::data_slowdown_percent, "time of compute beside a data-parallel call")
          .range(100, 1000)
          .add("scatter_gather_messages", &C::scatter_gather_messages,
               "pipeline messages are split over the tensor ranks and gathered on arrival")
          .choice(
              "context_exchange", &C::context_exchange,
              {{"ring", layout::ContextExchange::ring},
               {"all_gather", layout::ContextExchange::all_gather},
               {"all_to_all", layout::ContextExchange::all_to_all},
               {"gathered_ring", layout::ContextExchange::gathered_ring}},
              "keys and values travel round the context ranks | are gathered | heads are split in place of positions "
              "while attention runs (Ulysses; flash attention alone) | gathered once and attended block by block, "
              "their "
              "gradients travel (PyTorch)")
          .add("regather_in_backward", &C::regather_in_backward, "sequence parallel: saved shards are gathered again")
          .add("reshard_in_pipeline", &C::reshard_in_pipeline,
               "FSDP with a pipeline: parameters are sharded again and gradients reduced in each pass; false: once a "
               "step")
          .choice(
              "gradient_shards", &C::gradient_shards,
              {{"each_pass", GradientShards::each_pass},
               {"each_group", GradientShards::each_group},
               {"at_end", GradientShards::at_end}},
              "zero: gradients: reduced to shards in each backward pass | behind each group of consecutive backward "
              "passes of a stage | accumulated whole, reduced once a step")
          .add("embedding_reduce", &C::embedding_reduce,
               "the first and last stage of a pipeline sum the gradients of tied embeddings; false: they are untied "
               "there")
          .add(
              "pass_overlap_percent", &C::pass_overlap_percent,
              "operations that run a forward and a backward pass together: of the calls of each, how many of a hundred "
              "run beside the compute of the other")
          .range(0, 100)
          .add("near_nics", &C::near_nics,
               "rings leave a node by the NIC through which they came, near to both their ends: NCCL before 2.12")
          .add(
              "contiguous_shards", &C::contiguous_shards,
              "a shard of a sharded optimizer is a run of whole parameters: buckets are reduced to the rank that holds "
              "them, each rank broadcasts its own")
          .add("network_step", &C::network_step,
               "time that a call inside the passes takes more for each step of its ring between nodes")
          .add("bucket", &C::bucket, "gradient bucket; 0 B = one bucket per stage")
          .add("prefetch", &C::prefetch, "layers gathered ahead (ZeRO-3, FSDP)")
          .range(0, 1000);
  return table;
}

const Fields<layout::OperatorExperts>& expert_fields() {
  using layout::Dispatcher;
  using E = layout::OperatorExperts;
  static const auto table =
      Fields<E>("experts", "How routed experts are run.")
          .add("available", &E::available, "the framework has experts at all")
          .choice(
              "dispatcher", &E::dispatcher,
              {{"all_to_all", Dispatcher::all_to_all},
               {"all_gather", Dispatcher::all_gather},
               {"deepep", Dispatcher::deepep},
               {"hybridep", Dispatcher::hybridep}},
              "a copy of a token to each of its experts | every token to every rank | one to each rank that has any")
          .add("launched_apart", &E::launched_apart,
               "grouped products are launched for each expert of a rank, not all at once");
  return table;
}

const Fields<StackLaunch>& launch_fields() {
  using L = StackLaunch;
  static const auto table =
      Fields<L>("launch", "What the host costs.")
          .choice("mode", &L::mode,
                  {{"eager", LaunchMode::eager}, {"graph", LaunchMode::graph}, {"blocking", LaunchMode::blocking}},
                  "launches ahead of the device | captured once | waits for each kernel")
          .choice("graphs", &L::graphs,
                  {{"attn", GraphModule::attn},
                   {"mlp", GraphModule::mlp},
                   {"moe_router", GraphModule::moe_router},
                   {"moe_preprocess", GraphModule::moe_preprocess}},
                  "eager: parts of a layer that are captured once, whose launches cost nothing")
          .add("per_kernel", &L::per_kernel, "host time per kernel, forward and recompute")
          .add("per_kernel_backward", &L::per_kernel_backward, "host time per kernel, backward")
          .add("per_expert_kernel", &L::per_expert_kernel,
               "experts.launched_apart: host time per product or cast of one expert; 0 s = as of any kernel")
          .add("per_collective", &L::per_collective, "host time per collective, on top of the launch")
          .add("per_collective_rank", &L::per_collective_rank,
               "host time per collective and rank of its group, where a pipeline spans several nodes")
          .add("per_micro_batch", &L::per_micro_batch, "host time per micro-batch")
          .add("per_step", &L::per_step, "host time per step, during which the device waits");
  return table;
}

const Fields<StackOptimizer>& optimizer_fields() {
  using O = StackOptimizer;
  static const auto table =
      Fields<O>("optimizer", "The update of the parameters.")
          .add("traffic", &O::traffic, "bytes read and written per parameter updated")
          .range(0, 1000)
          .add("gradient_traffic", &O::gradient_traffic, "bytes per parameter held: unscale, check, clip, copies")
          .range(0, 1000)
          .add("gradient_bytes", &O::gradient_bytes, "bytes per parameter of the gradient that is reduced")
          .range(1, 8)
          .add("fp32_parameters", &O::fp32_parameters,
               "the parameters held are fp32 and cast where they are gathered (FSDP): no 16-bit copy beside masters")
          .add("held_gradient_bytes", &O::held_gradient_bytes,
               "bytes per parameter of 16-bit gradients held beside wider ones that are reduced")
          .range(0, 8)
          .add("reduce_buffer_elements", &O::reduce_buffer_elements,
               "gradients reduced after the passes go through a buffer of so many elements; 0 = in place")
          .range(0, std::int64_t{1} << 40)
          .add("gradient_copy_bytes", &O::gradient_copy_bytes,
               "bytes per parameter updated of copies of 16-bit gradients while the optimizer runs")
          .range(0, 16)
          .add("kernels", &O::kernels, "launches per step")
          .range(0, 1'000'000)
          .choice("post_validation", &O::post_validation,
                  {{"never", PostValidation::never},
                   {"split_backward", PostValidation::split_backward},
                   {"always", PostValidation::always}},
                  "a stage updates its parameters before the norm of all gradients is known and checks it in the next "
                  "step: never | under schedules that split the backward pass | always");
  return table;
}

const Fields<StackLibraries>& held_library_fields() {
  using L = StackLibraries;
  static const auto table =
      Fields<L>("libraries", "Memory that libraries hold.")
          .add("held", &L::held, "on any GPU, from the first call on")
          .add("outside", &L::outside, "outside of the allocator, beside the context of the GPU: code, communicators")
          .add("workspaces", &L::workspaces, "so many of what the GPU's library of products asks for")
          .range(0, 1000);
  return table;
}

}  // namespace

const Fields<Stack>& stack_fields() {
  static const auto table =
      Fields<Stack>("stack", "A training framework of a certain year.")
          .shorthand("type")
          .add("type", &Stack::type, "the stack whose values these change (orrery list stacks)")
          .add("name", &Stack::name, "as reports name it")
          .add("about", &Stack::about, "what it is and what it assumes")
          .section("kernels", &Stack::kernels, kernel_fields(), "which kernels run")
          .section("communication", &Stack::communication, communication_fields(), "what overlaps")
          .section("launch", &Stack::launch, launch_fields(), "what the host costs")
          .section("optimizer", &Stack::optimizer, optimizer_fields(), "the update of the parameters")
          .section("experts", &Stack::experts, expert_fields(), "mixtures of experts")
          .section("libraries", &Stack::libraries, held_library_fields(), "memory that libraries hold")
          .add("expandable_segments", &Stack::expandable_segments,
               "PyTorch's allocator grows its segments (PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True)")
          .rule("name",
                [](const Stack& s) {
                  return s.name.empty() ? std::string("is missing, expected a text") : std::string();
                })
          .rule("about",
                [](const Stack& s) {
                  return s.about.empty() ? std::string("is missing, expected a text") : std::string();
                })
          .rule("kernels", [](const Stack& s) {
            return s.kernels.attention.empty() ? std::string("attention must name at least one kind") : std::string();
          });
  return table;
}

namespace {

// A stack that names another by `type` has its values where it says nothing itself.
constexpr int kMostParents = 8;

Result<Stack> load(const std::string& name, Catalogue& catalogue, int parents);

Result<Stack> read_stack_file(const std::string& file, Catalogue& catalogue, int parents) {
  const auto tree = read_yaml_file(file);
  if (!tree) return tree.errors();
  auto own = read(stack_fields(), *tree, tree->root());
  if (!own || own->type.empty()) return own;
  const NodeId type = tree->find(tree->root(), "type");
  if (parents == kMostParents)
    return tree->at(type, "type", "stacks that name each other by type never end", "let one say all values itself");
  auto stack = load(said_in(*tree, type, own->type), catalogue, parents + 1);
  if (!stack) {
    Diagnostics errors = stack.errors();
    for (Diagnostic& e : errors)
      if (e.place.file.empty()) e = tree->at(type, "type", e.message, e.help);
    return errors;
  }
  if (Diagnostics errors = read_over(stack_fields(), *tree, tree->root(), "", *stack); !errors.empty()) return errors;
  return stack;
}

Result<Stack> load(const std::string& name, Catalogue& catalogue, int parents) {
  const auto file = find_data_file(kStacks, name);
  if (!file) return file.errors();
  const auto read_file = [&] { return read_stack_file(*file, catalogue, parents); };
  return names_a_file(name) ? read_file() : catalogue.once<Stack>(*file, read_file);
}

}  // namespace

Result<Stack> load_stack(const std::string& name, Catalogue& catalogue) {
  return load(name, catalogue, 0);
}

std::vector<std::string> stack_names() {
  return list_data_files(kStacks);
}

// The stack's library of fused attention becomes the GPU's first, and its generation scales the rates.
KernelModel with_stack(KernelModel constants, const Stack& stack) {
  const AttentionKernels chosen = constants.attention_of(stack.kernels.attention_library);
  constants.attention.assign(1, chosen);
  for (const DType type : kDTypes) {
    double& rate = constants.gemm.rate.of(type);
    rate = std::min(1.0, rate * stack.kernels.matrix_rate);
  }
  constants.memory.efficiency = std::min(1.0, constants.memory.efficiency * stack.kernels.memory_rate);
  return constants;
}

}  // namespace orrery::cost
