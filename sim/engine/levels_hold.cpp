// Of each task, whether all of its team end it at once, or who of them is the latest: those for whom that is so where a
// task ends that it waits for until it begins. A message of which others are the slowest must begin at once.
//
// Sums of gradients that begin member by member slow the kernels beside them from the latest member's beginning on. The
// others' began and end before: no kernel takes longer for that as long as the latest stays the latest.
#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "orrery/engine/engine.hpp"

namespace orrery::engine {
namespace {

using namespace program;

constexpr std::uint32_t kTogether = 0;        // else the number of the latest members (Program::levels)
constexpr std::uint32_t kByHosts = 1U << 31;  // added to it in a pass: they are the latest by their hosts

class Levels {
 public:
  Levels(const Program& program, const Timeline& timeline)
      : program_(program),
        timeline_(timeline),
        slowest_(program.templates.size(), kTogether),
        members_(program.levels.members),
        apart_(program.devices.size()),
        latest_(program.tasks(), kTogether) {
    for (const auto& [message, members] : program.levels.slowest) slowest_[message] = members;
  }

  bool hold() {
    auto together = program_.levels.together.begin();
    for (TaskId task = 0; task < program_.tasks(); ++task) {
      latest_[task] = latest_at_start(task);
      bool meet = false;
      for (; together != program_.levels.together.end() && *together == task; ++together) meet = true;
      if (meet) {
        latest_[task] = (latest_[task] & kByHosts) != 0 ? latest_[task] & ~kByHosts : kTogether;
        continue;
      }
      const std::uint32_t slowest = slowest_[program_.task_template[task]];
      if (program_.template_of(task).lane != Lane::compute) latest_[task] &= ~kByHosts;
      if (slowest != kTogether) {
        const std::optional<std::uint32_t> both = in_both(latest_[task], slowest);
        if (!both) return false;
        latest_[task] = *both;
      }
      if (latest_[task] != kTogether && program_.template_of(task).category == Category::data_comm) note_sum(task);
    }
    return keep_their_pace();
  }

 private:
  struct Sum {
    std::int64_t start, end;
    std::uint32_t latest;
    bool alone;  // no other device has a part in it
  };

  // Of what ends then: where all end it at once, all begin; else by the device rather than by the host.
  std::uint32_t latest_at_start(TaskId task) const {
    std::uint32_t latest = kTogether;
    if (timeline_.start[task] == 0) return latest;
    const bool on_host = program_.template_of(task).lane == Lane::host;
    for (std::uint32_t i = program_.predecessor_begin[task]; i < program_.predecessor_begin[task + 1]; ++i) {
      const TaskId before = program_.predecessors[i];
      if (timeline_.end[before] != timeline_.start[task]) continue;
      if (latest_[before] == kTogether) return kTogether;
      const bool by_host = !on_host && program_.template_of(before).lane == Lane::host;
      if (latest == kTogether || !by_host) latest = latest_[before] | (by_host ? kByHosts : 0);
    }
    return on_host ? latest & ~kByHosts : latest;
  }
  void note_sum(TaskId task) {
    const std::uint32_t first = program_.participant_begin[task], last = program_.participant_begin[task + 1];
    for (std::uint32_t i = first; i < last; ++i)
      apart_[program_.participants[i].device].push_back(
          {timeline_.start[task], timeline_.end[task], latest_[task], last == first + 1});
  }
  // The number of those that two numbers stand for; none where there are none.
  std::optional<std::uint32_t> in_both(std::uint32_t a, std::uint32_t b) {
    if (a == kTogether || a == b) return b;
    if (b == kTogether) return a;
    const auto [known, fresh] = in_both_.try_emplace({a, b});
    if (!fresh) return known->second;
    std::vector<std::int32_t> both;
    std::ranges::set_intersection(members_[a - 1], members_[b - 1], std::back_inserter(both));
    if (both.empty()) return {};
    const auto same = std::ranges::find(members_, both);
    known->second = static_cast<std::uint32_t>(same - members_.begin()) + 1;
    if (same == members_.end()) members_.push_back(std::move(both));
    return known->second;
  }
  bool keep_their_pace() {
    if (std::ranges::all_of(apart_, [](const auto& sums) { return sums.empty(); })) return true;
    for (TaskId task = 0; task < program_.tasks(); ++task) {
      if (program_.template_of(task).slowdown_class == 0) continue;
      const auto& sums = apart_[program_.participants[program_.participant_begin[task]].device];
      const auto beside = [&](const Sum& s) { return s.start < timeline_.end[task] && s.end > timeline_.start[task]; };
      const auto disturbs = [&](const Sum& s) {
        const std::uint32_t latest = latest_at_start(task) & ~kByHosts;
        return beside(s) && !(s.alone && in_both(latest, s.latest));
      };
      if (std::ranges::any_of(sums, disturbs)) return false;
    }
    return true;
  }

  const Program& program_;
  const Timeline& timeline_;
  std::vector<std::uint32_t> slowest_;              // [template]
  std::vector<std::vector<std::int32_t>> members_;  // [number − 1]
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::optional<std::uint32_t>> in_both_;
  std::vector<std::vector<Sum>> apart_;  // [device] sums of gradients that its team begins member by member
  std::vector<std::uint32_t> latest_;    // [task] as it ends
};

}  // namespace

bool levels_hold(const Program& program, const Timeline& timeline) {
  return program.levels.slowest.empty() || Levels(program, timeline).hold();
}

}  // namespace orrery::engine
