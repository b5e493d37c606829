// From the passes of a short stage (alike_layers.hpp) to those of the whole one: the steps of the layers that stand for
// others once for each, on tensors of their own.
#pragma once
#include <array>

#include "alike_layers.hpp"
#include "pass_builder.hpp"

namespace orrery::layout {

class LayerCopies {
 public:
  LayerCopies(const AlikeLayers& alike, const Tape& tape, const BackwardPass& backward);

  std::vector<PassStep> steps(PassKind kind, std::vector<PassStep> of_short_stage) const;
  std::vector<TensorId> held_before(const std::vector<TensorId>& of_short_stage) const;

 private:
  // Tensors numbered alike in each period: [first, first + count) in the second, which stands for copies 0 to left_out;
  // in the periods before and behind it the counterparts are `behind` numbers away. Copy 0 keeps the numbers.
  struct Numbers {
    TensorId first = 0, count = 0, behind = 0, fresh = 0;
    bool has(TensorId t) const { return t >= first && t < first + count; }
    TensorId of_copy(TensorId t, std::int64_t copy) const {
      return copy == 0 ? t : fresh + static_cast<TensorId>(copy - 1) * count + (t - first);
    }
  };
  using AllNumbers = std::array<Numbers, 2>;  // of the tape, and of the pass alone

  BackwardPass::Part part(PassKind kind, std::size_t period) const;
  AllNumbers numbers(PassKind kind) const;
  TensorId inside(const AllNumbers& all, TensorId t, std::int64_t copy) const;

  std::int64_t period_, left_out_;
  const Tape& tape_;
  const BackwardPass& backward_;
  std::array<std::int32_t, 4> op_{};  // the first of each of the three periods, and of what is behind them
  std::array<TensorId, 4> tensor_{};  // the same
};

}  // namespace orrery::layout
