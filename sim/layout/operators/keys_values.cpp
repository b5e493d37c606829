#include "operators.hpp"

namespace orrery::layout {

// Unfused attention over context ranks gathers keys and values; grouped keys and values are repeated for each head.
void split_keys_values(Splitter& s) {
  const std::int64_t width = s.width(), context = s.rank.context;
  const std::int64_t whole = s.values(0) * context, repeated = s.out_values(0) * context;
  if (context == 1 && whole == repeated) {
    s.passes_through(0, 0), s.passes_through(1, 1);
    return;
  }
  RankOp op = s.start();
  op.attention_core = true;
  op.out = {s.result(0, repeated), s.result(1, s.out_values(1) * context)};
  const std::int64_t both = (s.values(0) + s.values(1)) * context;
  if (context > 1)
    op.forward.push_back({s.communicate(op.name, Collective::all_gather, width * both, Dimension::context)});
  if (repeated > whole) {
    const PassStep repeat = s.memory("attention.repeat_heads", width * (both + 2 * repeated), 2);
    op.forward.push_back({repeat});
    op.backward.push_back({repeat});
  }
  if (context > 1)
    op.backward.push_back({s.communicate(op.name, Collective::reduce_scatter, width * both, Dimension::context)});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
