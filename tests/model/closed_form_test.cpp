// Parameters in closed form against the operators of the model graph: of every preset, and of models with options drawn
// at random.
#include <doctest/doctest.h>

#include "orrery/core/random.hpp"
#include "orrery/model/graph.hpp"
#include "orrery/model/presets.hpp"

namespace orrery::model::closed_form_test {

namespace {

struct Counts {
  std::int64_t parameters = 0, active = 0, heads = 0, prediction = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
};

Counts of_graph(const ModelSpec& m) {
  const ModelGraph graph = model_graph(m, {});
  Counts c;
  for (const Operator& op : graph.operators) {
    const std::int64_t n = parameters_of(graph, op);
    const bool head = op.kind >= OperatorKind::next_sentence && op.kind <= OperatorKind::head;
    if (op.layer > m.layers) {
      c.prediction += n;
    } else if (m.kind == ModelKind::encoder && head) {
      c.heads += n;
    } else {
      c.parameters += n;
      c.active += op.matrices == 1 ? n : n / op.matrices * m.experts.top_k;
    }
  }
  return c;
}

Counts closed(const ModelSpec& m) {
  return {parameter_count(m), active_parameters(m), head_parameters(m), prediction_parameters(m)};
}

// Widths are unlike primes where they may be, so that none stands for another.
ModelSpec drawn(Random& random) {
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  ModelSpec m;
  m.kind = static_cast<ModelKind>(random.below(3));
  m.layers = 2 + static_cast<std::int64_t>(random.below(4)), m.encoder_layers = 1, m.hidden = 44, m.heads = 4;
  m.kv_heads = 2, m.ffn_hidden = 97, m.vocab = 101, m.max_positions = 53, m.token_types = 3, m.position_buckets = 7;
  m.norm = static_cast<Norm>(random.below(2)), m.norm_place = static_cast<NormPlace>(random.below(4));
  m.activation = static_cast<Activation>(random.below(5)), m.position = static_cast<Position>(random.below(6));
  m.qk_norm = static_cast<QkNorm>(random.below(4)), m.parallel = static_cast<Parallel>(random.below(3));
  for (bool ModelSpec::*option :
       {&ModelSpec::bias, &ModelSpec::qkv_bias, &ModelSpec::projection_bias, &ModelSpec::mlp_bias,
        &ModelSpec::head_bias, &ModelSpec::norm_bias, &ModelSpec::embedding_norm, &ModelSpec::tied_embeddings})
    m.*option = one_in(2);
  m.head_transform = one_in(2), m.pooler = one_in(2), m.attention_sinks = one_in(2);
  if (one_in(2)) {
    m.experts = {.count = 6, .top_k = 2, .hidden = 31, .shared_hidden = one_in(2) ? 19 : 0, .first_dense = 1};
    m.experts.every = 1 + static_cast<std::int64_t>(random.below(2));
    m.experts.bias = one_in(2), m.experts.selection_bias = one_in(2), m.experts.shared_gate = one_in(2);
  }
  if (m.kind != ModelKind::decoder) return m;
  m.prediction_layers = static_cast<std::int64_t>(random.below(3));
  if (one_in(3)) {
    m.latent_attention = {.query_rank = one_in(2) ? 23 : 0, .key_value_rank = 13, .nope_dim = 8, .rope_dim = 5};
    m.latent_attention.value_dim = 6;
    m.kv_heads = m.heads, m.position = Position::rotary;
  }
  return m;
}

}  // namespace

TEST_CASE("parameters in closed form are those of the operators, for every preset") {
  for (const std::string& name : list_models()) {
    CAPTURE(name);
    const auto m = load_model(name);
    REQUIRE(m.ok());
    CHECK((closed(*m) == of_graph(*m)));
  }
}

TEST_CASE("parameters in closed form are those of the operators, whatever is chosen") {
  Random random(11);
  for (int i = 0; i < 2000; ++i) {
    CAPTURE(i);
    const ModelSpec m = drawn(random);
    REQUIRE((closed(m) == of_graph(m)));
  }
}

}  // namespace orrery::model::closed_form_test
