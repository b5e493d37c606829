// Pairs, matrices and FLOPs of what is no plain GPT, by hand.
#include "orrery/model/flops.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

namespace orrery::model::flops_test {

namespace {

// Hidden 48, 4 heads of 12, 2 key/value heads, MLP 96, vocabulary 100; no experts.
ModelSpec small() {
  ModelSpec m;
  m.layers = 3, m.hidden = 48, m.heads = 4, m.kv_heads = 2, m.ffn_hidden = 96, m.vocab = 100;
  m.position = Position::rotary;
  return m;
}

// With 8 experts of 32, of which a token goes to 2, and one shared of 40; the first layer is dense.
ModelSpec sparse() {
  ModelSpec m = small();
  m.experts = {.count = 8, .top_k = 2, .hidden = 32, .shared = 1, .shared_hidden = 40, .first_dense = 1};
  m.activation = Activation::swiglu;
  return m;
}

}  // namespace

TEST_CASE("pairs of a query and a key: those within the window on both sides, or within the chunk") {
  ModelSpec windows = small(), chunks = small();
  chunks.attention_chunks = true;
  for (std::int64_t s = 1; s <= 12; ++s)
    for (std::int64_t w = 0; w <= 14; ++w) {
      std::int64_t near = 0, together = 0;
      for (std::int64_t i = 0; i < s; ++i)
        for (std::int64_t j = 0; j < s; ++j) {
          near += w == 0 || std::abs(i - j) < w ? 1 : 0;
          together += w == 0 || i / w == j / w ? 1 : 0;
        }
      CAPTURE(s);
      CAPTURE(w);
      CHECK(attention_pairs(windows, w, s) == near);
      CHECK(attention_pairs(chunks, w, s) == together);
    }
}

TEST_CASE("matrices of attention: grouped keys and values, and latents") {
  ModelSpec m = small();
  CHECK(attention_matrices(m) == 48 * (48 + 24 + 24) + 48 * 48);
  m.head_dim = 20;  // queries of 80 features, keys of 40
  CHECK(attention_matrices(m) == 48 * (80 + 40 + 40) + 80 * 48);
  // A latent of 24 with one rotated key of 4; of each head 12 + 4 features of a key, 10 of a value.
  m.latent_attention = {.query_rank = 0, .key_value_rank = 24, .nope_dim = 12, .rope_dim = 4, .value_dim = 10};
  const std::int64_t behind = 48 * (24 + 4) + 24 * 4 * (12 + 10) + 4 * 10 * 48;
  CHECK(attention_matrices(m) == 48 * 64 + behind);
  m.latent_attention.query_rank = 30;
  CHECK(attention_matrices(m) == 30 * (48 + 64) + behind);
}

TEST_CASE("matrices of an MLP: two, three where it is gated, and of experts those a token meets") {
  ModelSpec m = small();
  for (const Activation two : {Activation::gelu, Activation::relu, Activation::squared_relu}) {
    m.activation = two;
    CHECK(mlp_matrices(m, 0) == 2 * 48 * 96);
  }
  for (const Activation three : {Activation::swiglu, Activation::geglu}) {
    m.activation = three;
    CHECK(mlp_matrices(m, 0) == 3 * 48 * 96);
  }
  CHECK(mlp_matrices(sparse(), 0) == 3 * 48 * 96);
  CHECK(mlp_matrices(sparse(), 1) == 3 * 48 * (2 * 32 + 40) + 48 * 8);  // and the router
}

TEST_CASE("which layers have experts, and which see all positions") {
  Experts e{.count = 8};
  const auto layers = [&] {
    std::string text;
    for (std::int64_t i = 0; i < 8; ++i) text += e.in_layer(i) ? 'e' : '-';
    return text;
  };
  CHECK(layers() == "eeeeeeee");
  e.first_dense = 3;
  CHECK(layers() == "---eeeee");
  e.every = 2;
  CHECK(layers() == "---e-e-e");
  e.first_dense = 0, e.every = 3;
  CHECK(layers() == "--e--e--");
  e.count = 0;
  CHECK(layers() == "--------");
  ModelSpec m = small();
  m.attention_window = 5;
  CHECK(m.window_of(2) == 5);
  m.global_every = 3;
  CHECK(m.window_of(1) == 5);
  CHECK(m.window_of(2) == 0);
  CHECK(m.window_of(3) == 5);
}

TEST_CASE("widths of heads: given, or an equal share; of a latent the key's and the value's") {
  ModelSpec m = small();
  CHECK(m.dim_per_head() == 12);
  CHECK(m.value_dim() == 12);
  CHECK(m.kv_features() == 24);
  m.head_dim = 20;
  CHECK(m.query_features() == 80);
  CHECK(m.context_features() == 80);
  m.latent_attention = {.query_rank = 0, .key_value_rank = 24, .nope_dim = 12, .rope_dim = 4, .value_dim = 10};
  CHECK(m.dim_per_head() == 16);
  CHECK(m.value_dim() == 10);
  CHECK(m.query_features() == 64);
  CHECK(m.context_features() == 40);
}

TEST_CASE("FLOPs of a step: six a matrix and token, attention by its pairs, the head once") {
  // A sequence of 10: 7 in the layers with a window of 4 is 100 - 6 · 7 = 58 pairs, all 100 in the third layer.
  ModelSpec m = sparse();
  m.attention_window = 4, m.global_every = 3;
  const std::int64_t attention_weights = 48 * 96 + 48 * 48, dense = 3 * 48 * 96, moe = 3 * 48 * (2 * 32 + 40) + 48 * 8;
  const std::int64_t linear = 2 * 10 * (3 * attention_weights + dense + 2 * moe), head = 2 * 10 * 48 * 100;
  const std::int64_t attention = 2 * (58 + 58 + 100) * (48 + 48);
  CHECK((model_flops(m, 10, 7) == 7 * 3 * (linear + attention + head)));
  CHECK((full_recompute_flops(m, 10, 7) == 7 * (4 * (linear + attention) + 3 * head)));
  CHECK((selective_recompute_flops(m, 10, 7) == 7 * (3 * (linear + head) + 4 * attention)));
  CHECK((korthikanti_selective_flops(m, 10, 7) == 7 * (3 * (linear + head) + 6 * attention)));
  CHECK((causal_saving(m, 10, 7) == 7 * 3 * attention / 2));
}

TEST_CASE("FLOPs of modules that predict further: a join, a layer like the last and the head, each") {
  ModelSpec m = sparse();
  const WideFlops before = model_flops(m, 10, 1);
  m.prediction_layers = 2;
  const std::int64_t layer = 2 * 10 * (48 * 96 + 48 * 48 + 3 * 48 * (2 * 32 + 40) + 48 * 8) + 2 * 100 * 96;
  const std::int64_t join = 2 * 10 * 2 * 48 * 48, head = 2 * 10 * 48 * 100;
  CHECK((model_flops(m, 10, 1) - before == 3 * 2 * (layer + join + head)));
}

TEST_CASE("FLOPs of relative positions: their projection, and the queries times them") {
  ModelSpec m = small();
  const WideFlops before = model_flops(m, 10, 1);
  m.position = Position::relative;
  CHECK((model_flops(m, 10, 1) - before == 3 * 3 * (2 * 10 * 48 * 48 + 2 * 100 * 48)));
}

TEST_CASE("FLOPs beyond 64 bits are counted") {
  ModelSpec m = small();
  m.layers = 1, m.hidden = 1 << 14, m.heads = 1 << 7, m.kv_heads = 1 << 7, m.ffn_hidden = 1 << 16, m.vocab = 1 << 10;
  // 6 · (12 · 2^28 + 2^24) a token and 12 · 2^14 a pair; 2^14 tokens in a sequence, 2^20 sequences.
  const WideFlops tokens = WideFlops{1} << 34, sequences = WideFlops{1} << 20;
  CHECK((model_flops(m, 1 << 14, 1 << 20) == 6 * tokens * (12 * (WideFlops{1} << 28) + (1 << 24)) +
                                                 12 * (WideFlops{1} << 14) * (WideFlops{1} << 28) * sequences));
}

}  // namespace orrery::model::flops_test
