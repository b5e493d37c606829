#include "orrery/hardware/catalogue.hpp"

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

Result<Gpu> load_gpu(const std::string& name, int depth);
Result<ClusterSpec> load_cluster(const std::string& name, int depth);

// Reads the base that is named at `node`, when one is.
template <class T, class Load>
Result<T> base_of(const YamlTree& tree, NodeId node, const std::string& path, const Load& load) {
  const NodeId type = type_node(tree, node);
  if (type == kNoNode || tree[type].kind != NodeKind::scalar || tree[type].text.empty()) return T{};
  Result<T> base = load(tree[type].text);
  if (!base) return placed(base.errors(), tree, type, join(path, "type"));
  return base;
}

Result<Gpu> read_gpu(const YamlTree& tree, NodeId node, const std::string& path, int depth) {
  Result<Gpu> base = base_of<Gpu>(tree, node, path, [&](const std::string& n) { return load_gpu(n, depth + 1); });
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

Result<ClusterSpec> read_cluster(const YamlTree& tree, NodeId node, const std::string& path, int depth) {
  Result<ClusterSpec> base =
      base_of<ClusterSpec>(tree, node, path, [&](const std::string& n) { return load_cluster(n, depth + 1); });
  if (!base) return base;
  Diagnostics errors = read_over(cluster_fields(), tree, node, path, *base);
  if (!errors.empty()) return errors;
  errors = check_cluster(*base, base->nodes);
  for (Diagnostic& e : errors) {
    e.place = {};
    e.path = join(path, e.path);
  }
  if (const Result<Gpu> gpu = gpu_of(*base); !gpu) {
    const NodeId said = tree.find(node, "gpu");
    const Diagnostics wrong = placed(gpu.errors(), tree, said == kNoNode ? node : said, join(path, "gpu"));
    errors.insert(errors.end(), wrong.begin(), wrong.end());
  }
  if (errors.empty()) return base;
  tree.locate(errors);
  return errors;
}

Result<Gpu> load_gpu(const std::string& name, int depth) {
  const Result<std::string> file = find_data_file(kGpus, name);
  if (!file) return file.errors();
  if (depth > kDeepestType) return plain_error(*file, "type", "names itself, over one or more files");
  const Result<YamlTree> tree = read_yaml_file(*file);
  if (!tree) return tree.errors();
  Result<Gpu> gpu = read_gpu(*tree, tree->root(), {}, depth);
  if (gpu) gpu->name = name;
  return gpu;
}

Result<ClusterSpec> load_cluster(const std::string& name, int depth) {
  const Result<std::string> file = find_data_file(kClusters, name);
  if (!file) return file.errors();
  if (depth > kDeepestType) return plain_error(*file, "type", "names itself, over one or more files");
  const Result<YamlTree> tree = read_yaml_file(*file);
  if (!tree) return tree.errors();
  Result<ClusterSpec> spec = read_cluster(*tree, tree->root(), {}, depth);
  if (spec) spec->name = name;
  return spec;
}

}  // namespace

std::vector<std::string> gpu_names() {
  return list_data_files(kGpus);
}
std::vector<std::string> cluster_names() {
  return list_data_files(kClusters);
}

Result<Gpu> load_gpu(const std::string& name_or_file) {
  return load_gpu(name_or_file, 0);
}
Result<ClusterSpec> load_cluster(const std::string& name_or_file) {
  return load_cluster(name_or_file, 0);
}

Result<Gpu> read_gpu(const YamlTree& tree, NodeId node, const std::string& path) {
  return read_gpu(tree, node, path, 0);
}
Result<ClusterSpec> read_cluster(const YamlTree& tree, NodeId node, const std::string& path) {
  return read_cluster(tree, node, path, 0);
}

Result<Gpu> gpu_of(const ClusterSpec& spec) {
  if (spec.gpu.empty() && !spec.gpu_definition) return plain_error(spec.name, "gpu", "is required");
  Result<Gpu> gpu = spec.gpu.empty() ? Result<Gpu>(Gpu{}) : load_gpu(spec.gpu);
  if (!gpu || !spec.gpu_definition) return gpu;
  apply(*spec.gpu_definition, *gpu);
  if (Diagnostics errors = check_gpu(*gpu, "gpu_definition"); !errors.empty()) return errors;
  return gpu;
}

}  // namespace orrery::hardware
