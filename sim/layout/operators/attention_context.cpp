#include "attention_shape.hpp"
#include "operators.hpp"

namespace orrery::layout {

using model::GemmLayout;

// O = P·V. Probabilities, values: inputs 0 and 1.
void split_attention_context(Splitter& s) {
  RankOp op = s.start();
  op.attention_core = true;
  const bool whole = s.values(0) > 0;
  const AttentionShape a = attention_shape(s, whole ? s.columns(1) : 0);
  const auto product = [&](std::int64_t m, std::int64_t n, std::int64_t k, GemmLayout how) {
    return OpStep{s.compute(op.name, s.gemm(m, n, k, how, s.options.activation, a.batch))};
  };
  op.keep_for_input = op.in;
  op.out = {s.result(0)};
  op.forward.push_back(product(a.queries, a.head_dim, a.keys, GemmLayout::nn));
  op.backward.push_back(product(a.queries, a.keys, a.head_dim, GemmLayout::tn));  // dP = dO·Vᵀ
  op.backward.push_back(product(a.keys, a.head_dim, a.queries, GemmLayout::nt));  // dV = Pᵀ·dO
  s.finish(std::move(op));
}

}  // namespace orrery::layout
