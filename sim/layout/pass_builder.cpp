#include "pass_builder.hpp"

#include <algorithm>

#include "orrery/core/error.hpp"

namespace orrery::layout {

static_assert(sizeof(PassStep) == 344, "made for each step of each pass of each stage: a sweep makes millions");

namespace {

// A call that is still in flight behind the last step of its operator.
bool runs_past(const RankOp& op, std::size_t step) {
  const std::uint32_t beside = op.backward[step].step.beside;
  return beside > 0 && step + 1 + beside == op.backward.size();
}

}  // namespace

Filtered filter(const std::vector<OpStep>& steps, const std::function<bool(const OpStep&)>& runs) {
  Filtered left;
  left.at.reserve(steps.size() + 1), left.steps.reserve(steps.size());
  for (const OpStep& s : steps) {
    left.at.push_back(static_cast<int>(left.steps.size()));
    if (runs(s)) left.steps.push_back(s);
  }
  left.at.push_back(static_cast<int>(left.steps.size()));
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (left.at[i] < left.at[i + 1])
      left.steps[at(left.at[i])].step.beside =
          static_cast<std::uint32_t>(left.at[i + 1 + steps[i].step.beside] - left.at[i + 1]);
  return left;
}

BackwardPass::BackwardPass(const Tape& tape, const Recomputation& recomputed)
    : tape_(tape), recomputed_(recomputed), forward_(tape.tensors.size(), -1), gradient_(tape.tensors.size(), -1) {
  for (std::size_t t = 0; t < tape.tensors.size(); ++t)
    if (recomputed.saved[t]) forward_[t] = hold(tape.tensors[t], -1, static_cast<TensorId>(t));
  for (const TensorId t : tape.outputs) gradient_[at(t)] = hold(tape.tensors[at(t)], 0);
  reached_.resize(tape.ops.size() + 1);
  for (std::size_t i = tape.ops.size(); i-- > 0;) {
    reached_[i + 1] = {static_cast<int>(steps_.size()), static_cast<int>(held_.size())};
    for (const Recomputation::Segment& s : recomputed.segments)
      if (at(s.at) == i) run_again(at(s.first), at(s.last));
    differentiate(tape.ops[i]);
  }
  reached_[0] = {static_cast<int>(steps_.size()), static_cast<int>(held_.size())};
  for (const TensorId t : tape.inputs)
    if (gradient_[at(t)] >= 0) held_[at(gradient_[at(t)])].until_end = true;
}

// Memory is held from step `from` on; it is freed behind the last step that uses it, at once if none does.
int BackwardPass::hold(Bytes bytes, int from, TensorId id) {
  const auto own = static_cast<TensorId>(tape_.tensors.size() + held_.size());
  held_.push_back({.bytes = bytes, .id = id == kNoTensor ? own : id, .from = from});
  return static_cast<int>(held_.size()) - 1;
}

void BackwardPass::use(int held, int step) {
  Held& h = held_[at(held)];
  OpStep& s = steps_[at(step)];
  int& last = s.phase == Phase::input ? h.last_input : h.last_weight;
  last = std::max(last, step);
  if (h.bytes.value != 0) s.step.uses.push_back(h.id);  // an expert may be given no rows
}

// By the steps [begin, end) of the phase.
void BackwardPass::use(const std::vector<int>& held, int begin, int end, Phase phase) {
  for (int i = begin; i < end; ++i)
    if (steps_[at(i)].phase == phase)
      for (const int h : held) use(h, i);
}

void BackwardPass::run_again(std::size_t first, std::size_t last) {
  for (std::size_t i = first; i <= last; ++i)
    if (recomputed_.again[i]) run_again(tape_.ops[i]);
}

void BackwardPass::run_again(const RankOp& op) {
  const int begin = static_cast<int>(steps_.size());
  Filtered again = filter(op.forward, [&](const OpStep& step) { return runs_again(tape_, step); });
  for (OpStep& s : again.steps) {
    s.step.role = StepRole::recompute;
    steps_.push_back(std::move(s));
  }
  std::vector<int> used;
  for (const TensorId t : op.in) used.push_back(there(forward_, t));
  for (const TensorId t : op.out) {
    if (tape_.keep_always[at(t)]) continue;
    used.push_back(hold(tape_.tensors[at(t)], begin));
    if (!recomputed_.saved[at(t)]) forward_[at(t)] = used.back();  // a copy of a kept tensor goes at once
  }
  if (op.forward_workspace.value > 0) used.push_back(hold(op.forward_workspace, begin));
  use(used, begin, static_cast<int>(steps_.size()), Phase::input);
}

// A reader finds its tensor: what it names and nobody made is an error of this room.
int BackwardPass::there(const std::vector<int>& held, TensorId t) const {
  check(held[at(t)] >= 0, "backward pass: a step reads a tensor that nobody made");
  return held[at(t)];
}

void BackwardPass::differentiate(const RankOp& op) {
  const int begin = static_cast<int>(steps_.size());
  steps_.insert(steps_.end(), op.backward.begin(), op.backward.end());
  const int end = static_cast<int>(steps_.size());
  const auto first_of = [&](bool input, bool weight) {
    for (int i = begin; i < end; ++i)
      if (steps_[at(i)].phase == Phase::input ? input : weight) return i;
    return -1;
  };
  std::vector<int> by_input, by_weight, made;
  for (const TensorId t : op.keep_for_input) by_input.push_back(there(forward_, t));
  for (const TensorId t : op.keep_for_weight) by_weight.push_back(there(forward_, t));
  for (const TensorId t : op.out)
    if (gradient_[at(t)] >= 0) by_input.push_back(gradient_[at(t)]);
  for (const TensorId t : op.out)  // kept by the policy, though nothing reads it
    if (tape_.keep_always[at(t)] && recomputed_.saved[at(t)]) by_input.push_back(there(forward_, t));
  check(op.loss || op.backward.empty() || !by_input.empty(), "backward pass: an operator without a gradient");
  for (const TensorId t : op.weight_reads_gradient_of) by_weight.push_back(there(gradient_, t));
  for (const Workspace& w : op.backward_workspace) {
    const int held = hold(w.bytes, first_of(w.in_input, w.in_weight));
    if (w.in_input) (w.in_weight ? by_input : made).push_back(held);
    if (w.in_weight) by_weight.push_back(held);
  }
  gradients(op, std::max({first_of(true, false), begin - 1, 0}), by_input, made);
  for (int i = begin; i < end; ++i)  // a reduction beside all that follows reads and writes only what is made here
    if (!runs_past(op, at(i - begin))) use(by_input, i, i + 1, Phase::input);
  use(made, begin, end, Phase::input);
  use(by_weight, begin, end, Phase::weight);
  if (op.backward.empty())  // it takes effect behind the step before
    for (const int held : by_input) held_[at(held)].last_input = std::max(held_[at(held)].last_input, begin - 1);
}

// A gradient is a tensor of its own, that of an output passed through, or stands where its input stood. Where one is
// there already (the residual stream), the sum is the new tensor and the old one has been read.
void BackwardPass::gradients(const RankOp& op, int first, std::vector<int>& read, std::vector<int>& made) {
  for (const GradientOf& g : op.gradients) {
    int& held = gradient_[at(g.input)];
    if (held >= 0) read.push_back(held);
    if (g.same_as != kNoTensor) {
      held = there(gradient_, g.same_as);
    } else if (g.in_place) {
      held = there(forward_, g.input);
    } else {
      held = hold(tape_.tensors[at(g.input)], first);
      made.push_back(held);
    }
  }
}

bool BackwardPass::belongs(PassKind kind, const OpStep& s) {
  return kind == PassKind::backward || (kind == PassKind::input_gradient) == (s.phase == Phase::input);
}

BackwardPass::Part BackwardPass::part_of(std::int32_t first, std::int32_t end, PassKind kind) const {
  const Reached& from = reached_[at(end)];
  const Reached& to = reached_[at(first)];
  const auto steps_before = [&](int step) {
    const auto of_kind = [&](const OpStep& s) { return belongs(kind, s); };
    return static_cast<std::size_t>(std::count_if(steps_.begin(), steps_.begin() + step, of_kind));
  };
  return {steps_before(from.steps), steps_before(to.steps),
          static_cast<TensorId>(tape_.tensors.size()) + static_cast<TensorId>(from.held),
          static_cast<TensorId>(to.held - from.held)};
}

std::vector<PassStep> BackwardPass::pass(PassKind kind) const {
  check(kind != PassKind::forward, "BackwardPass: not the forward pass");
  Filtered own = filter(steps_, [&](const OpStep& s) { return belongs(kind, s); });
  std::vector<PassStep> steps;
  steps.reserve(own.steps.size());
  for (OpStep& s : own.steps) steps.push_back(std::move(s.step));
  for (const Held& held : held_) effects(kind, held, own.at, steps);
  return steps;
}

// What I hands on to W: made or kept before it, and read by a step of W.
bool BackwardPass::only_weight(const Held& held) const {
  return held.from >= 0 && steps_[at(held.from)].phase == Phase::weight;
}
bool BackwardPass::handed_on(const Held& held) const {
  return held.last_weight >= 0 && !only_weight(held);
}

std::vector<TensorId> BackwardPass::held_before(PassKind kind) const {
  std::vector<TensorId> list;
  for (const Held& held : held_)
    if (held.bytes.value != 0 && (kind == PassKind::weight_gradient ? handed_on(held) : held.from < 0))
      list.push_back(held.id);
  return list;
}

// B holds memory from its first to its last use. I and W share it: what W reads and I made or kept, I leaves behind as
// activations and W frees.
void BackwardPass::effects(PassKind kind, const Held& held, const std::vector<int>& map,
                           std::vector<PassStep>& steps) const {
  if (steps.empty()) return;
  const int end = static_cast<int>(steps.size()) - 1;
  const bool from_forward = held.from < 0, on = handed_on(held);
  const auto make = [&](int step, MemoryClass of) { change(steps, step, false, of, held.bytes, held.id); };
  const auto free = [&](int step, MemoryClass of) { change(steps, step, true, of, Bytes{} - held.bytes, held.id); };
  if (kind == PassKind::backward) {
    const auto of = from_forward ? MemoryClass::activations : MemoryClass::buffers;
    if (!from_forward) make(held.from, of);
    free(held.until_end ? end : std::max({held.last_input, held.last_weight, 0}), of);
  } else if (kind == PassKind::input_gradient) {
    if (only_weight(held)) return;
    const auto of = from_forward || on ? MemoryClass::activations : MemoryClass::buffers;
    // A later index in W maps to where I stands by then.
    if (!from_forward) make(std::min(map[at(held.from)], end), of);
    if (!on) free(held.until_end ? end : std::min(map[at(std::max(held.last_input, 0))], end), of);
  } else if (only_weight(held) || on) {
    const auto of = only_weight(held) ? MemoryClass::buffers : MemoryClass::activations;
    if (only_weight(held)) make(map[at(held.from)], of);
    free(map[at(held.last_weight)], of);
  }
}

}  // namespace orrery::layout
