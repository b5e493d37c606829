#include "alike_layers.hpp"

#include <algorithm>
#include <map>

#include "orrery/layout/alike_stages.hpp"
#include "recompute.hpp"

namespace orrery::layout {
namespace {

using model::Edge;
using model::Operator;
using model::Tensor;

constexpr std::int64_t kLongestPattern = 8;  // of layers: models repeat two to six

bool same_work(const Operator& a, const Operator& b) {
  return a.kind == b.kind && a.rows == b.rows && a.vectors == b.vectors && a.matrices == b.matrices && a.own == b.own &&
         a.head_dim == b.head_dim && a.value_dim == b.value_dim && a.window == b.window && a.causal == b.causal &&
         a.tokens == b.tokens && a.keys == b.keys && a.tensors == b.tensors && a.reads == b.reads;
}
bool same_shape(const Tensor& a, const Tensor& b) {
  return a.features == b.features && a.spread == b.spread && a.tokens == b.tokens;
}

// Operators of the stage that stand one after the other and work on one layer.
struct Block {
  std::int64_t layer;
  std::int32_t first, count;   // operators of the graph
  std::int64_t together = -1;  // its place among the layers that are run again with it; −1 = it is not run again so
};

class Finder {
 public:
  Finder(const model::ModelGraph& graph, std::span<const std::int32_t> nodes, const PassOptions& options)
      : graph_(graph), period_(recompute_period(options)) {
    for (const std::int32_t n : nodes) {
      const std::int64_t layer = graph.operators[at(n)].layer;
      const bool goes_on =
          !blocks_.empty() && blocks_.back().layer == layer && blocks_.back().first + blocks_.back().count == n;
      if (!goes_on) blocks_.push_back({layer, n, 0});
      ++blocks_.back().count;
      const Operator& op = graph.operators[at(n)];
      for (std::int32_t e = op.first_edge; e < op.first_edge + op.reads; ++e)
        if (shared_matrix(graph.edges[at(e)].tensor)) first_reader_.try_emplace(graph.edges[at(e)].tensor, n);
    }
    if (options.recompute == Recompute::full) place_in_recomputation(options);
  }

  struct Found {
    std::size_t first = 0, periods = 0, length = 0;  // blocks, periods of `length` blocks
    std::size_t left_out() const { return periods > 3 ? (periods - 3) * length : 0; }
  };
  Found longest() const {
    Found best;
    for (std::int64_t p = period_; p <= kLongestPattern * period_; p += period_) {
      if (4 * p > static_cast<std::int64_t>(blocks_.size())) break;
      const Found found = run(at(p));
      if (found.left_out() > best.left_out() && reads_stay_near(found)) best = found;
    }
    return best;
  }
  const Block& block(std::size_t index) const { return blocks_[index]; }

 private:
  void place_in_recomputation(const PassOptions& options) {
    const auto is_layer = [&](const Block& b) { return b.layer >= 0 && b.layer < graph_.spec.layers; };
    const auto first = std::ranges::find_if(blocks_, is_layer);
    if (first == blocks_.end()) return;
    if (options.recompute_every <= 1 && options.recompute_method == RecomputeMethod::uniform)
      period_ *= std::max<std::int64_t>(options.recompute_num_layers, 1);
    for (Block& b : blocks_) {
      const std::int64_t from = is_layer(b) ? run_again_from(b.layer, first->layer, graph_.spec, options) : -1;
      if (from >= 0) b.together = b.layer - from;
    }
  }

  // The longest stretch of blocks that are each like the one a period before, where it does not begin within layers
  // that are run again together.
  Found run(std::size_t length) const {
    Found best{0, 0, length};
    std::size_t alike = 0;
    for (std::size_t b = length; b < blocks_.size(); ++b) {
      const bool goes_on = alike > 0 || blocks_[b - length].together <= 0;
      alike = goes_on && like(blocks_[b], blocks_[b - length], static_cast<std::int64_t>(length)) ? alike + 1 : 0;
      if (alike / length + 1 > best.periods) best = {b + 1 - alike - length, alike / length + 1, length};
    }
    return best;
  }

  bool like(const Block& b, const Block& a, std::int64_t layers) const {
    if (b.count != a.count || b.layer != a.layer + layers || b.together != a.together) return false;
    if (b.layer >= graph_.spec.layers || a.layer < 0) return false;  // the head; modules that predict further tokens
    const std::int32_t operators = b.first - a.first;
    const std::int32_t tensors =
        graph_.operators[at(b.first)].first_tensor - graph_.operators[at(a.first)].first_tensor;
    for (std::int32_t i = 0; i < b.count; ++i) {
      const Operator &x = graph_.operators[at(a.first + i)], &y = graph_.operators[at(b.first + i)];
      if (!same_work(x, y) || y.first_tensor - x.first_tensor != tensors) return false;
      for (std::int32_t t = 0; t < x.tensors; ++t)
        if (!same_shape(graph_.tensors[at(x.first_tensor + t)], graph_.tensors[at(y.first_tensor + t)])) return false;
      for (std::int32_t e = 0; e < x.reads; ++e)
        if (!reads_alike(graph_.edges[at(x.first_edge + e)], graph_.edges[at(y.first_edge + e)], operators, tensors))
          return false;
    }
    return true;
  }
  bool shared_matrix(std::int32_t tensor) const { return graph_.tensors[at(tensor)].spread == model::Spread::weight; }
  // Of the same tensor, or of its counterpart. The first of a stage that reads a matrix may make of it what the others
  // use.
  bool reads_alike(const Edge& a, const Edge& b, std::int32_t operators, std::int32_t tensors) const {
    if (a.slot != b.slot) return false;
    if (a.tensor == b.tensor) return !shared_matrix(a.tensor) || first_reader_.at(a.tensor) < a.to;
    return b.tensor - a.tensor == tensors && b.from - a.from == operators &&
           same_shape(graph_.tensors[at(a.tensor)], graph_.tensors[at(b.tensor)]);
  }

  // What a period makes it or the one behind it reads; of the last, whoever does.
  bool reads_stay_near(const Found& found) const {
    const Block& first = blocks_[found.first];
    std::int32_t end = first.first;
    for (std::size_t b = found.first; b < found.first + found.periods * found.length; ++b) {
      if (blocks_[b].first != end) return false;  // operators of others stand between
      end += blocks_[b].count;
    }
    const auto period_of = [&](std::int32_t op) {
      return static_cast<std::int64_t>(op - first.first) * static_cast<std::int64_t>(found.periods) /
             (end - first.first);
    };
    return std::ranges::all_of(graph_.edges, [&](const Edge& e) {
      if (e.from < first.first || e.from >= end) return true;
      const std::int64_t from = period_of(e.from),
                         to = e.to < end ? period_of(e.to) : static_cast<std::int64_t>(found.periods);
      return to - from <= 1;
    });
  }

  const model::ModelGraph& graph_;
  std::int64_t period_;  // layers that are so far apart are treated alike
  std::vector<Block> blocks_;
  std::map<std::int32_t, std::int32_t> first_reader_;  // of a shared matrix, in the stage
};

// What stands at and behind an index when `count` before it are gone; what is gone is found a period earlier.
void close(std::int32_t& index, std::int32_t from, std::int32_t count) {
  if (index >= from) index -= count;
}

// Operators [first, first + count) are left out. A number behind them is lowered by as many; so is that of one of the
// last period left out, which makes it the number of its counterpart.
model::ModelGraph without(const model::ModelGraph& graph, std::int32_t first, std::int32_t count) {
  const auto tensor_at = [&](std::int32_t op) { return graph.operators[at(op)].first_tensor; };
  const auto edge_at = [&](std::int32_t op) { return graph.operators[at(op)].first_edge; };
  const std::int32_t tensor = tensor_at(first), tensors = tensor_at(first + count) - tensor;
  const std::int32_t edge = edge_at(first), edges = edge_at(first + count) - edge;
  model::ModelGraph left{graph.spec, {}, {}, {}};
  const auto copy = [](const auto& from, auto& to, std::int32_t begin, std::int32_t gone) {
    to.reserve(from.size() - at(gone));
    to.insert(to.end(), from.begin(), from.begin() + begin);
    to.insert(to.end(), from.begin() + begin + gone, from.end());
  };
  copy(graph.operators, left.operators, first, count);
  copy(graph.tensors, left.tensors, tensor, tensors);
  copy(graph.edges, left.edges, edge, edges);
  for (std::size_t i = at(first); i < left.operators.size(); ++i)
    left.operators[i].first_tensor -= tensors, left.operators[i].first_edge -= edges;
  for (std::size_t i = at(tensor); i < left.tensors.size(); ++i) left.tensors[i].producer -= count;
  for (std::size_t i = at(edge); i < left.edges.size(); ++i) {
    Edge& e = left.edges[i];
    close(e.from, first, count), close(e.to, first, count), close(e.tensor, tensor, tensors);
  }
  return left;
}

}  // namespace

std::optional<ShortStage> short_stage(const model::ModelGraph& graph, std::span<const std::int32_t> nodes,
                                      const PassOptions& options) {
  const Finder finder(graph, nodes, options);
  const Finder::Found found = finder.longest();
  if (found.left_out() == 0) return {};
  const Block& second = finder.block(found.first + found.length);
  const std::int32_t first = finder.block(found.first + 2 * found.length).first;
  const std::int32_t count = finder.block(found.first + (found.periods - 1) * found.length).first - first;
  ShortStage s{without(graph, first, count),
               {},
               {second.layer, static_cast<std::int64_t>(found.length), static_cast<std::int64_t>(found.periods) - 3}};
  for (const std::int32_t n : nodes)
    if (n < first || n >= first + count) s.nodes.push_back(n < first ? n : n - count);
  return s;
}

}  // namespace orrery::layout
