// Exact parameter counts against published ones.
#include <doctest/doctest.h>

#include "orrery/model/flops.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::model::parameters_test {

namespace {

ModelSpec gpt(std::int64_t layers, std::int64_t hidden, std::int64_t heads, std::int64_t vocab,
              std::int64_t positions) {
  ModelSpec m;
  m.layers = layers, m.hidden = hidden, m.heads = m.kv_heads = heads, m.ffn_hidden = 4 * hidden, m.vocab = vocab;
  m.max_positions = positions;
  return m;
}

ModelSpec llama(std::int64_t layers, std::int64_t hidden, std::int64_t heads, std::int64_t kv, std::int64_t ffn,
                std::int64_t vocab) {
  ModelSpec m;
  m.layers = layers, m.hidden = hidden, m.heads = heads, m.kv_heads = kv, m.ffn_hidden = ffn, m.vocab = vocab;
  m.norm = Norm::rms_norm, m.activation = Activation::swiglu, m.position = Position::rotary;
  m.bias = m.tied_embeddings = m.dropout = false;
  return m;
}

}  // namespace

TEST_CASE("parameter counts of the Llama family are those of the released weights") {
  CHECK(parameter_count(llama(32, 4096, 32, 32, 11008, 32000)) == 6'738'415'616);       // Llama-2 7B
  CHECK(parameter_count(llama(40, 5120, 40, 40, 13824, 32000)) == 13'015'864'320);      // Llama-2 13B
  CHECK(parameter_count(llama(80, 8192, 64, 8, 28672, 32000)) == 68'976'648'192);       // Llama-2 70B
  CHECK(parameter_count(llama(32, 4096, 32, 8, 14336, 128256)) == 8'030'261'248);       // Llama-3.1 8B
  CHECK(parameter_count(llama(80, 8192, 64, 8, 28672, 128256)) == 70'553'706'496);      // Llama-3.1 70B
  CHECK(parameter_count(llama(126, 16384, 128, 8, 53248, 128256)) == 405'853'388'800);  // Llama-3.1 405B
}

TEST_CASE("parameter counts of GPT style models") {
  CHECK(parameter_count(gpt(12, 768, 12, 50257, 1024)) == 124'439'808);     // GPT-2
  CHECK(parameter_count(gpt(48, 1600, 25, 50257, 1024)) == 1'557'611'200);  // GPT-2 XL
  // l(12h² + 13h) + (V + s)h + 2h for GPT-3 175B with the vocabulary of GPT-2.
  const std::int64_t h = 12288, l = 96;
  CHECK(parameter_count(gpt(l, h, 96, 50257, 2048)) == l * (12 * h * h + 13 * h) + (50257 + 2048) * h + 2 * h);
  ModelSpec bloom = gpt(70, 14336, 112, 250880, 2048);
  bloom.position = Position::alibi, bloom.embedding_norm = true;
  CHECK(parameter_count(bloom) == 176'247'271'424);
}

TEST_CASE("model and hardware FLOPs equal the published formulas exactly") {
  // Denominators cleared. Korthikanti et al. eq. 7: 72 B l s h² (1 + s/(6h) + V/(12hl)) = 72 B l s h² + 12 B l s² h + 6
  // B s h V.
  struct Size {
    int l, h, a, v;
  };
  for (const auto& [l, h, a, v] : {Size{96, 12288, 96, 51200}, Size{105, 20480, 128, 51200}, Size{3, 64, 4, 128}}) {
    const ModelSpec m = gpt(l, h, a, v, 2048);
    const WideFlops L = l, H = h, V = v, S = 2048, B = 24;
    CHECK((model_flops(m, 2048, 24) == 72 * B * L * S * H * H + 12 * B * L * S * S * H + 6 * B * S * H * V));
    // SC'21 eq. 3: 96 B s l h² (1 + s/(6h) + V/(16lh)).
    CHECK((full_recompute_flops(m, 2048, 24) == 96 * B * S * L * H * H + 16 * B * S * S * L * H + 6 * B * S * H * V));
    // Korthikanti et al. eq. 8: s/(3h) in place of s/(6h).
    CHECK((korthikanti_selective_flops(m, 2048, 24) ==
           72 * B * L * S * H * H + 24 * B * L * S * S * H + 6 * B * S * H * V));
    // Really run: QKᵀ and AV once more, 4 B l s² h.
    CHECK((selective_recompute_flops(m, 2048, 24) - model_flops(m, 2048, 24) == 4 * B * L * S * S * H));
  }
}

}  // namespace orrery::model::parameters_test
