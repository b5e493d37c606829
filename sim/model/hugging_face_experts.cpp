// Families with experts, and with latent attention.
#include "hugging_face_reader.hpp"

namespace orrery::model {
namespace {

void silu(ConfigReader& c) {
  c.must_be("hidden_act", {"silu", "swish"});
}

void routed(ConfigReader& c, const char* how_many, const char* width, const char* top_k_too = nullptr) {
  Experts& e = c.m.experts;
  e.count = c.count(how_many), e.top_k = c.count("num_experts_per_tok", top_k_too), e.hidden = c.count(width);
  c.harmless({"aux_loss_alpha", "ep_size", "norm_topk_prob", "output_router_logits", "routed_scaling_factor",
              "router_aux_loss_coef", "router_jitter_noise", "seq_aux"});
}

void mixtral(ConfigReader& c) {
  read_like_llama(c);
  silu(c);
  routed(c, "num_local_experts", "intermediate_size");
  read_window(c, "sliding_window");
}

void qwen_moe(ConfigReader& c) {
  read_like_llama(c);
  silu(c);
  routed(c, "num_experts", "moe_intermediate_size");
  Experts& e = c.m.experts;
  e.shared_hidden = c.count_or_none("shared_expert_intermediate_size");
  e.shared = e.shared_hidden > 0 ? 1 : 0, e.shared_gate = e.shared > 0;
  e.every = c.count("decoder_sparse_step", nullptr, 1);
  if (const auto* dense = c.value("mlp_only_layers"); dense != nullptr && !dense->empty())
    c.wrong("mlp_only_layers", "dense layers by number are not described");
  if (c.flag("use_sliding_window", false)) c.wrong("use_sliding_window", "windows are not described in this family");
  c.harmless({"sliding_window", "max_window_layers"});
}

void qwen2_moe(ConfigReader& c) {
  qwen_moe(c);
  c.m.qkv_bias = c.flag("qkv_bias", true);
}

void qwen3_moe(ConfigReader& c) {
  qwen_moe(c);
  c.m.qk_norm = c.flag("use_qk_norm", true) ? QkNorm::head : QkNorm::none;
}

void olmoe(ConfigReader& c) {
  read_like_llama(c);
  silu(c);
  routed(c, "num_experts", "intermediate_size");
  c.m.qk_norm = QkNorm::all;
  c.harmless({"clip_qkv"});
}

// DeepSeek-MoE and what followed: fine experts, some shared, the first layers dense.
void deepseek(ConfigReader& c) {
  read_like_llama(c);
  silu(c);
  routed(c, "n_routed_experts", "moe_intermediate_size");
  Experts& e = c.m.experts;
  e.shared = c.count_or_none("n_shared_experts"), e.shared_hidden = e.shared * e.hidden;
  e.first_dense = c.count_or_none("first_k_dense_replace");
  e.groups = c.count("n_group", nullptr, 1), e.top_groups = c.count("topk_group", nullptr, 1);
  c.must_be("moe_layer_freq", 1);
  c.must_be("scoring_func", {"softmax", "sigmoid"});
  if (c.text("scoring_func") == "sigmoid") e.router = Router::sigmoid;
  c.must_be("topk_method", {"greedy", "group_limited_greedy", "noaux_tc"});
  e.selection_bias = c.text("topk_method") == "noaux_tc";
  c.m.prediction_layers = c.count_or_none("num_nextn_predict_layers");
}

void deepseek_latent(ConfigReader& c) {
  deepseek(c);
  LatentAttention& l = c.m.latent_attention;
  l.query_rank = c.count_or_none("q_lora_rank"), l.key_value_rank = c.count("kv_lora_rank");
  l.nope_dim = c.count("qk_nope_head_dim"), l.rope_dim = c.count("qk_rope_head_dim");
  l.value_dim = c.count("v_head_dim");
  if (c.flag("attention_bias", false)) c.wrong("attention_bias", "biases of latent attention are not described");
  c.m.kv_heads = c.m.heads;
}

void glm4_moe(ConfigReader& c) {
  deepseek(c);
  c.m.projection_bias = false;
  c.m.experts.router = Router::sigmoid, c.m.experts.selection_bias = true;
  if (c.flag("use_qk_norm", false)) c.m.qk_norm = QkNorm::head;
}

void dbrx(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("n_layers"), m.hidden = c.count("d_model"), m.heads = c.count("n_heads");
  m.vocab = c.count("vocab_size"), m.kv_heads = c.count("attn_config.kv_n_heads", nullptr, m.heads);
  m.experts.count = c.count("ffn_config.moe_num_experts"), m.experts.top_k = c.count("ffn_config.moe_top_k");
  m.ffn_hidden = m.experts.hidden = c.count("ffn_config.ffn_hidden_size");
  m.norm_bias = m.bias = false, m.activation = Activation::swiglu, m.position = Position::rotary;
  m.tied_embeddings = c.flag("tie_word_embeddings", false);
  m.dropout = c.any_positive({"resid_pdrop", "emb_pdrop", "attn_config.attn_pdrop"});
  c.harmless({"attn_config.clip_qkv", "attn_config.model_type", "attn_config.rope_theta", "ffn_config.model_type",
              "ffn_config.moe_jitter_eps", "ffn_config.moe_loss_weight", "max_seq_len", "output_router_logits",
              "router_aux_loss_coef"});
}

void gpt_oss(ConfigReader& c) {
  read_like_llama(c);
  silu(c);
  routed(c, "num_local_experts", "intermediate_size", "experts_per_token");
  c.m.experts.bias = c.m.experts.clamped = true, c.m.attention_sinks = true;
  c.m.rotary_scaled = true;  // rope_scaling: yarn, whose attention factor is not given: 0.1 ln(factor) + 1
  read_window(c, "sliding_window");
  c.m.global_every = 2;
  read_layer_types(c);
  c.harmless({"initial_context_length", "swiglu_limit"});
}

// Three of four layers see the chunk they stand in.
void llama4(ConfigReader& c) {
  read_like_llama(c);
  silu(c);
  ModelChoice& m = c.m;
  routed(c, "num_local_experts", "intermediate_size");
  m.experts.shared = 1, m.experts.shared_hidden = m.experts.hidden;
  m.experts.every = c.count("interleave_moe_layer_step", nullptr, 1), m.experts.router = Router::sigmoid;
  m.ffn_hidden = c.count("intermediate_size_mlp");
  m.attention_window = c.count_or_none("attention_chunk_size"), m.attention_chunks = m.attention_window > 0;
  m.global_every = 4;
  if (c.flag("use_qk_norm", true)) m.qk_norm = QkNorm::bare;
  c.harmless({"no_rope_layers", "no_rope_layer_interval", "attn_temperature_tuning", "attn_scale", "floor_scale",
              "moe_layers", "layer_types", "for_llm_compressor"});
}

// Its modules that predict further tokens are left out: their form is not in the keys.
void minimax_m2(ConfigReader& c) {
  read_like_llama(c);
  silu(c);
  ModelChoice& m = c.m;
  routed(c, "num_local_experts", "intermediate_size");
  c.must_be("shared_intermediate_size", 0);
  c.must_be("scoring_func", {"sigmoid"});
  m.experts.router = Router::sigmoid, m.experts.selection_bias = c.flag("use_routing_bias", true);
  c.must_be("qk_norm_type", {"per_layer"});
  m.qk_norm = c.flag("use_qk_norm", true) ? QkNorm::all : QkNorm::none;
  m.rotary_dim = c.count_or_none("rotary_dim");
  c.harmless({"use_mtp", "mtp_transformer_layers", "num_mtp_modules"});
}

}  // namespace

const std::initializer_list<ConfigFamily> kExpertFamilies{{"dbrx", dbrx},
                                                          {"deepseek", deepseek},
                                                          {"deepseek_v2", deepseek_latent},
                                                          {"deepseek_v3", deepseek_latent},
                                                          {"glm4_moe", glm4_moe},
                                                          {"gpt_oss", gpt_oss},
                                                          {"kimi_k2", deepseek_latent},
                                                          {"llama4", llama4},
                                                          {"minimax_m2", minimax_m2},
                                                          {"mixtral", mixtral},
                                                          {"olmoe", olmoe},
                                                          {"qwen2_moe", qwen2_moe},
                                                          {"qwen3_moe", qwen3_moe}};

}  // namespace orrery::model
