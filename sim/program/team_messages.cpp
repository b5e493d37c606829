#include "team_messages.hpp"

#include <algorithm>
#include <cstdint>

namespace orrery::program {
namespace {

using layout::Dimension;

constexpr std::int32_t kNobody = -1;

bool is_message(const ObservedCall& call) {
  return call.kind == Collective::send_receive && call.among->lane == Lane::pipeline_send;
}

// The ranks along some dimensions as teams.
class Teams {
 public:
  Teams(const Ranks& ranks, std::span<const Dimension> along)
      : ranks_(ranks), team_(ranks.at.size()), member_(ranks.at.size()) {
    std::vector<std::int32_t> number(ranks.at.size(), kNobody);  // [first rank]
    for (std::size_t r = 0; r < ranks.at.size(); ++r) {
      layout::Coordinates first = ranks.at[r];
      for (const Dimension d : along) {
        member_[r] = member_[r] * degree(d) + first[d];
        first[d] = 0;
      }
      std::int32_t& team = number[static_cast<std::size_t>(ranks.grid.rank(first))];
      if (team == kNobody) team = static_cast<std::int32_t>(count_++);
      team_[r] = team;
    }
    for (const Dimension d : along) size_ *= static_cast<std::size_t>(degree(d));
    rank_.resize(count_ * size_);
    for (std::size_t r = 0; r < team_.size(); ++r)
      rank_[at(team_[r]) * size_ + at(member_[r])] = static_cast<std::int32_t>(r);
  }

  std::size_t count() const { return count_; }
  std::size_t size() const { return size_; }  // of each
  std::size_t team_of(std::int32_t rank) const { return at(team_[at(rank)]); }
  std::int32_t member(std::int32_t rank) const { return member_[at(rank)]; }
  std::int32_t rank(std::size_t team, std::int32_t member) const { return rank_[team * size_ + at(member)]; }
  std::span<const std::int32_t> ranks(std::size_t team) const { return std::span(rank_).subspan(team * size_, size_); }

 private:
  static std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }
  std::int32_t degree(Dimension d) const { return static_cast<std::int32_t>(ranks_.grid.degree(d)); }

  const Ranks& ranks_;
  std::size_t count_ = 0, size_ = 1;
  std::vector<std::int32_t> team_, member_;  // [rank]
  std::vector<std::int32_t> rank_;           // [team][member]
};

// What the messages of each team take, hop by hop. Calls join members of unlike teams: where the ranks of one differ,
// none is levelled.
class Times {
 public:
  Times(const Ranks& ranks, std::span<const Dimension> along, const std::vector<ObservedCall>& calls,
        Communication& communication)
      : teams_(ranks, along), takes_less_(teams_.size(), false) {
    tell_apart([&](std::int32_t rank) { return ranks.speed_of[static_cast<std::size_t>(rank)]; });
    for (const ObservedCall& call : calls) {
      const CallCosts& costs = communication.costs(*call.among, call.kind, call.bytes, call.rows);
      is_message(call) ? look_at_messages(call, costs) : look_at_collective(call, costs);
    }
  }

  bool levels(Levelling how) const {
    return how != Levelling::none && !apart_ && (how == Levelling::each_hop || all_the_way() != kNobody);
  }
  const Teams& teams() const { return teams_; }
  // What the messages of each member of a team take. `hop`: of the messages among the calls, by their order.
  std::span<const std::int64_t> of_members(std::size_t team, std::size_t hop) const {
    return std::span(hops_[hop]).subspan(team * teams_.size(), teams_.size());
  }
  // The rank whose messages stand for those of its team, as they are the slowest.
  std::int32_t standing_for(std::size_t team, std::size_t hop) const {
    const auto of = of_members(team, hop);
    return teams_.rank(team, static_cast<std::int32_t>(std::ranges::max_element(of) - of.begin()));
  }

 private:
  // No message stands for another in teams whose ranks differ.
  template <class Of>
  void tell_apart(Of of) {
    for (std::size_t t = 0; t < teams_.count() && !apart_; ++t) {
      const auto team = teams_.ranks(t);
      apart_ = std::ranges::any_of(team, [&](std::int32_t rank) { return of(rank) != of(team.front()); });
    }
  }
  void look_at_collective(const ObservedCall& call, const CallCosts& costs) {
    std::vector<Time> takes(teams_.count() * teams_.size(), Time{});
    for (std::size_t g = 0; g < costs.size(); ++g)
      for (const std::int32_t rank : call.among->groups[g]) takes[static_cast<std::size_t>(rank)] = costs[g].duration;
    tell_apart([&](std::int32_t rank) { return takes[static_cast<std::size_t>(rank)]; });
  }
  void look_at_messages(const ObservedCall& call, const CallCosts& costs) {
    std::vector<std::int64_t>& takes = hops_.emplace_back(teams_.count() * teams_.size(), 0);
    for (std::size_t g = 0; g < costs.size(); ++g) {
      const std::int32_t sender = call.among->groups[g].front();
      takes[teams_.team_of(sender) * teams_.size() + static_cast<std::size_t>(teams_.member(sender))] =
          costs[g].duration.value;
    }
    for (std::size_t first = 0; first < takes.size(); first += teams_.size()) {
      const auto team = std::span(takes).subspan(first, teams_.size());
      const std::int64_t most = std::ranges::max(team);
      for (std::size_t m = 0; m < team.size(); ++m)
        if (team[m] < most) takes_less_[m] = true;
    }
  }
  // The member that is slowest in every message.
  std::int32_t all_the_way() const {
    const auto member = std::ranges::find(takes_less_, false);
    return member == takes_less_.end() ? kNobody : static_cast<std::int32_t>(member - takes_less_.begin());
  }

  const Teams teams_;
  bool apart_ = false;                           // the ranks of a team differ
  std::vector<bool> takes_less_;                 // [member] than others of its team in some message
  std::vector<std::vector<std::int64_t>> hops_;  // [hop][team · size + member] ps
};

}  // namespace

// By teams along all dimensions where those can be levelled, else by smaller ones.
TeamMessages::TeamMessages(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication,
                           const TeamLevels& level) {
  for (std::size_t dimensions = level.along.size(); dimensions > 0; --dimensions) {
    const auto along = std::span(level.along).first(dimensions);
    const Times times(ranks, along, calls, communication);
    if (!times.levels(level.how)) continue;
    along_.assign(along.begin(), along.end());
    std::map<std::vector<std::int64_t>, std::uint32_t> numbers;
    std::size_t hop = 0;
    for (const ObservedCall& call : calls) {
      if (!is_message(call)) continue;
      std::vector<std::int32_t> standing;  // [team]
      std::vector<std::uint32_t> number;
      for (std::size_t team = 0; team < times.teams().count(); ++team) {
        standing.push_back(times.standing_for(team, hop));
        number.push_back(level.how == Levelling::each_hop ? number_of(times.of_members(team, hop), numbers) : 0);
      }
      Pairs& pairs = levelled_.emplace_back(call, Pairs()).second;
      for (const auto& pair : call.among->groups) {
        const std::size_t team = times.teams().team_of(pair.front());
        const int to = ranks.at[static_cast<std::size_t>(pair.back())][Dimension::pipeline];
        pairs.standing.push_back(ranks.pair_of(standing[team], to));
        pairs.times.push_back(number[team]);
      }
      ++hop;
    }
    return;
  }
}

std::uint32_t TeamMessages::number_of(std::span<const std::int64_t> takes,
                                      std::map<std::vector<std::int64_t>, std::uint32_t>& numbers) {
  const auto [least, most] = std::ranges::minmax(takes);
  if (least == most) return 0;
  const auto [of, fresh] =
      numbers.try_emplace({takes.begin(), takes.end()}, static_cast<std::uint32_t>(takes_.size() + 1));
  if (fresh) takes_.push_back(of->first);
  return of->second;
}

TeamMessages::Costs TeamMessages::costs(const ObservedCall& call, Communication& communication) const {
  const auto known = std::ranges::find(levelled_, call, [](const auto& entry) { return entry.first; });
  return {communication.costs(*call.among, call.kind, call.bytes, call.rows),
          known == levelled_.end() ? nullptr : &known->second};
}

}  // namespace orrery::program
