// Double binary tree (Sanders, Speck, Träff 2009; NCCL's TREE): two trees carry half of the bytes each, and a rank that
// is inside one is a leaf of the other, so with n ≥ 4 no rank sends or receives more than 2S for an all_reduce:
//   2·depth·α + 2·S/B, depth = ⌈log2 n⌉.  (n = 2: S/B, n = 3: 3/2 · S/B: the trees have no rank with two children
//   there.) broadcast: depth·α + S/B
// Over several domains each channel has two trees over the domains' heads, and a chain from the head through its
// domain.
#include "tree.hpp"

#include "algorithm.hpp"

namespace orrery::network {

using hardware::DeviceId;

// NCCL's ncclGetBtree (src/graph/trees.cc): rank 0 is the root, odd ranks are leaves.
int binary_tree_parent(int ranks, int rank) {
  if (rank == 0) return -1;
  int bit = 1;
  while ((rank & bit) == 0) bit <<= 1;
  const int up = (rank ^ bit) | (bit << 1);
  return up >= ranks ? rank ^ bit : up;
}

// The other tree (ncclGetDtree): mirrored for an even number of ranks, shifted by one for an odd one.
int other_tree_parent(int ranks, int rank) {
  if (ranks % 2 == 0) {
    const int up = binary_tree_parent(ranks, ranks - 1 - rank);
    return up < 0 ? -1 : ranks - 1 - up;
  }
  const int up = binary_tree_parent(ranks, (rank + ranks - 1) % ranks);
  return up < 0 ? -1 : (up + 1) % ranks;
}

std::int64_t tree_depth(std::int64_t ranks) {
  std::int64_t depth = 0;
  while ((std::int64_t{1} << depth) < ranks) ++depth;
  return depth;
}

void load_double_tree(const std::vector<DeviceId>& ranks, bool up, HopLoads& loads) {
  const int n = static_cast<int>(ranks.size());
  for (int rank = 0; rank < n; ++rank) {
    for (const int parent : {binary_tree_parent(n, rank), other_tree_parent(n, rank)}) {
      if (parent < 0) continue;
      const DeviceId child_device = ranks[static_cast<std::size_t>(rank)];
      const DeviceId parent_device = ranks[static_cast<std::size_t>(parent)];
      if (up) loads.hop(child_device, parent_device);
      loads.hop(parent_device, child_device);
    }
  }
}

namespace {

std::string unsupported_double_tree(Collective kind, const Group&) {
  const bool served = kind == Collective::all_reduce || kind == Collective::broadcast;
  return served ? "" : "tree serves all_reduce and broadcast";
}

// The chain of channel j through its domain, from the head on, used by both trees.
void load_chain(const Group& group, const Domain& domain, int channel, bool up, HopLoads& loads) {
  const auto& cycle = domain.cycles[static_cast<std::size_t>(channel) % domain.cycles.size()];
  const DeviceId head = group.head(domain, channel);
  const auto at = static_cast<std::size_t>(std::find(cycle.begin(), cycle.end(), head) - cycle.begin());
  for (std::size_t i = 0; i + 1 < cycle.size(); ++i) {
    const DeviceId near = cycle[(at + i) % cycle.size()], far = cycle[(at + i + 1) % cycle.size()];
    if (up) loads.hop(far, near, 2);
    loads.hop(near, far, 2);
  }
}

void plan_double_tree(const PlanContext& context, Outline& out) {
  const Group& group = context.group;
  const bool up = context.kind == Collective::all_reduce;
  const std::int64_t passes = up ? 2 : 1;
  HopLoads loads(group.topology());
  if (group.one_domain()) {
    // A broadcast from any rank costs what it costs from the first.
    load_double_tree({group.members().begin(), group.members().end()}, up, loads);
    out.add(loads, {context.bytes, 2, passes * tree_depth(group.size()), 0});
    return;
  }
  std::size_t largest = 0;
  for (int channel = 0; channel < group.channels(); ++channel) {
    std::vector<DeviceId> heads;
    for (const Domain& domain : group.domains()) {
      heads.push_back(group.head(domain, channel));
      largest = std::max(largest, domain.members.size());
      load_chain(group, domain, channel, up, loads);
    }
    load_double_tree(heads, up, loads);
  }
  out.add(loads, {context.bytes, 2 * group.channels(), passes * static_cast<std::int64_t>(largest - 1),
                  passes * tree_depth(group.domain_count())});
}

}  // namespace

const Algorithm kTree{"tree", unsupported_double_tree, plan_double_tree};

}  // namespace orrery::network
