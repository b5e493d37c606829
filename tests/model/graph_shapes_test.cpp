// Operators of a layer in each form that models have, who feeds whom, and the parameters of each.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "orrery/core/error.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::model::graph_shapes_test {

namespace {

using K = OperatorKind;

// Hidden 48, 4 heads of 12, 2 key/value heads, MLP 96, vocabulary 100; root-mean-square norms without biases.
ModelSpec small() {
  ModelSpec m;
  m.layers = 2, m.hidden = 48, m.heads = 4, m.kv_heads = 2, m.ffn_hidden = 96, m.vocab = 100;
  m.norm = Norm::rms_norm, m.position = Position::none;
  m.bias = m.tied_embeddings = m.dropout = false;
  return m;
}
constexpr GraphOptions kFlash{.sequence_length = 64, .flash = true};

// The operators of a layer in their order.
std::string layer(const ModelGraph& graph, std::int64_t at) {
  std::string text;
  for (const Operator& op : graph.operators)
    if (op.layer == at) text += (text.empty() ? "" : " ") + std::string(name_of(op.kind));
  return text;
}

// Who makes what the last operator of a kind reads.
std::string read_by(const ModelGraph& graph, K kind) {
  const auto op =
      std::find_if(graph.operators.rbegin(), graph.operators.rend(), [&](const Operator& o) { return o.kind == kind; });
  REQUIRE(op != graph.operators.rend());
  std::string text;
  for (std::int32_t e = op->first_edge; e < op->first_edge + op->reads; ++e) {
    const Operator& from = graph.operators[static_cast<std::size_t>(graph.edges[static_cast<std::size_t>(e)].from)];
    text += (text.empty() ? "" : " ") + std::string(name_of(from.kind));
  }
  return text;
}

std::map<K, std::int64_t> parameters(const ModelGraph& graph, std::int64_t at) {
  std::map<K, std::int64_t> counts;
  for (const Operator& op : graph.operators)
    if (op.layer == at) counts[op.kind] += parameters_of(graph, op);
  return counts;
}

}  // namespace

TEST_CASE("a layer, fused and unfused, with what its options add") {
  ModelSpec m = small();
  const std::string mlp = " mlp.norm fc1 activation fc2 mlp.residual";
  CHECK(layer(model_graph(m, kFlash), 1) == "norm qkv attention projection attention.residual" + mlp);
  CHECK(layer(model_graph(m, {.sequence_length = 64}), 0) ==
        "norm qkv attention.keys_values attention.scores attention.softmax attention.context projection "
        "attention.residual" +
            mlp);
  CHECK(layer(model_graph(m, kFlash), -1) == "embedding");
  CHECK(layer(model_graph(m, kFlash), 2) == "final_norm head cross_entropy");
  m.dropout = m.embedding_norm = m.logit_cap = true, m.position = Position::rotary, m.qk_norm = QkNorm::head;
  const ModelGraph all = model_graph(m, {.sequence_length = 64});
  CHECK(layer(all, -1) == "embedding embedding.norm embedding.dropout");
  CHECK(layer(all, 0) ==
        "norm qkv qk_norm rotary attention.keys_values attention.scores attention.softmax attention.dropout "
        "attention.context projection attention.residual" +
            mlp);
  CHECK(layer(all, 2) == "final_norm head logit_cap cross_entropy");
  m.position = Position::relative, m.qk_norm = QkNorm::none;
  const ModelGraph relative = model_graph(m, kFlash);
  CHECK(layer(relative, 0) ==
        "norm qkv relative_positions attention.relative attention projection attention.residual" + mlp);
  CHECK(read_by(relative, K::attention_relative) == "qkv relative_positions");
  CHECK(read_by(relative, K::attention_flash) == "qkv qkv qkv attention.relative");
  CHECK(read_by(model_graph(m, {.sequence_length = 64}), K::attention_softmax) ==
        "attention.scores attention.relative");
}

TEST_CASE("norms before, behind, or both, and what the branches add to") {
  ModelSpec m = small();
  const auto reads = [&](K kind) { return read_by(model_graph(m, kFlash), kind); };
  CHECK(reads(K::qkv) == "norm");
  CHECK(reads(K::norm) == "mlp.residual");  // the stream of the layer before
  CHECK(reads(K::attention_residual) == "projection mlp.residual");
  CHECK(reads(K::mlp_norm) == "attention.residual");
  CHECK(reads(K::fc1) == "mlp.norm");
  CHECK(reads(K::mlp_residual) == "fc2 attention.residual");
  m.norm_place = NormPlace::after;
  CHECK(layer(model_graph(m, kFlash), 1) ==
        "qkv attention projection attention.post_norm attention.residual fc1 activation fc2 mlp.post_norm "
        "mlp.residual");
  CHECK(reads(K::qkv) == "mlp.residual");
  CHECK(reads(K::attention_residual) == "attention.post_norm mlp.residual");
  CHECK(reads(K::fc1) == "attention.residual");
  CHECK(reads(K::mlp_residual) == "mlp.post_norm attention.residual");
  m.norm_place = NormPlace::both;
  CHECK(reads(K::qkv) == "norm");
  CHECK(reads(K::attention_residual) == "attention.post_norm mlp.residual");
  CHECK(reads(K::fc1) == "mlp.norm");
}

TEST_CASE("attention and MLP side by side read the same stream, by one norm or one each") {
  ModelSpec m = small();
  m.parallel = Parallel::two_norms;
  const auto reads = [&](K kind) { return read_by(model_graph(m, kFlash), kind); };
  CHECK(reads(K::mlp_norm) == "mlp.residual");
  CHECK(reads(K::fc1) == "mlp.norm");
  CHECK(reads(K::mlp_residual) == "fc2 attention.residual");
  m.parallel = Parallel::one_norm;
  CHECK(layer(model_graph(m, kFlash), 0) ==
        "norm qkv attention projection attention.residual fc1 activation fc2 mlp.residual");
  CHECK(reads(K::qkv) == "norm");
  CHECK(reads(K::fc1) == "norm");
}

TEST_CASE("queries and keys: norms of a head, of all heads, without weights; rotation of a part") {
  ModelSpec m = small();
  const auto gains = [&](QkNorm kind) {
    m.qk_norm = kind;
    return parameters(model_graph(m, kFlash), 0)[K::qk_norm];
  };
  CHECK(gains(QkNorm::head) == 12 + 12);
  CHECK(gains(QkNorm::all) == 48 + 24);
  CHECK(gains(QkNorm::bare) == 0);
  CHECK(read_by(model_graph(m, kFlash), K::attention_flash) == "qk_norm qk_norm qkv");
  m.position = Position::rotary;
  const auto rotary = [&] {
    const ModelGraph graph = model_graph(m, kFlash);
    return std::ranges::find_if(graph.operators, [](const Operator& o) { return o.kind == K::rotary; })->head_dim;
  };
  CHECK(read_by(model_graph(m, kFlash), K::rotary) == "qk_norm qk_norm");
  CHECK(rotary() == 0);  // all features, whatever the heads
  m.rotary_dim = 4;
  CHECK(rotary() == 12);  // some of each head
}

TEST_CASE("biases: of every linear layer, or of those named; sinks one a head") {
  ModelSpec m = small();
  const auto count = [&](K kind) { return parameters(model_graph(m, kFlash), 1)[kind]; };
  CHECK(count(K::qkv) == 48 * 96);
  CHECK(count(K::norm) == 48);
  m.qkv_bias = true;
  CHECK(count(K::qkv) == 49 * 96);
  CHECK(count(K::projection) == 48 * 48);
  m.projection_bias = true, m.mlp_bias = true;
  CHECK(count(K::projection) == 49 * 48);
  CHECK(count(K::fc1) == 49 * 96);
  CHECK(count(K::fc2) == 97 * 48);
  m.head_bias = true;
  CHECK(parameters(model_graph(m, kFlash), 2)[K::head] == 49 * 100);
  m.norm = Norm::layer_norm;
  CHECK(count(K::norm) == 2 * 48);
  m.norm_bias = false;
  CHECK(count(K::norm) == 48);
  m.attention_sinks = true;
  CHECK(count(K::attention_flash) == 4);
  CHECK(parameters(model_graph(m, {.sequence_length = 64}), 1)[K::attention_softmax] == 4);
}

TEST_CASE("latent attention: what is narrow, what is made of it, and the one key for all heads") {
  ModelSpec m = small();
  m.latent_attention = {.query_rank = 30, .key_value_rank = 24, .nope_dim = 12, .rope_dim = 4, .value_dim = 10};
  m.kv_heads = 4;
  ModelGraph graph = model_graph(m, kFlash);
  CHECK(
      layer(graph, 0).starts_with("norm latent.down latent.norm latent.down latent.norm latent.up "
                                  "latent.keys_values rotary attention projection"));
  auto count = parameters(graph, 0);
  CHECK(count[K::latent_down] == 48 * 30 + 48 * (24 + 4));
  CHECK(count[K::latent_norm] == 30 + 24);  // the rotated key has none
  CHECK(count[K::latent_up] == 30 * 4 * 16);
  CHECK(count[K::latent_keys_values] == 24 * 4 * (12 + 10));
  CHECK(count[K::projection] == 4 * 10 * 48);
  CHECK(read_by(graph, K::rotary) == "latent.up latent.keys_values latent.down");
  CHECK(read_by(graph, K::attention_flash) == "rotary rotary latent.keys_values");
  m.latent_attention.query_rank = 0, m.qkv_bias = true;
  graph = model_graph(m, kFlash);
  CHECK(layer(graph, 0).starts_with("norm latent.down latent.norm latent.up latent.keys_values rotary"));
  count = parameters(graph, 0);
  CHECK(count[K::latent_up] == 48 * 4 * 16);
  CHECK(count[K::latent_down] == 49 * (24 + 4));
}

TEST_CASE("experts: router, copies there and back, those shared beside them") {
  ModelSpec m = small();
  m.activation = Activation::swiglu;
  m.experts = {.count = 8, .top_k = 2, .hidden = 32, .first_dense = 1};
  ModelGraph graph = model_graph(m, kFlash);
  const std::string attention = "norm qkv attention projection attention.residual mlp.norm ";
  const std::string routed = "router permute dispatch experts.fc1 experts.activation experts.fc2 combine unpermute";
  CHECK(layer(graph, 0) == attention + "fc1 activation fc2 mlp.residual");
  CHECK(layer(graph, 1) == attention + routed + " mlp.residual");
  CHECK(read_by(graph, K::permute) == "mlp.norm router");
  CHECK(read_by(graph, K::expert_activation) == "experts.fc1 dispatch");  // the weights come along
  CHECK(read_by(graph, K::mlp_residual) == "unpermute attention.residual");
  auto count = parameters(graph, 1);
  CHECK(count[K::router] == 48 * 8);
  CHECK(count[K::expert_fc1] == 8 * 48 * 2 * 32);
  CHECK(count[K::expert_fc2] == 8 * 32 * 48);
  CHECK(active_parameters(m) == parameter_count(m) - 6 * 3 * 48 * 32);  // without the six that are not chosen
  m.experts.bias = m.experts.selection_bias = true, m.experts.shared = 1, m.experts.shared_hidden = 40;
  m.experts.shared_gate = true;
  graph = model_graph(m, kFlash);
  CHECK(layer(graph, 1) ==
        attention + "shared.fc1 shared.activation shared.fc2 shared.gate " + routed + " experts.sum mlp.residual");
  CHECK(read_by(graph, K::expert_sum) == "unpermute shared.gate");
  count = parameters(graph, 1);
  CHECK(count[K::router] == 49 * 8 + 8);
  CHECK(count[K::expert_fc1] == 8 * 49 * 2 * 32);
  CHECK(count[K::expert_fc2] == 8 * 33 * 48);
  CHECK(count[K::shared_fc1] == 48 * 2 * 40);
  CHECK(count[K::shared_fc2] == 40 * 48);
  CHECK(count[K::shared_gate] == 48);
}

TEST_CASE("modules that predict further: the tables of the model, and a join of two norms") {
  ModelSpec m = small();
  m.prediction_layers = 2;
  for (const bool tied : {false, true}) {
    m.tied_embeddings = tied;
    const ModelGraph graph = model_graph(m, kFlash);
    for (const std::int64_t module : {3, 4}) {
      CHECK(layer(graph, module) ==
            "embedding embedding.norm embedding.norm prediction.join norm qkv attention projection attention.residual "
            "mlp.norm fc1 activation fc2 mlp.residual final_norm head cross_entropy");
      auto count = parameters(graph, module);
      CHECK(count[K::embedding] == 0);
      CHECK(count[K::head] == 0);
      CHECK(count[K::prediction_join] == 2 * 48 * 48);
      CHECK(count[K::embedding_norm] == 2 * 48);
    }
    CHECK(read_by(graph, K::head) == (tied ? "final_norm embedding" : "final_norm head"));
    CHECK(read_by(graph, K::prediction_join) == "embedding.norm embedding.norm");
    const std::int64_t layer_of = 48 + 48 * 96 + 48 * 48 + 48 + 2 * 48 * 96;
    CHECK(prediction_parameters(m) == 2 * (2 * 48 * 48 + 2 * 48 + layer_of + 48));
    CHECK(parameter_count(m) == (tied ? 1 : 2) * 100 * 48 + 2 * layer_of + 48);
  }
}

TEST_CASE("stages can be run where none feeds itself by way of another") {
  ModelSpec m = small();
  m.tied_embeddings = true;
  const ModelGraph graph = model_graph(m, kFlash);
  std::vector<std::int32_t> stage(graph.operators.size(), 0);
  CHECK(acyclic(graph, stage));
  for (std::size_t i = 0; i < stage.size(); ++i) stage[i] = static_cast<std::int32_t>(i * 4 / stage.size());
  CHECK(acyclic(graph, stage));  // in a row; the shared matrix of the head goes back to the first and orders nothing
  for (std::size_t i = 0; i < stage.size(); ++i) stage[i] = 3 - stage[i];
  CHECK(acyclic(graph, stage));  // numbers of stages mean nothing
  for (std::size_t i = 0; i < stage.size(); ++i) stage[i] = i < stage.size() / 2 ? 0 : i + 1 == stage.size() ? 0 : 1;
  CHECK_FALSE(acyclic(graph, stage));  // from the first by the second back to it
}

}  // namespace orrery::model::graph_shapes_test
