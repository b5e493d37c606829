#include "communication.hpp"

#include <algorithm>
#include <unordered_map>

#include "group_shapes.hpp"
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
      contiguous_shards(input.stack.communication.contiguous_shards),
      step(input.stack.communication.network_step),
      chosen(chosen_of(input)) {}

void NetworkKey::add_to(Hash& hash) const {
  add_pointer(hash, ranks);
  add_pointer(hash, topology);
  hash.add(mode);
}

Communication::Communication(NetworkKey network) : network_(std::move(network)) {}
Communication::~Communication() = default;

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

const CallCosts& Communication::costs(const ProcessGroups& among, Collective kind, Bytes bytes) {
  const auto key = std::make_tuple(&among, kind, bytes.value);
  if (const auto it = cache_.find(key); it != cache_.end()) return it->second;
  return cache_.emplace(key, compute(among, kind, bytes)).first->second;
}

// Phases on links of another group are asked for where transfers meet.
const GroupShapes& Communication::shapes_of(const ProcessGroups& among) {
  std::unique_ptr<const GroupShapes>& known = shapes_[&among];
  if (!known) known = std::make_unique<GroupShapes>(among, network_, network_.mode != NetworkMode::ideal);
  return *known;
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
network::CallPlanner Communication::planner(const ProcessGroups& among, Collective kind, std::int32_t group) const {
  const std::vector<std::int32_t>& ranks = among.groups[static_cast<std::size_t>(group)];
  std::vector<hardware::DeviceId> devices;
  for (const std::int32_t rank : ranks) devices.push_back(network_.placement[static_cast<std::size_t>(rank)]);
  const network::Tuning& tuning = tuning_of(ranks);
  network::CollectiveCall call{kind, {}, devices, network_.algorithm, network_.protocol};
  call.chosen = network_.chosen, call.near_nics = network_.near_nics;
  const bool to_experts = kind == Collective::all_to_all || kind == Collective::dispatch;
  if (network_.deepep && to_experts && among.lane == Lane::expert && call.algorithm.empty()) call.algorithm = "deepep";
  const bool of_shards = kind == Collective::all_gather || kind == Collective::reduce_scatter;
  if (network_.contiguous_shards && of_shards && among.lane == Lane::data && call.algorithm.empty())
    call.algorithm = "chain";
  if (!call.algorithm.empty() && !network::unsupported(call, *network_.topology, tuning).empty())
    call.algorithm.clear();
  return {call, *network_.topology, tuning};
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

Communication::Planned Communication::plan_shapes(const ProcessGroups& among, const GroupShapes& shapes,
                                                  Collective kind, Bytes bytes) {
  const std::vector<hardware::Link>& links = network_.topology->links();
  std::vector<std::optional<network::CallPlanner>>& planners = planners_[{&among, kind}];
  planners.resize(shapes.first.size());
  Planned planned;
  for (std::size_t s = 0; s < planners.size(); ++s) {
    const std::vector<std::int32_t>& group = among.groups[static_cast<std::size_t>(shapes.first[s])];
    network::CollectivePlan& of = planned.plans.emplace_back();
    if (group.size() > 1 && bytes.value > 0) {
      if (!planners[s]) planners[s].emplace(planner(among, kind, shapes.first[s]));
      of = planners[s]->plan(bytes);
    }
    CallCost& cost = planned.costs.emplace_back();
    std::vector<Time>& alone = planned.alone.emplace_back();
    cost.call.category = among.category;
    cost.call.collective = kind;
    cost.call.algorithm = network::algorithm_number(of.algorithm);
    cost.call.traffic = traffic_of(kind, bytes, group, of);
    if (!of.phases.empty()) of.phases.front().latency += wait_for_network(among, group);
    for (const network::Phase& phase : of.phases) {
      alone.push_back(network::unshared_time(phase, links));
      cost.duration += alone.back();
      cost.call.stands = cost.call.stands || any_stands(links, phase.links);
    }
    cost.call.took = cost.call.alone = cost.duration;
  }
  return planned;
}

// Rates do not depend on how many bytes are moved: calls of other sizes and most phases of a call have those of the
// first.
const Communication::Rates& Communication::steady_rates(const ProcessGroups& among, const GroupShapes& shapes,
                                                        const Planned& planned, std::size_t phase) {
  std::vector<std::int64_t> key;
  for (std::size_t s = 0; s < planned.plans.size(); ++s) {
    if (phase >= planned.plans[s].phases.size()) continue;
    const network::Phase& of = planned.plans[s].phases[phase];
    key.insert(key.end(), {static_cast<std::int64_t>(s), of.rate_cap.value, std::ssize(of.links)});
    for (const network::LinkUse& use : of.links) key.insert(key.end(), {use.link, use.multiplicity});
  }
  const auto [it, fresh] = rates_.try_emplace({&among, std::move(key)});
  Rates& rates = it->second;
  if (!fresh) return rates;
  std::vector<std::vector<network::LinkUse>> indexed(planned.plans.size());
  for (std::size_t s = 0; s < indexed.size(); ++s)
    if (phase < planned.plans[s].phases.size()) indexed[s] = shapes.indexed(s, planned.plans[s].phases[phase].links);
  std::vector<network::LinkUse> uses;  // of all transfers, one after the other
  std::vector<network::Transfer> transfers;
  for (std::size_t g = 0; g < shapes.of.size(); ++g) {
    const std::size_t s = shapes.shape(g);
    if (phase >= planned.plans[s].phases.size()) continue;
    shapes.append(g, indexed[s], uses);
    transfers.push_back(network::transfer_of(planned.plans[s].phases[phase], static_cast<std::int64_t>(g)));
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
    const std::size_t s = shapes.shape(g);
    CallCost& cost = costs.kinds.emplace_back(planned.costs[s]);
    costs.of.push_back(static_cast<std::int32_t>(g));
    cost.transfer.phases = planned.plans[s].phases;
    if (shapes.is_first(g)) continue;
    for (network::Phase& phase : cost.transfer.phases) {
      const std::vector<network::LinkUse> indexed = shapes.indexed(s, phase.links);
      phase.links.clear();
      shapes.append(g, indexed, phase.links);
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
      const std::size_t s = shapes.shape(g);
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
    shared[g].shape = shapes.of[g];
    const auto [it, fresh] = known.try_emplace(shared[g], static_cast<std::int32_t>(costs.kinds.size()));
    costs.of.push_back(it->second);
    if (!fresh) continue;
    CallCost& cost = costs.kinds.emplace_back(planned.costs[shapes.shape(g)]);
    cost.duration = cost.call.took = shared[g].took;
    cost.call.link = shared[g].link;
  }
  return costs;
}

CallCosts Communication::compute(const ProcessGroups& among, Collective kind, Bytes bytes) {
  const GroupShapes& shapes = shapes_of(among);
  Planned planned = plan_shapes(among, shapes, kind, bytes);
  if (network_.mode == NetworkMode::steady) return sharing(among, shapes, planned);
  if (network_.mode == NetworkMode::flows) return with_phases(shapes, planned);
  return {std::move(planned.costs), shapes.of};
}

}  // namespace orrery::program
