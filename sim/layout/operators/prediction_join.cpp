#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

// Stream and embedding side by side (inputs 0 and 1) times one matrix, whole on every tensor rank.
void split_prediction_join(Splitter& s) {
  Linear join = linear_of(s, s.node().rows, s.out_features(0));
  join.rows = s.node().rows, join.tokens = s.rank.shard_tokens;
  plain_linear(s, join);
}

}  // namespace orrery::layout
