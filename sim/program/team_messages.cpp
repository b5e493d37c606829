#include "team_messages.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

namespace orrery::program {
namespace {

using layout::Dimension;

constexpr std::int32_t kNobody = -1;

bool is_message(const ObservedCall& call) {
  return call.kind == Collective::send_receive && call.among->lane == Lane::pipeline_send;
}

// The ranks along some dimensions as teams. Those that the same micro-batches go through are a chain.
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
    for (std::size_t t = 0; t < count_; ++t) chain_.push_back(team_[at(ranks.at_pipeline(rank_[t * size_], 0))]);
  }

  std::size_t count() const { return count_; }
  std::size_t size() const { return size_; }  // of each
  std::size_t team_of(std::int32_t rank) const { return at(team_[at(rank)]); }
  std::int32_t member(std::int32_t rank) const { return member_[at(rank)]; }
  std::int32_t rank(std::size_t team, std::int32_t member) const { return rank_[team * size_ + at(member)]; }
  std::span<const std::int32_t> ranks(std::size_t team) const { return std::span(rank_).subspan(team * size_, size_); }
  std::size_t chain(std::size_t team) const { return at(chain_[team]); }  // its team at pipeline rank 0

 private:
  static std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }
  std::int32_t degree(Dimension d) const { return static_cast<std::int32_t>(ranks_.grid.degree(d)); }

  const Ranks& ranks_;
  std::size_t count_ = 0, size_ = 1;
  std::vector<std::int32_t> team_, member_;  // [rank]
  std::vector<std::int32_t> rank_;           // [team][member]
  std::vector<std::int32_t> chain_;          // [team]
};

// Of each team the members whose messages are the slowest: of each hop, and all the way.
class Slowest {
 public:
  Slowest(const Ranks& ranks, std::span<const Dimension> along, const std::vector<ObservedCall>& calls,
          Communication& communication)
      : teams_(ranks, along), apart_(teams_.count(), false), times_(teams_.count() * teams_.size(), 0) {
    tell_apart([&](std::int32_t rank) { return ranks.speed_of[static_cast<std::size_t>(rank)]; });
    for (const ObservedCall& call : calls) {
      const CallCosts& costs = communication.costs(*call.among, call.kind, call.bytes, call.rows);
      is_message(call) ? look_at_messages(call, costs) : look_at_collective(call, costs);
    }
    find_all_the_way();
  }

  // The rank of its team whose messages stand for those of a rank: itself where there is none.
  struct Standing {
    std::int32_t rank;
    bool of_this_hop;
  };
  bool levels(std::int32_t rank, Levelling how) const {
    const std::size_t chain = teams_.chain(teams_.team_of(rank));
    return how != Levelling::none && !apart_[chain] && (how == Levelling::each_hop || all_the_way_[chain] != kNobody);
  }
  bool levels_all(Levelling how) const {
    for (std::size_t team = 0; team < teams_.count(); ++team)
      if (!levels(teams_.rank(team, 0), how)) return false;
    return true;
  }
  // Of a rank that it levels. `hop`: of the messages among the calls, by their order.
  Standing standing_for(std::int32_t rank, std::size_t hop) const {
    const std::size_t team = teams_.team_of(rank);
    if (const std::int32_t member = all_the_way_[teams_.chain(team)]; member != kNobody)
      return {teams_.rank(team, member), false};
    return {teams_.rank(team, hops_[hop].slowest[team]), hops_[hop].unlike[team]};
  }

 private:
  struct Hop {
    std::vector<std::int32_t> slowest;  // [team] a member of those that send on it
    std::vector<bool> unlike;           // [team] others take less
  };

  // No message stands for another in teams whose ranks differ.
  template <class Of>
  void tell_apart(Of of) {
    for (std::size_t t = 0; t < teams_.count(); ++t) {
      const auto team = teams_.ranks(t);
      if (std::ranges::any_of(team, [&](std::int32_t rank) { return of(rank) != of(team.front()); }))
        apart_[teams_.chain(t)] = true;
    }
  }
  void look_at_collective(const ObservedCall& call, const CallCosts& costs) {
    std::vector<Time> takes(times_.size(), Time{});
    for (std::size_t g = 0; g < costs.size(); ++g)
      for (const std::int32_t rank : call.among->groups[g]) takes[static_cast<std::size_t>(rank)] = costs[g].duration;
    tell_apart([&](std::int32_t rank) { return takes[static_cast<std::size_t>(rank)]; });
  }
  void look_at_messages(const ObservedCall& call, const CallCosts& costs) {
    std::vector<Time> most(teams_.count(), Time{-1}), least(teams_.count());
    Hop hop{std::vector<std::int32_t>(teams_.count(), 0), std::vector<bool>(teams_.count(), false)};
    const auto sender = [&](std::size_t g) { return call.among->groups[g].front(); };
    for (std::size_t g = 0; g < costs.size(); ++g) {
      const std::size_t team = teams_.team_of(sender(g));
      const Time takes = costs[g].duration;
      least[team] = most[team] < Time{} ? takes : std::min(least[team], takes);
      if (takes > most[team]) most[team] = takes, hop.slowest[team] = teams_.member(sender(g));
      hop.unlike[team] = least[team] != most[team];
    }
    for (std::size_t g = 0; g < costs.size(); ++g) {
      const std::size_t team = teams_.team_of(sender(g));
      if (costs[g].duration != most[team]) ++times_[place(team, teams_.member(sender(g)))];
    }
    hops_.push_back(std::move(hop));
  }
  void find_all_the_way() {
    for (std::size_t chain = 0; chain < teams_.count(); ++chain) {
      all_the_way_.push_back(kNobody);
      for (auto member = static_cast<std::int32_t>(teams_.size()); member-- > 0;)
        if (!apart_[chain] && times_[place(chain, member)] == 0) all_the_way_.back() = member;
    }
  }
  std::size_t place(std::size_t team, std::int32_t member) const {
    return teams_.chain(team) * teams_.size() + static_cast<std::size_t>(member);
  }

  const Teams teams_;
  std::vector<bool> apart_;                // [chain]
  std::vector<std::uint32_t> times_;       // [chain][member] messages of others that took longer
  std::vector<std::int32_t> all_the_way_;  // [chain] the member that is slowest there
  std::vector<Hop> hops_;
};

}  // namespace

// By teams along all dimensions where those can be levelled, else by smaller ones.
TeamMessages::TeamMessages(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication,
                           const TeamLevels& level) {
  std::vector<Slowest> slowest;
  for (std::size_t dimensions = level.along.size(); dimensions > 0; --dimensions) {
    slowest.emplace_back(ranks, std::span(level.along).first(dimensions), calls, communication);
    if (slowest.back().levels_all(level.how)) break;
  }
  std::size_t hop = 0;
  for (const ObservedCall& call : calls) {
    if (slowest.empty() || !is_message(call)) continue;
    Pairs& pairs = levelled_.emplace_back(call, Pairs()).second;
    for (const auto& pair : call.among->groups) {
      const std::int32_t rank = pair.front();
      const int to = ranks.at[static_cast<std::size_t>(pair.back())][Dimension::pipeline];
      const auto of = std::ranges::find_if(slowest, [&](const Slowest& s) { return s.levels(rank, level.how); });
      const auto stands = of == slowest.end() ? Slowest::Standing{rank, false} : of->standing_for(rank, hop);
      pairs.standing.push_back(ranks.pair_of(stands.rank, to));
      pairs.of_this_hop.push_back(stands.of_this_hop);
    }
    ++hop;
  }
}

TeamMessages::Costs TeamMessages::costs(const ObservedCall& call, Communication& communication) const {
  const auto known = std::ranges::find(levelled_, call, [](const auto& entry) { return entry.first; });
  return {communication.costs(*call.among, call.kind, call.bytes, call.rows),
          known == levelled_.end() ? nullptr : &known->second};
}

}  // namespace orrery::program
