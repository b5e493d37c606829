// What a collective library makes of links: constants per GPU generation, NIC and library generation, never per size or
// system.
//
// Time of a phase of a plan that shares nothing, for an algorithm and protocol:
//     α + κ·√(α · S/(ηB)) + S/(ηB),     α = base + steps within a domain · (scale_up_hop + route latency)
//                                               + steps between domains · (network_hop + route latency)
// The middle term is what pipelining in chunks costs: n hops of α_h with chunks of the best size take
// n·α_h + 2·√(n·α_h·S/B) + S/B (network/collective.hpp; Sanders, Speck, Träff 2009), κ = 2; overlap leaves less.
// ηB = min over links of η(level of the link) · bandwidth / multiplicity.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/error.hpp"
#include "orrery/core/fields.hpp"
#include "orrery/core/units.hpp"
#include "orrery/hardware/cluster.hpp"

namespace orrery::network {

struct ProtocolTuning {
  Time base{};                     // once a call: launch, first and last copy
  Time scale_up_hop{};             // per step on NVLink, xGMI or PCIe
  Time network_hop{};              // per step through NICs
  double scale_up_efficiency = 1;  // η of scale-up links, group within one domain
  double copy_efficiency = 1;      // η of scale-up links, group over several domains
  double network_efficiency = 1;   // η of NICs and all beyond
  double pair_efficiency = 1;      // η of NICs when there are two domains only (0.95 where more give 0.8: no incast)
  double pipelining = 0;           // κ within one domain
  double network_pipelining = 0;   // κ over several domains
  Time network_base{};             // once a call that uses NICs
  Time message{};                  // direct: each message of a rank after its first
  BytesPerSecond own_rate{};  // deepep: of the tokens of a rank through the kernel's few multiprocessors; 0: no time
  friend bool operator==(const ProtocolTuning&, const ProtocolTuning&) = default;
};

// How fast a protocol moves bytes is of the GPU (scale_up_efficiency) and of the NIC (network_efficiency).
struct AlgorithmTuning {
  ProtocolTuning ll, ll128, simple;
  friend bool operator==(const AlgorithmTuning&, const AlgorithmTuning&) = default;
};

// Rows of NCCL's own tuning tables (src/graph/tuning.cc).
enum class Generation : std::uint8_t { volta, ampere, hopper, blackwell };

struct Tuning {
  Generation generation = Generation::ampere;
  bool in_switch_reduction = false;  // NVLink SHARP: nvls may be chosen
  bool fabric_reduction = false;     // SHARP between nodes: collnet may be named
  bool nvls_tree = true;             // and nvls_tree (not with plugins that have no multicast over their NICs)
  bool ll128 = true;                 // the library uses LL128
  bool direct_on_mesh = false;       // within a mesh every pair exchanges directly (RCCL on xGMI)
  bool tree_for_pairs = false;       // the vendor's plugin takes the tree between two domains, at any size
  Bytes low_latency_until{};  // the vendor's plugin keeps all_reduce to LL, LL128 up to this size between domains
  AlgorithmTuning ring, tree, nvls, nvls_tree_constants, collnet, direct, pat, deepep;
  std::string like;
  std::vector<std::string> sources;

  // Constants of an algorithm (halving_doubling, hierarchical … use those of ring) and protocol; `ideal` has its own.
  const ProtocolTuning& of(const std::string& algorithm, const std::string& protocol) const;
  friend bool operator==(const Tuning&, const Tuning&) = default;
};

// What of a cluster the constants depend on.
struct ClusterFacts {
  std::string architecture;  // of the GPU: volta, ampere, …
  bool in_switch_reduction = false, fabric_reduction = false;
  std::optional<hardware::NetworkKind> network;  // none: one node
  BytesPerSecond nic_bandwidth{};
  std::string library;  // settings that change the constants: "" or "more_channels" (NCCL_MIN_CTAS=24, two queue pairs)
};
ClusterFacts facts_of(const hardware::ClusterSpec& cluster, Catalogue& catalogue = Catalogue::shared());

// The tuning out of the catalogue: topologies/collectives/ARCHITECTURE.yaml, and laid over it those of the NICs:
// KIND.yaml, and where there are such files KIND-SPEED.yaml (infiniband-400g) and KIND-LIBRARY.yaml
// (infiniband-more_channels).
Result<Tuning> tuning_for(const ClusterFacts& facts, Catalogue& catalogue = Catalogue::shared());
Result<Tuning> tuning_for(const hardware::ClusterSpec& cluster, Catalogue& catalogue = Catalogue::shared());

// Of calls among GPUs and NICs of several tunings: of each constant the slower, what only some can do not at all.
Tuning slowest_of(const std::vector<std::shared_ptr<const Tuning>>& tunings);

const Fields<Tuning>& tuning_fields();

}  // namespace orrery::network
