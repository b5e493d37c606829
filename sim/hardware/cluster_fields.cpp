// The field tables of clusters, of what is slow or down in one, and of the placement of ranks on it.
#include <limits>

#include "hosts.hpp"
#include "orrery/hardware/catalogue.hpp"

namespace orrery::hardware {
namespace {

constexpr int kMany = 1 << 20;

const Fields<ScaleUp>& scale_up_fields() {
  static const auto table =
      Fields<ScaleUp>("scale_up", "What joins the GPUs of a domain.")
          .choice("kind", &ScaleUp::kind,
                  {{"none", ScaleUpKind::none},
                   {"pcie", ScaleUpKind::pcie},
                   {"switch", ScaleUpKind::switched},
                   {"full_mesh", ScaleUpKind::full_mesh},
                   {"hybrid_cube_mesh", ScaleUpKind::hybrid_cube_mesh}},
                  "a switch (NVSwitch), direct links between all pairs, the DGX-1 cube, PCIe, or nothing")
          .add("bandwidth", &ScaleUp::bandwidth, "of one GPU over all its links, one direction")
          .add("latency", &ScaleUp::latency, "GPU to GPU; per hop on meshes")
          .add("in_switch_reduction", &ScaleUp::in_switch_reduction, "the switch adds (NVLink SHARP)")
          .add("nodes_per_domain", &ScaleUp::nodes_per_domain, "nodes in one domain, 18 in an NVL72")
          .range(1, kMany)
          .add("segment", &ScaleUp::segment,
               "nodes of a domain that a job gets where it is larger than one and not of whole ones; 0 = all")
          .range(0, kMany);
  return table;
}

const Fields<Ratio>& ratio_fields() {
  static const auto table = Fields<Ratio>("ratio", "NIC bandwidth below a tier against its uplinks' bandwidth.")
                                .add("below", &Ratio::below, "7 of 7:1")
                                .range(1, 1000)
                                .add("above", &Ratio::above, "1 of 7:1")
                                .range(1, 1000);
  return table;
}

const Fields<FatTree>& fat_tree_fields() {
  static const auto table =
      Fields<FatTree>("fat_tree", "Leaves per unit of nodes, spines per pod of units, cores between pods.")
          .add("nodes_per_unit", &FatTree::nodes_per_unit, "nodes of a scalable unit or rack")
          .range(1, kMany)
          .add("leaves_per_unit", &FatTree::leaves_per_unit,
               "NIC k of a node is on leaf k mod this; NICs per node = rails")
          .range(1, 1024)
          .add("radix", &FatTree::radix, "ports of a leaf and of a core")
          .range(2, 65'536)
          .add("spine_radix", &FatTree::spine_radix, "ports of a spine; 0 = radix")
          .range(0, 65'536)
          .add("units_per_pod", &FatTree::units_per_pod, "0 = as many as non-blocking spines take")
          .range(0, kMany)
          .section("leaf_oversubscription", &FatTree::leaf_oversubscription, ratio_fields(),
                   "NICs of a leaf to its uplinks")
          .section("pod_oversubscription", &FatTree::pod_oversubscription, ratio_fields(),
                   "NICs of a pod to its links to the cores")
          .choice("path_choice", &FatTree::path_choice,
                  {{"destination", PathChoice::destination}, {"hash", PathChoice::hash}},
                  "among equal paths: by the receiver (InfiniBand), or by hash of sender and receiver (ECMP)");
  return table;
}

const Fields<Torus>& torus_fields() {
  static const auto table =
      Fields<Torus>("torus", "One router a node, dimension-order routes.")
          .add("dimensions", &Torus::dimensions, "nodes along each; the first varies fastest")
          .range(1, kMany)
          .add("wrap", &Torus::wrap, "closed rings (false: a mesh)")
          .add("link_bandwidth", &Torus::link_bandwidth, "of a link between neighbours, one direction");
  return table;
}

const Fields<Dragonfly>& dragonfly_fields() {
  static const auto table =
      Fields<Dragonfly>("dragonfly", "Groups of fully connected routers, fully connected by global links.")
          .add("routers_per_group", &Dragonfly::routers_per_group, "routers of a group")
          .range(1, 4096)
          .add("ports_per_router", &Dragonfly::ports_per_router, "NICs on a router")
          .range(1, 4096)
          .add("global_links_per_router", &Dragonfly::global_links_per_router, "links to other groups")
          .range(1, 4096)
          .add("local_bandwidth", &Dragonfly::local_bandwidth, "within a group, one direction")
          .add("global_bandwidth", &Dragonfly::global_bandwidth, "between groups, one direction")
          .add("global_latency", &Dragonfly::global_latency, "of a global cable, above the switch latency")
          .add("valiant", &Dragonfly::valiant, "by way of a random group instead of minimal");
  return table;
}

const Fields<ScaleOut>& scale_out_fields() {
  static const auto table =
      Fields<ScaleOut>("scale_out", "NICs and what joins the nodes.")
          .choice("kind", &ScaleOut::kind,
                  {{"infiniband", NetworkKind::infiniband},
                   {"roce", NetworkKind::roce},
                   {"efa", NetworkKind::efa},
                   {"tcpxo", NetworkKind::tcpxo},
                   {"omni_path", NetworkKind::omni_path},
                   {"slingshot", NetworkKind::slingshot},
                   {"ethernet", NetworkKind::ethernet}},
                  "network technology; constants of collectives go by it")
          .add("nics_per_node", &ScaleOut::nics_per_node, "must divide the GPUs of a node")
          .range(0, 1024)
          .add("nic_bandwidth", &ScaleOut::nic_bandwidth, "of one NIC, one direction")
          .add("nic_latency", &ScaleOut::nic_latency, "of one end")
          .add("switch_latency", &ScaleOut::switch_latency, "port to port of one switch")
          .add("in_switch_reduction", &ScaleOut::in_switch_reduction, "the switches add (SHARP), as collnet needs")
          .add("rail_hop", &ScaleOut::rail_hop, "reach another rail over the scale-up domain (PXN)")
          .choice("fabric", &ScaleOut::fabric,
                  {{"none", FabricKind::none},
                   {"single_switch", FabricKind::single_switch},
                   {"fat_tree", FabricKind::fat_tree},
                   {"torus", FabricKind::torus},
                   {"dragonfly", FabricKind::dragonfly}},
                  "shape of the network; its section says the rest")
          .section("fat_tree", &ScaleOut::fat_tree, fat_tree_fields(), "numbers of the fat tree")
          .section("torus", &ScaleOut::torus, torus_fields(), "numbers of the torus")
          .section("dragonfly", &ScaleOut::dragonfly, dragonfly_fields(), "numbers of the dragonfly");
  return table;
}

const Fields<ExplicitGraph::Cable>& cable_fields() {
  using C = ExplicitGraph::Cable;
  static const auto table = Fields<C>("cable", "Two links, one a direction.")
                                .add("from", &C::from, "node0.gpu3, or a switch")
                                .required()
                                .add("to", &C::to, "node0.gpu3, or a switch")
                                .required()
                                .add("bandwidth", &C::bandwidth, "one direction")
                                .required()
                                .positive()
                                .add("latency", &C::latency, "one direction")
                                .choice("level", &C::level,
                                        {{"scale_up", LinkLevel::scale_up},
                                         {"nic", LinkLevel::nic},
                                         {"leaf", LinkLevel::leaf},
                                         {"spine", LinkLevel::spine},
                                         {"core", LinkLevel::core},
                                         {"other", LinkLevel::other}},
                                        "what reports count it as");
  return table;
}

const Fields<ExplicitGraph>& graph_fields() {
  static const auto table =
      Fields<ExplicitGraph>("graph", "A network vertex by vertex; replaces scale_up and scale_out.")
          .add("switches", &ExplicitGraph::switches, "names of vertices that are no GPU")
          .section("cables", &ExplicitGraph::cables, cable_fields(), "what joins them");
  return table;
}

const Fields<Pool>& pool_fields() {
  static const auto table =
      Fields<Pool>("pool", "Nodes of one kind among others.")
          .add("name", &Pool::name, "what placement and report call it; default: its type")
          .add("type", &Pool::type, "name of a cluster (`orrery list clusters`), or path of a file like it")
          .required()
          .add("gpu", &Pool::gpu, "in place of that cluster's")
          .add("nodes", &Pool::nodes, "of them")
          .range(1, kMany);
  return table;
}

const Fields<BetweenPools>& between_fields() {
  static const auto table =
      Fields<BetweenPools>("between", "What joins the pools: a switch above them, and a way from each to it.")
          .add("bandwidth", &BetweenPools::bandwidth, "of the way of a pool, one direction; 0: as fast as all its NICs")
          .add("latency", &BetweenPools::latency, "of a way");
  return table;
}

}  // namespace

const Fields<ClusterSpec>& cluster_fields() {
  using C = ClusterSpec;
  static const auto table =
      Fields<C>("cluster", "Nodes of GPUs and what joins them.")
          .shorthand("type")
          .add("type", &C::name, "a cluster of the catalogue, or a file, to take what is not said from")
          .add("gpu", &C::gpu, "a GPU of the catalogue, or a file")
          .section("gpu_definition", &C::gpu_definition, gpu_fields(), "figures that differ from that GPU's")
          .add("nodes", &C::nodes,
               "nodes of the run; default: as many as `gpus` needs, without it 1 (of a cluster by its file: those of "
               "the file)")
          .range(1, kMany)
          .add("gpus_per_node", &C::gpus_per_node, "GPUs of a node")
          .range(1, 4096)
          .add("gpus", &C::gpus, "GPUs that the run uses, the first of its nodes; 0 = all")
          .range(0, kMany)
          .add("host_percent", &C::host_percent,
               "time that a host takes for what the stack says under launch, of a hundred of an x86 server")
          .range(1, 10'000)
          .section("scale_up", &C::scale_up, scale_up_fields(), "inside a node or NVLink domain")
          .add("pcie_bandwidth", &C::pcie_bandwidth, "between a GPU and its NIC, one direction")
          .add("pcie_latency", &C::pcie_latency, "between a GPU and its NIC, where nic_latency does not hold it")
          .section("scale_out", &C::scale_out, scale_out_fields(), "between nodes")
          .section("host", &C::host, host_fields(), "memory of a node's host, and what joins it to the GPUs")
          .section("graph", &C::graph, graph_fields(), "explicit network")
          .section("pools", &C::pools, pool_fields(),
                   "unlike nodes side by side, in place of all other keys: each with as many GPUs")
          .section("between", &C::between, between_fields(), "what joins the pools")
          .add("sources", &C::sources, "where the figures are from");
  return table;
}

const Fields<Perturbation>& perturbation_fields() {
  using P = Perturbation;
  const auto slows_while_it_passes = [](double P::*factor) {
    return [factor](const P& p) {
      return p.passes() && p.*factor > 1
                 ? std::string("must be at most 1 for a part of the step, which slows what there is")
                 : std::string();
    };
  };
  static const auto table =
      Fields<P>("perturbation", "A link, device or node that is slow or down.")
          .add("link", &P::link, "node0.gpu3->node0.nvswitch (one way) or node0.gpu3--node0.nvswitch (both)")
          .add("device", &P::device, "a GPU, numbered through the nodes of the cluster")
          .range(-1, kMany)
          .add("node", &P::node, "number of the node")
          .range(-1, kMany)
          .add("bandwidth_factor", &P::bandwidth_factor, "of the link, or of all links of the device or node")
          .number_range(0, 1000)
          .positive()
          .add("compute_factor", &P::compute_factor, "of the speed of the device's kernels, or of all of the node's")
          .number_range(0, 1000)
          .positive()
          .add("down", &P::down, "nothing passes; a rank on a device that is down is an error")
          .add("from", &P::from, "after the start of the step: it is so from then on; what is down stands and waits")
          .add("until", &P::until, "after the start of the step: it is so until then; default: to the end")
          .rule("until",
                [](const P& p) {
                  return p.until && *p.until <= p.from ? std::string("must be later than from") : std::string();
                })
          .rule("down",
                [](const P& p) {
                  return p.down && p.from.value > 0 && !p.until
                             ? std::string("from then on for good would leave a step that never ends: say until when")
                             : std::string();
                })
          .rule("bandwidth_factor", slows_while_it_passes(&P::bandwidth_factor))
          .rule("compute_factor", slows_while_it_passes(&P::compute_factor))
          .rule("link",
                [](const P& p) {
                  const int named = (p.link.empty() ? 0 : 1) + (p.device >= 0 ? 1 : 0) + (p.node >= 0 ? 1 : 0);
                  return named == 1 ? std::string() : std::string("exactly one of link, device and node must be named");
                })
          .rule("compute_factor", [](const P& p) {
            return p.link.empty() || p.compute_factor == 1.0
                       ? std::string()
                       : std::string("is of a device or node, a link computes nothing");
          });
  return table;
}

const Fields<Placement>& placement_fields() {
  using P = Placement;
  static const auto table =
      Fields<P>("placement", "Which GPU each rank runs on.")
          .shorthand("type")
          .choice(
              "type", &P::kind,
              {{"packed", PlacementKind::packed},
               {"by_rail", PlacementKind::by_rail},
               {"round_robin", PlacementKind::round_robin},
               {"random", PlacementKind::random},
               {"explicit", PlacementKind::custom},
               {"pools", PlacementKind::on_pools},
               {"auto", PlacementKind::automatic}},
              "packed: node after node; by_rail: all GPU 0s, then all GPU 1s, …; round_robin: dealt out over the "
              "scale-up domains; random: shuffled by the seed; explicit: as `devices` says; pools: as `stages` or "
              "`replicas` say; auto: pools, the fastest filled first with whole stages, else replicas, in the order "
              "in which the slowest stage is fastest and stages fit their memory")
          .add("seed", &P::seed, "random: which shuffle")
          .range(0, std::numeric_limits<std::int64_t>::max())
          .add("devices", &P::devices, "explicit: the GPU of each rank, numbered through the nodes of the cluster")
          .range(0, kMany)
          .add("stages", &P::stages,
               "pools: the pool of each pipeline rank, by name; of each of its replicas where they differ, joined by +")
          .add("replicas", &P::replicas, "pools: the pool of each data-parallel replica, by name")
          .rule("stages",
                [](const P& p) {
                  const bool one = p.stages.empty() != p.replicas.empty(), on_pools = p.kind == PlacementKind::on_pools;
                  if (on_pools && !one) return std::string("type pools needs one of stages and replicas");
                  return on_pools || p.stages.empty() ? std::string() : std::string("is for type pools only");
                })
          .rule("replicas",
                [](const P& p) {
                  return p.replicas.empty() || p.kind == PlacementKind::on_pools
                             ? std::string()
                             : std::string("is for type pools only");
                })
          .rule("seed",
                [](const P& p) {
                  return p.seed == 0 || p.kind == PlacementKind::random ? std::string()
                                                                        : std::string("is for type random only");
                })
          .rule("devices", [](const P& p) {
            return p.devices.empty() || p.kind == PlacementKind::custom ? std::string()
                                                                        : std::string("is for type explicit only");
          });
  return table;
}

}  // namespace orrery::hardware
