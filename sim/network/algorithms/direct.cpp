// Direct: every pair exchanges its part at once.
//   all_to_all, all_gather, reduce_scatter: α + (n−2)·o + (n−1)/n · S/B, o = cost of each message after the first (0
//   when ideal) all_reduce: reduce_scatter and all_gather: 2·(…);  broadcast: α + (n−1)·S/B out of the root;
//   send_receive: α + S/B; dispatch: as all_to_all, but a row that has several of its ranks in a domain goes there
//   once, to the member of its own place, which hands it on (DeepEP, csrc/kernels/internode.cu), all in one pipeline
// Kernels of DeepEP run on 20 to 24 multiprocessors: each token of a rank, sent or summed, passes these once, beside
// the copies that other ranks have (csrc/kernels/intranode.cu: half of the channels send, half receive). Groups above
// kAllPairs ranks load the links by domain: each member sends its part for a whole domain to the member of its own
// place there.
#include <algorithm>
#include <vector>

#include "algorithm.hpp"

namespace orrery::network {
namespace {

constexpr int kAllPairs = 256;

void load_pairs(const Group& group, HopLoads& loads) {
  const auto members = group.members();
  if (group.size() <= kAllPairs) {
    for (const auto from : members) {
      for (const auto to : members) loads.hop(from, to);
    }
    return;
  }
  for (const Domain& from : group.domains()) {
    for (const auto a : from.members) {
      for (const auto b : from.members) loads.hop(a, b);
    }
    for (const Domain& to : group.domains()) {
      if (&from == &to) continue;
      for (std::size_t i = 0; i < from.members.size(); ++i) {
        loads.hop(from.members[i], to.members[i % to.members.size()], static_cast<std::int32_t>(to.members.size()));
      }
    }
  }
}

// In 1/parts of what goes to one rank: as fine as the sums on shared links leave room for.
std::int32_t parts_for(const Group& group) {
  const std::int64_t n = group.size();
  return static_cast<std::int32_t>(std::clamp<std::int64_t>((std::int64_t{1} << 28) / (n * n), 1, 1024));
}

void load_dispatch(const PlanContext& context, std::int32_t parts, HopLoads& loads) {
  const double to_one = chance_of_any(context.chosen, 1);
  for (const Domain& to : context.group.domains()) {
    const double to_all = chance_of_any(context.chosen, std::ssize(to.members));
    const auto copies = std::max(parts, static_cast<std::int32_t>(to_all / to_one * parts + 0.5));
    std::vector<std::int32_t> handed(to.members.size(), parts);  // by each member to each other, of its own at first
    for (const Domain& from : context.group.domains()) {
      if (&from == &to) continue;
      for (std::size_t i = 0; i < from.members.size(); ++i) {
        loads.hop(from.members[i], to.members[i % to.members.size()], copies);
        handed[i % to.members.size()] += parts;
      }
    }
    for (std::size_t a = 0; a < to.members.size(); ++a)
      for (const auto b : to.members) loads.hop(to.members[a], b, handed[a]);
  }
}

std::string unsupported_direct(Collective kind, const Group& group) {
  return kind == Collective::send_receive && group.size() != 2 ? "send_receive takes two ranks: from and to" : "";
}

// Kernels of DeepEP (deepseek-ai/DeepEP) write to the other ranks as `direct` does, with constants of their own.
std::string unsupported_deepep(Collective kind, const Group&) {
  const bool to_experts = kind == Collective::all_to_all || kind == Collective::dispatch;
  return to_experts ? "" : "deepep sends tokens to experts: all_to_all and dispatch alone";
}

// S is every token as often as there are ranks that have any of its experts, in n parts.
double own_tokens(const PlanContext& context) {
  return 1 / (context.group.size() * chance_of_any(context.chosen, 1));
}

void plan_direct(const PlanContext& context, Outline& out) {
  const Group& group = context.group;
  const std::int64_t n = group.size();
  HopLoads loads(group.topology());
  const std::int64_t network = group.one_domain() ? 0 : 1;
  if (context.kind == Collective::send_receive) {
    loads.hop(group.members()[0], group.members()[1]);
    out.add(loads, {context.bytes, 1, 1 - network, network});
  } else if (context.kind == Collective::broadcast) {
    for (const auto to : group.members()) loads.hop(context.root, to);
    out.add(loads, {context.bytes, 1, 1 - network, network, -1, n - 2});
  } else if (context.kind == Collective::dispatch) {
    const std::int32_t parts = group.one_domain() ? 1 : parts_for(group);
    load_dispatch(context, parts, loads);
    out.add(loads, {context.bytes, n * parts, 1 - network, network, -1, n - 2, own_tokens(context)});
  } else {
    load_pairs(group, loads);
    HopLoads again = loads;
    out.add(loads, {context.bytes, n, 1 - network, network, -1, n - 2, own_tokens(context)});
    if (context.kind == Collective::all_reduce) out.add(again, {context.bytes, n, 1 - network, network, -1, n - 2});
  }
}

}  // namespace

const Algorithm kDirect{"direct", unsupported_direct, plan_direct};
const Algorithm kDeepEp{"deepep", unsupported_deepep, plan_direct};

}  // namespace orrery::network
