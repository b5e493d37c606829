// Sizes of the attention of one rank, for all its heads.
#pragma once
#include "splitter.hpp"

namespace orrery::layout {

struct AttentionShape {
  std::int64_t batch, queries, keys, head_dim;  // batch: sequences · heads of this rank
};
// Of heads whose queries (or results) are `columns` wide on this rank.
inline AttentionShape attention_shape(const Splitter& s, std::int64_t columns) {
  return {s.rank.micro_batch * (columns / s.node().head_dim), s.rank.sequence, s.keys(), s.node().head_dim};
}

}  // namespace orrery::layout
