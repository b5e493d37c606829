// Families with an encoder, alone or before a decoder.
#include "hugging_face_reader.hpp"

namespace orrery::model {
namespace {

constexpr std::initializer_list<const char*> kExactOrNotGelu{"gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"};

// BERT and RoBERTa: what transformers calls BertModel, with its pooler, and the heads it is trained with.
void bert(ConfigReader& c) {
  ModelChoice& m = c.m;
  m.kind = ModelKind::encoder;
  m.layers = c.count("num_hidden_layers"), m.hidden = c.count("hidden_size");
  m.heads = m.kv_heads = c.count("num_attention_heads");
  m.ffn_hidden = c.count("intermediate_size"), m.vocab = c.count("vocab_size");
  m.max_positions = c.count("max_position_embeddings"), m.token_types = c.count("type_vocab_size", nullptr, 2);
  m.norm_place = NormPlace::after_sum;
  m.embedding_norm = m.head_transform = m.head_bias = m.pooler = true;
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"hidden_dropout_prob", "attention_probs_dropout_prob"});
  c.must_be("hidden_act", kExactOrNotGelu), c.must_be("position_embedding_type", {"absolute"});
  if (c.flag("is_decoder", false)) c.wrong("is_decoder", "a decoder of this family is not described");
}

void two_stacks(ConfigReader& c, std::int64_t of_encoder, std::int64_t of_decoder) {
  c.m.kind = ModelKind::encoder_decoder;
  c.m.encoder_layers = of_encoder, c.m.layers = of_encoder + of_decoder;
  if (!c.flag("is_encoder_decoder", true))
    c.wrong("is_encoder_decoder", "an encoder of this family alone is not described");
}

// Version 1.0: ReLU and a tied head; 1.1 (and FLAN, mT5): a gated GELU and a head of its own.
void t5(ConfigReader& c) {
  ModelChoice& m = c.m;
  const std::int64_t of_encoder = c.count("num_layers");
  two_stacks(c, of_encoder, c.count("num_decoder_layers", nullptr, of_encoder));
  m.hidden = c.count("d_model"), m.heads = m.kv_heads = c.count("num_heads"), m.head_dim = c.count("d_kv");
  m.ffn_hidden = c.count("d_ff"), m.vocab = c.count("vocab_size");
  m.norm = Norm::rms_norm, m.bias = false;
  m.position = Position::relative_bias;
  m.position_buckets = c.count("relative_attention_num_buckets", nullptr, 32);
  c.must_be("feed_forward_proj", {"relu", "gated-gelu"});
  const bool gated = c.text("feed_forward_proj") == "gated-gelu";
  m.activation = gated ? Activation::geglu : Activation::relu;
  if (c.flag("is_gated_act", gated) != gated) c.wrong("is_gated_act", "is not what feed_forward_proj says");
  c.harmless({"dense_act_fn"});
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"dropout_rate"});
}

void bart(ConfigReader& c) {
  ModelChoice& m = c.m;
  two_stacks(c, c.count("encoder_layers"), c.count("decoder_layers"));
  m.hidden = c.count("d_model"), m.vocab = c.count("vocab_size");
  m.heads = m.kv_heads = c.count("encoder_attention_heads", "decoder_attention_heads");
  m.ffn_hidden = c.count("encoder_ffn_dim", "decoder_ffn_dim");
  m.max_positions = c.count("max_position_embeddings") + 2;  // transformers BartLearnedPositionalEmbedding: offset 2
  m.norm_place = NormPlace::after_sum, m.embedding_norm = c.flag("normalize_embedding", true);
  m.tied_embeddings = c.flag("tie_word_embeddings", true);
  m.dropout = c.any_positive({"dropout", "attention_dropout", "activation_dropout"});
  c.must_be("activation_function", kExactOrNotGelu);
}

}  // namespace

const std::initializer_list<ConfigFamily> kEncoderFamilies{
    {"bart", bart}, {"bert", bert}, {"mt5", t5}, {"roberta", bert}, {"t5", t5}};

}  // namespace orrery::model
