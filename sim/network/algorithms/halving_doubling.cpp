// Recursive halving and doubling (Thakur, Rabenseifner, Gropp 2005).
//   all_reduce: log2(n) steps halve the bytes (S/2, S/4, …) with partners at distance n/2, n/4, …, and back:
//     2·log2(n)·α + 2(n−1)/n · S/B;  other n: ranks beyond the largest power of two hand their S to a partner first and
//     get the result last: two more steps of α + S/B
//   all_gather, reduce_scatter (Bruck): step i passes min(2^i, n − 2^i) chunks of S/n at distance 2^i:
//     ⌈log2 n⌉·α + (n−1)/n · S/B
#include "algorithm.hpp"

namespace orrery::network {
namespace {

std::string unsupported_halving_doubling(Collective kind, const Group&) {
  const bool served =
      kind == Collective::all_reduce || kind == Collective::all_gather || kind == Collective::reduce_scatter;
  return served ? "" : "halving_doubling serves all_reduce, all_gather and reduce_scatter";
}

// One step: hops for all pairs (a, b), each way where `both`.
template <class Pair>
void add_step(const PlanContext& context, Outline& out, int pairs, Bytes bytes, std::int64_t divisor, Pair&& pair) {
  HopLoads loads(context.group.topology());
  for (int i = 0; i < pairs; ++i) {
    const auto [from, to] = pair(i);
    loads.hop(context.group.members()[static_cast<std::size_t>(from)],
              context.group.members()[static_cast<std::size_t>(to)]);
  }
  const bool through_nics = loads.leaves_domain();
  out.add(loads, {bytes, divisor, through_nics ? 0 : 1, through_nics ? 1 : 0});
}

void plan_all_reduce(const PlanContext& context, Outline& out) {
  const int n = context.group.size();
  int power = 1;
  while (2 * power <= n) power *= 2;
  const int extra = n - power;
  using Hop = std::pair<int, int>;
  if (extra > 0) add_step(context, out, extra, context.bytes, 1, [&](int i) { return Hop{power + i, i}; });
  const auto exchange = [&](int distance) {
    add_step(context, out, power, context.bytes * distance, power, [&](int i) { return Hop{i, i ^ distance}; });
  };
  for (int distance = power / 2; distance >= 1; distance /= 2) exchange(distance);
  for (int distance = 1; distance < power; distance *= 2) exchange(distance);
  if (extra > 0) add_step(context, out, extra, context.bytes, 1, [&](int i) { return Hop{i, power + i}; });
}

void plan_halving_doubling(const PlanContext& context, Outline& out) {
  if (context.kind == Collective::all_reduce) return plan_all_reduce(context, out);
  const int n = context.group.size();
  std::vector<int> distances;
  for (int distance = 1; distance < n; distance *= 2) distances.push_back(distance);
  if (context.kind == Collective::reduce_scatter) std::reverse(distances.begin(), distances.end());
  for (const int distance : distances) {
    add_step(context, out, n, context.bytes * std::min(distance, n - distance), n, [&](int i) {
      return std::pair<int, int>{i, (i + distance) % n};
    });
  }
}

}  // namespace

const Algorithm kHalvingDoubling{"halving_doubling", unsupported_halving_doubling, plan_halving_doubling};

}  // namespace orrery::network
