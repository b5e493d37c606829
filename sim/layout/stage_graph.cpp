#include "orrery/layout/stage_graph.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "orrery/core/error.hpp"
#include "rank_ops.hpp"

namespace orrery::layout {

StageGraph::StageGraph(int stages, std::vector<StageEdge> edges, std::vector<SharedParameters> shared)
    : edges_(std::move(edges)), shared_(std::move(shared)) {
  for (const StageEdge& e : edges_)
    check(e.from >= 0 && e.from < stages && e.to >= 0 && e.to < stages && e.from != e.to,
          "StageGraph: an edge joins two different stages");
  const auto row = [](const StageEdge& e, bool to) {
    return static_cast<std::size_t>(2 * e.target(to) + (to ? 0 : 1));
  };
  first_.assign(static_cast<std::size_t>(2 * stages) + 1, 0);
  for (const StageEdge& e : edges_) ++first_[row(e, true) + 1], ++first_[row(e, false) + 1];
  for (std::size_t r = 1; r < first_.size(); ++r) first_[r] += first_[r - 1];
  by_stage_.resize(first_.back());
  std::vector<std::size_t> next = first_;
  for (std::size_t e = 0; e < edges_.size(); ++e)
    for (const bool to : {true, false}) by_stage_[next[row(edges_[e], to)]++] = static_cast<std::int32_t>(e);
}

StageGraph stage_chain(int stages) {
  std::vector<StageEdge> edges;
  for (int stage = 1; stage < stages; ++stage) edges.push_back({stage - 1, stage, {}, "output"});
  return StageGraph(stages, std::move(edges));
}

StageGraph stages_of(const model::ModelSpec& spec, std::span<const StageSpan> spans) {
  const auto stages = static_cast<int>(spans.size());
  const auto end = [&](int s) {
    return spans[static_cast<std::size_t>(s)].first_layer + spans[static_cast<std::size_t>(s)].layers;
  };
  int last = 0;  // of the encoder
  while (spec.has_two_stacks() && last + 1 < stages && end(last) < spec.encoder_layers) ++last;
  std::vector<StageEdge> edges;
  for (int s = 1; s < stages; ++s) {
    edges.push_back({s - 1, s, {}, "output"});
    const bool reads = spec.has_two_stacks() && s > last + 1 && spans[static_cast<std::size_t>(s)].layers > 0;
    if (reads) edges.push_back({last, s, {}, "encoder"});
  }
  return StageGraph(stages, std::move(edges));
}

StageGraph stage_graph(const model::ModelGraph& graph, std::span<const std::int32_t> stage, int stages,
                       const Layout& layout, const PassOptions& options) {
  const auto stage_of = [&](std::int32_t op) { return stage[static_cast<std::size_t>(op)]; };
  std::set<std::pair<std::int32_t, std::int32_t>> cut;  // (tensor, stage that reads it)
  for (const model::Edge& e : graph.edges)
    if (stage_of(e.from) != stage_of(e.to)) cut.insert({e.tensor, stage_of(e.to)});
  std::vector<StageEdge> edges;
  std::vector<SharedParameters> shared;
  std::int32_t last = -1;  // tensor of the last of `shared`: all its readers come one after the other
  for (const auto& [index, reader] : cut) {
    const model::Tensor& tensor = graph.tensors[static_cast<std::size_t>(index)];
    const model::Operator& maker = graph.operators[static_cast<std::size_t>(tensor.producer)];
    if (tensor.spread == model::Spread::weight) {
      if (index != last) shared.push_back({{stage_of(tensor.producer)}, ceil_div(tensor.features, layout.tensor)});
      shared.back().stages.push_back(reader), last = index;
      continue;
    }
    RankShape rank = rank_shape(graph.spec, layout, options, tensor.tokens);
    set_rows(rank, graph.spec, layout, options.routing, maker.layer, 0);  // of a cut between experts: the first rank's
    edges.push_back({stage_of(tensor.producer),
                     reader,
                     {checked_mul(values_on_rank(tensor, rank), size_of(options.activation))},
                     model::name_of(maker.kind)});
  }
  return StageGraph(stages, std::move(edges), std::move(shared));
}

}  // namespace orrery::layout
