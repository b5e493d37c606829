// config.json of Hugging Face transformers for the families that can be described exactly; others are refused by name.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "hugging_face_keys.hpp"
#include "orrery/core/show.hpp"
#include "orrery/model/presets.hpp"

namespace orrery::model {
namespace {

using nlohmann::json;

class Reader {
 public:
  Reader(const json& config, std::string file) : config_(config), file_(std::move(file)) {}

  Result<ModelChoice> read() {
    if (!config_.is_object()) return Diagnostics{diagnostic("", "is not a JSON object")};
    const auto type = config_.find("model_type");
    if (type == config_.end() || !type->is_string())
      return Diagnostics{diagnostic("model_type", "is missing: this is no config.json of a model")};
    family_ = type->get<std::string>();
    if (family_ == "gpt2")
      gpt2();
    else if (family_ == "llama")
      llama();
    else if (family_ == "mistral")
      mistral();
    else if (family_ == "qwen2")
      qwen2();
    else if (family_ == "phi3")
      phi3();
    else if (family_ == "bloom")
      bloom();
    else if (family_ == "opt")
      opt();
    else if (family_ == "mpt")
      mpt();
    else if (family_ == "nemotron")
      nemotron();
    else
      wrong("model_type",
            fmt::format("'{}' is not a family that can be described; known: bloom, gpt2, llama, mistral, mpt, "
                        "nemotron, opt, phi3, qwen2",
                        family_),
            "give the figures of the model inline");
    if (errors_.empty()) refuse_unused(config_, "");
    if (errors_.empty() && m_.head_dim == 0) {
      if (m_.hidden % m_.heads != 0)
        wrong("hidden_size", fmt::format("{} is no multiple of {} heads", m_.hidden, m_.heads));
      m_.head_dim = m_.hidden / m_.heads;
    }
    if (!errors_.empty()) return errors_;
    m_.name = safe_to_show(text("_name_or_path").value_or(family_), Shown::one_line);
    m_.source = file_;
    return m_;
  }

 private:
  Diagnostic diagnostic(const char* key, std::string message, std::string help = {}) const {
    Diagnostic d;
    d.place.file = file_, d.path = key, d.message = std::move(message), d.help = std::move(help);
    return d;
  }
  void wrong(const char* key, std::string message, std::string help = {}) {
    errors_.push_back(diagnostic(key, std::move(message), std::move(help)));
  }
  // Of the configuration, or "section.key" of a map in it.
  const json* value(const char* key) {
    used_.insert(key);
    const json* in = &config_;
    std::string_view name = key;
    if (const std::size_t dot = name.find('.'); dot != std::string_view::npos) {
      in = value(std::string(name.substr(0, dot)).c_str());
      name.remove_prefix(dot + 1);
    }
    if (in == nullptr || !in->is_object()) return nullptr;
    const auto found = in->find(name);
    return found == in->end() || found->is_null() ? nullptr : &*found;
  }
  bool harmless(const std::string& key, const json& said) const {
    if (said.is_null() || used_.contains(key)) return true;
    for (const char* each : kHarmless)
      if (key == each) return true;
    for (const Harmless& each : kHarmlessIn) {
      if ((each.family != nullptr && family_ != each.family) || key != each.key) continue;
      if (each.only == nullptr || said == json::parse(each.only)) return true;
    }
    return false;
  }
  // A key that nothing here reads may be half of the model: experts, windows, norms of queries.
  void refuse_unused(const json& map, const std::string& prefix) {
    for (const auto& [name, said] : map.items()) {
      const std::string key = prefix + name;
      if ((key == "attn_config" || key == "ffn_config") && family_ == "mpt" && said.is_object()) {
        refuse_unused(said, key + ".");
        continue;
      }
      if (harmless(key, said)) continue;
      std::string shown = said.dump(-1, ' ', true);
      if (shown.size() > 40) shown = shown.substr(0, 40) + "...";
      wrong(key.c_str(), fmt::format("{} is not described here: the model would be another one", shown),
            "give the figures of the model inline, or leave the key out where it changes nothing");
    }
  }
  // A positive integer; the first of two names, as some families changed theirs.
  std::int64_t count(const char* key, const char* other = nullptr, std::int64_t absent = 0) {
    const json* v = value(key);
    const json* same = other == nullptr ? nullptr : value(other);
    if (v != nullptr && same != nullptr && *v != *same) wrong(other, fmt::format("is not what {} says", key));
    if (v == nullptr) v = same;
    if (v == nullptr && absent == 0) wrong(key, "is missing");
    if (v == nullptr) return absent;
    constexpr std::int64_t kMost = std::int64_t{1} << 24;
    if (!v->is_number_integer() || (v->is_number_unsigned() && v->get<std::uint64_t>() > kMost) ||
        v->get<std::int64_t>() < 1 || v->get<std::int64_t>() > kMost) {
      wrong(key, fmt::format("must be an integer from 1 to {}", kMost));
      return 1;
    }
    return v->get<std::int64_t>();
  }
  bool flag(const char* key, bool absent) {
    const json* v = value(key);
    if (v != nullptr && !v->is_boolean()) wrong(key, "must be true or false");
    return v != nullptr && v->is_boolean() ? v->get<bool>() : absent;
  }
  bool positive(const char* key) {  // a dropout rate
    const json* v = value(key);
    if (v != nullptr && !v->is_number()) wrong(key, "must be a number");
    return v != nullptr && v->is_number() && v->get<double>() > 0;
  }
  bool any_positive(std::initializer_list<const char*> keys) {
    bool any = false;
    for (const char* key : keys) any = positive(key) || any;
    return any;
  }
  std::optional<std::string> text(const char* key) {
    const json* v = value(key);
    return v != nullptr && v->is_string() ? std::optional(v->get<std::string>()) : std::nullopt;
  }
  // Refuses what is said and is none of the names that mean what we describe.
  void must_be(const char* key, std::initializer_list<const char*> names) {
    const auto said = text(key);
    if (!said && value(key) != nullptr) wrong(key, "must be a text");
    if (!said) return;
    for (const char* name : names)
      if (*said == name) return;
    wrong(key, fmt::format("'{}' is not how {} models are described here; known: {}", *said, family_, *names.begin()));
  }

  void gpt2() {
    m_.layers = count("n_layer", "num_hidden_layers"), m_.hidden = count("n_embd", "hidden_size");
    m_.heads = m_.kv_heads = count("n_head", "num_attention_heads");
    m_.ffn_hidden = count("n_inner", nullptr, 4 * m_.hidden), m_.vocab = count("vocab_size");
    m_.max_positions = count("n_positions", "n_ctx");
    m_.tied_embeddings = flag("tie_word_embeddings", true);
    m_.dropout = any_positive({"resid_pdrop", "attn_pdrop", "embd_pdrop"});
    must_be("activation_function", {"gelu_new", "gelu", "gelu_fast", "gelu_pytorch_tanh"});
  }

  void llama() {
    m_.layers = count("num_hidden_layers"), m_.hidden = count("hidden_size"), m_.heads = count("num_attention_heads");
    m_.kv_heads = count("num_key_value_heads", nullptr, m_.heads);
    m_.head_dim = count("head_dim", nullptr, m_.heads > 0 ? std::max<std::int64_t>(m_.hidden / m_.heads, 1) : 1);
    m_.ffn_hidden = count("intermediate_size"), m_.vocab = count("vocab_size");
    m_.norm = Norm::rms_norm, m_.activation = Activation::swiglu, m_.position = Position::rotary;
    m_.tied_embeddings = flag("tie_word_embeddings", false);
    const bool attention_bias = flag("attention_bias", false), mlp_bias = flag("mlp_bias", false);
    if (attention_bias != mlp_bias)
      wrong("attention_bias", "biases of attention without those of the MLP, or the other way, are not described");
    m_.bias = attention_bias, m_.dropout = positive("attention_dropout");
    must_be("hidden_act", {"silu", "swish"});
  }

  // A window changes nothing in sequences that it covers; longer ones are refused (model.attention_window).
  void window(const char* key, const char* other = nullptr) {
    constexpr std::int64_t kNone = std::int64_t{1} << 24;
    const std::int64_t most = count(key, other, kNone);
    m_.attention_window = most == kNone ? 0 : most;
  }

  void mistral() {
    llama();
    window("sliding_window", "sliding_window_size");
  }

  void qwen2() {
    llama();
    m_.qkv_bias = true;
    const bool used = flag("use_sliding_window", false);
    if (used) window("sliding_window");
    used_.insert("sliding_window");
  }

  // qkv in one matrix, gate and up in one: as many parameters as apart.
  void phi3() {
    llama();
    m_.dropout = any_positive({"resid_pdrop", "embd_pdrop", "attention_dropout"});
    window("sliding_window");
  }

  void bloom() {
    m_.layers = count("n_layer", "num_hidden_layers"), m_.hidden = count("hidden_size", "n_embed");
    m_.heads = m_.kv_heads = count("n_head", "num_attention_heads");
    m_.ffn_hidden = 4 * m_.hidden, m_.vocab = count("vocab_size");
    m_.position = Position::alibi, m_.embedding_norm = true;
    m_.tied_embeddings = flag("tie_word_embeddings", true);
    m_.dropout = any_positive({"hidden_dropout", "attention_dropout"});
  }

  void opt() {
    m_.layers = count("num_hidden_layers"), m_.hidden = count("hidden_size");
    m_.heads = m_.kv_heads = count("num_attention_heads"), m_.ffn_hidden = count("ffn_dim"),
    m_.vocab = count("vocab_size");
    m_.max_positions = count("max_position_embeddings") + 2;  // transformers OPTLearnedPositionalEmbedding: offset 2
    m_.activation = Activation::relu, m_.bias = flag("enable_bias", true),
    m_.tied_embeddings = flag("tie_word_embeddings", true);
    m_.dropout = any_positive({"dropout", "attention_dropout"});
    must_be("activation_function", {"relu"});
    if (count("word_embed_proj_dim", nullptr, m_.hidden) != m_.hidden)
      wrong("word_embed_proj_dim", "a projection behind the embedding is not described");
    if (!flag("do_layer_norm_before", true))
      wrong("do_layer_norm_before", "norms behind the blocks (OPT-350M) are not described");
  }

  void mpt() {
    m_.layers = count("n_layers"), m_.hidden = count("d_model"), m_.heads = count("n_heads");
    m_.ffn_hidden = count("expansion_ratio", nullptr, 4) * m_.hidden, m_.vocab = count("vocab_size");
    m_.ffn_hidden = count("ffn_config.ffn_hidden_size", nullptr, m_.ffn_hidden);
    must_be("ffn_config.ffn_type", {"mptmlp"});
    must_be("ffn_config.fc_type", {"torch", "te"});
    m_.bias = m_.norm_bias = !flag("no_bias", true);
    must_be("attn_config.attn_type", {"multihead_attention", "grouped_query_attention", "multiquery_attention"});
    const bool one = text("attn_config.attn_type") == "multiquery_attention";
    m_.kv_heads = count("attn_config.kv_n_heads", nullptr, one ? 1 : m_.heads);
    const bool alibi = flag("attn_config.alibi", false), rotary = flag("attn_config.rope", false);
    const bool learned = flag("learned_pos_emb", true) && !alibi && !rotary;
    m_.position = alibi ? Position::alibi : rotary ? Position::rotary : learned ? Position::learned : Position::none;
    if (learned) m_.max_positions = count("max_seq_len");
    m_.tied_embeddings = flag("tie_word_embeddings", true);
    m_.dropout = any_positive({"resid_pdrop", "emb_pdrop", "attn_config.attn_pdrop"});
    must_be("norm_type", {"low_precision_layernorm", "layernorm"});
  }

  void nemotron() {
    llama();
    m_.norm = Norm::layer_norm, m_.activation = Activation::squared_relu;  // LayerNorm1P keeps its bias
    std::erase_if(errors_, [](const Diagnostic& d) { return d.path == "hidden_act"; });
    must_be("hidden_act", {"relu2"});
  }

  const json& config_;
  std::string file_, family_;
  std::set<std::string> used_;  // keys that were looked for
  ModelChoice m_;
  Diagnostics errors_;
};

Result<std::string> contents(const std::string& file) {
  constexpr std::size_t kMost = std::size_t{1} << 20;
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(file, error);  // opening a pipe would wait for ever
  std::ifstream in;
  if (regular) in.open(file, std::ios::binary);
  std::string text(kMost + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  Diagnostic d;
  d.place.file = file;
  if (!in.is_open() || in.bad() || in.gcount() == 0) {
    d.message = "cannot be read, or is empty";
    return d;
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMost) {
    d.message = "is larger than 1 MiB: no config.json of a model";
    return d;
  }
  return text;
}

}  // namespace

Result<ModelChoice> load_hugging_face(const std::string& file) {
  const Result<std::string> text = contents(file);
  if (!text) return text.errors();
  // Depth is bounded before the parser recurses.
  int depth = 0, deepest = 0;
  for (const char c : *text) {
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  const json config = deepest > 64 ? json(json::value_t::discarded) : json::parse(*text, nullptr, false);
  if (config.is_discarded()) {
    Diagnostic d;
    d.place.file = file, d.message = "is not JSON";
    return d;
  }
  return Reader(config, file).read();
}

}  // namespace orrery::model
