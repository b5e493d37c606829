// What calls take where the groups of a kind communicate at once (network.mode steady), and what they move over which
// links where transfers meet (flows).
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "communication.hpp"
#include "group_shapes.hpp"
#include "orrery/network/flow.hpp"

namespace orrery::program {

std::vector<network::LinkUse> Communication::links(const GroupShapes& shapes, const Planned& planned, std::size_t shape,
                                                   std::size_t phase) const {
  const network::CollectivePlan& plan = planned.plans[planned.by.alike(shape)];
  return shapes.indexed(shape, planned.by.of[shape]->links(plan.algorithm, phase));
}

// Rates do not depend on how many bytes are moved: calls of other sizes by the same algorithms have those of the first.
const Communication::Rates& Communication::steady_rates(const ProcessGroups& among, const GroupShapes& shapes,
                                                        const Planned& planned, std::size_t phase) {
  std::vector<std::int64_t> key{planned.by.number, static_cast<std::int64_t>(phase)};
  for (std::size_t s = 0; s < planned.plans.size(); ++s)
    if (phase < planned.plans[s].phases.size())
      key.insert(key.end(), {static_cast<std::int64_t>(s), planned.costs[s].call.algorithm,
                             planned.plans[s].phases[phase].rate_cap.value});
  const auto [it, fresh] = rates_of_.try_emplace({&among, std::move(key)});
  if (fresh) it->second = &solved(among, shapes, planned, phase);
  return *it->second;
}

// Most phases of a call, and those of other kinds, are on the links of the first.
const Communication::Rates& Communication::solved(const ProcessGroups& among, const GroupShapes& shapes,
                                                  const Planned& planned, std::size_t phase) {
  std::vector<std::int64_t> key;
  std::vector<std::vector<network::LinkUse>> indexed(planned.plans.size());
  for (std::size_t s = 0; s < planned.plans.size(); ++s) {
    const std::vector<network::Phase>& phases = planned.plans[planned.by.alike(s)].phases;
    if (phase >= phases.size()) continue;
    indexed[s] = links(shapes, planned, s, phase);
    key.insert(key.end(), {static_cast<std::int64_t>(s), phases[phase].rate_cap.value, std::ssize(indexed[s])});
    for (const network::LinkUse& use : indexed[s]) key.insert(key.end(), {use.link, use.multiplicity});
  }
  const auto [it, fresh] = rates_.try_emplace({&among, std::move(key)});
  Rates& rates = it->second;
  if (!fresh) return rates;
  std::vector<network::LinkUse> uses;  // of all transfers, one after the other
  std::vector<network::Transfer> transfers;
  for (std::size_t g = 0; g < shapes.of.size(); ++g) {
    const std::size_t s = shapes.shape(g);
    const std::vector<network::Phase>& phases = planned.plans[planned.by.alike(s)].phases;
    if (phase >= phases.size()) continue;
    network::Transfer& t = transfers.emplace_back(network::transfer_of(phases[phase], static_cast<std::int64_t>(g)));
    const std::size_t before = uses.size();
    shapes.append(g, indexed[s], uses);
    t.uses = {t.uses.data(), uses.size() - before};
    rates.group.push_back(static_cast<std::int32_t>(g));
  }
  const network::LinkUse* next = uses.data();
  for (network::Transfer& t : transfers) t.uses = {std::exchange(next, next + t.uses.size()), t.uses.size()};
  rates.rate = network::steady_rates(network_.topology->links(), transfers, &rates.link);
  return rates;
}

// Where transfers share links as they meet: each group's phases are on links of its own.
CallCosts Communication::with_phases(const GroupShapes& shapes, const Planned& planned) const {
  CallCosts costs;
  for (std::size_t g = 0; g < shapes.of.size(); ++g) {
    const std::size_t s = shapes.shape(g), like = planned.by.alike(s);
    CallCost& cost = costs.kinds.emplace_back(planned.costs[like]);
    costs.of.push_back(static_cast<std::int32_t>(g));
    cost.transfer.phases = planned.plans[like].phases;
    if (s == like && shapes.is_first(g)) continue;
    for (std::size_t k = 0; k < cost.transfer.phases.size(); ++k) {
      std::vector<network::LinkUse>& own = cost.transfer.phases[k].links;
      own.clear();
      shapes.append(g, links(shapes, planned, s, k), own);
    }
  }
  return costs;
}

namespace {

// What sharing does to the call of a group.
struct Shared {
  Time took{};
  std::int32_t shape = 0;
  hardware::LinkId link = -1;  // where it lost most
  friend bool operator==(const Shared&, const Shared&) = default;
};
struct HashOfShared {
  std::size_t operator()(const Shared& of) const {
    Hash hash;
    hash.add(of.took), hash.add((static_cast<std::int64_t>(of.shape) << 32) + of.link);
    return static_cast<std::size_t>(hash.value());
  }
};

}  // namespace

CallCosts Communication::sharing(const ProcessGroups& among, const GroupShapes& shapes, const Planned& planned) {
  std::vector<Shared> shared(shapes.of.size());
  std::vector<Time> most_lost(shapes.of.size());
  std::size_t most_phases = 0;
  for (const network::CollectivePlan& of : planned.plans) most_phases = std::max(most_phases, of.phases.size());
  for (std::size_t k = 0; k < most_phases; ++k) {
    const Rates& rates = steady_rates(among, shapes, planned, k);
    for (std::size_t i = 0; i < rates.group.size(); ++i) {
      const auto g = static_cast<std::size_t>(rates.group[i]);
      const std::size_t s = planned.by.alike(shapes.shape(g));
      const Time alone = planned.alone[s][k];
      const Time takes = network::time_at_rate(planned.plans[s].phases[k], rates.rate[i], alone);
      shared[g].took += takes;
      if (takes - alone <= most_lost[g]) continue;
      most_lost[g] = takes - alone;
      shared[g].link = rates.link[i];
    }
  }
  CallCosts costs;
  std::unordered_map<Shared, std::int32_t, HashOfShared> known;
  for (std::size_t g = 0; g < shared.size(); ++g) {
    shared[g].shape = planned.by.like[shapes.shape(g)];
    const auto [it, fresh] = known.try_emplace(shared[g], static_cast<std::int32_t>(costs.kinds.size()));
    costs.of.push_back(it->second);
    if (!fresh) continue;
    CallCost& cost = costs.kinds.emplace_back(planned.costs[static_cast<std::size_t>(shared[g].shape)]);
    cost.duration = cost.call.took = shared[g].took;
    cost.call.link = shared[g].link;
  }
  return costs;
}

}  // namespace orrery::program
