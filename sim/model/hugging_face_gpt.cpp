// Families whose layers are GPT's: layer norms and a plain MLP, mostly.
#include <algorithm>

#include "hugging_face_reader.hpp"

namespace orrery::model {
namespace {

constexpr std::initializer_list<const char*> kGelus{"gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"};

void gpt2(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("n_layer", "num_hidden_layers"), m.hidden = c.count("n_embd", "hidden_size");
  m.heads = m.kv_heads = c.count("n_head", "num_attention_heads");
  m.ffn_hidden = c.count("n_inner", nullptr, 4 * m.hidden), m.vocab = c.count("vocab_size");
  m.max_positions = c.count("n_positions", "n_ctx");
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"resid_pdrop", "attn_pdrop", "embd_pdrop"});
  c.must_be("activation_function", kGelus);
}

void gpt_bigcode(ConfigReader& c) {
  gpt2(c);
  if (c.flag("multi_query", true)) c.m.kv_heads = 1;
}

// Attention and MLP of one norm; biases of the MLP and of the head alone.
void gptj(ConfigReader& c) {
  gpt2(c);
  ModelChoice& m = c.m;
  if (!c.flag("rotary", true)) c.wrong("rotary", "learned positions are not described in this family");
  m.max_positions = 0, m.position = Position::rotary, m.rotary_dim = c.count("rotary_dim", nullptr, 64);
  m.parallel = Parallel::one_norm;
  m.bias = false, m.mlp_bias = m.head_bias = true;
  m.tied_embeddings = c.flag("tie_word_embeddings", false);
}

void gpt_neox(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("num_hidden_layers"), m.hidden = c.count("hidden_size");
  m.heads = m.kv_heads = c.count("num_attention_heads");
  m.ffn_hidden = c.count("intermediate_size"), m.vocab = c.count("vocab_size");
  m.position = Position::rotary;
  const std::int64_t of_head = m.hidden / std::max<std::int64_t>(m.heads, 1);
  m.rotary_dim = static_cast<std::int64_t>(c.share("rotary_pct", 0.25) * static_cast<double>(of_head));
  m.parallel = c.flag("use_parallel_residual", true) ? Parallel::two_norms : Parallel::none;
  m.bias = c.flag("attention_bias", true), m.mlp_bias = true;
  m.tied_embeddings = c.flag("tie_word_embeddings", false);
  m.dropout = c.any_positive({"hidden_dropout", "attention_dropout"});
  c.must_be("hidden_act", kGelus);
  c.harmless({"classifier_dropout"});
}

// Falcon 7B: attention and MLP of one norm; the larger ones (new_decoder_architecture) of one each.
void falcon(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("num_hidden_layers", "n_layer"), m.hidden = c.count("hidden_size", "n_embed");
  m.heads = c.count("num_attention_heads", "n_head"), m.vocab = c.count("vocab_size");
  m.ffn_hidden = c.count("ffn_hidden_size", nullptr, 4 * m.hidden);
  const bool larger = c.flag("new_decoder_architecture", false), one = c.flag("multi_query", true);
  m.kv_heads = larger ? c.count("num_kv_heads", "n_head_kv", m.heads) : one ? 1 : m.heads;
  if (!larger) c.harmless({"num_kv_heads", "n_head_kv"});
  const std::int64_t norms = c.count("num_ln_in_parallel_attn", nullptr, larger ? 2 : 1);
  m.parallel = !c.flag("parallel_attn", true) ? Parallel::none : norms == 2 ? Parallel::two_norms : Parallel::one_norm;
  m.position = c.flag("alibi", false) ? Position::alibi : Position::rotary;
  m.bias = c.flag("bias", false);
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"hidden_dropout", "attention_dropout"});
  c.must_be("activation", kGelus);
  if (c.flag("apply_residual_connection_post_layernorm", false))
    c.wrong("apply_residual_connection_post_layernorm", "a residual stream from behind the norm is not described");
}

void bloom(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("n_layer", "num_hidden_layers"), m.hidden = c.count("hidden_size", "n_embed");
  m.heads = m.kv_heads = c.count("n_head", "num_attention_heads");
  m.ffn_hidden = 4 * m.hidden, m.vocab = c.count("vocab_size");
  m.position = Position::alibi, m.embedding_norm = true;
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"hidden_dropout", "attention_dropout"});
}

void opt(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("num_hidden_layers"), m.hidden = c.count("hidden_size");
  m.heads = m.kv_heads = c.count("num_attention_heads"), m.ffn_hidden = c.count("ffn_dim"),
  m.vocab = c.count("vocab_size");
  m.max_positions = c.count("max_position_embeddings") + 2;  // transformers OPTLearnedPositionalEmbedding: offset 2
  m.activation = Activation::relu, m.bias = c.flag("enable_bias", true),
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"dropout", "attention_dropout"});
  c.must_be("activation_function", {"relu"});
  if (c.count("word_embed_proj_dim", nullptr, m.hidden) != m.hidden)
    c.wrong("word_embed_proj_dim", "a projection behind the embedding is not described");
  if (!c.flag("do_layer_norm_before", true))
    c.wrong("do_layer_norm_before", "norms behind the blocks (OPT-350M) are not described");
}

void mpt(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.layers = c.count("n_layers"), m.hidden = c.count("d_model"), m.heads = c.count("n_heads");
  m.ffn_hidden = c.count("expansion_ratio", nullptr, 4) * m.hidden, m.vocab = c.count("vocab_size");
  m.ffn_hidden = c.count("ffn_config.ffn_hidden_size", nullptr, m.ffn_hidden);
  c.must_be("ffn_config.ffn_type", {"mptmlp"});
  c.must_be("ffn_config.fc_type", {"torch", "te"});
  m.bias = m.norm_bias = !c.flag("no_bias", true);
  c.must_be("attn_config.attn_type", {"multihead_attention", "grouped_query_attention", "multiquery_attention"});
  const bool one = c.text("attn_config.attn_type") == "multiquery_attention";
  m.kv_heads = c.count("attn_config.kv_n_heads", nullptr, one ? 1 : m.heads);
  const bool alibi = c.flag("attn_config.alibi", false), rotary = c.flag("attn_config.rope", false);
  const bool learned = c.flag("learned_pos_emb", true) && !alibi && !rotary;
  m.position = alibi ? Position::alibi : rotary ? Position::rotary : learned ? Position::learned : Position::none;
  if (learned) m.max_positions = c.count("max_seq_len");
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"resid_pdrop", "emb_pdrop", "attn_config.attn_pdrop"});
  c.must_be("norm_type", {"low_precision_layernorm", "layernorm"});
}

void starcoder2(ConfigReader& c) {
  read_like_llama(c);
  ModelChoice& m = c.m;
  m.norm = Norm::layer_norm, m.activation = Activation::gelu, m.bias = c.flag("use_bias", true);
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"attention_dropout", "residual_dropout", "embedding_dropout"});
  read_window(c, "sliding_window");
  c.must_be("hidden_act", kGelus), c.must_be("activation_function", kGelus);
  c.must_be("mlp_type", {"default"}), c.must_be("norm_type", {"layer_norm"});
}

}  // namespace

const std::initializer_list<ConfigFamily> kGptFamilies{
    {"bloom", bloom}, {"falcon", falcon}, {"gpt2", gpt2}, {"gpt_bigcode", gpt_bigcode}, {"gpt_neox", gpt_neox},
    {"gptj", gptj},   {"mpt", mpt},       {"opt", opt},   {"starcoder2", starcoder2}};

}  // namespace orrery::model
