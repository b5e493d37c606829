// Schedules drawn at random: stages on any ranks, operations in any order that can run.
#pragma once
#include <algorithm>

#include "orrery/core/random.hpp"
#include "orrery/layout/stage_graph.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule::testing {

struct Drawn {
  Schedule schedule;
  layout::StageGraph stages;
};

// A chain or (`any_graph`) a graph in which each stage is fed by one before it at least.
inline layout::StageGraph draw_stages(Random& random, int stages, bool any_graph) {
  if (!any_graph) return layout::stage_chain(stages);
  std::vector<layout::StageEdge> edges;
  for (int to = 1; to < stages; ++to) {
    const auto surely = static_cast<int>(random.below(static_cast<std::uint64_t>(to)));
    for (int from = 0; from < to; ++from)
      if (from == surely || random.below(4) == 0) edges.push_back({from, to, {}, ""});
  }
  return layout::StageGraph(stages, std::move(edges));
}

// Some ranks hold many stages and some none; each operation is one of those that can run after the ones before.
inline Drawn draw(Random& random, int ranks, int stages, int micro_batches, bool any_graph) {
  const auto below = [&](int n) { return static_cast<int>(random.below(static_cast<std::uint64_t>(n))); };
  Drawn drawn{{}, draw_stages(random, stages, any_graph)};
  Schedule& s = drawn.schedule;
  s.name = "drawn", s.micro_batches = micro_batches;
  s.placement = {ranks, stages, 1, {}};
  for (int stage = 0; stage < stages; ++stage) s.placement.rank.push_back(below(ranks));
  s.order.resize(static_cast<std::size_t>(ranks));
  std::vector<int> done(static_cast<std::size_t>(stages * micro_batches), 0);  // 1 after F, 2 after B
  const auto at = [&](int stage, int k) -> int& { return done[static_cast<std::size_t>(stage * micro_batches + k)]; };
  for (int left = 2 * stages * micro_batches; left > 0;) {
    const int stage = below(stages), k = below(micro_batches);
    if (at(stage, k) == 2) continue;
    const bool forward = at(stage, k) == 0;
    const auto needs = drawn.stages.arriving(stage, forward);
    if (std::any_of(needs.begin(), needs.end(),
                    [&](std::int32_t e) { return at(drawn.stages.edge(e).source(forward), k) < (forward ? 1 : 2); }))
      continue;
    ++at(stage, k), --left;
    Operation o;
    o.kind = forward ? OpKind::forward : OpKind::backward, o.stage = stage, o.micro_batch = k;
    s.order[static_cast<std::size_t>(s.placement.rank_of(stage))].push_back(o);
  }
  return drawn;
}

}  // namespace orrery::schedule::testing
