// Families whose layers are Llama's: root-mean-square norms, rotation, a gated MLP, and what each changes of them.
#include <fmt/format.h>

#include <algorithm>

#include "hugging_face_reader.hpp"

namespace orrery::model {

void read_like_llama(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("num_hidden_layers"), m.hidden = c.count("hidden_size"), m.heads = c.count("num_attention_heads");
  m.kv_heads = c.count("num_key_value_heads", nullptr, m.heads);
  m.head_dim = c.count("head_dim", nullptr, m.heads > 0 ? std::max<std::int64_t>(m.hidden / m.heads, 1) : 1);
  m.ffn_hidden = c.count("intermediate_size"),
  m.vocab = c.count("vocab_size", nullptr, m.vocab > 0 ? m.vocab : ConfigReader::kNeeded);
  m.norm = Norm::rms_norm, m.activation = Activation::swiglu, m.position = Position::rotary;
  m.tied_embeddings = c.flag("tie_word_embeddings", false);
  m.qkv_bias = m.projection_bias = c.flag("attention_bias", false), m.mlp_bias = c.flag("mlp_bias", false);
  m.bias = false, m.dropout = c.any_positive({"attention_dropout"});
  const double rotated = c.share("partial_rotary_factor", 1);
  if (rotated < 1) m.rotary_dim = static_cast<std::int64_t>(rotated * static_cast<double>(m.head_dim));
}

void read_window(ConfigReader& c, const char* key, const char* other) {
  c.m.attention_window = c.count_or_none(key);
  if (other != nullptr && c.m.attention_window == 0) c.m.attention_window = c.count_or_none(other);
  if (other != nullptr) c.harmless({other});
}

void read_layer_types(ConfigReader& c) {
  const nlohmann::json* types = c.value("layer_types");
  if (types == nullptr || !types->is_array()) return;
  std::int64_t every = 0;
  for (std::size_t i = 0; i < types->size(); ++i) {
    const bool all = (*types)[i] == "full_attention";
    if (all && every == 0) every = static_cast<std::int64_t>(i) + 1;
    if (all == (every > 0 && (static_cast<std::int64_t>(i) + 1) % every == 0)) continue;
    c.wrong("layer_types", "layers that see all positions are described where they are each so manyth");
    return;
  }
  c.m.global_every = every;
}

namespace {

void swish(ConfigReader& c) {
  c.must_be("hidden_act", {"silu", "swish"});
}

void llama(ConfigReader& c) {
  read_like_llama(c);
  swish(c);
}

// Two of them have no position on each so manyth layer, where nothing is rotated: elementwise work.
void smollm3(ConfigReader& c) {
  llama(c);
  c.m.tied_embeddings = c.flag("tie_word_embeddings", true);
  read_layer_types(c);
  if (c.flag("use_sliding_window", false)) read_window(c, "sliding_window");
  c.harmless({"no_rope_layers", "no_rope_layer_interval", "sliding_window"});
}

void mistral(ConfigReader& c) {
  llama(c);
  read_window(c, "sliding_window", "sliding_window_size");
}

// Windows are those of the layers from max_window_layers on.
void qwen_window(ConfigReader& c) {
  if (c.flag("use_sliding_window", false)) {
    read_window(c, "sliding_window");
    const std::int64_t from = c.count_or_none("max_window_layers");
    if (from >= c.m.layers) c.m.attention_window = 0;
    if (from > 0 && from < c.m.layers)
      c.wrong("max_window_layers", "windows of the last layers alone are not described");
  }
  read_layer_types(c);
  if (c.m.attention_window == 0) c.m.global_every = 0;
  c.harmless({"sliding_window", "max_window_layers"});
}

void qwen2(ConfigReader& c) {
  llama(c);
  c.m.qkv_bias = true;
  qwen_window(c);
}

void qwen3(ConfigReader& c) {
  llama(c);
  c.m.qk_norm = QkNorm::head;
  qwen_window(c);
}

void mimo(ConfigReader& c) {
  qwen2(c);
  c.m.qkv_bias = c.flag("attention_bias", true), c.m.projection_bias = false;
  c.m.prediction_layers = c.count_or_none("num_nextn_predict_layers");
}

// qkv in one matrix, gate and up in one: as many parameters as apart.
void phi3(ConfigReader& c) {
  llama(c);
  c.m.dropout = c.any_positive({"resid_pdrop", "embd_pdrop", "attention_dropout"});
  read_window(c, "sliding_window");
}

void internlm2(ConfigReader& c) {
  llama(c);
  c.m.qkv_bias = c.m.projection_bias = c.flag("bias", false);
}

void chatglm(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("num_layers"), m.hidden = c.count("hidden_size"), m.heads = c.count("num_attention_heads");
  m.kv_heads = c.flag("multi_query_attention", false) ? c.count("multi_query_group_num") : m.heads;
  m.head_dim = c.count("kv_channels", nullptr, 128), m.ffn_hidden = c.count("ffn_hidden_size");
  m.vocab = c.count("padded_vocab_size");
  m.norm = c.flag("rmsnorm", true) ? Norm::rms_norm : Norm::layer_norm;
  m.activation = Activation::swiglu, m.position = Position::rotary, m.rotary_dim = m.head_dim / 2;
  m.bias = c.flag("add_bias_linear", false), m.qkv_bias = c.flag("add_qkv_bias", false);
  m.tied_embeddings = c.flag("tie_word_embeddings", false);
  m.dropout = c.any_positive({"hidden_dropout", "attention_dropout"});
  if (!c.flag("post_layer_norm", true)) c.wrong("post_layer_norm", "a model without a last norm is not described");
  c.harmless({"apply_query_key_layer_scaling", "bias_dropout_fusion", "fp32_residual_connection", "layernorm_epsilon",
              "original_rope", "seq_length"});
}

void gemma(ConfigReader& c) {
  c.m.vocab = 256000;  // as the class has it where the file does not say
  read_like_llama(c);
  ModelChoice& m = c.m;
  m.head_dim = c.count("head_dim", nullptr, 256);
  m.activation = Activation::geglu, m.tied_embeddings = c.flag("tie_word_embeddings", true);
  for (const char* key : {"hidden_act", "hidden_activation"}) c.must_be(key, {"gelu", "gelu_pytorch_tanh"});
  c.harmless({"query_pre_attn_scalar", "cache_implementation"});
}

void gemma2(ConfigReader& c) {
  gemma(c);
  ModelChoice& m = c.m;
  m.norm_place = NormPlace::both;
  m.score_cap = c.any_positive({"attn_logit_softcapping"}), m.logit_cap = c.any_positive({"final_logit_softcapping"});
  read_window(c, "sliding_window", "sliding_window_size");
  m.global_every = 2;
  read_layer_types(c);
}

void gemma3(ConfigReader& c) {
  gemma(c);
  ModelChoice& m = c.m;
  m.vocab = c.count("vocab_size", nullptr, 262208);
  m.norm_place = NormPlace::both, m.qk_norm = QkNorm::head;
  m.score_cap = c.any_positive({"attn_logit_softcapping"}), m.logit_cap = c.any_positive({"final_logit_softcapping"});
  m.attention_window = c.count("sliding_window", nullptr, 4096);
  m.global_every = c.count("sliding_window_pattern", nullptr, 6);
  read_layer_types(c);
  c.harmless(
      {"rope_local_base_freq", "mm_tokens_per_image", "boi_token_index", "eoi_token_index", "image_token_index"});
}

void olmo2(ConfigReader& c) {
  llama(c);
  c.m.norm_place = NormPlace::after, c.m.qk_norm = QkNorm::all;
}

void glm(ConfigReader& c) {
  llama(c);
  c.m.projection_bias = false;
}

void glm4(ConfigReader& c) {
  glm(c);
  c.m.norm_place = NormPlace::both;
}

void cohere(ConfigReader& c) {
  llama(c);
  ModelChoice& m = c.m;
  m.norm = Norm::layer_norm, m.norm_bias = false, m.parallel = Parallel::one_norm;
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  if (c.flag("use_qk_norm", false)) m.qk_norm = QkNorm::all;
  c.harmless({"logit_scale"});
}

void cohere2(ConfigReader& c) {
  cohere(c);
  read_window(c, "sliding_window");
  c.m.global_every = c.count("sliding_window_pattern", "layer_switch", 4);
  read_layer_types(c);
  c.harmless({"order_of_interleaved_layers", "position_embedding_type", "rotary_pct", "use_embedding_sharing",
              "use_gated_activation", "use_parallel_block", "use_parallel_embedding"});
}

void nemotron(ConfigReader& c) {
  read_like_llama(c);
  c.m.norm = Norm::layer_norm, c.m.activation = Activation::squared_relu;  // LayerNorm1P keeps its bias
  c.must_be("hidden_act", {"relu2"});
}

}  // namespace

const std::initializer_list<ConfigFamily> kLlamaFamilies{
    {"chatglm", chatglm}, {"cohere", cohere},       {"cohere2", cohere2},    {"gemma", gemma},
    {"gemma2", gemma2},   {"gemma3", gemma3},       {"gemma3_text", gemma3}, {"glm", glm},
    {"glm4", glm4},       {"internlm2", internlm2}, {"llama", llama},        {"mimo", mimo},
    {"mistral", mistral}, {"nemotron", nemotron},   {"olmo2", olmo2},        {"phi3", phi3},
    {"qwen2", qwen2},     {"qwen3", qwen3},         {"smollm3", smollm3}};

}  // namespace orrery::model
