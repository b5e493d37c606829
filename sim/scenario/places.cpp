#include "places.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/hardware/catalogue.hpp"
#include "passing.hpp"
#include "running.hpp"

namespace orrery::scenario {

Result<std::vector<hardware::Perturbation>> read_perturbations(const YamlTree& tree, NodeId node) {
  if (tree[node].kind != NodeKind::sequence)
    return tree.at(node, "perturb", "expected a list, each item a map that names a link, device or node");
  std::vector<hardware::Perturbation> list;
  Diagnostics errors;
  for (std::size_t i = 0; i < tree[node].entries.size(); ++i) {
    const auto one =
        orrery::read(hardware::perturbation_fields(), tree, tree[node].entries[i].value, fmt::format("perturb[{}]", i));
    if (one.ok()) list.push_back(*one);
    if (!one.ok()) errors.insert(errors.end(), one.errors().begin(), one.errors().end());
  }
  if (!errors.empty()) return errors;
  return list;
}

namespace {

Result<std::vector<hardware::DeviceId>> devices_of(const Scenario& s, const hardware::Topology& topology) {
  if (s.placement.kind != hardware::PlacementKind::on_pools)
    return hardware::place_ranks(s.placement, s.layout.ranks(), topology);
  const layout::RankGrid grid(s.layout);
  std::vector<hardware::PlaceInRun> places;
  for (int rank = 0; rank < s.layout.ranks(); ++rank) {
    const layout::Coordinates at = grid.coordinates(rank);
    places.push_back({at[layout::Dimension::pipeline], at[layout::Dimension::data]});
  }
  return hardware::place_on_pools(s.placement, places, s.cluster);
}

}  // namespace

Result<Places> make_places(const Scenario& s, std::shared_ptr<const hardware::Topology> topology) {
  Result<std::vector<hardware::DeviceId>> placed = devices_of(s, *topology);
  if (!placed.ok()) return placed.errors();
  if (Diagnostics down = hardware::check_running(s.cluster, *placed); !down.empty()) return down;
  Places places{std::move(topology), std::move(placed).value(), {}, {}, {}};
  for (const hardware::DeviceId device : places.placement)
    if (!s.pools.empty()) places.pool.push_back(hardware::pool_of_node(s.cluster, device / s.cluster.gpus_per_node));
  if (s.cluster.perturb.empty()) return places;
  const std::vector<double> factors = hardware::compute_factors(s.cluster);
  for (const hardware::DeviceId device : places.placement)
    places.speed.push_back(factors[static_cast<std::size_t>(device)]);
  places.passing = passing_of(s.cluster, places);
  return places;
}

double speed_of_gpu(const program::GpuKind& kind, DType type) {
  const double rate = kind.kernels.gemm.rate.of(type) * kind.kernels.sustained;
  return static_cast<double>(kind.gpu.peak(type).value) * rate / 1e9;
}

Result<StagesOnPools> stages_on_pools(const Scenario& s, const hardware::Topology& topology) {
  const Result<std::vector<hardware::DeviceId>> placed = devices_of(s, topology);
  if (!placed.ok()) return placed.errors();
  const DType type = pass_options(s).compute;
  StagesOnPools stages;
  const auto pipeline = static_cast<std::size_t>(s.layout.pipeline);
  stages.pools.resize(pipeline);
  stages.of_replicas.assign(static_cast<std::size_t>(s.layout.data), std::vector<double>(pipeline));
  const layout::RankGrid grid(s.layout);
  for (int rank = 0; rank < s.layout.ranks(); ++rank) {
    const int node = (*placed)[static_cast<std::size_t>(rank)] / s.cluster.gpus_per_node;
    const layout::Coordinates at = grid.coordinates(rank);
    const auto stage = static_cast<std::size_t>(at[layout::Dimension::pipeline]);
    std::vector<std::size_t>& pools = stages.pools[stage];
    const auto pool = static_cast<std::size_t>(hardware::pool_of_node(s.cluster, node));
    if (std::ranges::find(pools, pool) == pools.end()) pools.push_back(pool);
    double& slowest = stages.of_replicas[static_cast<std::size_t>(at[layout::Dimension::data])][stage];
    const double speed = speed_of_gpu(s.pools[pool], type);
    slowest = slowest > 0 ? std::min(slowest, speed) : speed;
  }
  for (std::size_t stage = 0; stage < pipeline; ++stage) {
    double slowest = stages.of_replicas.front()[stage];
    for (const std::vector<double>& speeds : stages.of_replicas) slowest = std::min(slowest, speeds[stage]);
    stages.speeds.push_back(static_cast<std::int64_t>(slowest) * (s.layout.ranks() / s.layout.pipeline));
  }
  return stages;
}

std::string text_of(const hardware::Perturbation& p) {
  const std::string text = !p.link.empty()
                               ? "link " + p.link
                               : fmt::format("{} {}", p.node >= 0 ? "node" : "GPU", std::max(p.node, p.device));
  if (p.down) return text + " down";
  const char* of = p.link.empty() ? " of its links' bandwidth" : " of its bandwidth";
  std::string left;
  if (p.compute_factor != 1) left += fmt::format(" at {} of its speed", p.compute_factor);
  if (p.bandwidth_factor != 1)
    left += fmt::format("{} at {}{}", p.compute_factor != 1 ? " and" : "", p.bandwidth_factor, of);
  return text + left;
}

std::vector<std::string> perturbation_texts(const Scenario& s) {
  std::vector<std::string> texts;
  for (const hardware::Perturbation& p : s.cluster.perturb) {
    std::string text = text_of(p);
    if (p.from.value > 0) text += " from " + format_quantity(FieldType::time, p.from.value);
    if (p.until) text += " until " + format_quantity(FieldType::time, p.until->value);
    texts.push_back(std::move(text));
  }
  return texts;
}

std::vector<std::int32_t> slow_ranks(const Places& places) {
  std::vector<std::int32_t> ranks;
  if (places.speed.empty()) return ranks;
  const double fastest = *std::max_element(places.speed.begin(), places.speed.end());
  const auto for_a_while = [&](std::size_t r) {
    return std::ranges::any_of(places.passing.states,
                               [&](const auto& state) { return state.stands[r] != 0 || state.speed[r] < 1; });
  };
  for (std::size_t r = 0; r < places.speed.size(); ++r)
    if (places.speed[r] < fastest || for_a_while(r)) ranks.push_back(static_cast<std::int32_t>(r));
  return ranks;
}

namespace {

int domains_of(const std::vector<int>& ranks, const Places& places) {
  std::vector<hardware::DeviceId> devices;
  for (const int rank : ranks) devices.push_back(places.placement[static_cast<std::size_t>(rank)]);
  std::sort(devices.begin(), devices.end());  // domains are ranges of device numbers
  int domains = 1;
  for (std::size_t i = 1; i < devices.size(); ++i)
    if (!places.topology->same_domain(devices[i - 1], devices[i])) ++domains;
  return domains;
}

}  // namespace

report::PlacementResult placement_result(const Scenario& s, const Places& places) {
  report::PlacementResult result;
  result.type = hardware::name_of(s.placement.kind);
  const layout::RankGrid grid(s.layout);
  for (int rank = 0; rank < s.layout.ranks(); ++rank) {
    const layout::Coordinates at = grid.coordinates(rank);
    const auto widen = [&](int& most, const std::vector<int>& group) {
      most = std::max(most, domains_of(group, places));
    };
    for (const auto& d : layout::kDimensionList)
      if (at[d.dimension] == 0) widen(result.domains[d.dimension], grid.group(at, d.dimension));
  }
  return result;
}

}  // namespace orrery::scenario
