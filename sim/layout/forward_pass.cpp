#include <algorithm>

#include "orrery/core/error.hpp"
#include "pass_builder.hpp"

namespace orrery::layout {
namespace {

// Each tensor is allocated where it is produced (the message from the stage before: at the first step) and freed behind
// its last reader, if it is not kept for the backward pass; the message to the stage after at the last step.
class ForwardPass {
 public:
  ForwardPass(const Tape& tape, const Recomputation& recomputed)
      : tape_(tape), recomputed_(recomputed), first_(tape.tensors.size(), -1), last_(tape.tensors.size(), -1) {}

  std::vector<PassStep> run() {
    for (const TensorId t : tape_.inputs) first_[at(t)] = last_[at(t)] = 0;
    for (std::size_t i = 0; i < tape_.ops.size(); ++i)
      add(tape_.ops[i], static_cast<TensorId>(tape_.tensors.size() + i));
    check(!steps_.empty(), "forward_pass: an empty stage");
    for (const TensorId t : tape_.outputs) last_[at(t)] = static_cast<int>(steps_.size()) - 1;
    for (std::size_t t = 0; t < tape_.tensors.size(); ++t) {
      if (first_[t] < 0) continue;
      const auto id = static_cast<TensorId>(t);
      change(steps_, first_[t], false, recomputed_.saved[t] ? MemoryClass::activations : MemoryClass::buffers,
             tape_.tensors[t], id);
      if (!recomputed_.saved[t]) change(steps_, last_[t], true, MemoryClass::buffers, Bytes{} - tape_.tensors[t], id);
    }
    for (const Work& w : work_) {
      change(steps_, w.first, false, MemoryClass::buffers, w.bytes, w.id);
      change(steps_, w.last, true, MemoryClass::buffers, Bytes{} - w.bytes, w.id);
    }
    return std::move(steps_);
  }

 private:
  struct Work {
    int first, last;
    Bytes bytes;
    TensorId id;
  };

  void add(const RankOp& op, TensorId workspace) {
    const int begin = static_cast<int>(steps_.size());
    for (const OpStep& s : op.forward) steps_.push_back(s.step);
    const int end = std::max(static_cast<int>(steps_.size()) - 1, 0);
    for (const TensorId t : op.out) first_[at(t)] = begin, use(t, begin, end);
    for (const TensorId t : op.in) use(t, begin, end);
    if (op.forward.empty() || op.forward_workspace.value == 0) return;
    work_.push_back({begin, end, op.forward_workspace, workspace});
    for (int i = begin; i <= end; ++i) steps_[at(i)].uses.push_back(workspace);
  }
  void use(TensorId t, int begin, int end) {
    last_[at(t)] = end;
    if (tape_.tensors[at(t)].value == 0) return;  // an expert may be given no rows
    for (int i = begin; i <= end; ++i) steps_[at(i)].uses.push_back(t);
  }

  const Tape& tape_;
  const Recomputation& recomputed_;
  std::vector<PassStep> steps_;
  std::vector<int> first_, last_;  // [tensor]
  std::vector<Work> work_;
};

}  // namespace

void change(std::vector<PassStep>& steps, int step, bool at_end, MemoryClass memory_class, Bytes bytes,
            TensorId tensor) {
  if (bytes.value != 0) steps[at(step)].memory.push_back({at_end, memory_class, bytes, tensor});
}

std::vector<PassStep> forward_pass(const Tape& tape, const Recomputation& recomputed) {
  return ForwardPass(tape, recomputed).run();
}

}  // namespace orrery::layout
