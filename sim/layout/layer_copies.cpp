#include "layer_copies.hpp"

#include <algorithm>

#include "orrery/core/error.hpp"

namespace orrery::layout {

LayerCopies::LayerCopies(const AlikeLayers& alike, const Tape& tape, const BackwardPass& backward)
    : period_(alike.period), left_out_(alike.left_out), tape_(tape), backward_(backward) {
  const auto second = std::ranges::find(tape.parts, alike.first_layer, &TapePart::layer) - tape.parts.begin();
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t part = at(second - period_) + i * at(period_);
    const bool ends = part == tape.parts.size();
    op_[i] = ends ? static_cast<std::int32_t>(tape.ops.size()) : tape.parts[part].first_op;
    tensor_[i] = ends ? static_cast<TensorId>(tape.tensors.size()) : tape.parts[part].first_tensor;
  }
  const auto same = [](const auto& v) { return v[1] - v[0] == v[2] - v[1] && v[2] - v[1] == v[3] - v[2]; };
  check(same(op_) && same(tensor_), "alike layers: one is split in another way");
}

BackwardPass::Part LayerCopies::part(PassKind kind, std::size_t period) const {
  if (kind != PassKind::forward) return backward_.part_of(op_[period], op_[period + 1], kind);
  BackwardPass::Part part{0, 0, static_cast<TensorId>(tape_.tensors.size()) + op_[period],
                          op_[period + 1] - op_[period]};
  for (std::int32_t i = 0; i < op_[period + 1]; ++i)
    (i < op_[period] ? part.begin : part.end) += tape_.ops[at(i)].forward.size();
  part.end += part.begin;
  return part;
}

LayerCopies::AllNumbers LayerCopies::numbers(PassKind kind) const {
  const BackwardPass::Part own = part(kind, 1), behind = part(kind, 2);
  check(own.tensors == behind.tensors && own.tensors == part(kind, 0).tensors,
        "alike layers: one makes other tensors than the next");
  const TensorId count = tensor_[2] - tensor_[1];
  const TensorId fresh = static_cast<TensorId>(tape_.tensors.size()) +
                         std::max(static_cast<TensorId>(tape_.ops.size()), backward_.tensors());
  return {Numbers{tensor_[1], count, count, fresh},
          Numbers{own.first_tensor, own.tensors, behind.first_tensor - own.first_tensor,
                  fresh + static_cast<TensorId>(left_out_) * count}};
}

// A tensor as the steps of a copy name it: of their own period, of the one before or behind, or of no period.
TensorId LayerCopies::inside(const AllNumbers& all, TensorId t, std::int64_t copy) const {
  for (const Numbers& n : all) {
    if (n.has(t)) return n.of_copy(t, copy);
    if (copy > 0 && n.has(t + n.behind)) return n.of_copy(t + n.behind, copy - 1);
    if (copy < left_out_ && n.has(t - n.behind)) return n.of_copy(t - n.behind, copy + 1);
  }
  return t;
}

std::vector<PassStep> LayerCopies::steps(PassKind kind, std::vector<PassStep> from) const {
  const BackwardPass::Part middle = part(kind, 1);
  const AllNumbers all = numbers(kind);
  const auto rename = [&](PassStep& step, const auto& name) {
    for (MemoryChange& change : step.memory) change.tensor = name(change.tensor);
    for (TensorId& t : step.uses) t = name(t);
  };
  const bool forward = kind == PassKind::forward;
  const auto beside = [&](std::size_t i, std::int64_t copy) {
    rename(from[i], [&](TensorId t) {
      for (const Numbers& n : all)
        if (n.has(t)) return n.of_copy(t, copy);
      return t;
    });
  };
  std::vector<PassStep> steps;
  steps.reserve(from.size() + at(left_out_) * (middle.end - middle.begin));
  for (std::size_t i = 0; i < middle.begin; ++i) {
    beside(i, forward ? 0 : left_out_);
    steps.push_back(std::move(from[i]));
  }
  for (std::int64_t n = 0; n <= left_out_; ++n) {
    const std::int64_t copy = forward ? n : left_out_ - n;
    for (std::size_t i = middle.begin; i < middle.end; ++i) {
      steps.push_back(from[i]);
      steps.back().layer += copy * period_;
      rename(steps.back(), [&](TensorId t) { return inside(all, t, copy); });
    }
  }
  for (std::size_t i = middle.end; i < from.size(); ++i) {
    beside(i, forward ? left_out_ : 0);
    steps.push_back(std::move(from[i]));
  }
  return steps;
}

std::vector<TensorId> LayerCopies::held_before(const std::vector<TensorId>& held) const {
  const AllNumbers all = numbers(PassKind::backward);
  std::vector<TensorId> whole;
  for (const TensorId t : held) {
    whole.push_back(t);
    for (const Numbers& n : all)
      for (std::int64_t copy = 1; n.has(t) && copy <= left_out_; ++copy) whole.push_back(n.of_copy(t, copy));
  }
  return whole;
}

}  // namespace orrery::layout
