#include "run_scenario.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "expert_cells.hpp"
#include "orrery/hardware/catalogue.hpp"

namespace orrery::validation {
namespace {

using layout::Partition;
using layout::Recompute;
using layout::Zero;
using model::Position;

constexpr std::int64_t kMostOfColumn = std::int64_t{1} << 40;

// Megatron pads the vocabulary to 128 rows a tensor rank (make_vocab_size_divisible_by). State: mixed precision by Adam
// keeps 2 + 4 + 4 + 4 bytes; PyTorch FSDP shards fp32 parameters and casts copies as it gathers: 4 + 4 + 4, of which 2
// are counted as the weights that travel; trained all in 16 bits: 2 + 2 + 2; 0: as the stack says. The memory of a log
// is what the framework prints: Megatron-LM max_memory_allocated of report_memory, the others what their device
// monitors hold as reserved, nanotron on rank 0 (of its rows with pipelines few fit the fullest rank where that is
// another); the BLOOM chronicles note what nvidia-smi shows for the process, the CUDA context
// included.
constexpr Dialect kDialects[] = {
    {"megatron-2024", Position::learned, true, true, false, 128, 14, 14, false},
    {"megatron-2020", Position::learned, true, true, false, 128, 14, 14, true},
    {"megatron-2021", Position::learned, true, true, false, 128, 14, 14, true},
    {"megatron-2022", Position::learned, true, true, false, 128, 14, 14, true},
    {"megatron-2023", Position::learned, true, true, false, 128, 14, 14, false},
    {"megatron-2025", Position::learned, true, true, false, 128, 14, 14, false},
    {"megatron-2026", Position::learned, true, true, false, 128, 14, 14, false, false, false, false, true},
    {"megatron-deepspeed-2021", Position::learned, true, true, false, 128, 14, 14, true},
    {"megatron-deepspeed-2022", Position::alibi, true, true, true, 128, 14, 14, true, false, true},
    {"nemo-2022", Position::learned, true, true, false, 128, 14, 14, true},
    {"nemo-2024", Position::learned, true, true, false, 128, 14, 14, true},
    {"nemo-2025", Position::learned, true, true, false, 128, 14, 14, true},
    {"nemo-2026", Position::learned, true, true, false, 128, 14, 14, true},
    {"mlperf-2023-h1", Position::learned, true, true, false, 128, 14, 14, true},
    {"mlperf-2023", Position::learned, true, true, false, 128, 14, 14, true},
    {"mlperf-2024", Position::learned, true, true, false, 128, 14, 14, true},
    {"mlperf-2025", Position::learned, true, true, false, 128, 14, 14, true},
    {"hf-fsdp", Position::learned, true, false, false, 1, 0, 0, true},
    {"deepspeed-zero", Position::learned, true, false, false, 1, 14, 14, true},
    {"fsdp2-ep-2026", Position::learned, true, false, false, 1, 0, 0, true},
    {"llm-foundry", Position::alibi, false, false, false, 1, 12, 6, true},
    {"torchtitan-2024", Position::learned, true, false, false, 1, 0, 0, true},
    {"torchtitan-2025", Position::learned, true, false, false, 1, 0, 0, true},
    {"ibm-fsdp", Position::learned, true, false, false, 1, 12, 6, true},
    {"maxtext-2025", Position::learned, true, false, false, 1, 12, 12, true},
    {"nanotron", Position::rotary, false, false, false, 1, 14, 14, true, true, false, true},
};

model::ModelChoice model_of(const Cells& cells, const Dialect& dialect) {
  model::ModelChoice m;
  m.name = cells.text("model");
  m.layers = cells.integer("layers", 1, 1 << 20);
  m.hidden = cells.integer("hidden", 1, 1 << 24);
  m.heads = cells.integer("heads", 1, 1 << 20);
  m.kv_heads = cells.integer("kv_heads", 1, 1 << 20, m.heads);
  m.ffn_hidden = cells.integer("ffn_hidden", 1, 1 << 26, 4 * m.hidden);
  m.vocab = cells.integer("vocab", 1, 1 << 28);
  m.head_dim = cells.integer("head_dim", 1, 1 << 20, m.hidden / m.heads);
  m.tied_embeddings = cells.flag("tied_embeddings");
  m.vocab_multiple = dialect.vocab_multiple;
  if (cells.flag("gated_mlp")) m.activation = model::Activation::swiglu;
  if (m.gated() && !(dialect.gated_alone && cells.text("position") != "rotary")) {
    m.norm = model::Norm::rms_norm;
    m.position = Position::rotary;
    m.bias = m.norm_bias = m.dropout = false;
    return m;
  }
  m.position = cells.text("position").empty()
                   ? dialect.position
                   : cells.word<Position>("position", {{"learned", Position::learned}, {"rotary", Position::rotary}});
  m.bias = m.norm_bias = dialect.bias;
  m.dropout = dialect.dropout && cells.integer("cp", 1, 1 << 20, 1) == 1;  // Transformer Engine has none beside it
  m.embedding_norm = dialect.embedding_norm;
  if (m.position == Position::learned) m.max_positions = cells.integer("seq_len", 1, kMostOfColumn);
  return m;
}

layout::Layout layout_of(const Cells& cells, const model::ModelSpec& m) {
  layout::Layout l;
  const auto degree = [&](const char* column) { return static_cast<int>(cells.integer(column, 1, 1 << 20, 1)); };
  l.tensor = degree("tp");
  l.pipeline = degree("pp");
  l.virtual_stages = degree("vp");
  l.data = degree("dp");
  l.context = degree("cp");
  l.sequence_parallel = cells.flag("sequence_parallel") && l.tensor > 1;
  constexpr Zero zeros[] = {Zero::none, Zero::optimizer, Zero::gradients, Zero::parameters};
  l.zero = zeros[cells.integer("zero_stage", 0, 3, 0)];
  l.partition = cells.word<Partition>(
      "partition", {{"even", Partition::even},
                    {"", Partition::even},
                    {"ends_count_as_layers", Partition::ends_count_as_layers},
                    {"balanced", Partition::balanced},
                    {cells.text("pipeline_layout").empty() ? "" : "custom", Partition::explicit_layers}});
  read_expert_layout(cells, m, l);
  return l;
}

// `full_layers:N`: the first N layers of each virtual stage.
void read_first_layers(const Cells& cells, std::string_view count, scenario::Training& t) {
  t.recompute = Recompute::full, t.recompute_method = layout::RecomputeMethod::block;
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), t.recompute_num_layers);
  if (error != std::errc() || end != count.data() + count.size() || t.recompute_num_layers < 1)
    cells.refuse_row("recompute", fmt::format("'{}' is no number of layers", count));
}

void read_recompute(const Cells& cells, scenario::Training& t) {
  constexpr std::string_view kFirstLayers = "full_layers:";
  const std::string text = cells.text("recompute");
  if (text.rfind("modules:", 0) == 0) {
    t.recompute = Recompute::selective, t.recompute_modules = read_modules(cells);
  } else if (text.rfind(kFirstLayers, 0) == 0) {
    read_first_layers(cells, std::string_view(text).substr(kFirstLayers.size()), t);
  } else {
    t.recompute = cells.word<Recompute>("recompute", {{"none", Recompute::none},
                                                      {"", Recompute::none},
                                                      {"full", Recompute::full},
                                                      {"selective", Recompute::selective},
                                                      {"selective_op", Recompute::selective_op},
                                                      {"alternate_layers", Recompute::alternate_layers}});
  }
}

scenario::Training training_of(const Cells& cells) {
  using scenario::Precision;
  scenario::Training t;
  t.sequence_length = cells.integer("seq_len", 1, kMostOfColumn);
  t.global_batch = cells.integer("global_batch", 1, kMostOfColumn);
  t.micro_batch = cells.integer("micro_batch", 1, 1 << 24);
  t.precision = cells.word<Precision>("dtype", {{"bf16", Precision::bf16},
                                                {"fp16", Precision::fp16},
                                                {"fp8", Precision::fp8},
                                                {"mxfp8", Precision::mxfp8},
                                                {"nvfp4", Precision::nvfp4},
                                                {"fp32", Precision::fp32}});
  read_recompute(cells, t);
  t.attention = cells.word<layout::AttentionKind>(
      "attention", {{"flash", layout::AttentionKind::flash}, {"unfused", layout::AttentionKind::unfused}});
  t.gradient_bytes = cells.integer("grad_bytes", 1, 16, 4);
  t.overlap_data = cells.flag("overlap_dp");
  t.overlap_tensor = cells.flag("overlap_tp");
  t.compiled = cells.flag("compile");
  return t;
}

// The exchanges of a forward pass beside the compute of a backward pass, and the other way round (Megatron-LM,
// overlap_moe_expert_parallel_comm, which asks for interleaving in a pipeline).
void overlap_exchanges(const Cells& cells, scenario::Scenario& s) {
  if (!cells.flag("ep_overlap")) return;
  if (s.schedule.type != "interleaved_1f1b")
    return cells.refuse_row("ep_overlap", "exchanges beside another micro-batch are simulated with interleaving alone");
  s.schedule.type = "interleaved_1f1b_overlap";
  s.stack.communication.pass_overlap_percent = 100;
}

// zb_1p and zb_2p: the search with a cap of p and 2p micro-batches. A schedule with chunks of its own brings them.
void choose_schedule(const Cells& cells, scenario::Scenario& s) {
  const std::string name = cells.text("schedule");
  s.schedule.type = name.empty() || name == "none" ? "1f1b" : name;
  if (name == "zb_1p" || name == "zb_2p") {
    s.schedule.type = "zb_auto";
    s.schedule.memory_cap = s.layout.pipeline * (name == "zb_2p" ? 2.0 : 1.0);
  }
  overlap_exchanges(cells, s);
  for (const schedule::ScheduleKind& kind : schedule::schedule_kinds())
    if (s.schedule.type == kind.name && kind.chunks > 1) s.layout.virtual_stages = kind.chunks;
}

template <class T>
bool take(Result<T> found, T& into, Diagnostics& errors) {
  if (found.ok()) {
    into = std::move(found).value();
    return true;
  }
  for (const Diagnostic& e : found.errors()) errors.push_back(e);
  return false;
}

}  // namespace

const Dialect& dialect_of(const std::string& stack) {
  for (const Dialect& dialect : kDialects)
    if (stack == dialect.stack) return dialect;
  return kDialects[0];
}

Result<scenario::Scenario> scenario_of(const Cells& cells, Catalogue& catalogue) {
  scenario::Scenario s;
  const Dialect& dialect = dialect_of(cells.text("stack"));
  s.name = s.model.name = cells.text("model");
  s.model = model_of(cells, dialect);
  read_experts(cells, s.model);
  read_unsaid(catalogue, s.model);
  s.layout = layout_of(cells, s.model);
  if (dialect.splits_by_cost_shares) s.layout.partition = Partition::cost_shares;
  s.training = training_of(cells);
  const auto gpus = static_cast<int>(cells.integer("gpus", 1, 1 << 24));
  const auto per_node = static_cast<int>(cells.integer("gpus_per_node", 1, 1 << 16, 8));
  const bool scatter_gather = cells.flag("p2p_scatter_gather");

  Diagnostics errors;
  take(hardware::load_cluster(cells.text("cluster"), catalogue), s.cluster, errors);
  // A GPU that there is not has no constants either: one reason.
  cost::GpuKernels kernels;
  if (take(hardware::load_gpu(cells.text("gpu"), catalogue), s.gpu, errors))
    take(cost::kernels_of(s.gpu, catalogue), kernels, errors);
  s.kernels = std::move(kernels.model);
  take(cost::load_stack(cells.text("stack"), catalogue), s.stack, errors);
  if (!errors.empty()) return errors;
  s.cluster.gpu = cells.text("gpu");
  s.cluster.gpu_definition.reset();
  s.cluster.gpus_per_node = per_node;
  s.cluster.nodes = (gpus + per_node - 1) / per_node;
  s.cluster.gpus = gpus;
  s.stack.communication.scatter_gather_messages = scatter_gather;
  choose_schedule(cells, s);
  s.stack.experts.dispatcher = read_dispatcher(cells);
  read_graphs(cells, s.stack.launch);
  const bool in_16_bits = *s.training.gradient_bytes == 2;
  if (s.training.precision != scenario::Precision::fp32 && dialect.state_bytes > 0)
    s.training.optimizer_bytes = (in_16_bits ? dialect.state_bytes_16 : dialect.state_bytes) - 2;
  return s;
}

}  // namespace orrery::validation
