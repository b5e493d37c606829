#include "team_messages.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace orrery::program {
namespace {

using layout::Dimension;

constexpr int kMostMembers = 64;  // bits of a set

// Of each team (tensor-parallel ranks) the members whose messages are the slowest on all of the way.
class Slowest {
 public:
  explicit Slowest(const Ranks& ranks)
      : ranks_(ranks), among_(ranks.along[Dimension::tensor]), of_chain_(among_.groups.size(), ~std::uint64_t{0}) {
    for (const auto& team : among_.groups) {
      const std::int32_t first = ranks.at_pipeline(team.front(), 0);
      chain_.push_back(ranks.along_of[Dimension::tensor][static_cast<std::size_t>(first)]);
    }
    tell_apart([&](std::int32_t rank) { return ranks.speed_of[static_cast<std::size_t>(rank)]; });
  }

  std::size_t team_of(std::int32_t rank) const {
    return static_cast<std::size_t>(ranks_.along_of[Dimension::tensor][static_cast<std::size_t>(rank)]);
  }
  // No message stands for another in teams whose ranks differ.
  template <class Of>
  void tell_apart(Of of) {
    for (std::size_t t = 0; t < among_.groups.size(); ++t) {
      const std::vector<std::int32_t>& team = among_.groups[t];
      if (std::ranges::any_of(team, [&](std::int32_t rank) { return of(rank) != of(team.front()); }))
        of_chain_[static_cast<std::size_t>(chain_[t])] = 0;
    }
  }
  void look_at_collective(const ObservedCall& call, const CallCosts& costs) {
    std::vector<Time> takes(ranks_.at.size());
    for (std::size_t g = 0; g < costs.size(); ++g)
      for (const std::int32_t rank : call.among->groups[g]) takes[static_cast<std::size_t>(rank)] = costs[g].duration;
    tell_apart([&](std::int32_t rank) { return takes[static_cast<std::size_t>(rank)]; });
  }
  void look_at_messages(const ObservedCall& call, const CallCosts& costs) {
    std::vector<Time> most(among_.groups.size());
    std::vector<std::uint64_t> members(among_.groups.size(), 0);
    for (std::size_t g = 0; g < costs.size(); ++g) {
      const std::int32_t from = call.among->groups[g].front();
      const std::size_t team = team_of(from);
      if (costs[g].duration > most[team]) most[team] = costs[g].duration, members[team] = 0;
      if (costs[g].duration == most[team]) members[team] |= std::uint64_t{1} << member(from);
    }
    for (std::size_t team = 0; team < members.size(); ++team)
      if (members[team] != 0) of_chain_[static_cast<std::size_t>(chain_[team])] &= members[team];
  }
  // The rank of its team whose messages stand for all; itself where there is none.
  std::int32_t stands_for(std::int32_t rank) const {
    const std::size_t team = team_of(rank);
    const std::uint64_t members = of_chain_[static_cast<std::size_t>(chain_[team])];
    if (members == 0) return rank;
    const auto wanted = std::countr_zero(members);
    for (const std::int32_t r : among_.groups[team])
      if (member(r) == wanted) return r;
    return rank;
  }

 private:
  int member(std::int32_t rank) const { return ranks_.at[static_cast<std::size_t>(rank)][Dimension::tensor]; }

  const Ranks& ranks_;
  const ProcessGroups& among_;
  std::vector<std::int32_t> chain_;      // [team] that at pipeline rank 0 with the same micro-batches
  std::vector<std::uint64_t> of_chain_;  // [team at pipeline rank 0] members
};

bool is_message(const ObservedCall& call) {
  return call.kind == Collective::send_receive && call.among->lane == Lane::pipeline_send;
}

}  // namespace

TeamMessages::TeamMessages(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication) {
  if (ranks.along[Dimension::tensor].groups.empty() ||
      std::ssize(ranks.along[Dimension::tensor].groups.front()) > kMostMembers)
    return;
  Slowest slowest(ranks);
  for (const ObservedCall& call : calls) {
    const CallCosts& costs = communication.costs(*call.among, call.kind, call.bytes, call.rows);
    is_message(call) ? slowest.look_at_messages(call, costs) : slowest.look_at_collective(call, costs);
  }
  for (const ObservedCall& call : calls) {
    if (!is_message(call)) continue;
    std::vector<std::int32_t>& pairs = levelled_.emplace_back(call, std::vector<std::int32_t>()).second;
    for (const auto& pair : call.among->groups) {
      const int to = ranks.at[static_cast<std::size_t>(pair.back())][Dimension::pipeline];
      pairs.push_back(ranks.pair_of(slowest.stands_for(pair.front()), to));
    }
  }
}

TeamMessages::Costs TeamMessages::costs(const ObservedCall& call, Communication& communication) const {
  const auto known = std::ranges::find(levelled_, call, [](const auto& entry) { return entry.first; });
  return {communication.costs(*call.among, call.kind, call.bytes, call.rows),
          known == levelled_.end() ? nullptr : &known->second};
}

}  // namespace orrery::program
