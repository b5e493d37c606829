#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

// Input 1 is the table of the embedding where the two are tied.
void split_head(Splitter& s) {
  Linear out = linear_of(s, s.features(0), s.out_columns(0));
  out.type = s.options.activation;  // fp8 covers the layers, not the head
  out.own_gradient = !s.shares_matrix_in_stage();
  RankOp op = column_linear(s, {out});
  s.results_are(0, {op.weight_reads_gradient_of.front()});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
