#include "communication.hpp"

#include <algorithm>

#include "orrery/network/flow.hpp"
#include "ranks.hpp"

namespace orrery::program {

namespace {

ChosenExperts chosen_of(const StepInput& input) {
  const model::Experts& experts = input.graph->spec.experts;
  if (experts.count == 0) return {};
  return {experts.count, experts.count / input.layout.expert, experts.top_k};
}

}  // namespace

NetworkKey::NetworkKey(const StepInput& input, std::shared_ptr<const Ranks> groups)
    : ranks(std::move(groups)),
      topology(input.topology),
      tuning(input.tuning),
      tunings(input.tunings),
      gpu_of(input.gpu_of),
      placement(input.placement),
      mode(input.mode),
      algorithm(input.algorithm),
      protocol(input.protocol),
      deepep(input.pass.experts.dispatcher == layout::Dispatcher::deepep),
      near_nics(input.stack.communication.near_nics),
      step(input.stack.communication.network_step),
      chosen(chosen_of(input)) {}

void NetworkKey::add_to(Hash& hash) const {
  add_pointer(hash, ranks);
  add_pointer(hash, topology);
  hash.add(mode);
}

const Diagnostics& Communication::cut_routes() {
  if (!cut_routes_) cut_routes_ = check_routes(ranks(), *network_.topology, network_.placement);
  return *cut_routes_;
}

bool any_stands(std::span<const hardware::Link> links, const std::vector<network::LinkUse>& uses) {
  return std::ranges::any_of(
      uses, [&](const network::LinkUse& use) { return links[static_cast<std::size_t>(use.link)].stands; });
}

Bytes bytes_sent(Collective kind, Bytes size, std::int64_t members) {
  const std::int64_t n = members;
  if (n <= 1) return {};
  switch (kind) {
    case Collective::all_reduce:
      return {ceil_div(checked_mul(2 * (n - 1), size.value), n)};
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::all_to_all:
    case Collective::dispatch:
      return {ceil_div(checked_mul(n - 1, size.value), n)};
    case Collective::broadcast:
    case Collective::send_receive:
      return size;
  }
  internal_error("unknown collective");
}

TaskTemplate collective_task(Communication& communication, Builder& builder, const ProcessGroups& among,
                             std::size_t group, Collective kind, Bytes bytes, const char* name) {
  return collective_task(communication.costs(among, kind, bytes)[group], builder, among, group, kind, bytes, name);
}

TaskTemplate collective_task(const CallCost& cost, Builder& builder, const ProcessGroups& among, std::size_t group,
                             Collective kind, Bytes bytes, const char* name) {
  TaskTemplate t;
  t.duration = cost.duration;
  t.category = among.category;
  t.lane = t.partner_lane = among.lane;
  t.name = name;
  t.bytes_sent = bytes_sent(kind, bytes, static_cast<std::int64_t>(among.groups[group].size()));
  if (!cost.transfer.phases.empty()) t.transfer = builder.add_transfer(cost.transfer);
  t.calls = builder.add_calls({&cost.call, 1});
  return t;
}

const std::vector<CallCost>& Communication::costs(const ProcessGroups& among, Collective kind, Bytes bytes) {
  const auto key = std::make_tuple(&among, kind, bytes.value);
  if (const auto it = cache_.find(key); it != cache_.end()) return it->second;
  return cache_.emplace(key, compute(among, kind, bytes)).first->second;
}

// That of the GPUs where all are of one kind.
const network::Tuning& Communication::tuning_of(const std::vector<std::int32_t>& group) const {
  if (network_.gpu_of.empty()) return *network_.tuning;
  const auto kind = [&](std::int32_t rank) { return network_.gpu_of[static_cast<std::size_t>(rank)]; };
  const std::int32_t first = kind(group.front());
  if (std::any_of(group.begin(), group.end(), [&](std::int32_t rank) { return kind(rank) != first; }))
    return *network_.tuning;
  return *network_.tunings[static_cast<std::size_t>(first)];
}

// By the algorithm and protocol that the run names, where they serve this call.
network::CollectivePlan Communication::plan(const ProcessGroups& among, Collective kind, Bytes bytes,
                                            const std::vector<std::int32_t>& group,
                                            std::span<const hardware::DeviceId> devices) const {
  const network::Tuning& tuning = tuning_of(group);
  network::CollectiveCall call{kind, bytes, devices, network_.algorithm, network_.protocol};
  call.chosen = network_.chosen, call.near_nics = network_.near_nics;
  const bool to_experts = kind == Collective::all_to_all || kind == Collective::dispatch;
  if (network_.deepep && to_experts && among.lane == Lane::expert && call.algorithm.empty()) call.algorithm = "deepep";
  if (!call.algorithm.empty() && !network::unsupported(call, *network_.topology, tuning).empty())
    call.algorithm.clear();
  return network::plan_collective(call, *network_.topology, tuning);
}

network::Traffic Communication::traffic_of(Collective kind, Bytes bytes, const std::vector<std::int32_t>& group,
                                           const network::CollectivePlan& plan) const {
  return network::traffic_of({kind, bytes, group}, plan, *network_.topology);  // of the group only the size counts
}

// Calls inside the passes: what the stack adds for each step between nodes of the ring in rank order.
Time Communication::wait_for_network(const ProcessGroups& among, const std::vector<std::int32_t>& group) const {
  if (!among.in_pass) return {};
  std::int64_t steps = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const auto from = static_cast<std::size_t>(group[i]), to = static_cast<std::size_t>(group[(i + 1) % group.size()]);
    steps += network_.topology->same_domain(network_.placement[from], network_.placement[to]) ? 0 : 1;
  }
  return network_.step * steps;
}

// Rates do not depend on how many bytes are moved: calls of other sizes and most phases of a call have those of the
// first.
const Communication::Rates& Communication::steady_rates(std::span<const network::Transfer> transfers) {
  std::vector<std::int64_t> key;
  for (const network::Transfer& t : transfers) {
    key.insert(key.end(), {t.weight, t.rate_cap.value, static_cast<std::int64_t>(t.uses.size())});
    for (const network::LinkUse& use : t.uses) key.insert(key.end(), {use.link, use.multiplicity});
  }
  const auto [it, fresh] = rates_.try_emplace(std::move(key));
  if (fresh) it->second.rate = network::steady_rates(network_.topology->links(), transfers, &it->second.link);
  return it->second;
}

std::vector<CallCost> Communication::compute(const ProcessGroups& among, Collective kind, Bytes bytes) {
  const std::vector<hardware::Link>& links = network_.topology->links();
  std::vector<network::CollectivePlan> plans;
  std::size_t most_phases = 0;
  std::vector<hardware::DeviceId> devices;
  for (const auto& group : among.groups) {
    devices.clear();
    for (const std::int32_t rank : group) devices.push_back(network_.placement[static_cast<std::size_t>(rank)]);
    plans.push_back(devices.size() < 2 || bytes.value == 0 ? network::CollectivePlan{}
                                                           : plan(among, kind, bytes, group, devices));
    most_phases = std::max(most_phases, plans.back().phases.size());
  }
  std::vector<CallCost> costs(plans.size());
  std::vector<Time> most_lost(plans.size());
  for (std::size_t g = 0; g < costs.size(); ++g)
    costs[g].call = {among.category,
                     kind,
                     {},
                     {},
                     -1,
                     network::algorithm_number(plans[g].algorithm),
                     false,
                     traffic_of(kind, bytes, among.groups[g], plans[g])};
  const bool steady = network_.mode == NetworkMode::steady;
  for (std::size_t k = 0; k < most_phases; ++k) {
    std::vector<network::Transfer> transfers;  // the k-th phase of every group that has one, tagged with the group
    for (std::size_t g = 0; g < plans.size(); ++g)
      if (k < plans[g].phases.size())
        transfers.push_back(network::transfer_of(plans[g].phases[k], static_cast<std::int64_t>(g)));
    const Rates* const rates = steady ? &steady_rates(transfers) : nullptr;
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      const auto g = static_cast<std::size_t>(transfers[i].tag);
      network::Phase& phase = plans[g].phases[k];
      if (k == 0) phase.latency += wait_for_network(among, among.groups[g]);
      const Time alone = network::unshared_time(phase, links);
      const Time takes = steady ? network::time_at_rate(phase, rates->rate[i], links) : alone;
      CallCost& cost = costs[g];
      cost.duration += takes;
      cost.call.took += takes;
      cost.call.alone += alone;
      if (takes - alone > most_lost[g]) {
        most_lost[g] = takes - alone;
        cost.call.link = rates->link[i];
      }
      cost.call.stands = cost.call.stands || any_stands(links, phase.links);
      if (network_.mode == NetworkMode::flows) cost.transfer.phases.push_back(phase);
    }
  }
  return costs;
}

}  // namespace orrery::program
