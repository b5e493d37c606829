#include "orrery/network/tuning.hpp"

namespace orrery::network {

const ProtocolTuning& Tuning::of(const std::string& algorithm, const std::string& protocol) const {
  static const ProtocolTuning ideal{};
  if (protocol == "ideal") return ideal;
  const AlgorithmTuning& constants = algorithm == "tree"        ? tree
                                     : algorithm == "nvls"      ? nvls
                                     : algorithm == "nvls_tree" ? nvls_tree
                                     : algorithm == "collnet"   ? collnet
                                     : algorithm == "direct"    ? direct
                                                                : ring;
  return protocol == "ll" ? constants.ll : protocol == "ll128" ? constants.ll128 : constants.simple;
}

ClusterFacts facts_of(const hardware::ClusterSpec& cluster) {
  return {cluster.gpu, cluster.scale_up.kind, cluster.scale_up.in_switch_reduction, cluster.scale_out.kind,
          cluster.scale_out.nic_bandwidth};
}

}  // namespace orrery::network
