#include "expert_cells.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "layout/layout_string.hpp"
#include "orrery/model/presets.hpp"

namespace orrery::validation {
namespace {

constexpr std::int64_t kWidest = 1 << 24;

void read_latents(const Cells& cells, model::ModelSpec& m) {
  model::LatentAttention& l = m.latent_attention;
  l.key_value_rank = cells.integer("kv_lora_rank", 0, kWidest, 0);
  if (l.key_value_rank == 0) return;
  l.query_rank = cells.integer("q_lora_rank", 0, kWidest, 0);
  l.nope_dim = cells.integer("qk_nope_head_dim", 1, 1 << 16);
  l.rope_dim = cells.integer("qk_rope_head_dim", 1, 1 << 16);
  l.value_dim = cells.integer("v_head_dim", 1, 1 << 16);
  m.head_dim = m.dim_per_head(), m.kv_heads = m.heads;
}

}  // namespace

void read_experts(const Cells& cells, model::ModelSpec& m) {
  read_latents(cells, m);
  m.prediction_layers = cells.integer("mtp_layers", 0, 64, 0);
  m.attention_window = cells.integer("sliding_window", 0, kWidest, 0);
  if (m.attention_window > 0) m.global_every = 2, m.attention_sinks = true;  // gpt-oss: the only windows of the table
  model::Experts& e = m.experts;
  e.count = cells.integer("experts", 0, 1 << 16, 0);
  if (e.count == 0) return;
  m.bias = false;  // as the README of the table says of the stack megatron-2026; others have gated ones
  e.top_k = cells.integer("top_k", 1, e.count);
  e.hidden = cells.integer("expert_hidden", 1, kWidest, m.ffn_hidden);
  e.shared = cells.integer("shared_experts", 0, 1 << 10, 0);
  e.shared_hidden = cells.integer("shared_expert_hidden", 0, kWidest, e.shared * e.hidden);
  e.first_dense = cells.integer("first_k_dense", 0, m.layers - 1, 0);
  e.every = cells.integer("moe_layer_interval", 1, 1 << 10, 1);
  e.bias = m.attention_sinks;  // gpt-oss
}

void read_unsaid(Catalogue& catalogue, model::ModelSpec& m) {
  if (m.experts.count == 0) return;
  const auto preset = model::load_model(m.name, catalogue);
  if (!preset.ok() || preset->layers != m.layers || preset->hidden != m.hidden || preset->heads != m.heads) return;
  m.qk_norm = preset->qk_norm, m.qkv_bias = preset->qkv_bias, m.projection_bias = preset->projection_bias;
  m.rotary_scaled = preset->rotary_scaled, m.experts.clamped = preset->experts.clamped;
}

layout::Dispatcher read_dispatcher(const Cells& cells) {
  using layout::Dispatcher;
  return cells.word<Dispatcher>("dispatcher", {{"alltoall", Dispatcher::all_to_all},
                                               {"", Dispatcher::all_to_all},
                                               {"allgather", Dispatcher::all_gather},
                                               {"deepep", Dispatcher::deepep},
                                               {"hybridep", Dispatcher::hybridep}});
}

namespace {

// `modules:a+b` by names; an unknown one refuses the row.
template <class T>
std::vector<T> modules_in(const Cells& cells, const char* column, const std::vector<std::pair<std::string, T>>& names) {
  const std::string text = cells.text(column);
  std::vector<T> modules;
  for (std::size_t begin = text.find(':') + 1; begin <= text.size();) {
    const std::size_t end = std::min(text.find('+', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    const auto found = std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.first == name; });
    if (found == names.end())
      cells.refuse_row(column, fmt::format("'{}' is no module of a layer", name));
    else
      modules.push_back(found->second);
    begin = end + 1;
  }
  return modules;
}

}  // namespace

std::vector<layout::RecomputeModule> read_modules(const Cells& cells) {
  return modules_in(cells, "recompute", layout::recompute_module_names());
}

// Of a whole layer or of the iteration nothing is launched that would count.
void read_graphs(const Cells& cells, cost::StackLaunch& launch) {
  using cost::GraphModule;
  const std::string what = cells.text("cuda_graph");
  if (launch.mode != cost::LaunchMode::eager || what.empty()) return;
  if (what.rfind("modules:", 0) != 0) {
    launch.mode = cells.word<cost::LaunchMode>(
        "cuda_graph",
        {{"full", cost::LaunchMode::graph}, {"layer", cost::LaunchMode::graph}, {"yes", cost::LaunchMode::graph}});
    return;
  }
  launch.graphs = modules_in<GraphModule>(cells, "cuda_graph",
                                          {{"attn", GraphModule::attn},
                                           {"mlp", GraphModule::mlp},
                                           {"moe_router", GraphModule::moe_router},
                                           {"moe_preprocess", GraphModule::moe_preprocess}});
}

void read_expert_layout(const Cells& cells, const model::ModelSpec& m, layout::Layout& l) {
  if (m.experts.count > 0) {
    l.expert = static_cast<int>(cells.integer("expert_parallel", 1, 1 << 20, 1));
    l.expert_tensor = static_cast<int>(cells.integer("expert_tensor_parallel", 1, 1 << 20, 1));
    l.sequence_parallel = l.tensor > 1;  // an error in training otherwise
  }
  const std::string text = cells.text("pipeline_layout");
  if (text.empty()) return;
  const auto layers = layout::read_layout_string(text);
  if (!layers.ok()) return cells.refuse_row("pipeline_layout", layers.errors().front().message);
  l.partition = layout::Partition::explicit_layers;
  l.layers_per_stage = *layers;
}

}  // namespace orrery::validation
