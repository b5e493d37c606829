// What a library makes of parts of unlike sizes (PyTorch, ProcessGroupNCCL: an all-gather of unequal tensors is a
// broadcast of each, a reduce-scatter a reduction to each), where a rank holds a run of whole parameters:
//   all_gather      n broadcasts in turn, of S/n each: n·((n−2)·α + S/nB + 2·√((n−2)·α·S/nB))
//   reduce_scatter  of a bucket that one rank holds alone: one reduction to it, a broadcast backwards, of S
// over the rings of ring.cpp, in chunks of the best size as there. Of n parts, or of buckets to n ranks, each link
// passes all but one, and rests meanwhile. Named in a call, not chosen (StackCommunication::contiguous_shards).
#include <algorithm>

#include "algorithm.hpp"

namespace orrery::network {
namespace {

std::string unsupported_chain(Collective kind, const Group&) {
  const bool served = kind == Collective::all_gather || kind == Collective::reduce_scatter;
  return served ? "" : "chain serves all_gather and reduce_scatter";
}

void plan_chain(const PlanContext& context, Outline& out) {
  const Group& group = context.group;
  if (group.size() < 2) return;
  HopLoads loads(group.topology());
  const std::int64_t rings = load_rings(group, loads), n = group.size();
  const std::int64_t network_steps = group.one_domain() ? 0 : std::min<std::int64_t>(group.domain_count() - 1, n - 2);
  PhaseShape shape{context.bytes * (n - 1), n * rings, n - 2 - network_steps, network_steps, n - 2};
  shape.turns = context.kind == Collective::all_gather ? n : 1;
  shape.rests = 1 / static_cast<double>(n - 1);
  out.add(loads, shape);
}

}  // namespace

const Algorithm kChain{"chain", unsupported_chain, plan_chain};

}  // namespace orrery::network
