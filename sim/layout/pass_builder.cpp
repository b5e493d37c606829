#include "pass_builder.hpp"

#include <algorithm>

#include "orrery/core/error.hpp"

namespace orrery::layout {
namespace {

std::size_t at(std::int64_t id) {
  return static_cast<std::size_t>(id);
}

void change(std::vector<PassStep>& steps, int step, bool at_end, MemoryClass memory_class, Bytes bytes) {
  if (bytes.value != 0) steps[at(step)].memory.push_back({at_end, memory_class, bytes});
}

}  // namespace

// Each tensor is allocated where it is produced (the message from the stage before: at the first step) and freed behind
// its last reader, if it is not kept for the backward pass; the message to the stage after at the last step.
std::vector<PassStep> forward_pass(const Tape& tape, const RecomputePlan& plan) {
  std::vector<PassStep> steps;
  std::vector<int> first(tape.tensors.size(), -1), last(tape.tensors.size(), -1);
  if (tape.input != kNoTensor) first[at(tape.input)] = last[at(tape.input)] = 0;
  std::vector<std::pair<int, const RankOp*>> begins;
  for (const RankOp& op : tape.ops) {
    const int begin = static_cast<int>(steps.size());
    begins.emplace_back(begin, &op);
    for (const OpStep& s : op.forward) {
      const int own = static_cast<int>(steps.size());
      steps.push_back(s.step);
      if (s.needed_at >= 0 && begin + s.needed_at > own + 1) steps.back().needed_by = begin + s.needed_at;
      if (s.chunked_at >= 0) steps.back().chunked_with = begin + s.chunked_at;
    }
    const int end = std::max(static_cast<int>(steps.size()) - 1, 0);
    for (const TensorId t : op.out) first[at(t)] = begin, last[at(t)] = end;
    for (const TensorId t : op.in) last[at(t)] = end;
  }
  check(!steps.empty(), "forward_pass: an empty stage");
  if (tape.output != kNoTensor) last[at(tape.output)] = static_cast<int>(steps.size()) - 1;
  for (std::size_t t = 0; t < tape.tensors.size(); ++t) {
    if (first[t] < 0) continue;
    change(steps, first[t], false, plan.saved[t] ? MemoryClass::activations : MemoryClass::buffers, tape.tensors[t]);
    if (!plan.saved[t]) change(steps, last[t], true, MemoryClass::buffers, Bytes{} - tape.tensors[t]);
  }
  for (const auto& [begin, op] : begins) {
    if (op->forward.empty()) continue;
    change(steps, begin, false, MemoryClass::buffers, op->forward_workspace);
    change(steps, begin + static_cast<int>(op->forward.size()) - 1, true, MemoryClass::buffers,
           Bytes{} - op->forward_workspace);
  }
  return steps;
}

BackwardPass::BackwardPass(const Tape& tape, const RecomputePlan& plan)
    : tape_(tape), plan_(plan), forward_(tape.tensors.size(), -1), gradient_(tape.tensors.size(), -1) {
  for (std::size_t t = 0; t < tape.tensors.size(); ++t)
    if (plan.saved[t]) forward_[t] = hold(tape.tensors[t], -1, tape.output == static_cast<TensorId>(t) ? 0 : -1);
  if (tape.output != kNoTensor) gradient_[at(tape.output)] = hold(tape.tensors[at(tape.output)], 0, 0);
  for (std::size_t i = tape.ops.size(); i-- > 0;) {
    const bool enters = plan.segment[i] >= 0 && (i + 1 == tape.ops.size() || plan.segment[i + 1] != plan.segment[i]);
    if (enters) {
      std::size_t first = i;
      while (first > 0 && plan.segment[first - 1] == plan.segment[i]) --first;
      run_again(first, i);
    }
    differentiate(tape.ops[i]);
  }
  if (tape.input != kNoTensor && gradient_[at(tape.input)] >= 0) held_[at(gradient_[at(tape.input)])].until_end = true;
}

int BackwardPass::hold(Bytes bytes, int from, int last_input, int last_weight) {
  held_.push_back({.bytes = bytes, .from = from, .last_input = last_input, .last_weight = last_weight});
  return static_cast<int>(held_.size()) - 1;
}

// Appends steps; `position[i]` says where step i of the operator's list went (−1 = left out). Returns the first index.
int BackwardPass::append(const std::vector<OpStep>& steps, const std::vector<int>& position, bool again) {
  const int base = static_cast<int>(steps_.size());
  const int count = position.empty() ? 0 : std::ranges::max(position) + 1;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (position[i] < 0) continue;
    Step s{.step = steps[i].step, .phase = steps[i].phase};
    if (again) s.step.role = StepRole::recompute;
    if (steps[i].needed_at == kAfterOperator)
      s.needed = base + count;
    else if (steps[i].needed_at >= 0)
      s.needed = base + position[at(steps[i].needed_at)];
    if (steps[i].chunked_at >= 0 && position[at(steps[i].chunked_at)] >= 0)
      s.chunked = base + position[at(steps[i].chunked_at)];
    steps_.push_back(std::move(s));
  }
  return base;
}

void BackwardPass::run_again(std::size_t first, std::size_t last) {
  for (std::size_t i = first; i <= last; ++i)
    if (plan_.again[i]) run_again(tape_.ops[i]);
}

void BackwardPass::run_again(const RankOp& op) {
  std::vector<int> position;
  int count = 0;
  for (const OpStep& step : op.forward) position.push_back(runs_again(tape_, step) ? count++ : -1);
  const int begin = append(op.forward, position, true), end = static_cast<int>(steps_.size()) - 1;
  for (const TensorId t : op.in)
    if (forward_[at(t)] >= 0) held_[at(forward_[at(t)])].last_input = end;
  for (const TensorId t : op.out) {
    if (tape_.keep_always[at(t)]) continue;
    const int made = hold(tape_.tensors[at(t)], begin, end);
    if (!plan_.saved[at(t)]) forward_[at(t)] = made;  // a copy of a kept tensor goes at once
  }
  if (op.forward_workspace.value > 0) hold(op.forward_workspace, begin, end);
}

void BackwardPass::differentiate(const RankOp& op) {
  std::vector<int> position(op.backward.size());
  for (std::size_t i = 0; i < position.size(); ++i) position[i] = static_cast<int>(i);
  const int begin = append(op.backward, position, false);
  int first_input = -1, last_input = -1, first_weight = -1, last_weight = -1;
  for (int i = begin; i < static_cast<int>(steps_.size()); ++i) {
    const bool input = steps_[at(i)].phase == Phase::input;
    (input ? last_input : last_weight) = i;
    if (int& first = input ? first_input : first_weight; first < 0) first = i;
  }
  const int here = std::max(begin - 1, 0);  // an operator without steps of its own takes effect behind the step before
  const int input = last_input >= 0 ? last_input : here;
  const auto use = [&](int held, int& (*last)(Held&), int step) {
    if (held >= 0) last(held_[at(held)]) = std::max(last(held_[at(held)]), step);
  };
  const auto of_input = +[](Held& h) -> int& { return h.last_input; };
  const auto of_weight = +[](Held& h) -> int& { return h.last_weight; };
  for (const TensorId t : op.keep_for_input) use(forward_[at(t)], of_input, input);
  for (const TensorId t : op.keep_for_weight) use(forward_[at(t)], of_weight, last_weight);
  for (const TensorId t : op.out)  // kept by the policy, though nothing reads it
    if (tape_.keep_always[at(t)]) use(forward_[at(t)], of_input, input);
  for (const Workspace& w : op.backward_workspace)
    hold(w.bytes, w.in_input ? first_input : first_weight, w.in_input ? last_input : -1,
         w.in_weight ? last_weight : -1);
  for (const TensorId t : op.out) use(gradient_[at(t)], of_input, op.backward.empty() || last_input >= 0 ? input : -1);
  for (const TensorId t : op.weight_reads_gradient_of) use(gradient_[at(t)], of_weight, last_weight);
  gradients(op, first_input >= 0 ? first_input : here, input, last_weight);
}

// A gradient is a tensor of its own or that of an output passed through. Where one is there already (the residual
// stream), the sum is the new tensor and the old one has been read.
void BackwardPass::gradients(const RankOp& op, int first, int last_input, int) {
  for (const GradientOf& g : op.gradients) {
    int& held = gradient_[at(g.input)];
    if (held >= 0) held_[at(held)].last_input = std::max(held_[at(held)].last_input, last_input);
    held = g.same_as != kNoTensor ? gradient_[at(g.same_as)] : hold(tape_.tensors[at(g.input)], first, last_input);
  }
}

Flops BackwardPass::flops() const {
  Flops sum{};
  for (const Step& s : steps_) sum += s.step.kernel.flops;
  return sum;
}

std::vector<PassStep> BackwardPass::pass(PassKind kind) const {
  check(kind != PassKind::forward, "BackwardPass: not the forward pass");
  // map[i] = index in this pass of the first step at or behind step i of B.
  std::vector<int> map;
  std::vector<PassStep> steps;
  const auto runs = [&](const Step& s) {
    return kind == PassKind::backward || (kind == PassKind::input_gradient) == (s.phase == Phase::input);
  };
  for (const Step& s : steps_) {
    map.push_back(static_cast<int>(steps.size()));
    if (runs(s)) steps.push_back(s.step);
  }
  const int count = static_cast<int>(steps.size());
  map.push_back(count);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& s = steps_[i];
    if (!runs(s)) continue;
    const int own = map[i];
    if (s.needed >= 0 && map[at(s.needed)] > own + 1 && map[at(s.needed)] < count)
      steps[at(own)].needed_by = map[at(s.needed)];
    if (s.chunked >= 0 && runs(steps_[at(s.chunked)])) steps[at(own)].chunked_with = map[at(s.chunked)];
  }
  for (const Held& held : held_) effects(kind, held, map, steps);
  return steps;
}

// B holds memory from its first to its last use. I and W share it: what W reads and I made or kept, I leaves behind as
// activations and W frees.
void BackwardPass::effects(PassKind kind, const Held& held, const std::vector<int>& map,
                           std::vector<PassStep>& steps) const {
  if (steps.empty()) return;
  const int end = static_cast<int>(steps.size()) - 1;
  const bool from_forward = held.from < 0;
  const bool only_weight = !from_forward && steps_[at(held.from)].phase == Phase::weight;
  const bool handed_on = held.last_weight >= 0 && !only_weight;  // from I to W
  if (kind == PassKind::backward) {
    const auto memory_class = from_forward ? MemoryClass::activations : MemoryClass::buffers;
    if (!from_forward) change(steps, held.from, false, memory_class, held.bytes);
    const int last = held.until_end ? end : std::max(held.last_input, held.last_weight);
    change(steps, std::max(last, 0), true, memory_class, Bytes{} - held.bytes);
  } else if (kind == PassKind::input_gradient) {
    if (only_weight) return;
    const auto memory_class = from_forward || handed_on ? MemoryClass::activations : MemoryClass::buffers;
    // A later index in W maps to where I stands by then.
    if (!from_forward) change(steps, std::min(map[at(held.from)], end), false, memory_class, held.bytes);
    const int last = held.until_end ? end : std::min(map[at(std::max(held.last_input, 0))], end);
    if (!handed_on) change(steps, last, true, memory_class, Bytes{} - held.bytes);
  } else if (only_weight || handed_on) {
    if (only_weight) change(steps, map[at(held.from)], false, MemoryClass::buffers, held.bytes);
    change(steps, map[at(held.last_weight)], true, only_weight ? MemoryClass::buffers : MemoryClass::activations,
           Bytes{} - held.bytes);
  }
}

}  // namespace orrery::layout
