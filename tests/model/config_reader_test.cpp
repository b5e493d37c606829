// What a config.json must be to be read at all, and each reason to refuse one, with its key and remedy.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "orrery/model/presets.hpp"

namespace orrery::model::config_reader_test {

namespace {

const std::string kFile = "/orrery_config_reader_" + std::to_string(::getpid()) + ".json";

Result<ModelChoice> load(const std::string& text) {
  const std::string path = std::filesystem::temp_directory_path().string() + kFile;
  std::ofstream(path, std::ios::binary) << text;
  Result<ModelChoice> m = load_hugging_face(path);
  CHECK((m.ok() ? m->source : m.errors().front().place.file) == path);
  std::filesystem::remove(path);
  return m;
}

// "key: message" of all errors.
std::string refused(const std::string& text) {
  const Result<ModelChoice> m = load(text);
  if (m.ok()) return "accepted";
  std::string all;
  for (const Diagnostic& d : m.errors()) all += (all.empty() ? "" : "; ") + d.path + ": " + d.message;
  return all;
}

const std::string kLlama =
    R"("hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, )";

// A llama of these figures; what stands later in `more` counts.
std::string llama(const std::string& more) {
  return R"({"model_type": "llama", "vocab_size": 128, )" + kLlama + more + R"("use_cache": true})";
}

}  // namespace

TEST_CASE("a file that is no configuration says so") {
  CHECK(refused("[1]") == ": is not a JSON object");
  CHECK(refused("3") == ": is not a JSON object");
  CHECK(refused("{,}") == ": is not JSON");
  CHECK(refused("") == ": cannot be read, or is empty");
  const std::string none = "model_type: is missing: this is no config.json of a model";
  CHECK(refused("{}") == none);
  CHECK(refused(R"({"model_type": 3})") == none);
  CHECK(refused(R"({"model_type": null})") == none);
  CHECK(refused(std::string((1 << 20) + 1, ' ')) == ": is larger than 1 MiB: no config.json of a model");
  CHECK(refused(llama("") + std::string((1 << 20) - llama("").size(), ' ')) == "accepted");
  CHECK(load_hugging_face("/tmp").errors().front().message == "cannot be read, or is empty");
}

TEST_CASE("an unknown family names all there are, and what to do") {
  const auto m = load(R"({"model_type": "rwkv"})");
  REQUIRE(!m.ok());
  CHECK(m.errors().front().path == "model_type");
  CHECK(m.errors().front().message ==
        "'rwkv' is not a family that can be described; known: bart, bert, bloom, chatglm, cohere, cohere2, dbrx, "
        "deepseek, "
        "deepseek_v2, deepseek_v3, falcon, gemma, gemma2, gemma3, gemma3_text, glm, glm4, glm4_moe, gpt2, gpt_bigcode, "
        "gpt_neox, gpt_oss, gptj, internlm2, kimi_k2, llama, llama4, mimo, minimax_m2, mistral, mixtral, mpt, mt5, "
        "nemotron, "
        "olmo2, olmoe, opt, phi3, qwen2, qwen2_moe, qwen3, qwen3_moe, roberta, smollm3, starcoder2, t5");
  CHECK(m.errors().front().help == "give the figures of the model inline");
}

TEST_CASE("counts are integers from 1 to 2^24") {
  const std::string range = ": must be an integer from 1 to 16777216";
  for (const char* bad : {"0", "-1", "1.5", "2.0", "\"2\"", "true", "[2]", "16777217", "9223372036854775808"}) {
    CAPTURE(bad);
    CHECK(refused(llama(R"("num_key_value_heads": )" + std::string(bad) + ", ")) == "num_key_value_heads" + range);
  }
  CHECK(load(llama(R"("vocab_size": 16777216, )"))->vocab == 16'777'216);
  CHECK(load(llama(R"("vocab_size": 1, )"))->vocab == 1);
  CHECK(refused(R"({"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": null})") ==
        "hidden_size: is missing; num_attention_heads: is missing; intermediate_size: is missing; "
        "vocab_size: is missing");
}

TEST_CASE("a family's own arithmetic waits for figures that are there") {
  CHECK(refused(R"({"model_type": "gpt_neox", "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96,
    "vocab_size": 128})") == "num_attention_heads: is missing");
  for (const char* family : {"bloom", "chatglm", "dbrx", "deepseek_v3", "falcon", "gemma3", "gpt2", "gptj", "llama4",
                             "mpt", "opt", "starcoder2"}) {
    CAPTURE(family);
    CHECK(refused(R"({"model_type": ")" + std::string(family) + "\"}").find(": is missing; ") != std::string::npos);
  }
}

TEST_CASE("of two names one is enough, and both say the same") {
  const auto falcon = [](const std::string& layers) {
    return refused(R"({"model_type": "falcon", "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 128)" +
                   layers + "}");
  };
  CHECK(falcon(R"(, "num_hidden_layers": 2)") == "accepted");
  CHECK(falcon(R"(, "n_layer": 2)") == "accepted");
  CHECK(falcon(R"(, "n_layer": 2, "num_hidden_layers": 2)") == "accepted");
  CHECK(falcon(R"(, "n_layer": 2, "num_hidden_layers": null)") == "accepted");
  CHECK(falcon(R"(, "n_layer": 2, "num_hidden_layers": 3)") == "n_layer: is not what num_hidden_layers says");
  CHECK(falcon("") == "num_hidden_layers: is missing");
}

TEST_CASE("flags, rates, shares and names are of their type") {
  CHECK(refused(llama(R"("tie_word_embeddings": 1, )")) == "tie_word_embeddings: must be true or false");
  CHECK(refused(llama(R"("attention_bias": "no", "mlp_bias": [], )")) ==
        "attention_bias: must be true or false; mlp_bias: must be true or false");
  CHECK(refused(llama(R"("attention_dropout": "none", )")) == "attention_dropout: must be a number");
  CHECK(load(llama(R"("attention_dropout": 0.0, )"))->dropout == false);
  CHECK(load(llama(R"("attention_dropout": 1e-9, )"))->dropout);
  for (const char* bad : {"0", "-0.5", "1.0001", "\"half\""})
    CHECK(refused(llama(R"("partial_rotary_factor": )" + std::string(bad) + ", ")) ==
          "partial_rotary_factor: must be a number above 0, at most 1");
  CHECK(load(llama(R"("partial_rotary_factor": 1, )"))->rotary_dim == 0);
  CHECK(load(llama(R"("partial_rotary_factor": 0.75, )"))->rotary_dim == 12);  // of 64/4
  CHECK(refused(llama(R"("hidden_act": "gelu", )")) ==
        "hidden_act: 'gelu' is not how llama models are described here; known: silu");
  CHECK(refused(llama(R"("hidden_act": 3, )")) == "hidden_act: must be a text");
  for (const char* same : {"silu", "swish"})
    CHECK(refused(llama(R"("hidden_act": ")" + std::string(same) + "\", ")) == "accepted");
}

TEST_CASE("heads share the width evenly where a head has none of its own") {
  const auto gpt2 = [](const char* width) {
    return refused(
        R"({"model_type": "gpt2", "n_layer": 2, "n_head": 4, "n_positions": 8, "vocab_size": 9, "n_embd": )" +
        std::string(width) + "}");
  };
  CHECK(gpt2("64") == "accepted");
  CHECK(gpt2("66") == "hidden_size: 66 is no multiple of 4 heads");
}

TEST_CASE("keys that nothing reads are refused, but for what changes nothing here or in its family") {
  const std::string why = " is not described here: the model would be another one";
  CHECK(refused(llama(R"("reorder_and_upcast_attn": true, )")) == "reorder_and_upcast_attn: true" + why);  // GPT-2's
  CHECK(refused(llama(R"("max_sequence_length": 9, "pruned_heads": {}, "torch_dtype": "x", )")) == "accepted");
  CHECK(refused(llama(R"("pruned_heads": {"0": [1]}, )")) == R"(pruned_heads: {"0":[1]})" + why);
  CHECK(refused(llama(R"("is_encoder_decoder": true, )")) == "is_encoder_decoder: true" + why);
  for (const char* nothing : {"null", "false"})
    CHECK(refused(llama(R"("some_key": )" + std::string(nothing) + ", ")) == "accepted");
  CHECK(refused(llama(R"("some_key": 0, )")) == "some_key: 0" + why);
  CHECK(refused(llama(R"("a_key": 1, "b_key": 2, )")) == "a_key: 1" + why + "; b_key: 2" + why);
  // 40 bytes of its value are shown.
  CHECK(refused(llama(R"("k": ")" + std::string(38, 'x') + "\", ")) == "k: \"" + std::string(38, 'x') + "\"" + why);
  CHECK(refused(llama(R"("k": ")" + std::string(39, 'x') + "\", ")) == "k: \"" + std::string(39, 'x') + "..." + why);
  const auto opt = [&](const std::string& more) {
    return refused(R"({"model_type": "opt", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4,
      "ffn_dim": 96, "vocab_size": 128, "max_position_embeddings": 32, )" +
                   more + "}");
  };
  CHECK(opt(R"("layerdrop": 0.0, "layer_norm_elementwise_affine": true)") == "accepted");
  CHECK(opt(R"("layerdrop": 0.1)") == "layerdrop: 0.1" + why);
  CHECK(opt(R"("activation_dropout": 0.5)") == "activation_dropout: 0.5" + why);
}

TEST_CASE("signs of another architecture come first, with what they are a sign of") {
  const std::pair<const char*, const char*> signs[] = {
      {"index_topk", "attention to the keys that an indexer chooses"},
      {"compress_ratios", "attention to compressed keys"},
      {"hc_mult", "hyper-connections in place of a residual stream"},
      {"full_attention_interval", "layers of linear attention between those of attention"},
      {"linear_num_key_heads", "linear attention (gated delta net)"},
      {"hybrid_override_pattern", "state-space layers between those of attention (Mamba)"},
      {"block_configs", "a shape of its own for each layer"},
      {"enable_moe_block", "a dense MLP and experts side by side"},
      {"share_expert_dim", "attention of another kind in each layer"},
      {"vision_config", "a tower for images"}};
  for (const auto& [key, what] : signs) {
    const std::string said = std::string(key) + ": " + what + " cannot be described";
    CHECK(refused(llama("\"" + std::string(key) + "\": 1, ")) == said);
    CHECK(refused(llama("\"" + std::string(key) + "\": false, ")) == "accepted");
    // Whatever the family is called, and inside of the text part, too.
    CHECK(refused("{\"model_type\": \"nobody's\", \"" + std::string(key) + "\": 1}") == said);
    CHECK(refused("{\"model_type\": \"llama\", \"text_config\": {\"" + std::string(key) + "\": 1}}") ==
          "text_config." + said);
  }
}

TEST_CASE("the text part of a configuration is read, and what stands around it looked at") {
  const auto around = [](const std::string& more) {
    return R"({"model_type": "llama", "text_config": {"vocab_size": 128, )" + kLlama + R"("use_cache": true})" + more +
           "}";
  };
  const auto m = load(around(""));
  REQUIRE(m.ok());
  CHECK(m->layers == 2);
  CHECK(refused(around(R"(, "torch_dtype": "bfloat16")")) == "accepted");
  CHECK(refused(around(R"(, "projector": 7)")) == "projector: 7 is not described here: the model would be another one");
  // A text part that is no map is a key like others.
  CHECK(refused(llama(R"("text_config": 3, )")) ==
        "text_config: 3 is not described here: the model would be another one");
}

TEST_CASE("the name is that of the weights, made safe to show, or the family's") {
  CHECK(load(llama(""))->name == "llama");
  CHECK(load(llama(R"("_name_or_path": "meta/Tiny", )"))->name == "meta/Tiny");
  CHECK(load(llama(R"("_name_or_path": "a\u001b[2Jb\n", )"))->name == "a\\u001b[2Jb\\u000a");
}

}  // namespace orrery::model::config_reader_test
