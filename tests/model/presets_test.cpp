// Presets: every shipped model loads, and has the parameters its source prints.
#include "orrery/model/presets.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace orrery::model::presets_test {

namespace {

std::int64_t parameters(const std::string& name) {
  const auto m = load_model(name);
  REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : render(m.errors())));
  return parameter_count(*m);
}

std::string message(const Result<ModelChoice>& m) {
  return m.ok() ? "no error" : m.errors().front().message;
}

Result<ModelChoice> inline_model(const std::string& text) {
  auto tree = read_yaml_text(text, "scenario.yaml");
  REQUIRE(tree.ok());
  return read_model(*tree, tree->find(tree->root(), "model"));
}

struct TemporaryFile {
  explicit TemporaryFile(const std::string& text)
      : path((std::filesystem::temp_directory_path() / ("orrery_config_" + std::to_string(std::rand()) + ".json"))
                 .string()) {
    std::ofstream(path) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string path;
};

}  // namespace

TEST_CASE("presets have the exact parameter counts that are published") {
  const std::pair<const char*, std::int64_t> exact[] = {
      // Counts of the released weights (Hugging Face model cards and safetensors indices).
      {"gpt2", 124'439'808},
      {"gpt2-medium", 354'823'168},
      {"gpt2-large", 774'030'080},
      {"gpt2-xl", 1'557'611'200},
      {"llama-65b", 65'285'660'672},
      {"llama2-7b", 6'738'415'616},
      {"llama2-13b", 13'015'864'320},
      {"llama2-70b", 68'976'648'192},
      {"llama3.1-8b", 8'030'261'248},
      {"llama3.1-70b", 70'553'706'496},
      {"llama3.1-405b", 405'853'388'800},
      {"bloom-176b", 176'247'271'424},
      // BloombergGPT, Wu et al. 2023, table 4.
      {"bloomberggpt-50b", 50'558'868'480},
      // llm-foundry scripts/train/benchmarking/README.md.
      {"mpt-1b", 1'315'950'592},
      {"mpt-7b", 6'658'859'008},
      {"mpt-13b", 12'853'954'560},
      {"mpt-30b", 29'975'214'080},
      {"mpt-70b", 64'862'437'376}};
  for (const auto& [name, count] : exact) {
    CAPTURE(name);
    CHECK(parameters(name) == count);
  }
}

TEST_CASE("presets have the rounded sizes their papers print") {
  // Parameters in units of 10^8, as printed to one decimal of a billion.
  const std::pair<const char*, double> rounded[] = {
      {"megatron-1.7b", 1.7},   {"megatron-3.6b", 3.6},  {"megatron-7.5b", 7.5},   {"megatron-18b", 18.4},
      {"megatron-39b", 39.1},   {"megatron-76b", 76.1},  {"megatron-145b", 145.6}, {"megatron-310b", 310.1},
      {"megatron-530b", 529.6}, {"megatron-1t", 1008.0}, {"nemotron4-15b", 15.6}};
  for (const auto& [name, billions] : rounded) {
    CAPTURE(name);
    CHECK(static_cast<double>(parameters(name)) / 1e9 == doctest::Approx(billions).epsilon(0.0005 + 0.05 / billions));
  }
  // Names only: within 5 %.
  const std::pair<const char*, double> named[] = {
      {"gpt3-125m", 0.125}, {"gpt3-350m", 0.35},    {"gpt3-760m", 0.76},     {"gpt3-1.3b", 1.3},   {"gpt3-2.7b", 2.7},
      {"gpt3-6.7b", 6.7},   {"gpt3-13b", 13},       {"gpt3-175b", 175},      {"megatron-22b", 22}, {"opt-175b", 175},
      {"gopher-280b", 280}, {"chinchilla-70b", 70}, {"nemotron4-340b", 340}, {"mpt-125m", 0.125},  {"mpt-350m", 0.35},
      {"mpt-760m", 0.76},   {"mpt-3b", 2.65}};
  for (const auto& [name, billions] : named) {
    CAPTURE(name);
    CHECK(static_cast<double>(parameters(name)) / 1e9 == doctest::Approx(billions).epsilon(0.05));
  }
}

TEST_CASE("every shipped model loads, names its source and is in the list") {
  const auto names = list_models();
  CHECK(names.size() >= 46);
  for (const std::string& name : names) {
    const auto m = load_model(name);
    REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : render(m.errors())));
    CHECK(m->name == name);
    CHECK(!m->source.empty());
    CHECK(m->dim_per_head() * m->heads > 0);
  }
}

TEST_CASE("a model in a scenario: by name, changed, inline, wrong") {
  CHECK(inline_model("model: gpt2")->layers == 12);
  const auto shorter = inline_model("model: {type: llama3.1-8b, layers: 4}");
  REQUIRE(shorter.ok());
  CHECK(shorter->layers == 4);
  CHECK(shorter->kv_heads == 8);
  // Another width: what followed from it follows anew.
  const auto wider = inline_model("model: {type: gpt2, hidden: 1536}");
  REQUIRE(wider.ok());
  CHECK(wider->head_dim == 128);
  CHECK(wider->ffn_hidden == 6144);
  const auto small = inline_model("model: {layers: 2, hidden: 64, heads: 4, vocab: 128, max_positions: 32}");
  REQUIRE(small.ok());
  CHECK(small->ffn_hidden == 256);
  CHECK(small->name == "inline");

  CHECK(message(inline_model("model: {layers: 2, hidden: 64, heads: 4}")) == "at least 1 is needed");
  CHECK(message(inline_model("model: {type: gpt2, heads: 5}")) ==
        "hidden 768 is no multiple of 5 heads, and head_dim is not given");
  CHECK(message(inline_model("model: {type: llama3.1-8b, kv_heads: 5}")) ==
        "32 heads cannot share 5 key/value heads evenly");
  const auto typo = inline_model("model: gpt3-17b");
  REQUIRE(!typo.ok());
  CHECK(typo.errors().front().help == "did you mean 'gpt3-13b'?");
  CHECK(typo.errors().front().place.line == 1);
  CHECK(!inline_model("model: {type: gpt2, layer: 3}").ok());
  CHECK(!inline_model("model: {type: gpt2, layers: 100000}").ok());
}

TEST_CASE("a config.json beside the scenario, a circle of files, a user's own folder") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "orrery_models_test";
  fs::create_directories(folder / "models");
  std::ofstream(folder / "config.json") << R"({"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12,
    "n_positions": 1024, "vocab_size": 50257})";
  std::ofstream(folder / "models" / "circle.yaml") << "type: circle\n";
  std::ofstream(folder / "models" / "gpt2.yaml") << "type: gpt3-125m\nlayers: 3\n";
  auto tree = read_yaml_text("model: {from: config.json, layers: 6}", (folder / "scenario.yaml").string());
  REQUIRE(tree.ok());
  const auto changed = read_model(*tree, tree->find(tree->root(), "model"));
  REQUIRE(changed.ok());
  CHECK(changed->layers == 6);
  CHECK(changed->ffn_hidden == 3072);
  setenv("ORRERY_SCENARIOS", folder.c_str(), 1);
  CHECK(load_model("gpt2")->layers == 3);
  CHECK(load_model("gpt2")->name == "gpt2");
  CHECK(message(load_model("circle")) == "models that build on one another in a circle");
  unsetenv("ORRERY_SCENARIOS");
  CHECK(load_model("gpt2")->layers == 12);
  fs::remove_all(folder);
}

TEST_CASE("the vocabulary is padded as Megatron does, where the model says so") {
  CHECK(pad_vocab(*load_model("gpt3-175b"), 8).vocab == 51200);  // 1024 · 50
  CHECK(pad_vocab(*load_model("gpt3-175b"), 1).vocab == 50304);
  CHECK(pad_vocab(*load_model("llama2-7b"), 8).vocab == 32000);
}

// Figures as the repositories' config.json give them (mistralai/Mistral-7B-v0.1, Qwen/Qwen2-7B,
// microsoft/Phi-3-mini-4k-instruct); counts as transformers prints them.
TEST_CASE("Hugging Face configurations of families like llama, and of grouped queries") {
  const std::string figures =
      R"("hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 1e4, "torch_dtype": "bfloat16", "use_cache": true,
      "num_hidden_layers": 32, "num_attention_heads": 32,)";
  const auto load = [](const std::string& text) { return load_hugging_face(TemporaryFile(text).path); };
  const auto mistral = load(R"({"model_type": "mistral",)" + figures + R"("hidden_size": 4096, "sliding_window": 4096,
    "intermediate_size": 14336, "num_key_value_heads": 8, "vocab_size": 32000})");
  REQUIRE_MESSAGE(mistral.ok(), (mistral.ok() ? "" : render(mistral.errors())));
  CHECK(parameter_count(*mistral) == 7'241'732'096);
  CHECK(mistral->attention_window == 4096);
  const auto qwen2 = load(R"({"model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944,
    "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
    "use_sliding_window": false, "sliding_window": 131072, "max_window_layers": 28, "hidden_act": "silu",
    "tie_word_embeddings": false})");
  REQUIRE_MESSAGE(qwen2.ok(), (qwen2.ok() ? "" : render(qwen2.errors())));
  CHECK(parameter_count(*qwen2) == 7'615'616'512);
  CHECK(qwen2->attention_window == 0);
  const auto phi3 = load(R"({"model_type": "phi3",)" + figures + R"("hidden_size": 3072, "sliding_window": null,
    "intermediate_size": 8192, "num_key_value_heads": 32, "vocab_size": 32064, "resid_pdrop": 0.0,
    "rope_scaling": {"type": "longrope"}})");
  REQUIRE_MESSAGE(phi3.ok(), (phi3.ok() ? "" : render(phi3.errors())));
  CHECK(parameter_count(*phi3) == 3'821'079'552);
  const auto mpt = load(R"({"model_type": "mpt", "d_model": 2560, "n_layers": 32, "n_heads": 32, "expansion_ratio": 4,
    "max_seq_len": 4096, "vocab_size": 32768, "no_bias": true, "attn_config": {"kv_n_heads": 8, "alibi": true}})");
  REQUIRE_MESSAGE(mpt.ok(), (mpt.ok() ? "" : render(mpt.errors())));
  CHECK(parameter_count(*mpt) == 2'286'062'080);  // transformers' MptForCausalLM with grouped queries
}

TEST_CASE("a key of a config.json that nothing reads is named, whatever the family and however deep") {
  const auto refused = [](const std::string& family, const std::string& more) {
    const std::string of_mpt = R"("d_model": 64, "n_layers": 2, "n_heads": 4, "expansion_ratio": 4, )";
    const std::string of_gpt2 = R"("n_layer": 2, "n_embd": 64, "n_head": 4, "n_positions": 32, )";
    const std::string of_llama = R"("hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
      "num_attention_heads": 4, )";
    const std::string figures = family == "mpt" ? of_mpt : family == "gpt2" ? of_gpt2 : of_llama;
    const TemporaryFile file(R"({"vocab_size": 128, )" + figures + more + R"(, "model_type": ")" + family + "\"}");
    const auto read = load_hugging_face(file.path);
    return read.ok() ? std::string("accepted") : read.errors().front().path + ": " + read.errors().front().message;
  };
  const std::string why = " is not described here: the model would be another one";
  CHECK(refused("llama", R"("use_cache": true)") == "accepted");
  CHECK(refused("llama", R"("num_local_experts": 8)") == "num_local_experts: 8" + why);
  CHECK(refused("llama", R"("num_local_experts": null)") == "accepted");
  CHECK(refused("mistral", R"("qk_norm": true)") == "qk_norm: true" + why);
  CHECK(refused("gpt2", R"("cross_attention": {"a": 1})") == "cross_attention: {\"a\":1}" + why);
  CHECK(refused("mpt", R"("learned_pos_emb": false, "attn_config": {"qk_ln": true})") ==
        "attn_config.qk_ln: true" + why);
  CHECK(refused("mpt", R"("learned_pos_emb": false, "ffn_config": {"moe_num_experts": 4})") ==
        "ffn_config.moe_num_experts: 4" + why);
  CHECK(refused("gpt2", R"("num_hidden_layers": 3)") == "num_hidden_layers: is not what n_layer says");
  CHECK(refused("gpt2", R"("num_hidden_layers": 2)") == "accepted");
}

TEST_CASE("Hugging Face configurations") {
  // meta-llama/Llama-3.1-8B config.json, the keys that matter.
  const TemporaryFile llama(
      R"({"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": false, "hidden_act": "silu",
    "attention_bias": false, "mlp_bias": false, "attention_dropout": 0.0, "max_position_embeddings": 131072})");
  const auto m = load_hugging_face(llama.path);
  REQUIRE(m.ok());
  CHECK(parameter_count(*m) == 8'030'261'248);
  const TemporaryFile gpt2(R"({"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024,
    "vocab_size": 50257, "activation_function": "gelu_new", "resid_pdrop": 0.1})");
  CHECK(parameter_count(*load_hugging_face(gpt2.path)) == 124'439'808);
  CHECK(load_hugging_face(gpt2.path)->dropout);
  const TemporaryFile bloom(
      R"({"model_type": "bloom", "n_layer": 70, "hidden_size": 14336, "n_head": 112, "vocab_size": 250880})");
  CHECK(parameter_count(*load_hugging_face(bloom.path)) == 176'247'271'424);
  const TemporaryFile mpt(R"({"model_type": "mpt", "d_model": 4096, "n_layers": 32, "n_heads": 32, "expansion_ratio": 4,
    "vocab_size": 50432, "no_bias": true, "attn_config": {"alibi": true}})");
  CHECK(parameter_count(*load_hugging_face(mpt.path)) == 6'649'286'656);  // mosaicml/mpt-7b
  const TemporaryFile opt(
      R"({"model_type": "opt", "num_hidden_layers": 24, "hidden_size": 2048, "num_attention_heads": 32,
    "ffn_dim": 8192, "vocab_size": 50272, "max_position_embeddings": 2048, "activation_function": "relu"})");
  CHECK(parameter_count(*load_hugging_face(opt.path)) == 1'315'758'080);  // facebook/opt-1.3b

  const TemporaryFile unknown(R"({"model_type": "rwkv"})");
  CHECK(message(load_hugging_face(unknown.path))
            .starts_with("'rwkv' is not a family that can be described; known: bart, bert, bloom, chatglm, cohere"));
  for (
      const char* text :
      {"", "{", "[]", "{}", "{\"model_type\": 3}", "{\"model_type\": \"gpt2\"}",
       R"({"model_type": "gpt2", "n_layer": -1, "n_embd": 1e300, "n_head": "12", "n_positions": 9223372036854775808, "vocab_size": 0})"}) {
    const TemporaryFile bad(text);
    CHECK(!load_hugging_face(bad.path).ok());
  }
  CHECK(!load_hugging_face("/").ok());
  CHECK(!load_hugging_face("nowhere/config.json").ok());
}

}  // namespace orrery::model::presets_test
