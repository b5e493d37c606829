// config.json of Hugging Face transformers for the families that can be described exactly; others are refused by name.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

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
            fmt::format("'{}' is not a family that can be described; known: bloom, gpt2, llama, mpt, nemotron, opt",
                        family_),
            "give the figures of the model inline");
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
  const json* value(const char* key) const {
    const auto found = config_.find(key);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }
  // A positive integer; the first of two names, as some families changed theirs.
  std::int64_t count(const char* key, const char* other = nullptr, std::int64_t absent = 0) {
    const json* v = value(key);
    if (v == nullptr && other != nullptr) v = value(other);
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
  std::optional<std::string> text(const char* key) const {
    const json* v = value(key);
    return v != nullptr && v->is_string() ? std::optional(v->get<std::string>()) : std::nullopt;
  }
  // Refuses what is said and is none of the names that mean what we describe.
  void must_be(const char* key, std::initializer_list<const char*> names) {
    const auto said = text(key);
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
    m_.dropout = positive("resid_pdrop") || positive("attn_pdrop") || positive("embd_pdrop");
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

  void bloom() {
    m_.layers = count("n_layer", "num_hidden_layers"), m_.hidden = count("hidden_size", "n_embed");
    m_.heads = m_.kv_heads = count("n_head", "num_attention_heads");
    m_.ffn_hidden = 4 * m_.hidden, m_.vocab = count("vocab_size");
    m_.position = Position::alibi, m_.embedding_norm = true;
    m_.tied_embeddings = flag("tie_word_embeddings", true);
    m_.dropout = positive("hidden_dropout") || positive("attention_dropout");
  }

  void opt() {
    m_.layers = count("num_hidden_layers"), m_.hidden = count("hidden_size");
    m_.heads = m_.kv_heads = count("num_attention_heads"), m_.ffn_hidden = count("ffn_dim"),
    m_.vocab = count("vocab_size");
    m_.max_positions = count("max_position_embeddings") + 2;  // transformers OPTLearnedPositionalEmbedding: offset 2
    m_.activation = Activation::relu, m_.bias = flag("enable_bias", true),
    m_.tied_embeddings = flag("tie_word_embeddings", true);
    m_.dropout = positive("dropout") || positive("attention_dropout");
    must_be("activation_function", {"relu"});
    if (count("word_embed_proj_dim", nullptr, m_.hidden) != m_.hidden)
      wrong("word_embed_proj_dim", "a projection behind the embedding is not described");
    if (!flag("do_layer_norm_before", true))
      wrong("do_layer_norm_before", "norms behind the blocks (OPT-350M) are not described");
  }

  void mpt() {
    m_.layers = count("n_layers"), m_.hidden = count("d_model"), m_.heads = m_.kv_heads = count("n_heads");
    m_.ffn_hidden = count("expansion_ratio", nullptr, 4) * m_.hidden, m_.vocab = count("vocab_size");
    m_.bias = m_.norm_bias = !flag("no_bias", true);
    const json* attention = value("attn_config");
    const bool alibi =
        attention != nullptr && attention->is_object() && attention->value("alibi", json(false)) == json(true);
    const bool learned = flag("learned_pos_emb", true) && !alibi;
    m_.position = alibi ? Position::alibi : learned ? Position::learned : Position::none;
    if (learned) m_.max_positions = count("max_seq_len");
    m_.dropout = positive("resid_pdrop") || positive("emb_pdrop");
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
