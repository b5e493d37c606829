// NCCL's tuner (src/graph/tuning.cc of NCCL 2.30): time = latency + S / bandwidth for each algorithm and protocol, with
// the constants of its tables; the least wins. It only chooses: our times come from tuning.hpp. Its times
// are off by 18 to 36 % where measured, so its switch points by a factor of two: what it takes for half and twice the
// size stays open, and the fastest by our times is used. Two things it takes are not believed:
//   reduction in the switch, where a ring is faster by our times (groups of few GPUs: S(1 + 1/n) at 0.7 of the links is
//   more than 2(n−1)/n · S at 0.8 for n ≤ 3);
//   what makes a call take longer than one of twice the size: that one's algorithm serves this call, too. (All that our
//   times rank first would be simpler, and is wrong where measured: 64 H100 whose tuner keeps to LL128 until 512 MiB
//   would be 19 % too fast from 128 MiB on, all-gathers of 16 B200 30 to 40 % at 2 to 16 MiB.)
#include "choose.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace orrery::network {
namespace {

enum Algo { ring, tree, nvls, nvls_tree };
enum Proto { ll, ll128, simple };
constexpr std::array<const char*, 4> kAlgorithmNames{"ring", "tree", "nvls", "nvls_tree"};
constexpr std::array<const char*, 3> kProtocolNames{"ll", "ll128", "simple"};

// µs. Base latency and hops over NVLink and the network, by algorithm and protocol.
constexpr double kBase[2][3] = {{6.6, 14, 8.4}, {6.8, 14, 8.4}};
constexpr double kNvlink[2][3] = {{0.6, 1.9, 3.4}, {0.6, 1.25, 4.0}};
constexpr double kNetwork[2][3] = {{2.7, 4.0, 14}, {5.0, 8.5, 14}};
constexpr double kNvls = 25, kNvlsTree = 20.9, kNetworkOverhead = 1;
// GB/s by generation (Volta, Ampere, Hopper, Blackwell) and 1, 2, more nodes.
constexpr double kLlMax[4][3] = {{39, 39, 20.4}, {87.7, 22.5, 19}, {141, 45, 35}, {282, 90, 70}};
constexpr double kRingLl128Channel[4] = {20, 20, 36.7, 40};
constexpr double kTreeLl128Channel[4][3] = {{20, 20, 20}, {20, 20, 20}, {36.7, 36.7, 29}, {55.6, 31.67, 20}};
constexpr double kTreeChannel[4][3] = {{26.5, 18.5, 10}, {24, 23.6, 17.8}, {38.7, 41.4, 36}, {70, 42.8, 24}};
constexpr double kNvlsTreeChannel[4][3] = {{0, 0, 0}, {0, 0, 0}, {0, 57.7, 45.5}, {0, 96, 80}};
constexpr double kNvlsEfficiency[4] = {0, 0, 0.85, 0.74};
// One NVLink as the graph search counts it, of its nominal rate.
constexpr double kRingShare[4] = {0.8, 0.8, 0.824, 0.802};
// The constants are not good to 2 %: near ties stay with what was tried first, trees.
constexpr double kNearTie = 0.98;
// Correction of tree bandwidth by log2(S / 64 B), from 0 on.
constexpr double kTreeCorrection[3][27] = {
    {1, 1, 1, 1, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 1, 1, 1, 1, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1, 1, 1, 1, 1, 1},
    {0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.5, 0.5,
     0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9, 1,   1,   1,   1}};

struct Shape {
  double ranks, nodes, per_node;
  double bandwidth;  // of the rings together, GB/s
  double channels;
  int row, column;  // of the tables
  friend bool operator==(const Shape&, const Shape&) = default;
};

// The graph search in short: within a domain all links at NCCL's rate; between domains channels at 96 % of the NICs.
Shape shape_of(const Group& group, const Tuning& tuning) {
  Shape shape{};
  shape.ranks = group.size();
  shape.nodes = group.domain_count();
  shape.per_node = group.channels();
  shape.row = static_cast<int>(tuning.generation);
  shape.column = std::min(group.domain_count(), 3) - 1;
  const auto& topology = group.topology();
  HopLoads local(topology), network(topology);
  const Domain& first = group.domains().front();
  if (first.members.size() > 1) local.hop(first.members[0], first.members[1]);
  if (!group.one_domain()) network.hop(group.head(first, 0), group.head(group.domains()[1], 0));
  const auto slowest = [&](HopLoads& hop, hardware::LinkLevel level, bool want) {
    double rate = std::numeric_limits<double>::infinity();
    for (const LinkUse use : hop.take()) {
      const auto& link = topology.links()[static_cast<std::size_t>(use.link)];
      if ((link.level == level) == want) rate = std::min(rate, static_cast<double>(link.bandwidth.value) * 1e-9);
    }
    return rate;
  };
  const double rings = static_cast<double>(first.cycles.size());
  const double scale_up = kRingShare[shape.row] * rings * slowest(local, hardware::LinkLevel::scale_up, true);
  shape.bandwidth = scale_up;
  shape.channels = shape.row >= 2 ? 16 : 12;
  if (!group.one_domain()) {
    const double nics = 0.96 * shape.per_node * slowest(network, hardware::LinkLevel::scale_up, false);
    shape.bandwidth = first.members.size() > 1 ? std::min(scale_up, nics) : nics;
    shape.channels = std::max(2.0, shape.row >= 2 ? 2 * shape.per_node : shape.per_node);
  }
  return shape;
}

double log2_floor(double n) {
  double log = 0;
  for (; n >= 2; n /= 2) ++log;
  return log;
}

// GB/s of the bytes S themselves.
double bandwidth(Algo algo, Proto proto, bool all_reduce, const Shape& s) {
  double bus = s.bandwidth;
  if (algo == ring) {
    if (proto == ll) bus = std::min(kLlMax[s.row][s.column], bus * 0.5);
    if (proto == ll128) bus = std::min(bus * 0.92, s.channels * kRingLl128Channel[s.row]);
    return bus * s.ranks / ((all_reduce ? 2 : 1) * (s.ranks - 1));
  }
  if (algo == tree) {
    bus = std::min(bus * 0.92, s.channels * kTreeChannel[s.row][s.column]);
    if (proto == ll) bus = std::min(bus / 3.8, kLlMax[s.row][s.column]);
    if (proto == ll128) {
      bus = std::min(bus * (s.nodes == 1 ? 7.0 / 9 : 120.0 / 128), s.channels * kTreeLl128Channel[s.row][s.column]);
    }
    return bus * 0.5;
  }
  if (algo == nvls) {
    bus *= kNvlsEfficiency[s.row] * (s.channels - 1) / s.channels * (all_reduce ? 2 : 1);
    return bus * s.ranks / ((all_reduce ? 2 : 1) * (s.ranks - 1));
  }
  // The rails' trees pass 2S/g each way from three domains on, S/g for two (tree.cpp).
  const double rails = s.bandwidth * (s.nodes > 2 ? 0.5 : 1.0);
  return std::min(rails, 0.5 * s.channels * kNvlsTreeChannel[s.row][s.column]);
}

double latency(Algo algo, Proto proto, bool all_reduce, double size, const Shape& s) {
  if (algo == nvls) return kNvls;
  if (algo == nvls_tree) return kNvls + 2 * log2_floor(s.nodes) * kNvlsTree;
  const double base = kBase[algo][proto], intra = kNvlink[algo][proto], inter = kNetwork[algo][proto];
  if (algo == tree) return base + 2 * ((s.per_node - 1) * intra + log2_floor(s.nodes) * inter);
  const double passes = all_reduce ? 2 : 1;
  const double steps = passes * (s.ranks - 1), between = s.nodes > 1 ? passes * (s.nodes - 1) : 0;
  const double hop = s.nodes > 1 ? std::max(intra, kNetworkOverhead * (proto == simple ? 3 : 1)) : intra;
  double time = base + (steps - between) * hop + between * inter;
  // Ring "plateau".
  if (proto == simple && s.nodes > 1 && size / (s.channels * s.ranks) >= 64) time *= s.row == 0 ? 1.9 : 1.4;
  return time;
}

// µs, as NCCL predicts it.
double predicted(Algo algo, Proto proto, bool all_reduce, double size, const Shape& s) {
  double rate = bandwidth(algo, proto, all_reduce, s);
  if (algo == tree) {
    const auto log = static_cast<std::size_t>(log2_floor(std::max(size / 64, 1.0)));
    if (log < 27) rate *= kTreeCorrection[proto][log];
  }
  return latency(algo, proto, all_reduce, size, s) + size / (1000 * rate);
}

// Whether the library takes it for a call of so many bytes.
bool available(Algo algo, Proto proto, Collective kind, Bytes bytes, const Group& group, const Tuning& tuning) {
  const bool all_reduce = kind == Collective::all_reduce;
  if (proto == ll128 && (!tuning.ll128 || algo >= nvls)) return false;
  if (algo >= nvls && proto != simple) return false;
  if (all_reduce && !group.one_domain() && proto == simple && bytes <= tuning.low_latency_until) return false;
  const bool pair = tuning.tree_for_pairs && group.domain_count() == 2 && all_reduce;
  if (pair) return algo == tree;
  if (algo == tree) return all_reduce && !group.one_domain();
  if (algo == nvls) return tuning.in_switch_reduction && group.one_domain() && group.size() > 2 && all_reduce;
  if (algo == nvls_tree) {
    return tuning.in_switch_reduction && tuning.nvls_tree && !group.one_domain() && all_reduce && group.channels() > 1;
  }
  return true;
}

}  // namespace

struct Tuner::Facts {
  Shape shape;
};

Tuner::Tuner(Collective kind, const Group& group, const Tuning& tuning, const Choice& asked)
    : kind_(kind), group_(group), tuning_(tuning), asked_(asked) {
  const bool point_to_point =
      kind == Collective::all_to_all || kind == Collective::send_receive || kind == Collective::dispatch;
  const bool mesh = group.one_domain() && tuning.direct_on_mesh;
  std::string& algorithm = asked_.algorithm;
  if (algorithm.empty() && (point_to_point || (mesh && kind != Collective::broadcast))) algorithm = "direct";
  if (algorithm.empty() && (group.size() < 2 || asked_.protocol == "ideal")) algorithm = "ring";
  const bool tuned = group.size() > 1 && (algorithm.empty() || algorithm == "ring" || algorithm == "tree");
  if (!tuned && asked_.protocol.empty()) asked_.protocol = "simple";
  if (!decided()) facts_ = std::make_unique<Facts>(Facts{shape_of(group, tuning)});
}
Tuner::~Tuner() = default;

bool Tuner::like(const Tuner& other) const {
  const bool facts = facts_ && other.facts_ ? facts_->shape == other.facts_->shape : !facts_ && !other.facts_;
  return facts && kind_ == other.kind_ && &tuning_ == &other.tuning_ && asked_ == other.asked_ &&
         group_.size() == other.group_.size() && group_.domain_count() == other.group_.domain_count() &&
         group_.channels() == other.group_.channels();
}

// Calls `each` with all that is open to the library for a call of so many bytes; what is named is always open.
template <typename Each>
void Tuner::for_open(Bytes bytes, Each&& each) const {
  for (const int algo : {tree, ring, nvls, nvls_tree}) {
    if (!asked_.algorithm.empty() && asked_.algorithm != kAlgorithmNames[static_cast<std::size_t>(algo)]) continue;
    for (const int proto : {ll, ll128, simple}) {
      if (!asked_.protocol.empty() && asked_.protocol != kProtocolNames[static_cast<std::size_t>(proto)]) continue;
      const auto a = static_cast<Algo>(algo);
      const auto p = static_cast<Proto>(proto);
      if (asked_.algorithm.empty() && !available(a, p, kind_, bytes, group_, tuning_)) continue;
      if (p == ll128 && asked_.protocol.empty() && !tuning_.ll128) continue;
      each(a, p);
    }
  }
}

std::vector<Choice> Tuner::open(Bytes bytes) const {
  if (decided()) return {asked_};
  std::vector<Choice> all;
  for_open(bytes, [&](Algo a, Proto p) { all.push_back({kAlgorithmNames[a], kProtocolNames[p]}); });
  return all;
}

std::vector<Choice> Tuner::takes(Bytes bytes) const {
  if (decided()) return {asked_};
  std::vector<Choice> taken;
  const auto take = [&](const Choice& choice) {
    if (std::find(taken.begin(), taken.end(), choice) == taken.end()) taken.push_back(choice);
  };
  for (const Bytes size : {bytes, Bytes{bytes.value / 2}, bytes * 2}) {
    double least = std::numeric_limits<double>::infinity();
    Choice found = asked_;
    for_open(bytes, [&](Algo a, Proto p) {
      const double time =
          predicted(a, p, kind_ == Collective::all_reduce, static_cast<double>(size.value), facts_->shape);
      if (time >= least * kNearTie) return;
      least = time;
      found = {kAlgorithmNames[a], kProtocolNames[p]};
    });
    take(found);
    const bool in_switch = found.algorithm == kAlgorithmNames[nvls] || found.algorithm == kAlgorithmNames[nvls_tree];
    if (in_switch && asked_.algorithm.empty()) take({kAlgorithmNames[ring], kProtocolNames[simple]});
  }
  return taken;
}

}  // namespace orrery::network
