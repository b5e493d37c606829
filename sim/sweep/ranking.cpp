#include "sweep/ranking.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace orrery::sweep {
namespace {

// Time of a GPU for a token, as a fraction: compared without rounding.
int compare_speed(const Figures& a, const Figures& b) {
  const Int128 left = Int128{a.step_time_ps} * a.gpus, right = Int128{b.step_time_ps} * b.gpus;
  if (a.tokens == b.tokens) return left < right ? -1 : left > right ? 1 : 0;
  const Int128 x = left * b.tokens, y = right * a.tokens;
  return x < y ? -1 : x > y ? 1 : 0;
}

// What nobody has a price of is not cheaper than anything.
double cost_of(const Figures& f) {
  return f.cost_usd > 0 ? f.cost_usd : std::numeric_limits<double>::infinity();
}

bool as_good(const Figures& a, const Figures& b) {
  return a.step_time_ps <= b.step_time_ps && a.memory_bytes <= b.memory_bytes && a.gpus <= b.gpus &&
         a.tokens >= b.tokens && cost_of(a) <= cost_of(b) && a.goodput >= b.goodput;
}

bool dominates(const Figures& a, const Figures& b) {
  return as_good(a, b) && !as_good(b, a);
}

bool same(const Figures& a, const Figures& b) {
  return as_good(a, b) && as_good(b, a);
}

void add_to_front(const Row& row, std::vector<Row>& front) {
  for (Row& other : front) {
    if (dominates(other.figures, row.figures)) return;
    if (!same(other.figures, row.figures)) continue;
    if (row.point < other.point) other = row;
    return;
  }
  std::erase_if(front, [&](const Row& other) { return dominates(row.figures, other.figures); });
  front.push_back(row);
}

// Of those that lack as much the first of the space.
void keep_nearest(const Row& row, std::optional<Row>& nearest) {
  const auto place = [](const Row& of) { return std::pair(-of.figures.headroom_bytes, of.point); };
  if (!nearest || place(row) < place(*nearest)) nearest = row;
}

}  // namespace

bool better(const Row& a, const Row& b) {
  if (const int order = compare_speed(a.figures, b.figures); order != 0) return order < 0;
  if (a.figures.goodput != b.figures.goodput) return a.figures.goodput > b.figures.goodput;
  if (a.figures.memory_bytes != b.figures.memory_bytes) return a.figures.memory_bytes < b.figures.memory_bytes;
  return a.point < b.point;
}

void Ranking::add(const Row& row) {
  if (row.status == Status::does_not_fit) {
    if (!fastest_ || better(row, *fastest_)) fastest_ = row;
    keep_nearest(row, nearest_);
  }
  if (row.status == Status::pruned && row.figures.headroom_bytes < 0) keep_nearest(row, nearest_pruned_);
  if (row.status != Status::ok) return;
  add_to_front(row, pareto_);
  const auto at = std::upper_bound(best_.begin(), best_.end(), row, better);
  if (at == best_.end() && best_.size() >= top_) return;
  best_.insert(at, row);
  if (best_.size() > top_) best_.pop_back();
}

void Ranking::give(Outcome& outcome) {
  outcome.best = std::move(best_);
  std::sort(pareto_.begin(), pareto_.end(), better);
  outcome.pareto = std::move(pareto_);
  outcome.fastest_that_does_not_fit = std::move(fastest_);
  outcome.nearest = nearest_ ? std::move(nearest_) : std::move(nearest_pruned_);
}

}  // namespace orrery::sweep
