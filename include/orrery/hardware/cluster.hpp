// A cluster described by generators: nodes of GPUs, what joins them inside a node, what joins the nodes.
//
// Bandwidths are one direction. A route between nodes is
//   [scale-up hop to the peer on the right rail] PCIe, NIC, leaf [, spine [, core, spine], leaf], NIC, PCIe
// and its latency the sum over its links: a NIC link costs nic_latency at either end, every link that leaves a switch
// costs switch_latency.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"
#include "orrery/hardware/gpu.hpp"
#include "orrery/hardware/host.hpp"
#include "orrery/hardware/topology.hpp"

namespace orrery::hardware {

enum class ScaleUpKind : std::uint8_t { none, pcie, switched, full_mesh, hybrid_cube_mesh };

struct ScaleUp {
  ScaleUpKind kind = ScaleUpKind::none;
  BytesPerSecond bandwidth{};        // per GPU over all its links; full_mesh divides it evenly over the peers
  Time latency{};                    // GPU to GPU (through the switch, where there is one; per hop on meshes)
  bool in_switch_reduction = false;  // NVLink SHARP
  int nodes_per_domain = 1;          // 18 trays of an NVL72
  int segment = 0;                   // of them, those that a job of several domains takes of each; 0 = all
  friend bool operator==(const ScaleUp&, const ScaleUp&) = default;
};

enum class NetworkKind : std::uint8_t { infiniband, roce, efa, tcpxo, omni_path, slingshot, ethernet };
enum class FabricKind : std::uint8_t { none, single_switch, fat_tree, torus, dragonfly };

// How equal paths are chosen. destination: by the receiver's port, as InfiniBand's fat-tree routing does (D-mod-K: no
// two receivers of a leaf share a way down, shifts are free of conflicts); hash: ECMP, by the hash of (sender,
// receiver).
enum class PathChoice : std::uint8_t { destination, hash };

// NIC bandwidth below a tier : bandwidth of that tier's uplinks. 7:1 is oversubscribed, 1:2 the opposite.
struct Ratio {
  int below = 1;
  int above = 1;
  friend bool operator==(const Ratio&, const Ratio&) = default;
};

// Units (scalable units, racks) of nodes, each with `leaves_per_unit` leaves: NIC k of a node is on leaf k %
// leaves_per_unit of its unit, so leaves_per_unit = NICs per node is rail-optimised and 1 is plain. Units form pods
// around their spines; more than one pod is joined by cores.
struct FatTree {
  int nodes_per_unit = 32;
  int leaves_per_unit = 1;
  int radix = 64;       // ports of a leaf and of a core
  int spine_radix = 0;  // ports of a spine; 0 = radix
  int units_per_pod =
      0;  // 0 = one pod while its leaves do not outnumber a spine's ports, else as many as non-blocking spines take
  Ratio leaf_oversubscription;  // NICs of a leaf : its uplinks
  Ratio pod_oversubscription;   // NICs of a pod : its links to the cores
  PathChoice path_choice = PathChoice::destination;
  friend bool operator==(const FatTree&, const FatTree&) = default;
};

// One router a node, nodes numbered with the first dimension fastest; dimension-order routes, the short way round, the
// positive way on a tie. A dimension of two or one is never wrapped.
struct Torus {
  std::vector<int> dimensions;
  bool wrap = true;
  BytesPerSecond link_bandwidth{};
  friend bool operator==(const Torus&, const Torus&) = default;
};

// Groups of fully connected routers, groups fully connected by global links (Kim et al., ISCA'08).
struct Dragonfly {
  int routers_per_group = 1;
  int ports_per_router = 1;  // NICs on a router
  int global_links_per_router = 1;
  BytesPerSecond local_bandwidth{};
  BytesPerSecond global_bandwidth{};
  Time global_latency{};
  bool valiant = false;  // by way of a group chosen by hash, instead of minimal
  friend bool operator==(const Dragonfly&, const Dragonfly&) = default;
};

struct ScaleOut {
  NetworkKind kind = NetworkKind::infiniband;
  int nics_per_node = 0;  // divides gpus_per_node; neighbouring GPUs share a NIC where there are fewer
  BytesPerSecond nic_bandwidth{};
  Time nic_latency{};
  Time switch_latency{};
  bool in_switch_reduction = false;  // SHARP
  bool rail_hop = true;              // PXN: reach another rail by NVLink to the peer that owns it
  FabricKind fabric = FabricKind::none;
  FatTree fat_tree;
  Torus torus;
  Dragonfly dragonfly;
  friend bool operator==(const ScaleOut&, const ScaleOut&) = default;
};

// A graph given vertex by vertex instead; shortest paths in hops, ties by link id.
struct ExplicitGraph {
  struct Cable {
    std::string from, to;  // "node0.gpu3" or a name out of `switches`
    BytesPerSecond bandwidth{};
    Time latency{};
    LinkLevel level = LinkLevel::other;
    friend bool operator==(const Cable&, const Cable&) = default;
  };
  std::vector<std::string> switches;
  std::vector<Cable> cables;
  friend bool operator==(const ExplicitGraph&, const ExplicitGraph&) = default;
};

// Something slow or down: exactly one of link, device, node is named.
struct Perturbation {
  std::string link{};  // "node0.gpu3->node0.nvswitch" one way, "node0.gpu3--node0.nvswitch" both
  int device = -1;
  int node = -1;
  double bandwidth_factor = 1.0;  // of the link, or of every link of the device or node
  bool down = false;
  double compute_factor = 1.0;  // of the speed of the device's kernels, or of those of every GPU of the node
  // After the start of the step; where either is said it is so for that part of it alone, and what is down stands.
  Time from{};
  std::optional<Time> until{};
  bool passes() const { return from.value > 0 || until.has_value(); }
  friend bool operator==(const Perturbation&, const Perturbation&) = default;
};

// A pool of a cluster of unlike nodes: so many nodes of a cluster of the catalogue, or of a file like it.
struct Pool {
  std::string name;  // empty = that of `type`
  std::string type;
  std::string gpu;  // in place of that cluster's
  int nodes = 1;
  const std::string& shown() const { return name.empty() ? type : name; }
  friend bool operator==(const Pool&, const Pool&) = default;
};

// What joins the pools: a switch above them, and a way from each to it.
struct BetweenPools {
  BytesPerSecond bandwidth{};  // of a pool's way, one direction; 0 = of all its NICs
  Time latency{};              // of a way
  friend bool operator==(const BetweenPools&, const BetweenPools&) = default;
};

struct ClusterSpec {
  std::string name;
  std::string gpu;                              // of the catalogue, or a file
  std::optional<GpuDefinition> gpu_definition;  // laid over it
  int nodes = 1;                                // of the whole cluster
  int gpus_per_node = 1;
  int gpus = 0;            // that the run uses, the first of the cluster; 0 = all
  int host_percent = 100;  // time that one thread of its hosts takes, of a hundred of the x86 servers' stacks count
  ScaleUp scale_up;
  BytesPerSecond pcie_bandwidth{};  // GPU to NIC (to the host, where scale_up is pcie)
  Time pcie_latency{};
  ScaleOut scale_out;
  Host host;
  bool host_links = false;  // the network has the hosts' memory in it: a run keeps something there
  ExplicitGraph graph;      // used instead of the generators when it has cables
  std::vector<Perturbation> perturb;
  std::vector<std::string> sources;
  // Nodes are those of the pools in turn; what stands above is of the first pool, but for `nodes`, which are of all.
  std::vector<Pool> pools;
  BetweenPools between;
  std::vector<ClusterSpec> of_pools;  // [pool] what it is
  friend bool operator==(const ClusterSpec&, const ClusterSpec&) = default;
};

// The pool of a device or node; 0 where there are none.
int pool_of_node(const ClusterSpec& spec, int node);

// Everything wrong with the spec for that many nodes (empty: it can be built).
Diagnostics check_cluster(const ClusterSpec& spec, int nodes);

// What is left of the speed of each GPU's kernels: the product of the factors that name it and do not pass.
std::vector<double> compute_factors(const ClusterSpec& spec);

// The cluster as a job on all of its nodes meets it: one of more than a domain, but not of whole domains, is given a
// segment of each (Slurm, topology/block, --segment), and its nodes are numbered through these.
ClusterSpec allocated(ClusterSpec spec);

// The network of the first `nodes` nodes, with the switches that so many nodes need.
Result<std::unique_ptr<Topology>> build_topology(const ClusterSpec& spec, int nodes);

}  // namespace orrery::hardware
