#include "orrery/hardware/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "gpu_fields.hpp"
#include "orrery/core/data_files.hpp"

namespace orrery::hardware {
namespace {

constexpr DataCollection kGpus{"ORRERY_TOPOLOGIES", "topologies", "gpus", "GPU"};
constexpr DataCollection kClusters{"ORRERY_TOPOLOGIES", "topologies", "clusters", "cluster"};
constexpr int kDeepestType = 8;  // files that name a type that names a type …

Diagnostic plain_error(std::string file, std::string path, std::string message) {
  Diagnostic error;
  error.place.file = std::move(file);
  error.path = std::move(path);
  error.message = std::move(message);
  return error;
}

// An unknown name has no place of its own: it is reported where it was written.
Diagnostics placed(Diagnostics errors, const YamlTree& tree, NodeId at, const std::string& path) {
  for (Diagnostic& e : errors)
    if (e.place.file.empty()) e = tree.at(at, path, e.message, e.help);
  return errors;
}

std::string join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// The node that names the base: the text itself, or the value of `type`.
NodeId type_node(const YamlTree& tree, NodeId node) {
  if (node == kNoNode) return kNoNode;
  return tree[node].kind == NodeKind::scalar ? node : tree.find(node, "type");
}

// What is read, and how deep in files that name a type.
struct Reading {
  Catalogue& catalogue;
  int depth = 0;
  Reading deeper() const { return {catalogue, depth + 1}; }
};
Result<Gpu> load_gpu(const std::string& name, const Reading& reading);
Result<ClusterSpec> load_cluster(const std::string& name, const Reading& reading);

// Reads the base that is named at `node`, when one is.
template <class T, class Load>
Result<T> base_of(const YamlTree& tree, NodeId node, const std::string& path, const Load& load) {
  const NodeId type = type_node(tree, node);
  if (type == kNoNode || tree[type].kind != NodeKind::scalar || tree[type].text.empty()) return T{};
  Result<T> base = load(said_in(tree, type, tree[type].text));
  if (!base) return placed(base.errors(), tree, type, join(path, "type"));
  return base;
}

Result<Gpu> read_gpu(const YamlTree& tree, NodeId node, const std::string& path, const Reading& reading) {
  Result<Gpu> base =
      base_of<Gpu>(tree, node, path, [&](const std::string& n) { return load_gpu(n, reading.deeper()); });
  if (!base) return base;
  GpuDefinition said;
  Diagnostics errors = read_over(gpu_fields(), tree, node, path, said);
  if (!errors.empty()) return errors;
  apply(said, *base);
  if (errors = check_gpu(*base, path); !errors.empty()) {
    tree.locate(errors);
    return errors;
  }
  return base;
}

// A definition that names a `type` replaces the cluster's GPU, and so does one that lacks nothing; another is laid over
// it. In the spec, `gpu` names the base and the definition is what is laid over.
Diagnostics settle_gpu(const YamlTree& tree, NodeId node, const std::string& path, ClusterSpec& spec) {
  const NodeId gpu = tree.find(node, "gpu"), definition = tree.find(node, "gpu_definition");
  if (gpu != kNoNode) spec.gpu = said_in(tree, gpu, spec.gpu);
  if (definition == kNoNode) return {};
  const NodeId type = type_node(tree, definition);
  if (type != kNoNode && !tree[type].text.empty()) {
    const std::string named = said_in(tree, type, tree[type].text);
    if (gpu != kNoNode && named != spec.gpu)
      return {tree.at(type, join(path, "gpu_definition.type"),
                      "'" + tree[type].text + "', but cluster.gpu is '" + tree[gpu].text + "': give one of them")};
    spec.gpu = named;
  } else if (gpu == kNoNode) {
    Gpu whole;
    apply(*spec.gpu_definition, whole);
    if (check_gpu(whole, {}).empty()) spec.gpu.clear();
  }
  spec.gpu_definition->type.clear();
  if (tree[definition].kind == NodeKind::scalar) spec.gpu_definition.reset();
  return {};
}

// The errors of the GPU, at what names it or at the figure that is wrong.
Diagnostics check_gpu_of(const YamlTree& tree, NodeId node, const std::string& path, const ClusterSpec& spec,
                         Catalogue& catalogue) {
  const Result<Gpu> gpu = gpu_of(spec, catalogue);
  if (gpu) return {};
  Diagnostics errors = gpu.errors();
  const NodeId definition = tree.find(node, "gpu_definition"), type = type_node(tree, definition);
  const NodeId said = tree.find(node, "gpu");
  const std::string key = type != kNoNode ? "gpu_definition.type" : "gpu";
  for (Diagnostic& e : errors) {
    if (e.place.file.empty() && e.path.starts_with("gpu_definition"))
      e.path = join(path, e.path);
    else if (e.place.file.empty() || e.place.file == spec.name)
      e = tree.at(type != kNoNode ? type : said != kNoNode ? said : node, join(path, key), e.message, e.help);
  }
  return errors;
}

// The nodes of an entry of the catalogue are all there are; a run that does not say how many it takes has one, or as
// many as its GPUs need. What a file of the user's own says stands.
void take_nodes(const YamlTree& tree, NodeId node, ClusterSpec& spec) {
  if (tree.find(node, "nodes") != kNoNode || names_a_file(spec.name)) return;
  spec.nodes = (std::max(spec.gpus, 1) + spec.gpus_per_node - 1) / spec.gpus_per_node;
}

enum class Of : std::uint8_t { entry, run };

std::string names_of(const std::vector<Pool>& pools) {
  std::string names;
  for (const Pool& pool : pools) names += (names.empty() ? "" : " + ") + pool.shown();
  return names;
}

// The first pool with the nodes of all.
Result<ClusterSpec> join_pools(const YamlTree& tree, NodeId list, const std::string& path, const ClusterSpec& said,
                               const Reading& reading) {
  Diagnostics errors;
  std::vector<ClusterSpec> clusters;
  int nodes = 0;
  for (std::size_t p = 0; p < said.pools.size(); ++p) {
    const Pool& pool = said.pools[p];
    const NodeId node = tree[list].entries[p].value, type = tree.find(node, "type"), gpu = tree.find(node, "gpu");
    const std::string at = fmt::format("{}[{}]", path, p);
    if (pool.type.empty()) {
      errors.push_back(tree.at(node, at + ".type", "is missing", "name a cluster (orrery list clusters), or a file"));
      continue;
    }
    Result<ClusterSpec> cluster = load_cluster(said_in(tree, type, pool.type), reading.deeper());
    Diagnostics wrong = cluster ? Diagnostics{} : placed(cluster.errors(), tree, type, at + ".type");
    if (cluster) {
      if (!pool.gpu.empty()) cluster->gpu = said_in(tree, gpu, pool.gpu), cluster->gpu_definition.reset();
      cluster->nodes = pool.nodes, cluster->gpus = 0, nodes += pool.nodes;
      if (const Result<Gpu> known = gpu_of(*cluster, reading.catalogue); !known)
        wrong = placed(known.errors(), tree, gpu == kNoNode ? type : gpu, at + (gpu == kNoNode ? ".type" : ".gpu"));
      clusters.push_back(std::move(cluster).value());
    }
    errors.insert(errors.end(), wrong.begin(), wrong.end());
  }
  if (!errors.empty()) return errors;
  ClusterSpec all = clusters.front();
  all.name = names_of(said.pools);
  all.nodes = nodes, all.pools = said.pools, all.between = said.between, all.of_pools = std::move(clusters);
  return all;
}

Result<ClusterSpec> read_pools(const YamlTree& tree, NodeId node, const std::string& path, const Reading& reading) {
  ClusterSpec said;
  Diagnostics errors = read_over(cluster_fields(), tree, node, path, said);
  if (!errors.empty()) return errors;
  Result<ClusterSpec> all = join_pools(tree, tree.find(node, "pools"), join(path, "pools"), said, reading);
  if (!all) return all;
  ClusterSpec changed = *all;
  errors = read_over(cluster_fields(), tree, node, path, changed);
  if (errors.empty() && changed != *all)
    errors.push_back(tree.at(node, path, "the figures of a cluster of pools are those of the pools",
                             "leave out all but pools and between; a pool may name a file of your own as its type"));
  if (errors.empty()) {
    errors = check_cluster(*all, all->nodes);
    for (Diagnostic& e : errors) e.place = {}, e.path = join(path, e.path);
    tree.locate(errors);
  }
  if (!errors.empty()) return errors;
  return all;
}

Result<ClusterSpec> read_cluster(const YamlTree& tree, NodeId node, const std::string& path, const Reading& reading,
                                 Of of) {
  if (const NodeId pools = tree.find(node, "pools"); pools != kNoNode && !tree[pools].entries.empty())
    return read_pools(tree, node, path, reading);
  Result<ClusterSpec> base =
      base_of<ClusterSpec>(tree, node, path, [&](const std::string& n) { return load_cluster(n, reading.deeper()); });
  if (!base) return base;
  // Another GPU: what was laid over that of the base is not laid over this one.
  if (tree.find(node, "gpu") != kNoNode || type_node(tree, tree.find(node, "gpu_definition")) != kNoNode)
    base->gpu_definition.reset();
  Diagnostics errors = read_over(cluster_fields(), tree, node, path, *base);
  if (!errors.empty()) return errors;
  if (const NodeId type = type_node(tree, node); type != kNoNode) base->name = said_in(tree, type, base->name);
  if (of == Of::run) take_nodes(tree, node, *base);
  if (errors = settle_gpu(tree, node, path, *base); !errors.empty()) return errors;
  errors = check_cluster(*base, base->nodes);
  for (Diagnostic& e : errors) {
    e.place = {};
    e.path = join(path, e.path);
  }
  const Diagnostics wrong = check_gpu_of(tree, node, path, *base, reading.catalogue);
  errors.insert(errors.end(), wrong.begin(), wrong.end());
  if (errors.empty()) return base;
  tree.locate(errors);
  return errors;
}

// A file of the catalogue is read once; one of the user's own may change.
template <class T, class Read>
Result<T> kept(const std::string& name, const std::string& file, Catalogue& catalogue, const Read& read) {
  return names_a_file(name) ? read() : catalogue.once<T>(file, read);
}

Result<Gpu> read_gpu_file(const std::string& name, const std::string& file, const Reading& reading) {
  if (reading.depth > kDeepestType) return plain_error(file, "type", "names itself, over one or more files");
  const Result<YamlTree> tree = read_yaml_file(file);
  if (!tree) return tree.errors();
  Result<Gpu> gpu = read_gpu(*tree, tree->root(), {}, reading);
  if (!gpu) return gpu;
  gpu->name = std::filesystem::path(file).stem().string();
  if (names_a_file(name)) return gpu;
  gpu->lineage.insert(gpu->lineage.begin(), name);
  gpu->changed.clear();
  return gpu;
}

Result<Gpu> load_gpu(const std::string& name, const Reading& reading) {
  const Result<std::string> file = find_data_file(kGpus, name);
  if (!file) return file.errors();
  return kept<Gpu>(name, *file, reading.catalogue, [&] { return read_gpu_file(name, *file, reading); });
}

Result<ClusterSpec> read_cluster_file(const std::string& name, const std::string& file, const Reading& reading) {
  if (reading.depth > kDeepestType) return plain_error(file, "type", "names itself, over one or more files");
  const Result<YamlTree> tree = read_yaml_file(file);
  if (!tree) return tree.errors();
  Result<ClusterSpec> spec = read_cluster(*tree, tree->root(), {}, reading, names_a_file(name) ? Of::run : Of::entry);
  if (spec) spec->name = name;
  return spec;
}

Result<ClusterSpec> load_cluster(const std::string& name, const Reading& reading) {
  const Result<std::string> file = find_data_file(kClusters, name);
  if (!file) return file.errors();
  return kept<ClusterSpec>(name, *file, reading.catalogue, [&] { return read_cluster_file(name, *file, reading); });
}

}  // namespace

std::vector<std::string> gpu_names() {
  return list_data_files(kGpus);
}
std::vector<std::string> cluster_names() {
  return list_data_files(kClusters);
}

Result<Gpu> load_gpu(const std::string& name_or_file, Catalogue& catalogue) {
  return load_gpu(name_or_file, Reading{catalogue});
}
Result<ClusterSpec> load_cluster(const std::string& name_or_file, Catalogue& catalogue) {
  return load_cluster(name_or_file, Reading{catalogue});
}

Result<Gpu> read_gpu(const YamlTree& tree, NodeId node, const std::string& path, Catalogue& catalogue) {
  return read_gpu(tree, node, path, Reading{catalogue});
}
Result<ClusterSpec> read_cluster(const YamlTree& tree, NodeId node, const std::string& path, Catalogue& catalogue) {
  return read_cluster(tree, node, path, Reading{catalogue}, Of::run);
}

Result<Gpu> gpu_of(const ClusterSpec& spec, Catalogue& catalogue) {
  if (spec.gpu.empty() && !spec.gpu_definition) return plain_error(spec.name, "gpu", "is required");
  Result<Gpu> gpu = spec.gpu.empty() ? Result<Gpu>(Gpu{}) : load_gpu(spec.gpu, catalogue);
  if (!gpu || !spec.gpu_definition) return gpu;
  if (gpu->name.empty()) gpu->name = "inline";
  apply(*spec.gpu_definition, *gpu);
  if (Diagnostics errors = check_gpu(*gpu, "gpu_definition"); !errors.empty()) return errors;
  return gpu;
}

}  // namespace orrery::hardware
