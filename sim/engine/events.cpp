#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "orrery/core/error.hpp"
#include "orrery/engine/engine.hpp"
#include "orrery/network/flow.hpp"
#include "paces.hpp"
#include "slowed_work.hpp"
#include "step_time.hpp"

namespace orrery::engine {
namespace {

using program::Program;
using program::TaskId;

// Completions, ordered by (time, task id): a total order, so equal times never depend on the heap's history. A 4-ary
// heap in one flat array.
class EventQueue {
 public:
  struct Event {
    std::int64_t time;
    TaskId task;
    std::uint32_t version;  // of the task's end: an older one no longer holds
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
  Player(const Program& program, std::span<const hardware::Link> links, bool record_rates)
      : program_(program),
        successors_(successors_of(program)),
        shares_(!links.empty()),
        links_(links),
        network_(links) {
    const std::size_t n = program.tasks();
    timeline_.start.assign(n, -1);
    timeline_.end.assign(n, -1);
    timeline_.one_pass = false;
    waiting_.resize(n);
    if (shares_) {
      phase_.assign(n, 0);
      lost_.assign(n, 0);
      timeline_.limited_by.assign(n, -1);
      network_.observe(record_rates ? &timeline_.rates : nullptr);
    }
    if (program.stretches.any()) paces_.emplace(program);
    if (!one_pass_applies(program)) slowed_.emplace(program, paces_ ? &*paces_ : nullptr);
    for (TaskId t = 0; t < n; ++t) waiting_[t] = program.predecessor_begin[t + 1] - program.predecessor_begin[t];
  }

  Timeline play() {
    begin_stretches(0);
    for (TaskId t = 0; t < waiting_.size(); ++t)
      if (waiting_[t] == 0) start(t, 0);
    if (shares_) {
      while (play_instant()) {
      }
    } else {
      while (!queue_.empty()) play_next();
    }
    for (std::size_t link = 0; shares_ && link < links_.size(); ++link)
      timeline_.carried.push_back(network_.carried(static_cast<hardware::LinkId>(link)));
    check(timeline_.events == static_cast<std::int64_t>(program_.tasks()), "every task of a Program is played once");
    timeline_.step_time = step_time(program_, timeline_);
    return std::move(timeline_);
  }

 private:
  void play_next() {
    const auto event = queue_.top();
    queue_.pop();
    if (superseded(event)) return;
    finish(event.task, event.time);
  }

  // All that ends at the next instant, transfers first; what starts at it shares the network from one solve on.
  bool play_instant() {
    const std::optional<Time> network = network_.next_event();
    if (queue_.empty() && !network && network_.in_flight() == 0) return false;
    std::int64_t now = next_stretch();
    if (!queue_.empty()) now = std::min(now, queue_.top().time);
    if (network) now = std::min(now, network->value);
    check(now < kNever, "a transfer stands for good");
    if (network && network->value == now) {
      finished_.clear();
      network_.advance({now}, finished_);
      for (const network::Waited& waited : network_.waited()) note_loss(waited);
      for (const std::int64_t tag : finished_) end_phase(static_cast<TaskId>(tag), now);
    }
    begin_stretches(now);
    while (!queue_.empty() && queue_.top().time == now) play_next();
    return true;
  }

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  std::int64_t next_stretch() const {
    const std::vector<Time>& begin = program_.stretches.begin;
    return stretch_ < begin.size() ? begin[stretch_].value : kNever;
  }
  // Gives the links the bandwidth of the stretches that begin by now.
  void begin_stretches(std::int64_t now) {
    const program::Stretches& all = program_.stretches;
    for (; shares_ && next_stretch() <= now; ++stretch_) {
      for (const auto& [link, bandwidth] : all.links[all.state_behind(stretch_)])
        network_.change_bandwidth({now}, link, links_[static_cast<std::size_t>(link)].bandwidth);
      for (const auto& [link, bandwidth] : all.links[all.state[stretch_]])
        network_.change_bandwidth({now}, link, bandwidth);
    }
  }
  std::int64_t end_of(TaskId task, std::int64_t start, std::int64_t left) const {
    return paces_ ? paces_->end_of(task, start, left) : checked_add(start, left);
  }

  void start(TaskId task, std::int64_t now) {
    timeline_.start[task] = now;
    const program::TaskTemplate& t = program_.template_of(task);
    if (shares_ && t.transfer != program::kNone) {
      start_phase(task, now);
    } else if (slowed_ && t.slowdown_class != 0) {
      push(slowed_->start(task, now));
    } else {
      queue_.push({end_of(task, now, t.duration.value), task, 0});
    }
    if (slowed_ && t.category == program::Category::data_comm) change_traffic(task, now, 1);
  }

  bool superseded(const EventQueue::Event& event) const {
    return slowed_ && program_.template_of(event.task).slowdown_class != 0 &&
           !slowed_->holds(event.task, event.version);
  }
  void push(const SlowedWork::End& end) { queue_.push({end.time, end.task, end.version}); }
  void change_traffic(TaskId transfer, std::int64_t now, std::int32_t by) {
    for (std::uint32_t i = program_.participant_begin[transfer]; i < program_.participant_begin[transfer + 1]; ++i)
      if (const auto end = slowed_->change_traffic(program_.participants[i].device, now, by)) push(*end);
  }
  void note_loss(const network::Waited& waited) {
    const auto task = static_cast<std::size_t>(waited.tag);
    if (waited.lost.value <= lost_[task]) return;
    lost_[task] = waited.lost.value;
    timeline_.limited_by[task] = waited.link;
  }
  const program::Transfer& transfer_of(TaskId task) const {
    return program_.transfers[program_.transfer_of(task, {timeline_.start[task]})];
  }
  void start_phase(TaskId task, std::int64_t now) {
    const network::Phase& phase = transfer_of(task).phases[phase_[task]];
    network_.start({now}, {phase.bytes, phase.links, phase.latency, phase.rate_cap, 1, task, phase.divisor});
  }
  void end_phase(TaskId task, std::int64_t now) {
    if (++phase_[task] < transfer_of(task).phases.size()) {
      start_phase(task, now);
    } else {
      finish(task, now);
    }
  }
  void finish(TaskId task, std::int64_t now) {
    timeline_.end[task] = now;
    timeline_.makespan = std::max(timeline_.makespan, Time{now});
    ++timeline_.events;
    if (slowed_) {
      const program::TaskTemplate& t = program_.template_of(task);
      if (t.slowdown_class != 0) slowed_->finish(task, timeline_);
      if (t.category == program::Category::data_comm) change_traffic(task, now, -1);
    }
    for (std::uint32_t i = successors_.begin[task]; i < successors_.begin[task + 1]; ++i) {
      const TaskId next = successors_.task[i];
      if (--waiting_[next] == 0) start(next, now);
    }
  }

  const Program& program_;
  Successors successors_;
  bool shares_;
  std::span<const hardware::Link> links_;
  network::FlowNetwork network_;
  std::optional<Paces> paces_;  // where something is slow for a part of the step
  std::size_t stretch_ = 0;     // of them, the next to begin
  std::vector<std::uint32_t> waiting_;
  std::vector<std::uint16_t> phase_;  // of a transfer in flight
  std::vector<std::int64_t> lost_;    // of a transfer, in the phase that lost most
  std::vector<std::int64_t> finished_;
  std::optional<SlowedWork> slowed_;  // where anything slows down
  EventQueue queue_;
  Timeline timeline_;
};

}  // namespace

Timeline play_events(const Program& program, std::span<const hardware::Link> links, bool record_rates) {
  return Player(program, links, record_rates).play();
}

}  // namespace orrery::engine
