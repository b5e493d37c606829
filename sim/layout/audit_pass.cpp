#include <fmt/format.h>

#include <algorithm>

#include "orrery/layout/pass.hpp"

namespace orrery::layout {
namespace {

class PassAudit {
 public:
  PassAudit(const std::vector<PassStep>& steps, const std::vector<TensorId>& held) : steps_(steps) {
    for (const TensorId t : held) state(t) = State::there;
  }

  std::vector<std::string> run() {
    for (int i = 0; i < static_cast<int>(steps_.size()); ++i) {
      const PassStep& step = at(i);
      apply(i, false);
      for (const TensorId t : step.uses) find(t, i);
      if (step.beside > 0) beside_.push_back(i);
      if (i + 1 == static_cast<int>(steps_.size())) beside_.clear();  // the pass ends when its calls have
      apply(i, true);
      std::erase_if(beside_, [&](int call) { return call + static_cast<int>(at(call).beside) <= i; });
    }
    return std::move(wrong_);
  }

 private:
  const PassStep& at(int step) const { return steps_[static_cast<std::size_t>(step)]; }
  enum class State : std::uint8_t { unknown, freed, there };
  State& state(TensorId t) {
    const auto index = static_cast<std::size_t>(t);
    if (index >= states_.size()) states_.resize(index + 1, State::unknown);
    return states_[index];
  }
  void find(TensorId t, int step) {
    if (const State now = state(t); now != State::there)
      say(step, now == State::unknown ? "uses a tensor that nothing made" : "uses a tensor that is freed", t);
  }
  void apply(int i, bool at_end) {
    for (const MemoryChange& c : at(i).memory) {
      if (c.at_end != at_end || c.tensor == kNoTensor) continue;
      const bool there = state(c.tensor) == State::there, made = c.bytes.value > 0;
      if (there == made) say(i, there ? "makes a tensor twice" : "frees a tensor that is not there", c.tensor);
      state(c.tensor) = made ? State::there : State::freed;
      if (made) continue;
      for (const int call : beside_)
        if (call != i && std::ranges::count(at(call).uses, c.tensor) > 0)
          say(i, "frees a tensor that a call beside it still uses", c.tensor);
    }
  }
  void say(int step, const char* what, TensorId t) {
    wrong_.push_back(fmt::format("step {} ({}) {} ({})", step, at(step).name, what, t));
  }

  const std::vector<PassStep>& steps_;
  std::vector<State> states_;  // [tensor]
  std::vector<int> beside_;    // calls in flight
  std::vector<std::string> wrong_;
};

}  // namespace

std::vector<std::string> audit_pass(const std::vector<PassStep>& steps, const std::vector<TensorId>& held) {
  return PassAudit(steps, held).run();
}

}  // namespace orrery::layout
