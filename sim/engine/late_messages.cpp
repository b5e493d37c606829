// Who of a team ends each task how long ahead of the latest, whose time the timeline is. With a_i for member i, of the
// tasks before it and of the message's own times d_i,
//   at the start of a task  a_i = min over the tasks before it of (its start − their end + their a_i),
//   of a message            it takes max_i (d_i − a_i), which leaves a_i' = that − (d_i − a_i),
// and 0 where all meet. As most tasks lie in passes in which all do, a_i is at first what one of the tasks before says,
// which it is at most; what that leaves open is worked out where a message asks for it.
//
// A member that is the latest by its host is not met by the others in a pass: they end it no later, how much is not
// told. Sums of gradients that begin member by member slow the kernels beside them from the latest member's beginning
// on. The others' began and end before: no kernel takes longer for that as long as the latest stays the latest.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "orrery/engine/engine.hpp"

namespace orrery::engine {
namespace {

using namespace program;

constexpr std::uint32_t kTogether = 0;        // else a number of Lates::ahead_
constexpr std::uint32_t kByHosts = 1U << 31;  // added to it in a pass: the latest are so by their hosts
constexpr std::uint32_t kAtMost = 1U << 30;   // added to it: no more ahead than that
constexpr std::uint32_t kFlags = kByHosts | kAtMost;

using Ahead = std::vector<std::int64_t>;  // [member] ps

class Lates {
 public:
  Lates(const Program& program, const Timeline& timeline)
      : program_(program),
        timeline_(timeline),
        levels_(program.levels),
        number_(program.templates.size(), 0),
        tail_(program.tasks(), Tail::none),
        sums_(program.devices.size()),
        state_(program.tasks(), kTogether) {
    number_of(Ahead(levels_.takes.front().size(), 0));  // kTogether
    for (const auto& [message, number] : levels_.number) number_[message] = number;
    for (const TaskId task : levels_.in_part) tail_[task] = Tail::in_part;
    for (const TaskId task : levels_.together) tail_[task] = Tail::together;
  }

  std::optional<std::vector<MessageTime>> messages() {
    std::vector<MessageTime> others;
    for (TaskId task = 0; task < program_.tasks(); ++task) {
      state_[task] = at_start(task);
      const TaskTemplate& t = program_.template_of(task);
      if (t.lane != Lane::compute) state_[task] &= ~kByHosts;
      if (tail_[task] != Tail::none) meet(task);
      if (number_[program_.task_template[task]] != 0) {
        const std::optional<Time> takes = send(task);
        if (!takes) return {};
        if (*takes != t.duration) others.push_back({task, *takes});
      }
      if (state_[task] != kTogether && t.category == Category::data_comm) note_sum(task);
    }
    if (!keep_their_pace()) return {};
    return others;
  }

 private:
  enum class Tail : std::uint8_t { none, in_part, together };
  struct Sum {
    std::int64_t start, end;
    std::uint32_t state;
    bool alone;  // no other device has a part in it
  };

  std::span<const TaskId> before(TaskId task) const {
    const std::uint32_t first = program_.predecessor_begin[task];
    return std::span(program_.predecessors).subspan(first, program_.predecessor_begin[task + 1] - first);
  }
  std::int64_t wait(TaskId before, TaskId task) const { return timeline_.start[task] - timeline_.end[before]; }
  const Ahead& ahead(std::uint32_t state) const { return ahead_[state & ~kFlags]; }
  std::uint32_t number_of(Ahead ahead) {
    const auto [known, fresh] = numbers_.try_emplace(ahead, static_cast<std::uint32_t>(ahead_.size()));
    if (fresh) most_.push_back(std::ranges::max(ahead)), ahead_.push_back(std::move(ahead));
    return known->second;
  }

  // Where all end at once what it waits for, all begin at once; else by the device rather than by the host.
  std::uint32_t at_start(TaskId task) const {
    if (timeline_.start[task] == 0) return kTogether;
    const bool on_host = program_.template_of(task).lane == Lane::host;
    TaskId last = kNone;
    bool by_host = true;
    for (const TaskId b : before(task)) {
      if (wait(b, task) != 0) continue;
      if (state_[b] == kTogether) return kTogether;
      const bool host = program_.template_of(b).lane == Lane::host;
      if (last == kNone || (by_host && !host)) last = b, by_host = host;
    }
    std::uint32_t state = state_[last];
    if (!on_host && by_host) state |= kByHosts;
    const std::int64_t most = most_[state & ~kFlags];
    for (const TaskId b : before(task))
      if (b != last && wait(b, task) < most) state |= kAtMost;
    return state;
  }

  // All, or those of a kind; but not those that are late by their hosts.
  void meet(TaskId task) {
    std::uint32_t& state = state_[task];
    if ((state & kByHosts) != 0)
      state = (state & ~kByHosts) | kAtMost;
    else if (tail_[task] == Tail::together)
      state = kTogether;
    else if (state != kTogether)
      state = number_of(joined(ahead(state))) | (state & kAtMost);
  }
  Ahead joined(Ahead ahead) const {
    for (std::size_t kind = 0; kind < levels_.kinds; ++kind) {
      std::int64_t least = ahead[kind];
      for (std::size_t i = kind; i < ahead.size(); i += levels_.kinds) least = std::min(least, ahead[i]);
      for (std::size_t i = kind; i < ahead.size(); i += levels_.kinds) ahead[i] = least;
    }
    return ahead;
  }

  // What a message takes of which the members' own do; unless that is not told.
  std::optional<Time> send(TaskId task) {
    const std::uint32_t number = number_[program_.task_template[task]];
    const std::vector<std::int64_t>& own = levels_.takes[number - 1];
    std::uint32_t& state = state_[task];
    Sent sent;
    if ((state & kAtMost) == 0) {
      const auto [known, fresh] = sent_.try_emplace(static_cast<std::uint64_t>(number) << 32 | state);
      if (fresh) known->second = sent_by(own, ahead(state));
      sent = known->second;
    } else if (const std::optional<Ahead> exact = exact_start(task, 0)) {
      sent = sent_by(own, *exact);
    } else {
      sent = sent_by(own, ahead(state));
      if (sent.takes < std::ranges::max(own)) return {};
      sent.state |= kAtMost;
    }
    state = sent.state;
    return Time{sent.takes};
  }
  struct Sent {
    std::int64_t takes = 0;
    std::uint32_t state = kTogether;  // as it ends
  };
  Sent sent_by(const std::vector<std::int64_t>& own, Ahead ahead) {
    Sent sent;
    for (std::size_t i = 0; i < own.size(); ++i) sent.takes = std::max(sent.takes, own[i] - ahead[i]);
    for (std::size_t i = 0; i < own.size(); ++i) ahead[i] += sent.takes - own[i];
    sent.state = number_of(std::move(ahead));
    return sent;
  }

  static constexpr int kFarthest = 64;
  std::optional<Ahead> exact_start(TaskId task, int depth) {
    Ahead least;
    for (const TaskId b : before(task)) {
      if (!least.empty() && wait(b, task) >= std::ranges::max(least)) continue;
      std::optional<Ahead> of = exact_end(b, depth);
      if (!of) return {};
      for (std::int64_t& a : *of) a += wait(b, task);
      if (least.empty()) least = *of;
      for (std::size_t i = 0; i < least.size(); ++i) least[i] = std::min(least[i], (*of)[i]);
    }
    return least;
  }
  // Of a task that none meets in; what a message has left is known, or is not to be.
  std::optional<Ahead> exact_end(TaskId task, int depth) {
    const std::uint32_t state = state_[task];
    if ((state & kAtMost) == 0) return ahead(state);
    if (tail_[task] == Tail::together || number_[program_.task_template[task]] != 0 || depth == kFarthest) return {};
    const auto [known, fresh] = exact_.try_emplace(task);
    if (!fresh) return known->second;
    const bool in_part = tail_[task] == Tail::in_part;
    if (in_part && (at_start(task) & kByHosts) != 0) return {};
    std::optional<Ahead> end = exact_start(task, depth + 1);
    if (end && in_part) end = joined(*std::move(end));
    return exact_[task] = std::move(end);
  }

  void note_sum(TaskId task) {
    const std::uint32_t first = program_.participant_begin[task], last = program_.participant_begin[task + 1];
    for (std::uint32_t i = first; i < last; ++i)
      sums_[program_.participants[i].device].push_back(
          {timeline_.start[task], timeline_.end[task], state_[task], last == first + 1});
  }
  bool keep_their_pace() const {
    if (std::ranges::all_of(sums_, [](const auto& sums) { return sums.empty(); })) return true;
    for (TaskId task = 0; task < program_.tasks(); ++task) {
      if (program_.template_of(task).slowdown_class == 0) continue;
      const auto disturbs = [&](const Sum& s) {
        const bool beside = s.start < timeline_.end[task] && s.end > timeline_.start[task];
        return beside && !(s.alone && have_the_same_latest(s.state, at_start(task)));
      };
      if (std::ranges::any_of(sums_[program_.participant(task).device], disturbs)) return false;
    }
    return true;
  }
  bool have_the_same_latest(std::uint32_t a, std::uint32_t b) const {
    const Ahead &of_a = ahead(a), &of_b = ahead(b);
    for (std::size_t i = 0; i < of_a.size(); ++i)
      if (of_a[i] == 0 && of_b[i] == 0) return true;
    return false;
  }

  const Program& program_;
  const Timeline& timeline_;
  const Program::Levels& levels_;
  std::vector<std::uint32_t> number_;   // [template] of Levels::takes
  std::vector<Tail> tail_;              // [task]
  std::vector<std::vector<Sum>> sums_;  // [device] of gradients that its team begins member by member
  std::vector<Ahead> ahead_;            // [number]
  std::vector<std::int64_t> most_;      // [number] of its members
  std::map<Ahead, std::uint32_t> numbers_;
  std::unordered_map<std::uint64_t, Sent> sent_;  // by the number of a message, and how it starts
  std::vector<std::uint32_t> state_;              // [task] as it ends
  std::map<TaskId, std::optional<Ahead>> exact_;  // likewise, of those that were asked for
};

}  // namespace

std::optional<std::vector<MessageTime>> late_messages(const Program& program, const Timeline& timeline) {
  if (program.levels.number.empty()) return std::vector<MessageTime>();
  return Lates(program, timeline).messages();
}

void retime(Program& program, std::span<const MessageTime> messages) {
  std::map<std::pair<TemplateId, std::int64_t>, TemplateId> made;
  for (const MessageTime& m : messages) {
    const TemplateId of = program.task_template[m.task];
    const auto [known, fresh] =
        made.try_emplace({of, m.takes.value}, static_cast<TemplateId>(program.templates.size()));
    program.task_template[m.task] = known->second;
    if (!fresh) continue;
    TaskTemplate other = program.templates[of];
    other.duration = m.takes;
    program.templates.push_back(other);
    const auto number = std::ranges::find(program.levels.number, of, [](const auto& entry) { return entry.first; });
    program.levels.number.emplace_back(known->second, number->second);
  }
}

}  // namespace orrery::engine
