// Reduction and multicast in the switch (NVLink SHARP; Klenk et al., ISCA'20; network facts of NCCL's
// src/graph/tuning.cc).
//   nvls, one domain: each GPU sources S (the switch reads and adds) and S/n (its part, multicast), and sinks the same:
//     all_reduce 2·α + S(1 + 1/n)/B;  reduce_scatter α + S/B;  all_gather α + S/B;  broadcast α + S/B
//   nvls_tree, k domains of g: nvls inside, and between the domains a double binary tree on each of the g rails with
//   S/g;
//     pipelined, so one phase: max(S(1 + 1/g)/B_scale_up, 2·S/g/B_nic for k ≥ 4)
//   collnet (SHARP in the fabric): each NIC sends and receives S/g once: ring inside, 2(g−1)/g · S/B_scale_up, and
//   S/g/B_nic.
#include "algorithm.hpp"
#include "tree.hpp"

namespace orrery::network {
namespace {

using hardware::DeviceId;

// The links of a member up to and down from the switch of its domain, in multiples of S / parts.
void load_switch(const Domain& domain, std::int32_t up, std::int32_t down, const hardware::Topology& topology,
                 HopLoads& loads) {
  const std::size_t size = domain.members.size();
  std::vector<hardware::LinkId> route;
  for (std::size_t i = 0; i < size && size > 1; ++i) {
    route.clear();
    topology.route(domain.members[i], domain.members[(i + 1) % size], route);
    Time latency{};
    for (const auto id : route) latency += topology.links()[static_cast<std::size_t>(id)].latency;
    loads.scale_up_latency(latency);
    loads.link(route.front(), up);
    loads.link(route.back(), down);
  }
}

std::string unsupported_nvls(Collective kind, const Group& group) {
  if (!group.one_domain()) return "nvls needs all ranks in one scale-up domain (nvls_tree joins several)";
  if (group.size() < 2) return "";
  if (group.domains().front().cycles.size() > 1) return "nvls needs a switch between the ranks";
  const bool served = kind != Collective::all_to_all && kind != Collective::send_receive;
  return served ? "" : "nvls serves all_reduce, all_gather, reduce_scatter and broadcast";
}

void plan_nvls(const PlanContext& context, Outline& out) {
  const Group& group = context.group;
  const auto n = static_cast<std::int32_t>(group.size());
  HopLoads loads(group.topology());
  const Domain& domain = group.domains().front();
  switch (context.kind) {
    case Collective::all_reduce:
      load_switch(domain, n + 1, n + 1, group.topology(), loads);
      break;
    case Collective::all_gather:
      load_switch(domain, 1, n, group.topology(), loads);
      break;
    case Collective::reduce_scatter:
      load_switch(domain, n, 1, group.topology(), loads);
      break;
    default:  // broadcast: one sources all, the others sink it
      load_switch(domain, n, n, group.topology(), loads);
  }
  out.add(loads, {context.bytes, n, context.kind == Collective::all_reduce ? 2 : 1, 0});
}

std::string unsupported_tree(Collective kind, const Group& group) {
  if (kind != Collective::all_reduce) return "nvls_tree serves all_reduce";
  if (group.one_domain() && group.size() > 1) return "nvls_tree joins several scale-up domains (nvls serves one)";
  return "";
}

void plan_nvls_tree(const PlanContext& context, Outline& out) {
  const Group& group = context.group;
  const std::int32_t rails = group.channels();
  HopLoads loads(group.topology());
  // In units of S / (2·rails): half of a rail's bytes, one tree's part.
  bool inside = false;
  for (const Domain& domain : group.domains()) {
    load_switch(domain, 2 * (rails + 1), 2 * (rails + 1), group.topology(), loads);
    inside = inside || domain.members.size() > 1;
  }
  for (int rail = 0; rail < rails; ++rail) {
    std::vector<DeviceId> heads;
    for (const Domain& domain : group.domains()) heads.push_back(group.head(domain, rail));
    load_double_tree(heads, true, loads);
  }
  out.add(loads, {context.bytes, 2 * rails, inside ? 2 : 0, 2 * tree_depth(group.domain_count())});
}

std::string unsupported_collnet(Collective kind, const Group& group) {
  if (kind != Collective::all_reduce) return "collnet serves all_reduce";
  return group.one_domain() && group.size() > 1 ? "collnet joins several scale-up domains" : "";
}

void plan_collnet(const PlanContext& context, Outline& out) {
  const Group& group = context.group;
  const std::int32_t rails = group.channels();
  HopLoads loads(group.topology());
  std::size_t largest = 1;
  for (std::size_t d = 0; d < group.domains().size(); ++d) {
    const Domain& domain = group.domains()[d];
    const auto size = static_cast<std::int32_t>(domain.members.size());
    largest = std::max(largest, domain.members.size());
    if (size > 1) load_switch(domain, 2 * (size - 1), 2 * (size - 1), group.topology(), loads);
    // The aggregation tree takes each link of the rails once, as a ring over the domains would.
    const Domain& next = group.domains()[(d + 1) % group.domains().size()];
    for (int rail = 0; rail < rails; ++rail) loads.hop(group.head(domain, rail), group.head(next, rail));
  }
  out.add(loads, {context.bytes, rails, 2 * static_cast<std::int64_t>(largest - 1), 2});
}

}  // namespace

const Algorithm kNvls{"nvls", unsupported_nvls, plan_nvls};
const Algorithm kNvlsTree{"nvls_tree", unsupported_tree, plan_nvls_tree};
const Algorithm kCollnet{"collnet", unsupported_collnet, plan_collnet};

}  // namespace orrery::network
