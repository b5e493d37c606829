#include <algorithm>
#include <filesystem>

#include "core/synonyms.hpp"
#include "orrery/core/data_files.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/layout/layout.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/scenario/run.hpp"
#include "parts.hpp"
#include "places.hpp"
#include "tables.hpp"

namespace orrery::scenario {
namespace {

// Reads the sections of one tree, collecting every error before it gives up.
class Reader {
 public:
  Reader(const YamlTree& tree, Catalogue& catalogue) : tree_(tree), catalogue_(catalogue) {}
  Result<Run> read(const ResolveOptions& options);
  // Whether there is a scenario to resolve; what is wrong stands in errors().
  bool read_sections();
  const Diagnostics& errors() const { return errors_; }
  Scenario& scenario() { return scenario_; }

 private:
  NodeId section(const char* name) const { return tree_.find(tree_.root(), name); }
  bool take(Diagnostics errors) {
    errors_.insert(errors_.end(), errors.begin(), errors.end());
    return errors.empty();
  }
  template <class T>
  bool take(Result<T> result, T& into) {
    if (!result.ok()) return take(result.errors());
    into = std::move(result).value();
    return true;
  }
  template <class T>
  Result<T> at_keys(Result<T> result) const {
    if (result.ok()) return result;
    Diagnostics errors = result.errors();
    tree_.locate(errors);
    return errors;
  }
  // What is wrong with a preset's name stands where it is said, in `section`.
  template <class T>
  Result<T> at_type(Result<T> result, NodeId type, NodeId section, const std::string& name) const {
    if (result.ok() || type == kNoNode) return result;
    Diagnostics errors = result.errors();
    for (Diagnostic& e : errors)
      if (e.place.file.empty()) e = tree_.at(type, section == type ? name : name + ".type", e.message, e.help);
    return errors;
  }
  void check_keys();
  void read_model();
  void read_cluster();
  bool read_gpu(const hardware::ClusterSpec& cluster, program::GpuKind& kind);
  void read_stack();
  std::string preset_name(NodeId type) const { return said_in(tree_, type, tree_[type].text); }
  NodeId preset_of(NodeId section) const;
  void read_reliability();
  void resolve_layout();

  const YamlTree& tree_;
  Catalogue& catalogue_;
  Scenario scenario_;
  Diagnostics errors_;
  bool have_model_ = false, have_cluster_ = false, have_layout_ = false, have_training_ = false, have_places_ = true,
       have_stack_ = true, have_reliability_ = true;
};

void Reader::check_keys() {
  if (tree_[tree_.root()].kind != NodeKind::map) {
    errors_.push_back(
        tree_.at(tree_.root(), "", "a scenario is a map with the keys model, cluster, layout, training, …"));
    return;
  }
  for (const YamlEntry& entry : tree_[tree_.root()].entries) {
    const auto& names = section_names();
    if (std::find(names.begin(), names.end(), entry.key) != names.end()) continue;
    std::string allowed;
    for (const std::string& name : names) allowed += (allowed.empty() ? "" : ", ") + name;
    errors_.push_back(tree_.at(entry.mark, static_cast<int>(entry.key.size()), entry.key,
                               "unknown key, allowed: " + allowed, remedy_for_key("", entry.key, names)));
  }
  if (const NodeId sweep = section("sweep"); sweep != kNoNode && tree_[sweep].kind != NodeKind::map)
    errors_.push_back(tree_.at(sweep, "sweep", "expected a map of keys and their values, such as {tensor: [1, 2, 4]}"));
  for (const char* name : {"model", "cluster", "training"})
    if (section(name) == kNoNode) errors_.push_back(tree_.at(tree_.root(), name, "is required"));
}

void Reader::read_model() {
  if (section("model") != kNoNode)
    have_model_ = take(model::read_model(tree_, section("model"), "model", catalogue_), scenario_.model);
}

void Reader::read_cluster() {
  if (section("cluster") == kNoNode) return;
  have_cluster_ = take(hardware::read_cluster(tree_, section("cluster"), "cluster", catalogue_), scenario_.cluster);
  if (!have_cluster_) return;
  program::GpuKind kind;
  have_cluster_ = read_gpu(scenario_.cluster, kind);
  scenario_.gpu = std::move(kind.gpu), scenario_.kernels = std::move(kind.kernels);
  for (const hardware::ClusterSpec& pool : scenario_.cluster.of_pools)
    have_cluster_ = have_cluster_ && read_gpu(pool, scenario_.pools.emplace_back());
}

bool Reader::read_gpu(const hardware::ClusterSpec& cluster, program::GpuKind& kind) {
  cost::GpuKernels kernels;
  if (!take(hardware::gpu_of(cluster, catalogue_), kind.gpu) ||
      !take(at_keys(cost::kernels_of(kind.gpu, catalogue_)), kernels))
    return false;
  kind.kernels = std::move(kernels.model);
  std::vector<std::string>& notes = scenario_.notes;
  if (!kernels.note.empty() && std::find(notes.begin(), notes.end(), kernels.note) == notes.end())
    notes.push_back(std::move(kernels.note));
  return true;
}

// Where a section names the preset whose values it changes: the section itself, or its `type`.
NodeId Reader::preset_of(NodeId section) const {
  if (section == kNoNode || tree_[section].kind == NodeKind::scalar) return section;
  return tree_.find(section, "type");
}

void Reader::read_stack() {
  const NodeId node = section("stack"), type = preset_of(node);
  const std::string name = type == kNoNode ? "megatron-2024" : preset_name(type);
  have_stack_ = take(at_type(cost::load_stack(name, catalogue_), type, node, "stack"), scenario_.stack);
  if (!have_stack_) return;
  if (node != kNoNode && tree_[node].kind != NodeKind::scalar)
    have_stack_ = take(read_over(cost::stack_fields(), tree_, node, "stack", scenario_.stack));
  scenario_.stack.type = name;
}

void Reader::read_reliability() {
  const NodeId node = section("reliability"), type = preset_of(node);
  if (node == kNoNode) return;
  reliability::Reliability r;
  have_reliability_ =
      type == kNoNode ||
      take(at_type(reliability::load_reliability(preset_name(type), catalogue_), type, node, "reliability"), r);
  if (have_reliability_ && tree_[node].kind != NodeKind::scalar)
    have_reliability_ = take(read_over(reliability::reliability_fields(), tree_, node, "reliability", r));
  if (!have_reliability_) return;
  if (type != kNoNode) r.type = preset_name(type);
  if (!r.given()) return;  // every key is at its default
  for (const reliability::Missing& missing : reliability::missing_in(r))
    errors_.push_back(tree_.at(node, missing.path, missing.message, missing.help));
  have_reliability_ = reliability::missing_in(r).empty();
  scenario_.reliability = std::move(r);
}

// The degree that is not said follows from the GPUs; degrees that are said must multiply to them.
void Reader::resolve_layout() {
  layout::Layout& l = scenario_.layout;
  const std::int64_t gpus = scenario_.gpus();
  std::int64_t others = 1;
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (d.dimension != layout::Dimension::data && !d.folded) others *= l.*d.degree;
  if (tree_.find(section("layout"), "data") == kNoNode && gpus % others == 0) l.data = static_cast<int>(gpus / others);
}

bool Reader::read_sections() {
  check_keys();
  if (tree_[tree_.root()].kind != NodeKind::map) return false;
  scenario_.name = tree_.name();
  read_model();
  read_cluster();
  read_stack();
  read_reliability();
  have_layout_ = section("layout") == kNoNode ||
                 take(orrery::read(layout_fields(), tree_, section("layout"), "layout"), scenario_.layout);
  if (section("training") != kNoNode)
    have_training_ = take(orrery::read(training_fields(), tree_, section("training"), "training"), scenario_.training);
  if (section("schedule") != kNoNode)
    take(orrery::read(schedule_fields(), tree_, section("schedule"), "schedule"), scenario_.schedule);
  if (!scenario_.schedule.file.empty())
    scenario_.schedule.file = (std::filesystem::path(tree_.name()).parent_path() / scenario_.schedule.file).string();
  if (std::string& file = scenario_.training.routing.file; !file.empty())
    file = (std::filesystem::path(tree_.name()).parent_path() / file).string();
  if (section("network") != kNoNode)
    take(orrery::read(network_fields(), tree_, section("network"), "network"), scenario_.network);
  if (section("placement") != kNoNode)
    have_places_ =
        take(orrery::read(hardware::placement_fields(), tree_, section("placement"), "placement"), scenario_.placement);
  if (section("variation") != kNoNode)
    take(orrery::read(variation_fields(), tree_, section("variation"), "variation"), scenario_.variation);
  if (section("perturb") != kNoNode)
    have_places_ = take(read_perturbations(tree_, section("perturb")), scenario_.cluster.perturb) && have_places_;
  if (!have_model_ || !have_cluster_ || !have_layout_ || !have_training_ || !have_places_ || !have_stack_ ||
      !have_reliability_)
    return false;
  resolve_layout();
  return true;
}

Result<Run> Reader::read(const ResolveOptions& options) {
  if (!read_sections()) return errors_;
  scenario_.source = std::make_shared<YamlTree>(tree_);
  Result<Run> run = resolve(scenario_, catalogue_, options);
  if (run.ok() && errors_.empty()) return run;
  if (!run.ok()) take(run.errors());
  return errors_;
}

Result<Scenario> scenario_of(const Result<Run>& run) {
  if (!run.ok()) return run.errors();
  return run->scenario();
}

}  // namespace

Result<Run> read_run(const YamlTree& tree, Catalogue& catalogue, const ResolveOptions& options) {
  return Reader(tree, catalogue).read(options);
}

Result<Scenario> read_parts(const YamlTree& tree, Catalogue& catalogue) {
  Reader reader(tree, catalogue);
  const bool complete = reader.read_sections();
  if (!complete || !reader.errors().empty()) return reader.errors();
  return std::move(reader.scenario());
}

Result<YamlTree> scenario_tree(const std::string& path, const std::vector<std::string>& sets) {
  Result<YamlTree> tree = read_yaml_file(path);
  if (!tree.ok()) return tree;
  Diagnostics errors;
  for (const std::string& assignment : sets)
    for (Diagnostic& e : tree->set(assignment)) errors.push_back(std::move(e));
  if (!errors.empty()) return errors;
  return tree;
}

Result<Run> load_run(const std::string& path, const std::vector<std::string>& sets, Catalogue& catalogue,
                     const ResolveOptions& options) {
  const Result<YamlTree> tree = scenario_tree(path, sets);
  if (!tree.ok()) return tree.errors();
  return read_run(*tree, catalogue, options);
}

Result<Scenario> read_scenario(const YamlTree& tree, const ResolveOptions& options) {
  return scenario_of(read_run(tree, Catalogue::shared(), options));
}

Result<Scenario> read_scenario_text(std::string text, const std::string& name) {
  Result<YamlTree> tree = read_yaml_text(std::move(text), name);
  if (!tree.ok()) return tree.errors();
  return read_scenario(*tree);
}

Result<Scenario> load_scenario(const std::string& path, const std::vector<std::string>& sets,
                               const ResolveOptions& options) {
  return scenario_of(load_run(path, sets, Catalogue::shared(), options));
}

}  // namespace orrery::scenario
