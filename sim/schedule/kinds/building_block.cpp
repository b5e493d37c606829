#include "schedule/kinds/building_block.hpp"

#include <algorithm>

namespace orrery::schedule::kinds {
namespace {

constexpr int kPeriod = 6;  // slots of a micro-batch: F, I and W of two chunks
constexpr int kEmpty = -1;

enum Pass { kForwardDown, kForwardUp, kGradientUp, kGradientDown, kWeightUp, kWeightDown, kPasses };
bool is_forward(int pass) {
  return pass <= kForwardUp;
}
bool is_weight(int pass) {
  return pass >= kWeightUp;
}
int gradient_of(int weight_pass) {
  return weight_pass - 2;
}

// A grid of slots, [rank][column]; an entry is pass · micro-batches + micro-batch.
class Grid {
 public:
  Grid(int ranks, int micro_batches)
      : ranks_(ranks),
        m_(micro_batches),
        slot_(at(ranks)),
        column_(at(ranks), std::vector<int>(at(kPasses * micro_batches), kEmpty)) {}

  int ranks() const { return ranks_; }
  int micro_batches() const { return m_; }
  int pass(int entry) const { return entry / m_; }
  int entry(int pass, int k) const { return pass * m_ + k; }
  int width(int rank) const { return static_cast<int>(slot_[at(rank)].size()); }
  int get(int rank, int column) const { return column < width(rank) ? slot_[at(rank)][at(column)] : kEmpty; }
  int column(int rank, int pass, int k) const { return column_[at(rank)][at(entry(pass, k))]; }

  void put(int rank, int column, int entry) {
    if (column >= width(rank)) slot_[at(rank)].resize(at(column) + 1, kEmpty);
    slot_[at(rank)][at(column)] = entry;
    column_[at(rank)][at(entry)] = column;
  }
  void clear(int rank, int column) { slot_[at(rank)][at(column)] = kEmpty; }
  int first_empty(int rank, int from) const {
    while (get(rank, from) != kEmpty) ++from;
    return from;
  }

  // The column after the last input of an entry.
  int ready(int rank, int entry) const {
    const int pass_of = pass(entry), k = entry % m_;
    int column_of = kEmpty;
    const auto after = [&](int r, int p) { column_of = std::max(column_of, column(r, p, k)); };
    switch (pass_of) {
      case kForwardDown:
        if (rank > 0) after(rank - 1, kForwardDown);
        break;
      case kForwardUp:
        rank + 1 < ranks_ ? after(rank + 1, kForwardUp) : after(rank, kForwardDown);
        break;
      case kGradientUp:
        if (rank > 0) after(rank - 1, kGradientUp);
        after(rank, kForwardUp);
        break;
      case kGradientDown:
        rank + 1 < ranks_ ? after(rank + 1, kGradientDown) : after(rank, kGradientUp);
        after(rank, kForwardDown);
        break;
      default:
        after(rank, gradient_of(pass_of));
        break;
    }
    return column_of + 1;
  }

 private:
  int ranks_, m_;
  std::vector<std::vector<int>> slot_;    // [rank][column] entry
  std::vector<std::vector<int>> column_;  // [rank][entry]
};

// The repeated block, each W in the first slot that is free in every period after its I.
Grid repeat(int ranks, int micro_batches, const std::function<BuildingBlock(int)>& block) {
  Grid grid(ranks, micro_batches);
  for (int rank = 0; rank < ranks; ++rank) {
    const BuildingBlock b = block(rank);
    int offset[kPasses] = {b.forward_down, b.forward_up, b.gradient_up, b.gradient_down, 0, 0};
    bool taken[kPeriod] = {};
    for (int pass = 0; pass < kWeightUp; ++pass) taken[offset[pass] % kPeriod] = true;
    for (int pass = kWeightUp; pass < kPasses; ++pass) {
      offset[pass] = offset[gradient_of(pass)] + 1;
      while (taken[offset[pass] % kPeriod]) ++offset[pass];
      taken[offset[pass] % kPeriod] = true;
    }
    for (int k = 0; k < micro_batches; ++k) {
      for (int pass = 0; pass < kPasses; ++pass) grid.put(rank, offset[pass] + kPeriod * k, grid.entry(pass, k));
    }
  }
  return grid;
}

int peak(const Grid& grid) {
  int most = 0;
  for (int rank = 0; rank < grid.ranks(); ++rank) {
    int held = 0;
    for (int column = 0; column < grid.width(rank); ++column) {
      const int entry = grid.get(rank, column);
      if (entry == kEmpty) continue;
      if (is_forward(grid.pass(entry))) most = std::max(most, ++held);
      if (is_weight(grid.pass(entry))) --held;
    }
  }
  return most;
}

int width(const Grid& grid) {
  int most = 0;
  for (int rank = 0; rank < grid.ranks(); ++rank) most = std::max(most, grid.width(rank));
  return most;
}

// A forward at `column` instead of later, with everything up to `until` in place: does the rank stay within the cap?
bool fits(const Grid& grid, int rank, int column, int until, int cap) {
  int held = 0;
  for (int c = 0; c < until; ++c) {
    const int entry = grid.get(rank, c);
    if (c == column || (entry != kEmpty && is_forward(grid.pass(entry)))) {
      if (++held > cap) return false;
    } else if (entry != kEmpty && is_weight(grid.pass(entry))) {
      --held;
    }
  }
  return true;
}

// Warm-up: what stands before the first I of rank 0's first stage moves to the earliest free slot, forwards as far as
// no rank holds more than the cap; so does every W. The rest follows in its order.
Grid squeeze_warm_up(const Grid& natural, int cap) {
  Grid grid(natural.ranks(), natural.micro_batches());
  const int steady = natural.column(0, kGradientDown, 0), columns = width(natural);
  for (int column = 0; column < columns; ++column) {
    for (int rank = 0; rank < natural.ranks(); ++rank) {
      const int entry = natural.get(rank, column);
      if (entry == kEmpty) continue;
      const int pass = natural.pass(entry), ready = grid.ready(rank, entry);
      if (column >= steady && !is_weight(pass)) {
        grid.put(rank, std::max(ready, grid.width(rank)), entry);
        continue;
      }
      int to = grid.first_empty(rank, ready);
      while (is_forward(pass) && to < column && !fits(grid, rank, to, column, cap)) to = grid.first_empty(rank, to + 1);
      grid.put(rank, to, entry);
    }
  }
  return grid;
}

// An entry moves from `from` to `to` and the W that stands there, if any, from `to` to `from`: within the cap? Counted
// from the end, where nothing is held.
bool swap_fits(const Grid& grid, int rank, int from, int to, int cap) {
  int held = 0;
  for (int c = grid.width(rank) - 1; c >= to; --c) {
    const int entry = grid.get(rank, c == to ? from : c == from ? to : c);
    if (entry == kEmpty) continue;
    if (is_weight(grid.pass(entry))) ++held;
    if (is_forward(grid.pass(entry)) && held-- > cap) return false;
  }
  return true;
}

void move_earlier(Grid& grid, int rank, int column, int cap) {
  const int entry = grid.get(rank, column), pass = grid.pass(entry), k = entry % grid.micro_batches();
  int first = grid.ready(rank, entry);
  if (k > 0) first = std::max(first, grid.column(rank, pass, k - 1) + 1);
  for (int to = first; to < column; ++to) {
    const int there = grid.get(rank, to);
    if (there != kEmpty && !is_weight(grid.pass(there))) continue;
    if ((there != kEmpty || is_forward(pass)) && !swap_fits(grid, rank, column, to, cap)) continue;
    grid.put(rank, to, entry);
    there == kEmpty ? grid.clear(rank, column) : grid.put(rank, column, there);
    return;
  }
}

// Cool-down: after the last forward of rank 0, forwards and input gradients move to the earliest slot that is free or
// held by a W; the weight gradients of that time then fill the first free slots, those of the upper stages first.
void squeeze_cool_down(Grid& grid, int cap) {
  const Grid before = grid;
  const int start = before.column(0, kForwardDown, before.micro_batches() - 1), columns = width(before);
  for (int column = start; column < columns; ++column) {
    for (int rank = column == start ? 1 : 0; rank < before.ranks(); ++rank) {
      const int entry = before.get(rank, column);
      if (entry == kEmpty || is_weight(before.pass(entry))) continue;
      move_earlier(grid, rank, grid.column(rank, before.pass(entry), entry % before.micro_batches()), cap);
    }
  }
  for (int rank = 0; rank < grid.ranks(); ++rank) {
    std::vector<int> weights;
    for (int column = start; column < grid.width(rank); ++column) {
      const int entry = grid.get(rank, column);
      if (entry == kEmpty || !is_weight(grid.pass(entry))) continue;
      weights.push_back(entry);
      grid.clear(rank, column);
    }
    std::sort(weights.begin(), weights.end());
    for (const int entry : weights) grid.put(rank, grid.first_empty(rank, grid.ready(rank, entry)), entry);
  }
}

Operation operation_of(int pass, int rank, int ranks, int k) {
  const int up = 2 * ranks - 1 - rank;
  switch (pass) {
    case kForwardDown:
      return forward(rank, k);
    case kForwardUp:
      return forward(up, k);
    case kGradientUp:
      return input_gradient(up, k);
    case kGradientDown:
      return input_gradient(rank, k);
    case kWeightUp:
      return weight_gradient(up, k);
    default:
      return weight_gradient(rank, k);
  }
}

}  // namespace

Result<Schedule> repeat_building_block(const ScheduleRequest& request, const std::function<BuildingBlock(int)>& block) {
  // Fewer than 2p micro-batches: made for 2p, and what does not exist is left out.
  const int ranks = request.ranks, made_for = std::max(request.micro_batches, 2 * ranks);
  const Grid natural = repeat(ranks, made_for, block);
  const int cap = peak(natural);
  Grid grid = squeeze_warm_up(natural, cap);
  squeeze_cool_down(grid, cap);
  Schedule schedule = empty_schedule(request, v_placement(ranks), true);
  for (int rank = 0; rank < ranks; ++rank) {
    auto& order = schedule.order[at(rank)];
    order.reserve(at(kPasses) * at(request.micro_batches));
    for (int column = 0; column < grid.width(rank); ++column) {
      const int entry = grid.get(rank, column);
      if (entry == kEmpty || entry % made_for >= request.micro_batches) continue;
      order.push_back(operation_of(grid.pass(entry), rank, ranks, entry % made_for));
    }
  }
  return schedule;
}

}  // namespace orrery::schedule::kinds
