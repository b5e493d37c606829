// GPUs and clusters out of YAML: the catalogue in topologies/, files of the user, and inline definitions, all through
// one pair of field tables.
//
// Names are found by core/data_files.hpp in topologies/gpus and topologies/clusters; $ORRERY_TOPOLOGIES comes first.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/fields.hpp"
#include "orrery/hardware/cluster.hpp"
#include "orrery/hardware/gpu.hpp"
#include "orrery/hardware/placement.hpp"

namespace orrery::hardware {

std::vector<std::string> gpu_names();
std::vector<std::string> cluster_names();

Result<Gpu> load_gpu(const std::string& name_or_file, Catalogue& catalogue = Catalogue::shared());
Result<ClusterSpec> load_cluster(const std::string& name_or_file, Catalogue& catalogue = Catalogue::shared());

// `cluster: selene`, `cluster: {type: selene, nodes: 8}` or a definition without `type`: what is said is laid over the
// named cluster, whose name it keeps (empty without one). Where nodes are not said there is one, or as many as `gpus`
// needs; of a cluster by its file, as many as the file says. The spec is checked for all its nodes, not built.
Result<ClusterSpec> read_cluster(const YamlTree& tree, NodeId node, const std::string& path,
                                 Catalogue& catalogue = Catalogue::shared());
// The same for a GPU.
Result<Gpu> read_gpu(const YamlTree& tree, NodeId node, const std::string& path,
                     Catalogue& catalogue = Catalogue::shared());
// The GPU of a cluster: its `gpu`, with `gpu_definition` laid over.
Result<Gpu> gpu_of(const ClusterSpec& spec, Catalogue& catalogue = Catalogue::shared());

const Fields<ClusterSpec>& cluster_fields();
const Fields<GpuDefinition>& gpu_fields();
const Fields<Perturbation>& perturbation_fields();
const Fields<Placement>& placement_fields();

}  // namespace orrery::hardware
