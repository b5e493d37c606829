// Folded Clos with rails. Leaf l of a pod, uplink j goes to spine (l·U + j) mod S; spine s of pod p, uplink j goes to
// core (p·V + j) mod C of core group s, where U, V are uplinks and S, C the spines of a pod and the cores of a group.
// Dealing uplinks out in turn fills every switch evenly even where S does not divide U.
#include <fmt/format.h>

#include <algorithm>

#include "fabric.hpp"

namespace orrery::hardware {
namespace {

struct PathKey {
  std::uint32_t low = 0;   // chooses the spine, then the cable among those to it
  std::uint32_t high = 0;  // chooses the core
};

class FatTreeFabric final : public Fabric {
 public:
  FatTreeFabric(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports)
      : tree_(spec.fat_tree), shape_(fat_tree_shape(spec, ports.nodes)), nics_(ports.per_node) {
    leaf0_ = assembly.add_vertices(shape_.leaves);
    spine0_ = assembly.add_vertices(shape_.pods * shape_.spines);
    core0_ = assembly.add_vertices(shape_.spines * shape_.cores);
    std::vector<VertexId> leaf_of(ports.vertex.size());
    for (std::size_t p = 0; p < leaf_of.size(); ++p) leaf_of[p] = leaf0_ + leaf(static_cast<int>(p));
    assembly.expect_cables(std::ssize(ports.vertex) + fat_tree_cables(spec, ports.nodes));
    nic_links_ = add_nic_cables(assembly, spec, ports, leaf_of);
    add_leaf_uplinks(assembly, spec);
    add_spine_uplinks(assembly, spec);
  }

  void route(int from, int to, std::uint32_t choice, std::vector<LinkId>& out) const override {
    out.push_back(nic_links_ + 2 * from);
    if (const int a = leaf(from), b = leaf(to); a != b) climb(a, b, key(from, to, choice), out);
    out.push_back(nic_links_ + 2 * to + 1);
  }

  std::string vertex_name(VertexId v) const override {
    if (v < spine0_)
      return fmt::format("leaf{}.{}", (v - leaf0_) / tree_.leaves_per_unit, (v - leaf0_) % tree_.leaves_per_unit);
    if (v < core0_) return fmt::format("spine{}.{}", (v - spine0_) / shape_.spines, (v - spine0_) % shape_.spines);
    return fmt::format("core{}.{}", (v - core0_) / shape_.cores, (v - core0_) % shape_.cores);
  }

  int parallel_index(LinkId link) const override {
    if (link < leaf_links_) return -1;
    if (link < spine_links_) return (link - leaf_links_) / 2 % shape_.uplinks / shape_.spines;
    return (link - spine_links_) / 2 % shape_.spine_uplinks / shape_.cores;
  }
  bool same_rail(int from, int to) const override {
    return from % nics_ % tree_.leaves_per_unit == to % nics_ % tree_.leaves_per_unit;
  }

 private:
  int leaf(int port) const {
    return port / nics_ / tree_.nodes_per_unit * tree_.leaves_per_unit + port % nics_ % tree_.leaves_per_unit;
  }
  // Place of a port among those of its leaf.
  int slot(int port) const {
    const int nics_on_leaf = (nics_ + tree_.leaves_per_unit - 1) / tree_.leaves_per_unit;
    return port / nics_ % tree_.nodes_per_unit * nics_on_leaf + port % nics_ / tree_.leaves_per_unit;
  }

  // D-mod-K (Zahavi, "D-Mod-K routing providing non-blocking traffic for shift permutations on real life fat trees",
  // 2010): the receiver's place in the tree, digit by digit; or the ECMP hash.
  PathKey key(int from, int to, std::uint32_t choice) const {
    PathKey k;
    if (tree_.path_choice == PathChoice::hash) {
      const std::uint64_t h = mix(from, to);
      k = {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(h >> 32U)};
    } else {
      const int place = slot(to);
      k.low = static_cast<std::uint32_t>(place);
      k.high = static_cast<std::uint32_t>(leaf(to) % shape_.leaves_per_pod +
                                          shape_.leaves_per_pod * (place / shape_.spines));
    }
    // Further choices walk over the spines, then over the cores.
    k.low += choice;
    k.high += choice / static_cast<std::uint32_t>(shape_.spines);
    return k;
  }

  // The n-th of the cables that go up from switch `lower` (with `up` uplinks) to upper switch `upper` of `uppers`.
  static int cable(int lower, int up, int upper, int uppers, std::uint32_t n) {
    const int start = static_cast<int>(static_cast<std::int64_t>(lower) * up % uppers);
    const int first = (upper - start + uppers) % uppers;
    const int count = (up - 1 - first) / uppers + 1;
    return lower * up + first + uppers * static_cast<int>(n % static_cast<std::uint32_t>(count));
  }

  void climb(int a, int b, PathKey k, std::vector<LinkId>& out) const {
    const int spine = static_cast<int>(k.low % static_cast<std::uint32_t>(shape_.spines));
    const std::uint32_t among = k.low / static_cast<std::uint32_t>(shape_.spines);
    const int pod_a = a / shape_.leaves_per_pod, pod_b = b / shape_.leaves_per_pod;
    out.push_back(leaf_links_ + 2 * leaf_cable(a, spine, among));
    if (pod_a != pod_b) {
      const int core = static_cast<int>(k.high % static_cast<std::uint32_t>(shape_.cores));
      const std::uint32_t n = k.high / static_cast<std::uint32_t>(shape_.cores);
      out.push_back(spine_links_ + 2 * spine_cable(pod_a, spine, core, n));
      out.push_back(spine_links_ + 2 * spine_cable(pod_b, spine, core, n) + 1);
    }
    out.push_back(leaf_links_ + 2 * leaf_cable(b, spine, among) + 1);
  }
  int leaf_cable(int a, int spine, std::uint32_t n) const {
    const int pod = a / shape_.leaves_per_pod, local = a % shape_.leaves_per_pod;
    return pod * shape_.leaves_per_pod * shape_.uplinks + cable(local, shape_.uplinks, spine, shape_.spines, n);
  }
  int spine_cable(int pod, int spine, int core, std::uint32_t n) const {
    const int in_group = cable(pod, shape_.spine_uplinks, core, shape_.cores, n) - pod * shape_.spine_uplinks;
    return (pod * shape_.spines + spine) * shape_.spine_uplinks + in_group;
  }

  void add_leaf_uplinks(Assembly& assembly, const ScaleOut& spec) {
    leaf_links_ = assembly.next();
    if (shape_.spines == 0) return;
    for (int l = 0; l < shape_.leaves; ++l) {
      const int pod = l / shape_.leaves_per_pod, local = l % shape_.leaves_per_pod;
      for (int j = 0; j < shape_.uplinks; ++j)
        assembly.add_cable(leaf0_ + l, spine0_ + pod * shape_.spines + (local * shape_.uplinks + j) % shape_.spines,
                           spec.nic_bandwidth, LinkLevel::leaf, spec.switch_latency, spec.switch_latency);
    }
  }
  void add_spine_uplinks(Assembly& assembly, const ScaleOut& spec) {
    spine_links_ = assembly.next();
    for (int p = 0; p < shape_.pods; ++p)
      for (int s = 0; s < shape_.spines; ++s)
        for (int j = 0; j < shape_.spine_uplinks; ++j)
          assembly.add_cable(spine0_ + p * shape_.spines + s,
                             core0_ + s * shape_.cores + (p * shape_.spine_uplinks + j) % shape_.cores,
                             spec.nic_bandwidth, LinkLevel::spine, spec.switch_latency, spec.switch_latency);
  }

  FatTree tree_;
  FatTreeShape shape_;
  int nics_;
  VertexId leaf0_ = 0, spine0_ = 0, core0_ = 0;
  LinkId nic_links_ = 0, leaf_links_ = 0, spine_links_ = 0;
};

// ⌈a / b⌉, cut off where the checks refuse it anyway.
int ceil_bounded(std::int64_t a, std::int64_t b) {
  return static_cast<int>(std::min<std::int64_t>(ceil_div(a, b), 1 << 30));
}
int ceil_ratio(std::int64_t count, Ratio ratio) {
  return ceil_bounded(count * ratio.above, ratio.below);
}

int nics_of_leaf(const ScaleOut& spec) {
  return ceil_bounded(static_cast<std::int64_t>(spec.fat_tree.nodes_per_unit) * spec.nics_per_node,
                      spec.fat_tree.leaves_per_unit);
}
int uplinks_of_leaf(const ScaleOut& spec) {
  return std::max(1, ceil_ratio(nics_of_leaf(spec), spec.fat_tree.leaf_oversubscription));
}
// Uplinks a pod of so many leaves needs to the cores.
int pod_uplinks(const ScaleOut& spec, std::int64_t leaves) {
  return ceil_ratio(leaves * nics_of_leaf(spec), spec.fat_tree.pod_oversubscription);
}

// The most units a pod can have: a spine (as many as a leaf has uplinks) has one link down to each leaf, and its share
// of the pod's uplinks.
int units_of_full_pod(const ScaleOut& spec, int spine_radix) {
  for (int units = 1;; ++units) {
    const std::int64_t leaves = (units + 1LL) * spec.fat_tree.leaves_per_unit;
    if (leaves + ceil_div(pod_uplinks(spec, leaves), uplinks_of_leaf(spec)) > spine_radix) return units;
  }
}

}  // namespace

FatTreeShape fat_tree_shape(const ScaleOut& spec, int nodes) {
  const FatTree& tree = spec.fat_tree;
  const int spine_radix = tree.spine_radix > 0 ? tree.spine_radix : tree.radix;
  FatTreeShape s;
  s.units = ceil_bounded(nodes, tree.nodes_per_unit);
  s.leaves = s.units * tree.leaves_per_unit;
  s.leaves_per_pod = s.leaves;
  if (s.leaves == 1) return s;
  s.uplinks = uplinks_of_leaf(spec);
  int units_per_pod = tree.units_per_pod;
  if (units_per_pod == 0) units_per_pod = s.leaves <= spine_radix ? s.units : units_of_full_pod(spec, spine_radix);
  s.pods = ceil_bounded(s.units, units_per_pod);
  if (s.pods > 1) s.leaves_per_pod = units_per_pod * tree.leaves_per_unit;
  const int up = s.pods > 1 ? pod_uplinks(spec, s.leaves_per_pod) : 0;
  s.spines = ceil_bounded(static_cast<std::int64_t>(s.leaves_per_pod) * s.uplinks + up, spine_radix);
  if (s.pods == 1) return s;
  s.spine_uplinks = ceil_bounded(up, s.spines);
  s.cores = ceil_bounded(static_cast<std::int64_t>(s.pods) * s.spine_uplinks, tree.radix);
  return s;
}

std::int64_t fat_tree_cables(const ScaleOut& spec, int nodes) {
  const FatTreeShape s = fat_tree_shape(spec, nodes);
  return static_cast<std::int64_t>(s.leaves) * s.uplinks +
         static_cast<std::int64_t>(s.pods) * s.spines * s.spine_uplinks;
}

void check_fat_tree(const ClusterSpec& spec, int nodes, Diagnostics& errors) {
  const FatTree& tree = spec.scale_out.fat_tree;
  const auto fail = [&](const char* key, std::string message, std::string help = {}) {
    add_error(errors, spec, std::string("scale_out.fat_tree.") + key, std::move(message), std::move(help));
  };
  if (tree.nodes_per_unit < 1) fail("nodes_per_unit", "must be at least 1");
  for (const int ports : {tree.radix, tree.spine_radix > 0 ? tree.spine_radix : tree.radix})
    if (ports < 2 || ports > 65'536) fail("radix", fmt::format("must be between 2 and 65536 ports, got {}", ports));
  if (tree.units_per_pod < 0) fail("units_per_pod", "must not be negative");
  if (tree.leaves_per_unit < 1 || tree.leaves_per_unit > spec.scale_out.nics_per_node)
    fail("leaves_per_unit", fmt::format("must be between 1 and the {} NICs of a node", spec.scale_out.nics_per_node));
  for (const Ratio& r : {tree.leaf_oversubscription, tree.pod_oversubscription})
    if (r.below < 1 || r.above < 1 || r.below > 1000 || r.above > 1000)
      fail("oversubscription", "must be a ratio of two numbers from 1 to 1000, such as 7:1");
  if (!errors.empty()) return;
  const FatTreeShape s = fat_tree_shape(spec.scale_out, nodes);
  if (const std::int64_t down = nics_of_leaf(spec.scale_out); down + s.uplinks > tree.radix)
    return fail(
        "radix",
        fmt::format("a leaf needs {} ports for NICs and {} for uplinks, but has {}", down, s.uplinks, tree.radix),
        "fewer nodes_per_unit or more leaves_per_unit");
  if (s.spines > s.uplinks)
    fail("radix",
         fmt::format("a pod of {} leaves needs {} spines, but a leaf has only {} uplinks", s.leaves_per_pod, s.spines,
                     s.uplinks),
         "more ports per spine (spine_radix) or fewer units_per_pod");
  if (s.cores > s.spine_uplinks)
    fail(
        "radix",
        fmt::format("{} pods need {} cores a group, but a spine has only {} uplinks", s.pods, s.cores, s.spine_uplinks),
        "more ports per core (radix) or larger pods (units_per_pod)");
}

std::unique_ptr<Fabric> make_fat_tree(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports) {
  return std::make_unique<FatTreeFabric>(assembly, spec, ports);
}

}  // namespace orrery::hardware
