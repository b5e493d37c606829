// Plans that Sailor's planner chose and its authors ran (eth-easl/sailor, OPT on Megatron-DeepSpeed): layers, replicas
// and GPUs stage by stage. Each row is written as a scenario, which says what a scenario can say of it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cells.hpp"
#include "kinds.hpp"
#include "mechanisms.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/core/yaml.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "run_playing.hpp"
#include "scenario/parts.hpp"

namespace orrery::validation {
namespace {

constexpr const char* kPlanColumns =
    "id source model nodes pipelines stages layers_per_stage dp replicas_per_stage micro_batch global_batch "
    "step_time_s reduce_gradients_s peak_memory_bytes heterogeneous tier";

// What no column says.
constexpr const char* kPlanStack = "sailor-2025";
constexpr int kPlanSequence = 2048;  // of OPT (Zhang et al. 2022)

std::string nodes_of(const Cells& cells, const std::string& type) {
  return cells.word<const char*>("replicas_per_stage", type, {{"GH-96", "alps"}});
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  if (!parse_integer(text, value).empty() || value < 0 || value > 1 << 20) return {};
  return value;
}

// A replica of a stage: so many GPUs of a type, which share its matrices ("4xGH-96 tp4").
struct Replica {
  std::int64_t gpus = 1, tensor = 1;
  std::string type;
};

Replica replica_of(const Cells& cells, const std::string& text) {
  const std::size_t times = text.find('x'), tensor = text.rfind(" tp");
  if (times != std::string::npos && tensor != std::string::npos && times < tensor) {
    const auto gpus = whole_number(std::string_view(text).substr(0, times)),
               degree = whole_number(std::string_view(text).substr(tensor + 3));
    if (gpus && degree && *gpus > 0 && *degree > 0) return {*gpus, *degree, text.substr(times + 1, tensor - times - 1)};
  }
  cells.refuse("replicas_per_stage", fmt::format("'{}' is no replica, expected such as 4xGH-96 tp4", text));
  return {};
}

struct Plan {
  std::vector<std::int64_t> layers;            // [stage], without embedding and head
  std::vector<std::vector<Replica>> replicas;  // [stage]
};

// "0-4|5-11": 0 is the embedding, the last one the head.
std::vector<std::int64_t> layers_of(const Cells& cells) {
  std::vector<std::int64_t> counts;
  std::int64_t next = 0;
  for (const std::string& stage : split(cells.text("layers_per_stage"), "|")) {
    const std::size_t dash = stage.find('-');
    const auto first = whole_number(std::string_view(stage).substr(0, dash)),
               last = whole_number(dash == std::string::npos ? stage : std::string_view(stage).substr(dash + 1));
    if (!first || !last || *first != next || *last < *first) {
      cells.refuse("layers_per_stage", fmt::format("'{}' is no stage that begins with layer {}", stage, next));
      return {1};
    }
    counts.push_back(*last - *first + 1);
    next = *last + 1;
  }
  --counts.front(), --counts.back();
  return counts;
}

Plan plan_of(const Cells& cells) {
  Plan plan;
  plan.layers = layers_of(cells);
  for (const std::string& stage : split(cells.text("replicas_per_stage"), " ; ")) {
    plan.replicas.emplace_back();
    for (const std::string& replica : split(stage, "+")) plan.replicas.back().push_back(replica_of(cells, replica));
  }
  if (plan.replicas.size() != plan.layers.size())
    cells.refuse("replicas_per_stage",
                 fmt::format("{} stages, layers_per_stage has {}", plan.replicas.size(), plan.layers.size()));
  std::set<std::int64_t> tensor;
  std::set<std::size_t> data;
  for (const std::vector<Replica>& stage : plan.replicas) {
    data.insert(stage.size());
    for (const Replica& r : stage) {
      tensor.insert(r.tensor);
      if (r.gpus != r.tensor)
        cells.refuse_row("replicas_per_stage",
                         fmt::format("{} GPUs for tp{}: a replica of a stage is its tensor ranks", r.gpus, r.tensor));
    }
  }
  if (tensor.size() > 1)
    cells.refuse_row("replicas_per_stage",
                     fmt::format("unlike tensor degrees ({}) are not simulated", fmt::join(tensor, ", ")));
  if (data.size() > 1)
    cells.refuse_row("dp", fmt::format("stages of unlike replicas ({}) are not simulated", fmt::join(data, ", ")));
  if (cells.integer("pipelines", 1, 1 << 20, 1) != 1)
    cells.refuse_row("pipelines", "several pipelines of unlike stages are not simulated");
  return plan;
}

// The nodes, and where there are several types a pool of each with the pool of each replica of a stage.
std::string places_of(const Cells& cells, const Plan& plan) {
  std::vector<std::string> types;
  std::vector<std::int64_t> gpus;
  std::string stages;
  for (const std::vector<Replica>& stage : plan.replicas) {
    std::string pools;
    for (const Replica& r : stage) {
      const auto known = std::find(types.begin(), types.end(), r.type);
      const auto type = static_cast<std::size_t>(known - types.begin());
      if (known == types.end()) types.push_back(r.type), gpus.push_back(0);
      gpus[type] += r.gpus;
      pools += (pools.empty() ? "" : "+") + r.type;
    }
    stages += (stages.empty() ? "" : ", ") + pools;
  }
  if (types.size() == 1)
    return fmt::format("cluster: {{type: {}, nodes: {}}}\n", nodes_of(cells, types.front()),
                       cells.integer("nodes", 1, 1 << 20));
  std::string pools;
  for (std::size_t t = 0; t < types.size(); ++t) {
    const auto node = hardware::load_cluster(nodes_of(cells, types[t]));
    check(node.ok(), "the nodes of plans are in the catalogue");
    pools += fmt::format("{}{{name: {}, type: {}, nodes: {}}}", t == 0 ? "" : ", ", types[t], nodes_of(cells, types[t]),
                         ceil_div(gpus[t], node->gpus_per_node));
  }
  return fmt::format("cluster: {{pools: [{}]}}\nplacement: {{type: pools, stages: [{}]}}\n", pools, stages);
}

std::string scenario_text(const Cells& cells, const Plan& plan) {
  const std::vector<Replica>& first = plan.replicas.front();
  return fmt::format(
      "model: {}\n{}layout: {{tensor: {}, pipeline: {}, data: {}, partition: explicit, layers_per_stage: [{}]}}\n"
      "training: {{sequence_length: {}, global_batch: {}, micro_batch: {}, precision: fp16}}\nstack: {}\n",
      cells.word<const char*>("model", {{"opt-350", "opt-350m"}}), places_of(cells, plan), first.front().tensor,
      plan.layers.size(), first.size(), fmt::join(plan.layers, ", "), kPlanSequence,
      cells.integer("global_batch", 1, 1 << 30), cells.integer("micro_batch", 1, 1 << 24), kPlanStack);
}

Row row_of_plan(const Cells& cells, const Plan& plan, std::size_t number) {
  Row row;
  row.id = cells.has("id") ? cells.text("id") : std::to_string(number);
  const std::optional<double> peak = cells.positive("peak_memory_bytes");
  row.figures = figures_of_run(cells.positive("step_time_s"), peak ? std::optional(*peak / kGiB) : std::nullopt);
  row.groups.emplace_back("stack", kPlanStack);
  const std::string tier = cells.text("tier");
  row.counts = tier != "C", row.in_subset = tier == "A";
  // Plans of one model for as many nodes and one batch: the planner chose among them.
  for (const char* column : {"model", "nodes", "global_batch"}) row.alternatives += cells.text(column) + '\n';
  const Replica& first = plan.replicas.front().front();
  row.what = fmt::format("{} {} nodes {} TP{} PP{} DP{} mb{} gb{}", cells.text("model"), cells.text("nodes"),
                         first.type, first.tensor, plan.layers.size(), plan.replicas.front().size(),
                         cells.text("micro_batch"), cells.text("global_batch"));
  return row;
}

}  // namespace

Result<std::vector<Row>> plan_rows(const CsvTable& table, const Options& options) {
  Diagnostics errors;
  require_columns(table, {"model", "nodes", "layers_per_stage", "replicas_per_stage", "micro_batch", "global_batch"},
                  errors);
  refuse_misspelt(table, kPlanColumns, errors);
  const auto without = mechanisms_of(options.without, table.name, errors);
  if (!errors.empty()) return errors;
  std::vector<Row> rows;
  std::vector<Job> jobs(table.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Cells cells(table, i, errors);
    const Plan plan = plan_of(cells);
    rows.push_back(row_of_plan(cells, plan, i + 1));
    const std::string text = scenario_text(cells, plan);
    rows.back().why = cells.why();
    if (!rows.back().why.empty() || !errors.empty()) continue;
    const auto tree = read_yaml_text(text, rows.back().id);
    check(tree.ok(), "a plan is written as YAML");
    Result<scenario::Scenario> scenario = scenario::read_parts(*tree, Catalogue::shared());
    if (!scenario.ok()) {
      rows.back().why = reason(scenario.errors());
      continue;
    }
    jobs[i] = {std::move(scenario).value(), MemoryKind::process};
    for (const Mechanism* mechanism : without) mechanism->take_away(*jobs[i].scenario);
  }
  if (!errors.empty()) return errors;
  play_rows(jobs, options, rows);
  return rows;
}

}  // namespace orrery::validation
