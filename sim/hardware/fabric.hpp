// What joins the nodes: a fabric between NIC ports. Port p is NIC p % nics_per_node of node p / nics_per_node.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "assembly.hpp"
#include "orrery/hardware/cluster.hpp"

namespace orrery::hardware {

class Fabric {
 public:
  virtual ~Fabric() = default;
  // From the sender's NIC to the receiver's, NIC links included; different ports.
  virtual void route(int from, int to, std::uint32_t choice, std::vector<LinkId>& out) const = 0;
  virtual std::string vertex_name(VertexId vertex) const = 0;
  // Number of a cable among those between the same switches; −1 where there is only ever one.
  virtual int parallel_index(LinkId /*link*/) const { return -1; }
  // Ports on different rails meet only above the leaves.
  virtual bool same_rail(int /*from*/, int /*to*/) const { return true; }
};

// Where the NIC cables of a fabric start: vertex of each port.
struct NicPorts {
  std::vector<VertexId> vertex;
  int per_node = 0;
  int nodes = 0;
};

std::unique_ptr<Fabric> make_fat_tree(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports);
std::unique_ptr<Fabric> make_torus(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports);
std::unique_ptr<Fabric> make_dragonfly(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports);

// The fat tree's numbers for so many nodes.
struct FatTreeShape {
  int units = 0, leaves = 0;  // of all nodes
  int pods = 1, leaves_per_pod = 0;
  int uplinks = 0;        // of a leaf
  int spines = 0;         // of a pod; 0 = one leaf is all there is
  int spine_uplinks = 0;  // of a spine
  int cores = 0;          // of a core group: spine s of every pod is joined by core group s
};
FatTreeShape fat_tree_shape(const ScaleOut& spec, int nodes);
// Cables between switches.
std::int64_t fat_tree_cables(const ScaleOut& spec, int nodes);
std::int64_t dragonfly_cables(const ScaleOut& spec, int nodes);
void add_error(Diagnostics& errors, const ClusterSpec& spec, std::string path, std::string message, std::string help);
void check_fat_tree(const ClusterSpec& spec, int nodes, Diagnostics& errors);
void check_torus(const ClusterSpec& spec, int nodes, Diagnostics& errors);
void check_dragonfly(const ClusterSpec& spec, int nodes, Diagnostics& errors);

// NIC links cost the NIC at their end; what leaves a switch costs the switch.
inline LinkId add_nic_cables(Assembly& assembly, const ScaleOut& spec, const NicPorts& ports,
                             const std::vector<VertexId>& attached_to) {
  const LinkId first = assembly.next();
  assembly.expect_cables(std::ssize(ports.vertex));
  for (std::size_t p = 0; p < ports.vertex.size(); ++p)
    assembly.add_cable(ports.vertex[p], attached_to[p], spec.nic_bandwidth, LinkLevel::nic, spec.nic_latency,
                       spec.switch_latency + spec.nic_latency);
  return first;
}

}  // namespace orrery::hardware
