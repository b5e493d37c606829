// Encoders and encoder–decoders: every preset counted by hand, its config.json beside it, FLOPs, and what is refused.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "orrery/model/flops.hpp"
#include "orrery/model/graph.hpp"
#include "orrery/model/presets.hpp"

namespace orrery::model::kinds_test {

namespace {

ModelChoice preset(const std::string& name) {
  const auto m = load_model(name);
  REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : render(m.errors())));
  return *m;
}

std::string config_file(const std::string& text) {
  const std::string path = (std::filesystem::temp_directory_path() / "orrery_kinds_test.json").string();
  std::ofstream(path) << text;
  return path;
}

// As the preset says, but for where it comes from and how the vocabulary is padded.
void check_same(const std::string& config, const ModelChoice& wanted) {
  const auto read = load_hugging_face(config_file(config));
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : render(read.errors())));
  ModelSpec spec = *read;
  spec.name = wanted.name, spec.vocab_multiple = wanted.vocab_multiple;
  CHECK(spec == static_cast<const ModelSpec&>(wanted));
}

std::string refused(const std::string& config) {
  const auto read = load_hugging_face(config_file(config));
  if (read.ok()) return "no error";
  return read.errors().front().path + ": " + read.errors().front().message;
}

std::string inline_error(const std::string& text) {
  auto tree = read_yaml_text("model: " + text, "scenario.yaml");
  REQUIRE(tree.ok());
  const auto m = read_model(*tree, tree->find(tree->root(), "model"));
  if (m.ok()) return "no error";
  const Diagnostic& d = m.errors().front();
  return fmt::format("{}:{}: {}: {}; {}", d.place.line, d.place.column, d.path, d.message, d.help);
}

}  // namespace

TEST_CASE("BERT and RoBERTa: tables, layers with a norm behind each addition, a pooler; heads apart") {
  // Embedding: words, positions, types and a norm: (V + P + T + 2) h. Layer: query, key, value and output with biases,
  // 4 h² + 4 h; MLP 8 h² + 5 h; two norms 4 h. Pooler h² + h.
  //   base, h 768: words 30 522 · 768 = 23 440 896; (512 + 2 + 2) · 768 = 396 288; layers 12 · (12 h² + 13 h) = 12 ·
  //   7 087 872 = 85 054 464; pooler 590 592: together 109 482 240.
  // Heads beside the table: transform h² + h and a norm 2 h, a bias for each word, two classes 2 h + 2:
  //   590 592 + 1 536 + 30 522 + 1 538 = 624 188: together what the checkpoint of BertForPreTraining holds, 110 106
  //   428.
  struct Expected {
    const char* name;
    std::int64_t layers, hidden, words, positions, types, count, heads;
  };
  const Expected all[] = {{"bert-base", 12, 768, 30522, 512, 2, 109'482'240, 624'188},
                          {"bert-large", 24, 1024, 30522, 512, 2, 335'141'888, 1'084'220},
                          {"roberta-base", 12, 768, 50265, 514, 1, 124'645'632, 643'931},
                          {"roberta-large", 24, 1024, 50265, 514, 1, 355'359'744, 1'103'963}};
  for (const Expected& e : all) {
    CAPTURE(e.name);
    const ModelChoice m = preset(e.name);
    const std::int64_t h = e.hidden, pooler = h * h + h;
    CHECK(m.kind == ModelKind::encoder);
    CHECK(parameter_count(m) == (e.words + e.positions + e.types + 2) * h + e.layers * (12 * h * h + 13 * h) + pooler);
    CHECK(parameter_count(m) == e.count);
    CHECK(head_parameters(m) == h * h + h + 2 * h + e.words + 2 * h + 2);
    CHECK(head_parameters(m) == e.heads);
    ModelSpec plain = m;
    plain.pooler = false;
    CHECK(parameter_count(m) - parameter_count(plain) == pooler);
    CHECK(head_parameters(m) - head_parameters(plain) == 2 * h + 2);
  }
  CHECK(parameter_count(preset("bert-base")) + head_parameters(preset("bert-base")) == 110'106'428);
  // RobertaForMaskedLM has no pooler: 124 055 040 + 642 393.
  ModelSpec masked = preset("roberta-base");
  masked.pooler = false;
  CHECK(parameter_count(masked) + head_parameters(masked) == 124'697'433);
  CHECK(head_parameters(preset("gpt2")) == 0);
}

TEST_CASE("T5 and BART: an encoder, and a decoder with a third of its layers' attention to it") {
  // T5: words V h, shared by both stacks and the head. q = heads · width. Encoder layer 4 h q + 2 h f and two gains of
  // h; decoder layer 8 h q + 2 h f and three; a last gain and a table of 32 biases a head in each stack.
  //   small: 32 128 · 512 = 16 449 536; encoder 6 · (4 · 512 · 512 + 2 · 512 · 2048 + 1024) = 6 · 3 146 752; decoder 6
  //   · (8 · 512 · 512 + 2 · 512 · 2048 + 1536) = 6 · 4 195 840; 2 · (512 + 256): together 60 506 624.
  struct Expected {
    const char* name;
    std::int64_t layers, h, heads, width, f, count;
  };
  const Expected all[] = {{"t5-small", 6, 512, 8, 64, 2048, 60'506'624},
                          {"t5-base", 12, 768, 12, 64, 3072, 222'903'552},
                          {"t5-large", 24, 1024, 16, 64, 4096, 737'668'096},
                          {"t5-3b", 24, 1024, 32, 128, 16384, 2'851'598'336},
                          {"t5-11b", 24, 1024, 128, 128, 65536, 11'307'321'344}};
  for (const Expected& e : all) {
    CAPTURE(e.name);
    const ModelChoice m = preset(e.name);
    const std::int64_t h = e.h, attention = 4 * h * e.heads * e.width, mlp = 2 * h * e.f;
    CHECK(m.kind == ModelKind::encoder_decoder);
    CHECK(m.encoder_layers == e.layers);
    CHECK(parameter_count(m) == 32128 * h + e.layers * (attention + mlp + 2 * h) +
                                    e.layers * (2 * attention + mlp + 3 * h) + 2 * (h + 32 * e.heads));
    CHECK(parameter_count(m) == e.count);
  }
  // Version 1.1, base: a gated MLP, 3 · 768 · 2048, and a head of its own, 32 128 · 768 (google/t5-v1_1-base).
  ModelSpec newer = preset("t5-base");
  newer.activation = Activation::geglu, newer.ffn_hidden = 2048, newer.tied_embeddings = false;
  CHECK(parameter_count(newer) == 247'577'856);
  // BART: words 50 265 · 1024 once; each stack 1026 positions and a norm; a layer of the encoder 12 h² + 13 h, of the
  // decoder 4 h² + 6 h more: attention to the encoder with its biases, and a norm.
  const std::int64_t h = 1024;
  CHECK(parameter_count(preset("bart-large")) ==
        50265 * h + 2 * (1026 * h + 2 * h) + 12 * (12 * h * h + 13 * h) + 12 * (16 * h * h + 19 * h));
  CHECK(parameter_count(preset("bart-large")) == 406'291'456);
}

TEST_CASE("config.json of encoders says what the presets say") {
  const std::string bert =
      R"({"architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1, "gradient_checkpointing": false,
      "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768, "initializer_range": 0.02,
      "intermediate_size": 3072, "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert",
      "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 0, "position_embedding_type": "absolute",
      "transformers_version": "4.6.0.dev0", "type_vocab_size": 2, "use_cache": true, "vocab_size": 30522)";
  check_same(bert + "}", preset("bert-base"));
  check_same(bert + R"(, "directionality": "bidi", "pooler_fc_size": 768, "pooler_type": "first_token_transform"})",
             preset("bert-base"));
  check_same(R"({"attention_probs_dropout_prob": 0.1, "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "gelu",
      "hidden_dropout_prob": 0.1, "hidden_size": 1024, "intermediate_size": 4096, "layer_norm_eps": 1e-05,
      "max_position_embeddings": 514, "model_type": "roberta", "num_attention_heads": 16, "num_hidden_layers": 24,
      "pad_token_id": 1, "type_vocab_size": 1, "vocab_size": 50265})",
             preset("roberta-large"));
  const std::string t5 =
      R"({"architectures": ["T5ForConditionalGeneration"], "d_ff": 65536, "d_kv": 128, "d_model": 1024,
      "decoder_start_token_id": 0, "dropout_rate": 0.1, "eos_token_id": 1, "initializer_factor": 1.0,
      "is_encoder_decoder": true, "layer_norm_epsilon": 1e-06, "model_type": "t5", "n_positions": 512, "num_heads": 128,
      "num_layers": 24, "output_past": true, "pad_token_id": 0, "relative_attention_num_buckets": 32,
      "vocab_size": 32128)";
  check_same(t5 + "}", preset("t5-11b"));
  ModelChoice newer = preset("t5-11b");
  newer.activation = Activation::geglu, newer.tied_embeddings = false, newer.layers = 44;
  check_same(t5 + R"(, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false, "num_decoder_layers": 20})",
             newer);
  check_same(R"({"activation_dropout": 0.1, "activation_function": "gelu", "add_bias_logits": false,
      "add_final_layer_norm": false, "attention_dropout": 0.1, "classif_dropout": 0.1, "d_model": 1024,
      "decoder_attention_heads": 16, "decoder_ffn_dim": 4096, "decoder_layerdrop": 0.0, "decoder_layers": 12,
      "decoder_start_token_id": 2, "dropout": 0.1, "early_stopping": true, "encoder_attention_heads": 16,
      "encoder_ffn_dim": 4096, "encoder_layerdrop": 0.0, "encoder_layers": 12, "forced_eos_token_id": 2,
      "init_std": 0.02, "is_encoder_decoder": true, "max_position_embeddings": 1024, "model_type": "bart",
      "no_repeat_ngram_size": 3, "normalize_before": false, "normalize_embedding": true, "num_beams": 4,
      "num_hidden_layers": 12, "scale_embedding": false, "vocab_size": 50265})",
             preset("bart-large"));
  // What makes it another model is named.
  CHECK(refused(bert + R"(, "is_decoder": true})") == "is_decoder: a decoder of this family is not described");
  CHECK(refused(bert + R"(, "embedding_size": 128})") ==
        "embedding_size: 128 is not described here: the model would be another one");
  CHECK(refused(t5 + R"(, "feed_forward_proj": "gated-silu"})") ==
        "feed_forward_proj: 'gated-silu' is not how t5 models are described here; known: relu");
  CHECK(refused(t5 + R"(, "is_gated_act": true})") == "is_gated_act: is not what feed_forward_proj says");
  CHECK(refused(R"({"model_type": "bart", "encoder_layers": 12, "decoder_layers": 12, "d_model": 1024, "vocab_size": 9,
      "encoder_attention_heads": 16, "decoder_attention_heads": 8, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096,
      "max_position_embeddings": 1024})") == "decoder_attention_heads: is not what encoder_attention_heads says");
}

TEST_CASE("FLOPs of an encoder–decoder: each token meets its own stack, the encoder's its keys and values too") {
  // One encoder layer and two decoder layers; h = 8, 2 heads of 4, f = 16, V = 10; s = 6 tokens before, t = 3 behind.
  ModelSpec m;
  m.kind = ModelKind::encoder_decoder, m.layers = 3, m.encoder_layers = 1;
  m.hidden = 8, m.heads = m.kv_heads = 2, m.head_dim = 4, m.ffn_hidden = 16, m.vocab = 10, m.max_positions = 8;
  // Encoder layer: 6 tokens · (4 · 64 + 2 · 128 = 512), attention 6 · 6 pairs · 8 features · 2.
  // Decoder layer: 3 · 512, attention 3 · 3 · 16; 3 · 128 for queries and output, 6 · 128 for keys and values, 3 · 6
  // · 16. Head: 3 · 80.
  const WideFlops encoder = 2 * (6 * 512 + 36 * 16), decoder = 2 * (3 * 512 + 9 * 16 + 3 * 128 + 6 * 128 + 18 * 16);
  CHECK((layer_flops(m, 0, {6, 3}) == encoder));
  CHECK((layer_flops(m, 2, {6, 3}) == decoder));
  CHECK((head_flops(m, {6, 3}) == 2 * 3 * 80));
  CHECK((model_flops(m, {6, 3}, 5) == 5 * 3 * (encoder + 2 * decoder + 2 * 3 * 80)));
  CHECK((model_flops(m, {6, 0}, 5) == model_flops(m, {6, 6}, 5)));
  // A mask is on the decoder's own attention alone.
  CHECK((causal_saving(m, {6, 3}, 5) == 5 * 3 * 2 * (2 * 9 * 16) / 2));
  // An encoder alone: no mask; the head's transform 64 a token, the pooler 64 and two classes 16 a sequence.
  m.kind = ModelKind::encoder, m.encoder_layers = 0, m.head_transform = m.pooler = true;
  CHECK((model_flops(m, 6, 5) == 5 * 3 * (3 * encoder + 2 * (6 * (80 + 64) + 64 + 16))));
  CHECK((causal_saving(m, 6, 5) == 0));
}

TEST_CASE("half of the layers are the encoder's unless it is said, also where their number is changed") {
  const auto encoder_layers = [](const std::string& text) {
    auto tree = read_yaml_text("model: " + text, "scenario.yaml");
    REQUIRE(tree.ok());
    return read_model(*tree, tree->find(tree->root(), "model"))->encoder_layers;
  };
  CHECK(encoder_layers("t5-base") == 12);
  CHECK(encoder_layers("{type: t5-base, layers: 8}") == 4);
  CHECK(encoder_layers("{type: t5-base, layers: 8, encoder_layers: 2}") == 2);
}

TEST_CASE("what is of another kind of model is refused with a remedy") {
  const std::string figures = "layers: 4, hidden: 64, heads: 4, vocab: 128, max_positions: 32";
  const auto said = [&](const std::string& more) { return inline_error("{" + figures + ", " + more + "}"); };
  CHECK(said("kind: encoder_decoder, encoder_layers: 2") == "no error");
  CHECK(said("encoder_layers: 2") ==
        "1:89: model.encoder_layers: is of kind encoder_decoder alone; say kind: encoder_decoder, or leave it out");
  CHECK(said("kind: encoder_decoder") == "no error");  // half of them
  CHECK(
      said("kind: encoder_decoder, encoder_layers: 4") ==
      "1:112: model.encoder_layers: 4 of 4 layers are the encoder's; say encoder_layers, from 1 to 3: `layers` counts "
      "those of both");
  CHECK(said("pooler: true") == "1:81: model.pooler: is of kind encoder alone; say kind: encoder, or leave it out");
  CHECK(said("position: relative_bias") ==
        "1:8: model.position_buckets: a relative bias needs the number of its buckets; T5 has 32");
  CHECK(
      said("position_buckets: 8") ==
      "1:91: model.position_buckets: is of position relative_bias alone; say position: relative_bias, or leave it out");
  CHECK(said("kind: encoder, attention_window: 8") ==
        "1:106: model.attention_window: is described of decoders alone; leave it out, or say kind: decoder");
}

}  // namespace orrery::model::kinds_test
