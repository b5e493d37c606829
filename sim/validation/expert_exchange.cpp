// Rows of DeepEP's own measure within a node: tokens of each rank to the ranks that have any of their experts, and
// home.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>

#include "cells.hpp"
#include "kinds.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::validation {
namespace {

constexpr std::int64_t kMostOfExchange = std::int64_t{1} << 24;

// Of `ranks` those that have any of the top_k of a token, of experts chosen alike (layout/operators/dispatch.cpp).
double ranks_met(std::int64_t ranks, std::int64_t experts, std::int64_t top_k) {
  double nowhere = 1;
  for (std::int64_t i = 0; i < top_k; ++i)
    nowhere *= static_cast<double>(std::max<std::int64_t>(experts - experts / ranks - i, 0)) /
               static_cast<double>(experts - i);
  return static_cast<double>(ranks) * (1 - nowhere);
}

struct ExchangeSystem {
  explicit ExchangeSystem(const std::string& gpu, int ranks) {
    for (const std::string& name : hardware::cluster_names()) {
      const auto cluster = hardware::load_cluster(name);
      if (!cluster.ok() || cluster->gpu != gpu || cluster->gpus_per_node < ranks) continue;
      auto built = hardware::build_topology(*cluster, 1);
      auto constants = network::tuning_for(*cluster);
      if (!built.ok() || !constants.ok()) continue;
      topology = std::move(*built), tuning = std::move(*constants);
      return;
    }
    why = fmt::format("no cluster has nodes of {} {}", ranks, gpu);
  }
  std::unique_ptr<hardware::Topology> topology;
  network::Tuning tuning;
  std::string why;
};

void predict_exchange(const Cells& cells, std::map<std::pair<std::string, std::int64_t>, ExchangeSystem>& systems,
                      Row& row) {
  const std::int64_t ranks = cells.integer("expert_parallel", 2, 1 << 12), nodes = cells.integer("nodes", 1, 1 << 12),
                     tokens = cells.integer("tokens_per_rank", 1, kMostOfExchange),
                     hidden = cells.integer("hidden", 1, kMostOfExchange),
                     experts = cells.integer("experts", 1, kMostOfExchange), top_k = cells.integer("top_k", 1, experts);
  if (cells.text("mode") != "normal")
    return cells.refuse_row("mode", fmt::format("'{}' is not simulated, allowed: normal", cells.text("mode")));
  if (nodes > 1)
    return cells.refuse_row("nodes", "a copy for each node, and from there for each rank, is not simulated");
  if (experts % ranks != 0)
    return cells.refuse_row("experts", fmt::format("{} do not divide over {} ranks", experts, ranks));
  const std::string gpu = cells.text("gpu");
  const ExchangeSystem& system = systems.try_emplace({gpu, ranks}, gpu, static_cast<int>(ranks)).first->second;
  row.why = system.why;
  if (!row.why.empty()) return;
  std::vector<hardware::DeviceId> group(static_cast<std::size_t>(ranks));
  std::iota(group.begin(), group.end(), 0);
  const double rows = static_cast<double>(tokens) * ranks_met(ranks, experts, top_k);
  // Out in fp8 with a scale for 128, an index and a weight for each choice (aiconfigurator on Hopper), home in bf16.
  const double out = static_cast<double>(hidden) * (1 + 4. / 128) + 12. * static_cast<double>(top_k),
               home = 2 * static_cast<double>(hidden);
  for (const auto& [figure, bytes] : {std::pair{0, out}, {1, home}}) {
    network::CollectiveCall call{Collective::all_to_all, {static_cast<std::int64_t>(rows * bytes)}, group};
    call.algorithm = "deepep", call.chosen = {experts, experts / ranks, top_k};
    const network::CollectivePlan plan = network::plan_collective(call, *system.topology, system.tuning);
    row.figures[static_cast<std::size_t>(figure)].predicted =
        static_cast<double>(network::unshared_time(plan, system.topology->links()).value) * 1e-6;
  }
}

}  // namespace

Result<std::vector<Row>> expert_exchange_rows(const CsvTable& table) {
  Diagnostics errors;
  require_columns(table, {"mode", "gpu", "nodes", "expert_parallel", "hidden", "tokens_per_rank"}, errors);
  if (!errors.empty()) return errors;
  std::map<std::pair<std::string, std::int64_t>, ExchangeSystem> systems;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Cells cells(table, i, errors);
    Row row;
    row.id = cells.has("id") ? cells.text("id") : std::to_string(i + 1);
    for (const char* name : {"dispatch_us", "combine_us"}) {
      row.figures.emplace_back().name = name;
      if (const std::optional<double> time = cells.number(name)) row.figures.back().reference = *time;
    }
    row.groups.emplace_back(
        "mode", fmt::format("{} {} on {} ranks", cells.text("mode"), cells.text("gpu"), cells.text("expert_parallel")));
    row.what = fmt::format("{} {} tokens of {} to {} of {} experts", cells.text("gpu"), cells.text("tokens_per_rank"),
                           cells.text("hidden"), cells.text("top_k"), cells.text("experts"));
    predict_exchange(cells, systems, row);
    if (row.why.empty()) row.why = cells.why();
    rows.push_back(std::move(row));
  }
  if (!errors.empty()) return errors;
  return rows;
}

}  // namespace orrery::validation
