#include "communication.hpp"

#include <algorithm>

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

const CallCosts& Communication::costs(const ProcessGroups& among, Collective kind, Bytes bytes,
                                      const UnlikeRows& rows) {
  const auto key = std::pair(CallKind{&among, kind, rows}, bytes.value);
  if (const auto it = cache_.find(key); it != cache_.end()) return it->second;
  return cache_.emplace(key, compute(key.first, bytes)).first->second;
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
network::CallPlanner Communication::planner(const CallKind& of, std::int32_t group) const {
  const auto& [among, kind, rows] = of;
  const std::vector<std::int32_t>& ranks = among->groups[static_cast<std::size_t>(group)];
  std::vector<hardware::DeviceId> devices;
  for (const std::int32_t rank : ranks) devices.push_back(network_.placement[static_cast<std::size_t>(rank)]);
  const network::Tuning& tuning = tuning_of(ranks);
  network::CollectiveCall call{kind, {}, devices, network_.algorithm, network_.protocol};
  call.chosen = network_.chosen, call.rows = rows, call.near_nics = network_.near_nics;
  const bool to_experts = kind == Collective::all_to_all || kind == Collective::dispatch;
  if (network_.deepep && to_experts && among->lane == Lane::expert && call.algorithm.empty()) call.algorithm = "deepep";
  const bool of_shards = kind == Collective::all_gather || kind == Collective::reduce_scatter;
  if (network_.contiguous_shards && of_shards && among->lane == Lane::data && call.algorithm.empty())
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

Communication::Planners& Communication::planners_of(const CallKind& kind, const GroupShapes& shapes) {
  const ProcessGroups& among = *kind.among;
  const auto [it, fresh] = planners_.try_emplace(kind);
  Planners& all = it->second;
  if (fresh) all.number = std::ssize(planners_);
  for (std::size_t s = 0; fresh && s < shapes.first.size(); ++s) {
    const std::vector<std::int32_t>& group = among.groups[static_cast<std::size_t>(shapes.first[s])];
    all.of.emplace_back();
    if (group.size() > 1) all.of.back().emplace(planner(kind, shapes.first[s]));
    all.wait.push_back(wait_for_network(among, group));
    const auto same = [&](std::size_t other) {
      if (all.alike(other) != other || all.wait[other] != all.wait[s]) return false;
      return all.of[s] && all.of[other] ? all.of[s]->like(*all.of[other]) : !all.of[s] && !all.of[other];
    };
    std::size_t first = 0;
    while (first < s && !same(first)) ++first;
    all.like.push_back(static_cast<std::int32_t>(first));
  }
  return all;
}

Communication::Planned Communication::plan_shapes(const CallKind& kind, const GroupShapes& shapes, Bytes bytes) {
  const ProcessGroups& among = *kind.among;
  const std::vector<hardware::Link>& links = network_.topology->links();
  Planners& by = planners_of(kind, shapes);
  const std::size_t count = by.of.size();
  Planned planned{by, std::vector<network::CollectivePlan>(count), std::vector<std::vector<Time>>(count),
                  std::vector<CallCost>(count)};
  for (std::size_t s = 0; s < count; ++s) {
    if (by.alike(s) != s) continue;
    const std::vector<std::int32_t>& group = among.groups[static_cast<std::size_t>(shapes.first[s])];
    network::CollectivePlan& of = planned.plans[s];
    if (by.of[s] && bytes.value > 0) of = by.of[s]->plan(bytes);
    CallCost& cost = planned.costs[s];
    cost.call.category = among.category;
    cost.call.collective = kind.kind;
    cost.call.algorithm = network::algorithm_number(of.algorithm);
    cost.call.traffic = traffic_of(kind.kind, bytes, group, of);
    if (!of.phases.empty()) of.phases.front().latency += by.wait[s];
    for (const network::Phase& phase : of.phases) {
      planned.alone[s].push_back(network::unshared_time(phase, links));
      cost.duration += planned.alone[s].back();
      cost.call.stands = cost.call.stands || any_stands(links, phase.links);
    }
    cost.call.took = cost.call.alone = cost.duration;
  }
  return planned;
}

CallCosts Communication::compute(const CallKind& of, Bytes bytes) {
  const GroupShapes& shapes = shapes_of(*of.among);
  Planned planned = plan_shapes(of, shapes, bytes);
  if (network_.mode == NetworkMode::steady) return sharing(*of.among, shapes, planned);
  if (network_.mode == NetworkMode::flows) return with_phases(shapes, planned);
  CallCosts costs{std::move(planned.costs), {}};
  for (const std::int32_t shape : shapes.of) costs.of.push_back(planned.by.like[static_cast<std::size_t>(shape)]);
  return costs;
}

}  // namespace orrery::program
