// What joins the GPUs of a domain: a switch, direct links, or PCIe.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "assembly.hpp"
#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware {

class ScaleUpPart {
 public:
  virtual ~ScaleUpPart() = default;
  // Between two different devices of one domain.
  virtual void route(DeviceId from, DeviceId to, std::vector<LinkId>& out) const = 0;
  virtual std::string vertex_name(VertexId vertex) const = 0;  // of its switches
};

// Null for ScaleUpKind::none.
std::unique_ptr<ScaleUpPart> make_scale_up(Assembly& assembly, const ClusterSpec& spec, int nodes);
// GPUs of a whole domain.
inline int domain_size(const ClusterSpec& spec) {
  return spec.scale_up.kind == ScaleUpKind::none ? 1 : spec.gpus_per_node * spec.scale_up.nodes_per_domain;
}

}  // namespace orrery::hardware
