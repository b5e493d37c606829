// Parallel aggregated trees (NCCL 2.23, src/device/all_gather.h; Jeaugey, "PAT: a new algorithm for all-gather and
// reduce-scatter operations at scale", 2025): as many trees as ranks, each shifted by one, so that at distance 2^i
// every rank passes what it aggregated, min(2^i, n − 2^i) chunks of S/n, and all trees run as one pipeline:
//   all_gather, reduce_scatter: ⌈log2 n⌉·α + (n−1)·o + (n−1)/n · S/B, o = cost of each chunk (0 when ideal)
// NCCL takes it for groups of one GPU a node only, from 2.23 on. Named in a call; not chosen, as most measured runs are
// of earlier libraries.
#include "algorithm.hpp"
#include "tree.hpp"

namespace orrery::network {
namespace {

std::string unsupported_pat(Collective kind, const Group& group) {
  if (kind != Collective::all_gather && kind != Collective::reduce_scatter) {
    return "pat serves all_gather and reduce_scatter";
  }
  return group.size() == group.domain_count() ? "" : "pat takes groups of one GPU a scale-up domain";
}

void plan_pat(const PlanContext& context, Outline& out) {
  const auto members = context.group.members();
  const int n = context.group.size();
  HopLoads loads(context.group.topology());
  for (int distance = 1; distance < n; distance *= 2) {
    for (int i = 0; i < n; ++i) {
      const auto from = members[static_cast<std::size_t>(i)],
                 to = members[static_cast<std::size_t>((i + distance) % n)];
      if (context.kind == Collective::all_gather) {
        loads.hop(from, to, std::min(distance, n - distance));
      } else {
        loads.hop(to, from, std::min(distance, n - distance));
      }
    }
  }
  out.add(loads, {context.bytes, n, 0, tree_depth(n), -1, n - 1});
}

}  // namespace

const Algorithm kPat{"pat", unsupported_pat, plan_pat};

}  // namespace orrery::network
