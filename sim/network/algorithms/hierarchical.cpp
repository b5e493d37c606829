// Two levels, k domains of g members, one after the other:
//   hierarchical (rail-wise): reduce_scatter in the domain, all_reduce of S/g on each of g rails, all_gather in the
//   domain:
//     RS_g(S) + AR_k(S/g) + AG_g(S), each a ring
//   two_level (leaders): reduce to the first member, all_reduce of S among the k leaders, broadcast: the chains of g −
//   1 hops in
//     chunks of the best size
#include "algorithm.hpp"

namespace orrery::network {
namespace {

std::int64_t largest_domain(const Group& group) {
  std::size_t largest = 0;
  for (const Domain& domain : group.domains()) largest = std::max(largest, domain.members.size());
  return static_cast<std::int64_t>(largest);
}

// One ring over the domains for each of the first `rails` heads.
void load_rails(const Group& group, int rails, HopLoads& loads) {
  const auto& domains = group.domains();
  for (std::size_t d = 0; d < domains.size() && domains.size() > 1; ++d) {
    const Domain& next = domains[(d + 1) % domains.size()];
    for (int rail = 0; rail < rails; ++rail) loads.hop(group.head(domains[d], rail), group.head(next, rail));
  }
}

void add_local(const PlanContext& context, Outline& out) {
  const std::int64_t g = largest_domain(context.group);
  if (g < 2) return;
  HopLoads loads(context.group.topology());
  const std::int64_t rings = load_local_rings(context.group, loads);
  out.add(loads, {context.bytes * (g - 1), g * rings, g - 1, 0});
}

void add_rails(const PlanContext& context, Outline& out, int rails) {
  const std::int64_t k = context.group.domain_count();
  if (k < 2) return;
  HopLoads loads(context.group.topology());
  load_rails(context.group, rails, loads);
  const std::int64_t steps = (context.kind == Collective::all_reduce ? 2 : 1) * (k - 1);
  out.add(loads, {context.bytes * steps, k * rails, 0, steps});
}

std::string unsupported_rail(Collective kind, const Group&) {
  const bool served =
      kind == Collective::all_reduce || kind == Collective::all_gather || kind == Collective::reduce_scatter;
  return served ? "" : "hierarchical serves all_reduce, all_gather and reduce_scatter";
}

void plan_rail(const PlanContext& context, Outline& out) {
  if (context.kind != Collective::all_gather) add_local(context, out);
  add_rails(context, out, context.group.channels());
  if (context.kind != Collective::reduce_scatter) add_local(context, out);
}

std::string unsupported_leaders(Collective kind, const Group&) {
  return kind == Collective::all_reduce ? "" : "two_level serves all_reduce";
}

void add_chain(const PlanContext& context, Outline& out, bool from_leader) {
  const std::int64_t g = largest_domain(context.group);
  if (g < 2) return;
  HopLoads loads(context.group.topology());
  for (const Domain& domain : context.group.domains()) {
    const auto& walk = domain.cycles.front();
    for (std::size_t i = 0; i + 1 < walk.size(); ++i) {
      loads.hop(walk[from_leader ? i : i + 1], walk[from_leader ? i + 1 : i]);
    }
  }
  out.add(loads, {context.bytes, 1, g - 2, 0, g - 2});
}

void plan_leaders(const PlanContext& context, Outline& out) {
  add_chain(context, out, false);
  add_rails(context, out, 1);
  add_chain(context, out, true);
}

}  // namespace

const Algorithm kHierarchical{"hierarchical", unsupported_rail, plan_rail};
const Algorithm kTwoLevel{"two_level", unsupported_leaders, plan_leaders};

}  // namespace orrery::network
