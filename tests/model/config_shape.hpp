// A config.json read and shown in one line, for tables of cases.
#pragma once
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "orrery/model/presets.hpp"

namespace orrery::model::config_shape {

// The figures of a small model, by the names of most families.
inline const std::string kLlama = R"("hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
  "num_attention_heads": 4, "vocab_size": 128)";

inline std::string experts(const Experts& e) {
  if (e.count == 0) return "";
  std::string text = fmt::format(" experts{}/{}x{}", e.count, e.top_k, e.hidden);
  if (e.shared > 0) text += fmt::format(" shared{}x{}", e.shared, e.shared_hidden);
  if (e.first_dense > 0) text += fmt::format(" first{}", e.first_dense);
  if (e.every != 1) text += fmt::format(" every{}", e.every);
  if (e.groups != 1 || e.top_groups != 1) text += fmt::format(" groups{}/{}", e.groups, e.top_groups);
  if (e.router == Router::sigmoid) text += " sigmoid";
  for (const auto& [is, word] : {std::pair{e.bias, " biased"}, {e.selection_bias, " chosen"}, {e.shared_gate, " gate"}})
    if (is) text += word;
  return text;
}

// layers x hidden, heads / key-value heads x width of one, MLP, vocabulary; then what is not the least there is.
inline std::string shape(const ModelChoice& m) {
  constexpr const char* kActivations[] = {"gelu", "relu", "squared_relu", "swiglu", "geglu"};
  constexpr const char* kPositions[] = {"learned", "rotary", "alibi", "relative", "relative_bias", "none"};
  constexpr const char* kParallel[] = {"", " one_norm", " two_norms"};
  constexpr const char* kPlaces[] = {"", " after", " both", " after_sum"};
  constexpr const char* kQk[] = {"", " qk:head", " qk:all", " qk:bare"};
  std::string text = fmt::format(
      "{}x{} {}/{}x{} f{} v{} {} {} {}", m.layers, m.hidden, m.heads, m.kv_heads, m.head_dim, m.ffn_hidden, m.vocab,
      m.norm == Norm::rms_norm ? "rms"
      : m.norm_bias            ? "ln"
                               : "ln-",
      kActivations[static_cast<int>(m.activation)], kPositions[static_cast<int>(m.position)]);
  if (m.max_positions > 0) text += std::to_string(m.max_positions);
  if (m.rotary_dim > 0) text += std::to_string(m.rotary_dim);
  text += kPlaces[static_cast<int>(m.norm_place)];
  text += kParallel[static_cast<int>(m.parallel)];
  text += kQk[static_cast<int>(m.qk_norm)];
  if (m.attention_window > 0) text += fmt::format(" window{}", m.attention_window);
  if (m.global_every > 0) text += fmt::format(" global{}", m.global_every);
  const LatentAttention& l = m.latent_attention;
  if (m.latent())
    text += fmt::format(" latent{}/{} {}+{}v{}", l.query_rank, l.key_value_rank, l.nope_dim, l.rope_dim, l.value_dim);
  text += experts(m.experts);
  if (m.prediction_layers > 0) text += fmt::format(" ahead{}", m.prediction_layers);
  for (const auto& [is, word] : {std::pair{m.attention_chunks, " chunks"},
                                 {m.bias, " bias"},
                                 {m.qkv_bias, " qkv_bias"},
                                 {m.projection_bias, " projection_bias"},
                                 {m.mlp_bias, " mlp_bias"},
                                 {m.head_bias, " head_bias"},
                                 {m.embedding_norm, " embedding_norm"},
                                 {m.attention_sinks, " sinks"},
                                 {m.score_cap, " score_cap"},
                                 {m.logit_cap, " logit_cap"},
                                 {m.tied_embeddings, " tied"},
                                 {m.dropout, " dropout"}})
    if (is) text += word;
  return text;
}

inline std::string read(const std::string& family, const std::string& keys) {
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("orrery_config_families_{}.json", ::getpid())).string();
  std::ofstream(path) << R"({"model_type": ")" << family << "\", " << keys << "}";
  const Result<ModelChoice> m = load_hugging_face(path);
  std::filesystem::remove(path);
  return m.ok() ? shape(*m) : m.errors().front().path + ": " + m.errors().front().message;
}

struct Case {
  const char* family;
  const char* more;
  const char* expected;
};

inline void check_all(const std::string& figures, const std::initializer_list<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.family);
    CAPTURE(c.more);
    CHECK(read(c.family, figures + c.more) == c.expected);
  }
}

}  // namespace orrery::model::config_shape
