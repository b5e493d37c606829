#include "orrery/layout/stage_graph.hpp"

#include <algorithm>
#include <map>
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

StageGraph stage_graph(const model::OperatorGraph& graph, std::span<const std::int32_t> stage, int stages,
                       std::int64_t bytes_per_feature) {
  std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> features;  // of (operator that makes it, stage)
  for (const model::OperatorEdge& cut : model::cut_edges(graph, stage)) {
    std::int64_t& most = features[{cut.from, stage[static_cast<std::size_t>(cut.to)]}];
    most = std::max(most, cut.features);
  }
  std::vector<StageEdge> edges;
  for (const auto& [tensor, count] : features) {
    const auto maker = static_cast<std::size_t>(tensor.first);
    edges.push_back({stage[maker],
                     tensor.second,
                     {checked_mul(count, bytes_per_feature)},
                     model::name_of(graph.operators[maker].kind)});
  }
  return StageGraph(stages, std::move(edges));
}

StageGraph stage_graph(const model::ModelSpec& spec, const Layout& layout, const std::vector<StageSpan>& spans,
                       const PassOptions& options) {
  const model::OperatorGraph graph = model::operator_graph(spec, {.sequence_length = options.sequence_length,
                                                                  .micro_batch = options.micro_batch,
                                                                  .flash = options.attention == AttentionKind::flash});
  std::vector<std::int32_t> of_layer, holders;
  std::int32_t embedding = 0, head = 0;
  for (std::size_t s = 0; s < spans.size(); ++s) {
    of_layer.resize(static_cast<std::size_t>(spans[s].first_layer + spans[s].layers), static_cast<std::int32_t>(s));
    if (spans[s].embedding) embedding = static_cast<std::int32_t>(s);
    if (spans[s].head) head = static_cast<std::int32_t>(s);
  }
  std::vector<std::int32_t> stage;
  for (const model::Operator& op : graph.operators)
    stage.push_back(op.layer < 0              ? embedding
                    : op.layer >= spec.layers ? head
                                              : of_layer[static_cast<std::size_t>(op.layer)]);
  const std::int64_t width = rank_shape(spec, layout, options).shard_tokens * size_of(options.activation);
  const StageGraph cut = stage_graph(graph, stage, static_cast<int>(spans.size()), width);
  std::vector<SharedParameters> shared;
  if (spec.tied_embeddings && embedding != head)
    shared.push_back({{embedding, head}, ceil_div(spec.vocab, layout.tensor) * spec.hidden});
  return StageGraph(cut.stages(), cut.edges(), std::move(shared));
}

}  // namespace orrery::layout
