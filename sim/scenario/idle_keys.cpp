// A key counts as said where it stands in what the scenario was read from with a value that is not the default: the
// dump of a resolved scenario says every key.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/scenario/simulate.hpp"
#include "parts.hpp"
#include "tables.hpp"

namespace orrery::scenario {
namespace {

using Json = nlohmann::ordered_json;

struct Reason {
  IdleCondition holds;
  const char* why;
  std::vector<std::string> keys;
};

bool takes_groups(const std::string& schedule) {
  return schedule.starts_with("interleaved") || schedule.starts_with("looped");
}

bool takes_nodes(const reliability::Reliability& r) {
  return std::any_of(r.failures.begin(), r.failures.end(), [](const auto& f) { return f.takes_node; });
}

// The fabric is not the one whose section it is, or the graph is given.
template <hardware::FabricKind kind>
bool is_other_fabric(const Scenario& s) {
  return s.cluster.graph.cables.empty() && s.cluster.scale_out.fabric != kind;
}

std::vector<Reason> reasons_of_network() {
  const std::string fabric = "cluster.scale_out.";
  using S = const Scenario&;
  return {
      {[](S s) { return !s.cluster.graph.cables.empty(); },
       "cluster.graph is the whole network",
       {"cluster.scale_up", "cluster.scale_out"}},
      {is_other_fabric<hardware::FabricKind::fat_tree>,
       "cluster.scale_out.fabric is not fat_tree",
       {fabric + "fat_tree"}},
      {is_other_fabric<hardware::FabricKind::torus>, "cluster.scale_out.fabric is not torus", {fabric + "torus"}},
      {is_other_fabric<hardware::FabricKind::dragonfly>,
       "cluster.scale_out.fabric is not dragonfly",
       {fabric + "dragonfly"}},
  };
}

std::vector<Reason> make_reasons() {
  const std::string c = "stack.communication.";
  using S = const Scenario&;
  return {
      {[](S s) { return s.layout.pipeline == 1; },
       "there is one pipeline rank",
       {"schedule.group", "schedule.memory_cap", c + "messages", c + "scatter_gather_messages",
        c + "reshard_in_pipeline", c + "pass_overlap_percent", "stack.optimizer.post_validation"}},
      {[](S s) { return s.layout.gradient_ranks() == 1; },
       "no other rank shares the gradients (data and context are 1)",
       {"layout.zero", "layout.shard_degree", "training.overlap_data", c + "overlap_data", c + "overlap_gather",
        c + "bucket", c + "prefetch", c + "data_slowdown_percent"}},
      {[](S s) { return s.layout.tensor == 1; },
       "there is one tensor rank",
       {"training.overlap_tensor", c + "overlap_tensor", c + "tensor_slowdown_percent", c + "scatter_gather_messages"}},
      {[](S s) { return s.reliability.spare_nodes > 0 && !takes_nodes(s.reliability); },
       "no failure takes a node",
       {"reliability.spare_nodes", "reliability.repair"}},
      {[](S s) { return !s.training.offload.any(); },
       "nothing is kept on the hosts (training.offload)",
       {"cluster.host"}},
      {[](S s) { return !s.variation.given(); },
       "no spread and no slow GPU is said",
       {"variation.count", "variation.seed", "variation.slow_speed"}},
      {[](S s) { return s.reliability.checkpoint.time.has_value(); },
       "reliability.checkpoint.time says how long a checkpoint takes",
       {"reliability.checkpoint.bytes", "reliability.checkpoint.bandwidth"}},
      {[](S s) { return s.model.experts.count == 0; },
       "the model has no experts",
       {"training.routing", "training.capacity", "training.pad_to_capacity", "stack.experts"}},
      {[](S s) { return !s.training.routing.power_law; }, "there is no power law", {"training.routing.seed"}},
      {[](S s) { return s.cluster.pools.empty(); },
       "the cluster has no pools",
       {"cluster.between.bandwidth", "cluster.between.latency"}},
      {[](S s) { return s.layout.context == 1; },
       "there is one context rank",
       {"training.overlap_context", c + "overlap_context", c + "context_slowdown_percent", c + "context_exchange"}},
      {[](S s) { return s.stack.communication.context_exchange == layout::ContextExchange::all_to_all; },
       "attention waits for the heads that context ranks exchange",
       {"training.overlap_context", c + "overlap_context", c + "context_slowdown_percent"}},
      {[](S s) { return s.training.recompute != layout::Recompute::full; },
       "training.recompute is not full",
       {"training.recompute_every", "training.recompute_method", "training.recompute_num_layers"}},
      {[](S s) { return s.training.recompute != layout::Recompute::selective; },
       "training.recompute is not selective",
       {"training.recompute_modules"}},
      {[](S s) { return !takes_groups(s.schedule.type); }, "the schedule is not interleaved", {"schedule.group"}},
      {[](S s) { return s.schedule.type.rfind("zb_auto", 0) != 0; },
       "the schedule is not zb_auto",
       {"schedule.memory_cap"}},
      {[](S s) { return s.layout.partition != layout::Partition::explicit_layers; },
       "layout.partition is not explicit",
       {"layout.layers_per_stage"}},
      {[](S s) { return s.layout.batch_split != layout::BatchSplit::explicit_counts; },
       "layout.batch_split is not explicit",
       {"layout.micro_batches_per_replica"}},
      {[](S s) { return s.layout.data == 1; }, "there is one data-parallel rank", {"layout.batch_split"}},
      {[](S s) { return s.stack.launch.mode == cost::LaunchMode::graph; },
       "with stack.launch.mode graph launches cost nothing",
       {"stack.launch.per_kernel", "stack.launch.per_kernel_backward", "stack.launch.per_expert_kernel",
        "stack.launch.per_collective", "stack.launch.per_collective_rank", "stack.launch.per_micro_batch"}},
      {[](S s) { return !s.stack.experts.launched_apart; },
       "no expert is launched apart (stack.experts.launched_apart)",
       {"stack.launch.per_expert_kernel"}},
  };
}

const std::vector<Reason>& reasons() {
  static const std::vector<Reason> all = [] {
    std::vector<Reason> list = make_reasons();
    for (Reason& reason : reasons_of_network()) list.push_back(std::move(reason));
    return list;
  }();
  return all;
}

// The scenario with every default, and one that says nothing.
struct Values {
  Json resolved, plain;
};

Values values_of(const Scenario& s) {
  const auto section = [](const auto& table, const auto& value) { return Json::parse(dump_json(table, &value)); };
  return {Json::parse(to_json(s)),
          {{"layout", section(layout_fields(), layout::Layout{})},
           {"training", section(training_fields(), Training{})},
           {"schedule", section(schedule_fields(), ScheduleChoice{})},
           {"stack", section(cost::stack_fields(), cost::Stack{})},
           {"variation", section(variation_fields(), Variation{})},
           {"reliability", section(reliability::reliability_fields(), reliability::Reliability{})},
           {"cluster", section(hardware::cluster_fields(), hardware::ClusterSpec{})}}};
}

const Json& at(const Json& json, const std::string& key) {
  static const Json nothing;
  return json.is_object() && json.contains(key) ? json[key] : nothing;
}

// Appends the path, or those below it, that are said.
void collect(const YamlTree& tree, NodeId node, const std::string& path, const Json& value, const Json& plain,
             std::vector<std::string>& said) {
  if (node == kNoNode) return;
  if (tree[node].kind != NodeKind::map) {
    if (value != plain) said.push_back(path);
    return;
  }
  for (const YamlEntry& e : tree[node].entries)
    collect(tree, e.value, path + "." + e.key, at(value, e.key), at(plain, e.key), said);
}

void find_said(const Scenario& s, const Values& values, const std::string& path, std::vector<std::string>& said) {
  NodeId node = s.source->root();
  const Json *value = &values.resolved, *plain = &values.plain;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    node = s.source->find(node, key);
    value = &at(*value, key);
    plain = &at(*plain, key);
    begin = end + 1;
  }
  collect(*s.source, node, path, *value, *plain, said);
}

}  // namespace

std::vector<IdleCondition> idle_when(const std::string& key) {
  std::vector<IdleCondition> conditions;
  for (const Reason& reason : reasons())
    if (std::any_of(reason.keys.begin(), reason.keys.end(),
                    [&](const std::string& k) { return key == k || key.starts_with(k + "."); }))
      conditions.push_back(reason.holds);
  return conditions;
}

Diagnostics idle_keys(const Scenario& s) {
  Diagnostics notes;
  if (!s.source) return notes;
  const Values values = values_of(s);
  for (const Reason& reason : reasons()) {
    if (!reason.holds(s)) continue;
    std::vector<std::string> said;
    for (const std::string& key : reason.keys) find_said(s, values, key, said);
    if (said.empty()) continue;
    std::string others;
    for (std::size_t i = 1; i < said.size(); ++i) others += (i == 1 ? ", nor have " : ", ") + said[i];
    Diagnostic note;
    note.path = said.front();
    note.message = fmt::format("has no effect{}: {}", others, reason.why);
    notes.push_back(std::move(note));
  }
  s.source->locate(notes);
  return notes;
}

}  // namespace orrery::scenario
