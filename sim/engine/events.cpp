#include <algorithm>
#include <optional>
#include <utility>

#include "orrery/core/error.hpp"
#include "orrery/engine/engine.hpp"
#include "orrery/network/flow.hpp"

namespace orrery::engine {
namespace {

using program::Program;
using program::TaskId;

// Completions, ordered by (time, task id): a total order, so equal times never depend on the heap's history. A 4-ary heap in
// one flat array.
class EventQueue {
 public:
  struct Event {
    std::int64_t time;
    TaskId task;
    bool operator<(const Event& o) const { return time != o.time ? time < o.time : task < o.task; }
  };
  bool empty() const { return heap_.empty(); }
  const Event& top() const { return heap_.front(); }
  void push(Event event) {
    std::size_t at = heap_.size();
    heap_.push_back(event);
    while (at > 0) {
      const std::size_t parent = (at - 1) / 4;
      if (!(event < heap_[parent])) break;
      heap_[at] = heap_[parent];
      at = parent;
    }
    heap_[at] = event;
  }
  void pop() {
    const Event last = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return;
    std::size_t at = 0;
    for (;;) {
      const std::size_t first = at * 4 + 1;
      if (first >= heap_.size()) break;
      std::size_t best = first;
      for (std::size_t c = first + 1; c < std::min(first + 4, heap_.size()); ++c)
        if (heap_[c] < heap_[best]) best = c;
      if (!(heap_[best] < last)) break;
      heap_[at] = heap_[best];
      at = best;
    }
    heap_[at] = last;
  }

 private:
  std::vector<Event> heap_;
};

struct Successors {
  std::vector<std::uint32_t> begin;
  std::vector<TaskId> task;
};

Successors successors_of(const Program& program) {
  const std::size_t n = program.tasks();
  Successors s{std::vector<std::uint32_t>(n + 1, 0), std::vector<TaskId>(program.predecessors.size())};
  for (const TaskId p : program.predecessors) ++s.begin[p + 1];
  for (std::size_t i = 0; i < n; ++i) s.begin[i + 1] += s.begin[i];
  std::vector<std::uint32_t> fill(s.begin.begin(), s.begin.end() - 1);
  for (TaskId task = 0; task < n; ++task)
    for (std::uint32_t i = program.predecessor_begin[task]; i < program.predecessor_begin[task + 1]; ++i)
      s.task[fill[program.predecessors[i]]++] = task;
  return s;
}

class Player {
 public:
  // links empty: transfers take the time of their template.
  Player(const Program& program, std::span<const hardware::Link> links)
      : program_(program), successors_(successors_of(program)), shares_(!links.empty()), network_(links) {
    const std::size_t n = program.tasks();
    timeline_.start.assign(n, -1);
    timeline_.end.assign(n, -1);
    timeline_.one_pass = false;
    waiting_.resize(n);
    if (shares_) phase_.assign(n, 0);
    for (TaskId t = 0; t < n; ++t) waiting_[t] = program.predecessor_begin[t + 1] - program.predecessor_begin[t];
  }

  Timeline play() {
    for (TaskId t = 0; t < waiting_.size(); ++t)
      if (waiting_[t] == 0) start(t, 0);
    if (shares_) {
      while (play_instant()) {
      }
    } else {
      while (!queue_.empty()) play_next();
    }
    check(timeline_.events == static_cast<std::int64_t>(program_.tasks()), "every task of a Program is played once");
    return std::move(timeline_);
  }

 private:
  void play_next() {
    const auto event = queue_.top();
    queue_.pop();
    finish(event.task, event.time);
  }

  // All that ends at the next instant, transfers first; what starts at it shares the network from one solve on.
  bool play_instant() {
    const std::optional<Time> network = network_.next_event();
    if (queue_.empty() && !network) return false;
    const std::int64_t now = queue_.empty()                                       ? network->value
                             : network && network->value < queue_.top().time ? network->value
                                                                                  : queue_.top().time;
    if (network && network->value == now) {
      finished_.clear();
      network_.advance({now}, finished_);
      for (const std::int64_t tag : finished_) end_phase(static_cast<TaskId>(tag), now);
    }
    while (!queue_.empty() && queue_.top().time == now) play_next();
    return true;
  }

  void start(TaskId task, std::int64_t now) {
    timeline_.start[task] = now;
    const program::TaskTemplate& t = program_.template_of(task);
    if (shares_ && t.transfer != program::kNone) {
      start_phase(task, now);
    } else {
      queue_.push({checked_add(now, t.duration.value), task});
    }
  }
  void start_phase(TaskId task, std::int64_t now) {
    const network::Phase& phase = program_.transfers[program_.template_of(task).transfer].phases[phase_[task]];
    network_.start({now}, {phase.bytes, phase.links, phase.latency, phase.rate_cap, 1, task, phase.divisor});
  }
  void end_phase(TaskId task, std::int64_t now) {
    if (++phase_[task] < program_.transfers[program_.template_of(task).transfer].phases.size()) {
      start_phase(task, now);
    } else {
      finish(task, now);
    }
  }
  void finish(TaskId task, std::int64_t now) {
    timeline_.end[task] = now;
    timeline_.makespan = std::max(timeline_.makespan, Time{now});
    ++timeline_.events;
    for (std::uint32_t i = successors_.begin[task]; i < successors_.begin[task + 1]; ++i) {
      const TaskId next = successors_.task[i];
      if (--waiting_[next] == 0) start(next, now);
    }
  }

  const Program& program_;
  Successors successors_;
  bool shares_;
  network::FlowNetwork network_;
  std::vector<std::uint32_t> waiting_;
  std::vector<std::uint16_t> phase_;  // of a transfer in flight
  std::vector<std::int64_t> finished_;
  EventQueue queue_;
  Timeline timeline_;
};

}  // namespace

Timeline play_events(const Program& program, std::span<const hardware::Link> links) { return Player(program, links).play(); }

}  // namespace orrery::engine
