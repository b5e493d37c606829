#include "orrery/layout/alike_stages.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "orrery/core/units.hpp"
#include "rank_ops.hpp"

namespace orrery::layout {
namespace {

// All that the passes of a stage depend on, in words; operators and tensors are numbered within the stage.
class Signatures {
 public:
  Signatures(const model::ModelGraph& graph, std::span<const std::int32_t> stage_of, int stages, std::int64_t period)
      : graph_(graph),
        stage_of_(stage_of),
        period_(period),
        words_(at(stages)),
        operators_(at(stages), 0),
        first_layer_(at(stages), -1),
        number_(graph.tensors.size(), -1) {
    for (std::size_t i = 0; i < graph.operators.size(); ++i) add(i);
    for (const model::Edge& e : graph.edges)  // what others read, in the order in which they do
      if (const std::int32_t stage = stage_of[at(e.from)]; stage != stage_of[at(e.to)]) {
        std::int64_t& number = number_[at(e.tensor)];
        if (number >= 0) words_[at(stage)].push_back(number);
        number = -1;
      }
  }
  std::vector<std::vector<std::int64_t>> give() { return std::move(words_); }

 private:
  void add(std::size_t index) {
    const model::Operator& op = graph_.operators[index];
    const std::int32_t stage = stage_of_[index];
    std::vector<std::int64_t>& words = words_[at(stage)];
    const std::int64_t layer = layer_of(op, stage, words);
    words.insert(words.end(), {static_cast<std::int64_t>(op.kind), layer, op.rows, op.vectors, op.matrices, op.own,
                               op.head_dim, op.value_dim, op.window, op.tensors, op.reads, op.causal ? 1 : 0,
                               static_cast<std::int64_t>(op.tokens), static_cast<std::int64_t>(op.keys)});
    for (std::int32_t e = op.first_edge; e < op.first_edge + op.reads; ++e) {
      const model::Edge& edge = graph_.edges[at(e)];
      const bool inside = stage_of_[at(edge.from)] == stage;
      // What comes from elsewhere is numbered where it is first read; several operators may read it.
      const std::int64_t tensor = inside ? number_[at(edge.tensor)] : outside(edge.tensor, stage);
      words.insert(words.end(), {edge.slot, inside ? 1 : 0, tensor});
      describe(edge.tensor, words);
    }
    for (std::int32_t t = op.first_tensor; t < op.first_tensor + op.tensors; ++t) {
      number_[at(t)] = operators_[at(stage)]++;
      describe(t, words);
    }
  }

  void describe(std::int32_t tensor, std::vector<std::int64_t>& words) const {
    const model::Tensor& t = graph_.tensors[at(tensor)];
    words.insert(words.end(), {t.features, static_cast<std::int64_t>(t.spread), static_cast<std::int64_t>(t.tokens)});
  }

  std::int64_t outside(std::int32_t tensor, std::int32_t stage) {
    return outside_.try_emplace({stage, tensor}, static_cast<std::int64_t>(operators_[at(stage)]++)).first->second;
  }

  // Counted from the first of the stage, which says where in the period it stands; what is no layer is below zero.
  std::int64_t layer_of(const model::Operator& op, std::int32_t stage, std::vector<std::int64_t>& words) {
    if (op.layer < 0 || op.layer >= graph_.spec.layers) return op.layer < 0 ? -1 : -2;
    std::int64_t& first = first_layer_[at(stage)];
    if (first < 0) {
      first = op.layer;
      words.push_back(first % period_);
    }
    return op.layer - first;
  }

  const model::ModelGraph& graph_;
  std::span<const std::int32_t> stage_of_;
  std::int64_t period_;
  std::vector<std::vector<std::int64_t>> words_;                           // [stage]
  std::vector<std::int64_t> operators_;                                    // [stage] tensors numbered so far
  std::vector<std::int64_t> first_layer_;                                  // [stage] -1 = none yet
  std::vector<std::int64_t> number_;                                       // [tensor] within the stage that makes it
  std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> outside_;  // (stage, tensor) its number there
};

}  // namespace

// As recompute.cpp chooses layers.
std::int64_t recompute_period(const PassOptions& options) {
  if (!options.routing.alike()) return std::int64_t{1} << 40;  // each layer has loads of its own
  if (options.recompute == Recompute::full) return std::max<std::int64_t>(options.recompute_every, 1);
  if (options.recompute == Recompute::alternate_layers) return std::max<std::int64_t>(options.recompute_every, 2);
  return 1;
}

std::vector<std::vector<std::int64_t>> stage_signatures(const model::ModelGraph& graph,
                                                        std::span<const std::int32_t> stage_of, int stages,
                                                        std::int64_t period) {
  return Signatures(graph, stage_of, stages, period).give();
}

std::vector<std::int32_t> first_alike(const std::vector<std::vector<std::int64_t>>& signatures) {
  std::map<std::vector<std::int64_t>, std::int32_t> first;
  std::vector<std::int32_t> alike;
  for (const auto& words : signatures)
    alike.push_back(first.try_emplace(words, static_cast<std::int32_t>(alike.size())).first->second);
  return alike;
}

std::vector<std::int32_t> alike_stages(const model::ModelGraph& graph, std::span<const std::int32_t> stage_of,
                                       int stages, const PassOptions& options) {
  return first_alike(stage_signatures(graph, stage_of, stages, recompute_period(options)));
}

}  // namespace orrery::layout
