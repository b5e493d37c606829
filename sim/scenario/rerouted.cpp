// What the routes between ranks do where something is down.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "places.hpp"

namespace orrery::scenario {
namespace {

using hardware::DeviceId;
using hardware::LinkId;
using Pair = std::pair<DeviceId, DeviceId>;

// Neighbours in the groups of the run, each way.
std::set<Pair> pairs_of(const Scenario& s, const Places& places) {
  std::set<Pair> pairs;
  const layout::RankGrid grid(s.layout);
  const auto add = [&](const std::vector<int>& group) {
    for (std::size_t i = 0; group.size() > 1 && i < group.size(); ++i) {
      const DeviceId a = places.placement[static_cast<std::size_t>(group[i])],
                     b = places.placement[static_cast<std::size_t>(group[(i + 1) % group.size()])];
      pairs.insert({a, b});
      pairs.insert({b, a});
    }
  };
  for (int rank = 0; rank < s.layout.ranks(); ++rank) {
    const layout::Coordinates at = grid.coordinates(rank);
    for (const auto& d : layout::kDimensionList)
      if (at[d.dimension] == 0) add(grid.group(at, d.dimension));
  }
  return pairs;
}

bool concerns(const hardware::Perturbation& p, LinkId id, const hardware::Topology& topology) {
  const hardware::Link& link = topology.links()[static_cast<std::size_t>(id)];
  if (p.link.empty()) {
    const int size = topology.devices_per_node();
    const DeviceId first = p.device >= 0 ? p.device : p.node * size, count = p.device >= 0 ? 1 : size;
    const auto in = [&](hardware::VertexId v) { return v >= first && v < first + count; };
    return in(link.from) || in(link.to);
  }
  const std::size_t dashes = p.link.find("--");
  if (dashes == std::string::npos) return topology.link_name(id) == p.link;
  const std::string there = p.link.substr(0, dashes) + "->" + p.link.substr(dashes + 2);
  return topology.link_name(id) == there || topology.link_name(id ^ 1) == there;
}

std::string name_of(const hardware::Perturbation& p, const hardware::Topology& topology) {
  if (!p.link.empty()) return p.link;
  return p.device >= 0 ? topology.vertex_name(p.device) : fmt::format("node {}", p.node);
}

LinkId narrowest(const std::vector<LinkId>& route, const hardware::Topology& topology) {
  return *std::min_element(route.begin(), route.end(), [&](LinkId a, LinkId b) {
    const auto rate = [&](LinkId l) { return topology.links()[static_cast<std::size_t>(l)].bandwidth; };
    return rate(a) < rate(b);
  });
}

struct Detour {
  int routes = 0;
  Pair first;
  std::vector<LinkId> old_way, new_way;  // of the first
};

std::string sentence(const std::string& what, const Detour& d, std::size_t pairs, const hardware::Topology& topology) {
  const LinkId was = narrowest(d.old_way, topology), is = narrowest(d.new_way, topology);
  const auto rate = [&](LinkId l) {
    return static_cast<double>(topology.links()[static_cast<std::size_t>(l)].bandwidth.value) * 1e-9;
  };
  std::string way;
  for (const LinkId l : d.new_way) {
    const hardware::VertexId to = topology.links()[static_cast<std::size_t>(l)].to;
    if (to != d.first.second) way += (way.empty() ? "" : ", ") + topology.vertex_name(to);
  }
  const std::string speed = rate(is) == rate(was)
                                ? fmt::format("{:g} GB/s where nothing shares it, as before", rate(is))
                                : fmt::format("{:g} GB/s where nothing shares it instead of {:g}", rate(is), rate(was));
  return fmt::format(
      "{} is down: {} of {} routes between neighbours of a group go round it, the first from {} to {} "
      "by way of {}: {}. What is slow is not rerouted, what is down is.",
      what, d.routes, pairs, topology.vertex_name(d.first.first), topology.vertex_name(d.first.second), way, speed);
}

}  // namespace

std::vector<std::string> rerouted(const Scenario& s, const Places& places) {
  const auto down = [](const hardware::Perturbation& p) { return p.down && !p.passes(); };
  if (std::none_of(s.cluster.perturb.begin(), s.cluster.perturb.end(), down)) return {};
  hardware::ClusterSpec whole = s.cluster;
  whole.perturb.erase(std::remove_if(whole.perturb.begin(), whole.perturb.end(), down), whole.perturb.end());
  const auto before = hardware::build_topology(whole, whole.nodes);
  if (!before.ok()) return {};
  const hardware::Topology& topology = *places.topology;
  const std::set<Pair> pairs = pairs_of(s, places);
  std::vector<Detour> detours(s.cluster.perturb.size());
  for (const Pair& pair : pairs) {
    std::vector<LinkId> was, is;
    (*before)->route(pair.first, pair.second, was);
    topology.route(pair.first, pair.second, is);
    if (was == is) continue;
    for (std::size_t i = 0; i < detours.size(); ++i) {
      const hardware::Perturbation& p = s.cluster.perturb[i];
      const auto hit = [&](LinkId link) { return concerns(p, link, topology); };
      if (!down(p) || std::none_of(was.begin(), was.end(), hit)) continue;
      if (detours[i].routes++ == 0) detours[i] = {1, pair, was, is};
    }
  }
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < detours.size(); ++i)
    if (detours[i].routes > 0)
      notes.push_back(sentence(name_of(s.cluster.perturb[i], topology), detours[i], pairs.size(), topology));
  return notes;
}

}  // namespace orrery::scenario
