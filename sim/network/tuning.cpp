#include "orrery/network/tuning.hpp"

#include <algorithm>
#include <memory>

#include "orrery/core/data_files.hpp"
#include "orrery/core/yaml.hpp"
#include "orrery/hardware/catalogue.hpp"

namespace orrery::network {
namespace {

constexpr DataCollection kCollectives{"ORRERY_TOPOLOGIES", "topologies", "collectives", "collective tuning"};

const Fields<ProtocolTuning>& protocol_fields() {
  static const auto table =
      Fields<ProtocolTuning>("protocol_tuning", "How an algorithm performs with one protocol.")
          .add("base", &ProtocolTuning::base, "once a call")
          .add("network_base", &ProtocolTuning::network_base, "once a call that uses NICs")
          .add("scale_up_hop", &ProtocolTuning::scale_up_hop, "a step over scale-up links, beyond their latency")
          .add("network_hop", &ProtocolTuning::network_hop, "a step through NICs, beyond the latency of the route")
          .add("message", &ProtocolTuning::message, "direct: each message of a rank after its first")
          .add("own_rate", &ProtocolTuning::own_rate,
               "deepep: at which a rank's own tokens pass its multiprocessors, beside the copies; 0 B/s = no time")
          .add("scale_up_efficiency", &ProtocolTuning::scale_up_efficiency, "of scale-up links, group in one domain")
          .number_range(0.001, 1)
          .add("copy_efficiency", &ProtocolTuning::copy_efficiency, "of scale-up links, group over several domains")
          .number_range(0.001, 1)
          .add("network_efficiency", &ProtocolTuning::network_efficiency, "of NICs, three or more domains")
          .number_range(0.001, 1)
          .add("pair_efficiency", &ProtocolTuning::pair_efficiency, "of NICs, two domains")
          .number_range(0.001, 1)
          .add("pipelining", &ProtocolTuning::pipelining, "kappa within one domain")
          .number_range(0, 10)
          .add("network_pipelining", &ProtocolTuning::network_pipelining, "kappa over several domains")
          .number_range(0, 10);
  return table;
}

const Fields<AlgorithmTuning>& algorithm_fields() {
  static const auto table =
      Fields<AlgorithmTuning>("algorithm_tuning", "How an algorithm performs with each protocol.")
          .section("ll", &AlgorithmTuning::ll, protocol_fields(), "low latency: flags beside 4 bytes in 8")
          .section("ll128", &AlgorithmTuning::ll128, protocol_fields(), "low latency: flags beside 120 bytes in 128")
          .section("simple", &AlgorithmTuning::simple, protocol_fields(), "large chunks and fences");
  return table;
}

std::string network_name(hardware::NetworkKind kind) {
  switch (kind) {
    case hardware::NetworkKind::infiniband:
      return "infiniband";
    case hardware::NetworkKind::roce:
      return "roce";
    case hardware::NetworkKind::efa:
      return "efa";
    case hardware::NetworkKind::tcpxo:
      return "tcpxo";
    case hardware::NetworkKind::omni_path:
      return "omni_path";
    case hardware::NetworkKind::slingshot:
      return "slingshot";
    case hardware::NetworkKind::ethernet:
      return "ethernet";
  }
  return "ethernet";
}

// The file `name`, after those it is like.
Diagnostics lay_over(const std::string& name, Tuning& tuning, Catalogue& catalogue, int depth = 0) {
  const Result<std::string> file = find_data_file(kCollectives, name);
  if (!file) return file.errors();
  using Tree = std::shared_ptr<const YamlTree>;
  const Result<Tree> kept = catalogue.once<Tree>(*file, [&]() -> Result<Tree> {
    Result<YamlTree> read = read_yaml_file(*file);
    if (!read) return read.errors();
    return Tree(std::make_shared<YamlTree>(std::move(read).value()));
  });
  if (!kept) return kept.errors();
  const Tree& tree = *kept;
  if (const NodeId like = tree->find(tree->root(), "like"); like != kNoNode && (*tree)[like].kind == NodeKind::scalar) {
    if (depth > 4) return {tree->at(like, "like", "names itself, over one or more files")};
    if (Diagnostics errors = lay_over((*tree)[like].text, tuning, catalogue, depth + 1); !errors.empty()) return errors;
  }
  return read_over(tuning_fields(), *tree, tree->root(), {}, tuning);
}

}  // namespace

const Fields<Tuning>& tuning_fields() {
  static const auto table =
      Fields<Tuning>("collectives", "Constants of collectives: of a GPU generation, of a NIC, of a library.")
          .add("like", &Tuning::like, "another file that holds what this one does not say")
          .choice("generation", &Tuning::generation,
                  {{"volta", Generation::volta},
                   {"ampere", Generation::ampere},
                   {"hopper", Generation::hopper},
                   {"blackwell", Generation::blackwell}},
                  "row of the tables by which NCCL chooses")
          .add("nvls_tree", &Tuning::nvls_tree, "whether NVLS may be joined by trees between domains")
          .add("ll128", &Tuning::ll128, "whether LL128 is used")
          .add("direct_on_mesh", &Tuning::direct_on_mesh, "whether pairs exchange directly within a mesh")
          .add("tree_for_pairs", &Tuning::tree_for_pairs, "whether two domains are always joined by the tree")
          .add("low_latency_until", &Tuning::low_latency_until, "largest size kept on LL and LL128 between domains")
          .section("ring", &Tuning::ring, algorithm_fields(), "also of halving_doubling, hierarchical, two_level")
          .section("tree", &Tuning::tree, algorithm_fields(), "double binary tree")
          .section("nvls", &Tuning::nvls, algorithm_fields(), "reduction in the switch")
          .section("nvls_trees", &Tuning::nvls_tree_constants, algorithm_fields(), "the same, joined by trees")
          .section("collnet", &Tuning::collnet, algorithm_fields(), "reduction in the fabric")
          .section("direct", &Tuning::direct, algorithm_fields(), "messages, all_to_all, exchange on meshes")
          .section("pat", &Tuning::pat, algorithm_fields(), "parallel aggregated trees")
          .section("deepep", &Tuning::deepep, algorithm_fields(), "tokens to experts and back, by DeepEP's kernels")
          .add("sources", &Tuning::sources, "where the figures come from");
  return table;
}

const ProtocolTuning& Tuning::of(const std::string& algorithm, const std::string& protocol) const {
  static const ProtocolTuning ideal{};
  if (protocol == "ideal") return ideal;
  const AlgorithmTuning& constants = algorithm == "tree"        ? tree
                                     : algorithm == "nvls"      ? nvls
                                     : algorithm == "nvls_tree" ? nvls_tree_constants
                                     : algorithm == "collnet"   ? collnet
                                     : algorithm == "direct"    ? direct
                                     : algorithm == "pat"       ? pat
                                     : algorithm == "deepep"    ? deepep
                                                                : ring;
  return protocol == "ll" ? constants.ll : protocol == "ll128" ? constants.ll128 : constants.simple;
}

// Of pools, calls among their unlike GPUs: switches add where those of each pool do.
ClusterFacts facts_of(const hardware::ClusterSpec& cluster, Catalogue& catalogue) {
  ClusterFacts facts;
  if (const auto gpu = hardware::gpu_of(cluster, catalogue)) facts.architecture = gpu->architecture;
  facts.in_switch_reduction = cluster.scale_up.in_switch_reduction;
  facts.fabric_reduction = cluster.scale_out.in_switch_reduction;
  for (const hardware::ClusterSpec& pool : cluster.of_pools) {
    facts.in_switch_reduction = facts.in_switch_reduction && pool.scale_up.in_switch_reduction;
    facts.fabric_reduction = facts.fabric_reduction && pool.scale_out.in_switch_reduction;
  }
  if (cluster.scale_out.nics_per_node > 0) facts.network = cluster.scale_out.kind;
  facts.nic_bandwidth = cluster.scale_out.nic_bandwidth;
  return facts;
}

namespace {

Result<Tuning> read_tuning(const ClusterFacts& facts, Catalogue& catalogue) {
  Tuning tuning;
  tuning.in_switch_reduction = facts.in_switch_reduction;
  tuning.fabric_reduction = facts.fabric_reduction;
  if (Diagnostics errors = lay_over(facts.architecture, tuning, catalogue); !errors.empty()) return errors;
  if (!facts.network) return tuning;
  const std::vector<std::string> known = list_data_files(kCollectives);
  const auto exists = [&](const std::string& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  };
  const std::string kind = network_name(*facts.network);
  const std::string speed = kind + "-" + std::to_string(facts.nic_bandwidth.value * 8 / 1'000'000'000) + "g";
  if (Diagnostics errors = lay_over(kind, tuning, catalogue); !errors.empty()) return errors;
  for (const std::string& name : {speed, facts.library.empty() ? std::string() : kind + "-" + facts.library}) {
    if (name.empty() || !exists(name)) continue;
    if (Diagnostics errors = lay_over(name, tuning, catalogue); !errors.empty()) return errors;
  }
  return tuning;
}

std::string name_of(const ClusterFacts& facts) {
  return "collectives of " + facts.architecture + (facts.in_switch_reduction ? " sharp" : "") +
         (facts.fabric_reduction ? " fabric " : " ") + (facts.network ? network_name(*facts.network) : "alone") + " " +
         std::to_string(facts.nic_bandwidth.value) + " " + facts.library;
}

}  // namespace

Result<Tuning> tuning_for(const ClusterFacts& facts, Catalogue& catalogue) {
  return catalogue.once<Tuning>(name_of(facts), [&] { return read_tuning(facts, catalogue); });
}

namespace {

void slow_down(ProtocolTuning& to, const ProtocolTuning& by) {
  using P = ProtocolTuning;
  for (Time P::*time : {&P::base, &P::network_base, &P::scale_up_hop, &P::network_hop, &P::message})
    to.*time = std::max(to.*time, by.*time);
  for (double P::*share : {&P::scale_up_efficiency, &P::copy_efficiency, &P::network_efficiency, &P::pair_efficiency})
    to.*share = std::min(to.*share, by.*share);
  for (double P::*kappa : {&P::pipelining, &P::network_pipelining}) to.*kappa = std::max(to.*kappa, by.*kappa);
  if (to.own_rate.value == 0 || by.own_rate.value == 0)
    to.own_rate = std::max(to.own_rate, by.own_rate);
  else
    to.own_rate = std::min(to.own_rate, by.own_rate);
}

}  // namespace

Tuning slowest_of(const std::vector<std::shared_ptr<const Tuning>>& tunings) {
  check(!tunings.empty(), "there is a tuning to take");
  Tuning all = *tunings.front();
  for (const std::shared_ptr<const Tuning>& other : tunings) {
    all.generation = std::min(all.generation, other->generation);
    for (bool Tuning::*able : {&Tuning::in_switch_reduction, &Tuning::fabric_reduction, &Tuning::nvls_tree,
                               &Tuning::ll128, &Tuning::direct_on_mesh})
      all.*able = all.*able && (*other).*able;
    all.tree_for_pairs = all.tree_for_pairs || other->tree_for_pairs;
    all.low_latency_until = std::max(all.low_latency_until, other->low_latency_until);
    for (AlgorithmTuning Tuning::*algorithm :
         {&Tuning::ring, &Tuning::tree, &Tuning::nvls, &Tuning::nvls_tree_constants, &Tuning::collnet, &Tuning::direct,
          &Tuning::pat, &Tuning::deepep})
      for (ProtocolTuning AlgorithmTuning::*protocol :
           {&AlgorithmTuning::ll, &AlgorithmTuning::ll128, &AlgorithmTuning::simple})
        slow_down((all.*algorithm).*protocol, ((*other).*algorithm).*protocol);
  }
  return all;
}

Result<Tuning> tuning_for(const hardware::ClusterSpec& cluster, Catalogue& catalogue) {
  return tuning_for(facts_of(cluster, catalogue), catalogue);
}

}  // namespace orrery::network
