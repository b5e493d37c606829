// Rows of nccl-tests: the call planned on the cluster, alone.
#include <fmt/format.h>

#include <map>

#include "cells.hpp"
#include "kinds.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::validation {
namespace {

constexpr std::int64_t kLarge = 64 << 10;  // from here on bandwidth matters: the narrower statistics

struct System {
  std::unique_ptr<hardware::Topology> topology;
  network::Tuning tuning;
};

// Settings that a row says were made stand in columns of their own, or in the name of its system: NCCL_ALGO=Ring,
// NCCL_PROTO=LL128, MIN_CTAS=24.
class Systems {
 public:
  const System* find(const std::string& cluster, int nodes, int gpus, bool more_channels, std::string& why) {
    const auto [at, fresh] = systems_.try_emplace({cluster, nodes, gpus, more_channels});
    if (fresh) load(cluster, nodes, gpus, more_channels, at->second);
    why = at->second.why;
    return why.empty() ? &at->second.system : nullptr;
  }

 private:
  struct Entry {
    System system;
    std::string why;
  };
  static void load(const std::string& name, int nodes, int gpus, bool more_channels, Entry& into) {
    const auto cluster = hardware::load_cluster(name);
    if (!cluster.ok()) {
      into.why = reason(cluster.errors());
      return;
    }
    auto topology = hardware::build_topology(
        *cluster, std::max(nodes, (gpus + cluster->gpus_per_node - 1) / cluster->gpus_per_node));
    network::ClusterFacts facts = network::facts_of(*cluster);
    if (more_channels) facts.library = "more_channels";
    auto tuning = network::tuning_for(facts);
    if (!topology.ok() || !tuning.ok()) {
      into.why = reason(topology.ok() ? tuning.errors() : topology.errors());
      return;
    }
    into.system = {std::move(*topology), std::move(*tuning)};
  }
  std::map<std::tuple<std::string, int, int, bool>, Entry> systems_;
};

std::optional<Collective> kind_of(std::string name) {
  if (name == "sendrecv") name = "send_receive";
  for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter,
                                Collective::all_to_all, Collective::broadcast, Collective::send_receive})
    if (name == name_of(kind)) return kind;
  return {};
}

// The first GPUs of each node; of a send, two of one node or one of each of two.
std::vector<hardware::DeviceId> group_of(Collective kind, int nodes, int gpus, int in_node) {
  if (kind == Collective::send_receive) return {0, nodes > 1 ? in_node : 1};
  std::vector<hardware::DeviceId> group;
  for (int node = 0; node < nodes; ++node)
    for (int i = 0; i < gpus / nodes; ++i) group.push_back(node * in_node + i);
  return group;
}

// What a system says after a key such as "NCCL_ALGO=", in our names.
std::string setting_in(const std::string& system, std::string_view key) {
  const std::size_t at = system.find(key);
  if (at == std::string::npos) return {};
  std::string name;
  for (std::size_t i = at + key.size(); i < system.size() && system[i] != ' ' && system[i] != ')'; ++i)
    name += system[i] >= 'A' && system[i] <= 'Z' ? static_cast<char>(system[i] - 'A' + 'a') : system[i];
  return name == "nvlstree" ? "nvls_tree" : name;
}

// nccl-tests: algbw = size / time.
std::optional<double> measured_time(const Cells& cells) {
  const std::optional<double> time = cells.number("time_us"), rate = cells.number("algbw");
  if (time || !rate || *rate <= 0) return time;
  return static_cast<double>(cells.integer("msg_bytes", 1, std::int64_t{1} << 50)) / *rate * 1e-3;
}

void predict(const Cells& cells, Systems& systems, Row& row) {
  const auto nodes = static_cast<int>(cells.integer("nodes", 1, 1 << 16));
  const auto gpus = static_cast<int>(cells.integer("gpus", 1, 1 << 20));
  const std::int64_t bytes = cells.integer("msg_bytes", 1, std::int64_t{1} << 50);
  const std::optional<Collective> kind = kind_of(cells.text("collective"));
  if (!kind)
    return cells.refuse_row("collective", fmt::format("'{}' is no collective known here", cells.text("collective")));
  const std::string settings = cells.text("system");
  const System* system =
      systems.find(cells.text("cluster"), nodes, gpus, settings.find("MIN_CTAS") != std::string::npos, row.why);
  if (system == nullptr) return;
  const std::vector<hardware::DeviceId> group = group_of(*kind, nodes, gpus, system->topology->devices_per_node());
  const auto setting = [&](const char* column, const char* key) {
    const std::string text = cells.text(column);
    return text.empty() ? setting_in(settings, key) : text;
  };
  const network::CollectiveCall call{*kind, Bytes{bytes}, group, setting("algorithm", "NCCL_ALGO="),
                                     setting("protocol", "NCCL_PROTO=")};
  row.why = network::unsupported(call, *system->topology, system->tuning);
  if (!row.why.empty()) return;
  const network::CollectivePlan plan = network::plan_collective(call, *system->topology, system->tuning);
  row.figures[0].predicted = static_cast<double>(network::unshared_time(plan, system->topology->links()).value) * 1e-6;
  row.what += fmt::format(" {} {}", plan.algorithm, plan.protocol);
}

}  // namespace

Result<std::vector<Row>> collective_rows(const CsvTable& table) {
  Diagnostics errors;
  require_columns(table, {"cluster", "nodes", "gpus"}, errors);
  if (!errors.empty()) return errors;
  Systems systems;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Cells cells(table, i, errors);
    Row row;
    row.id = cells.has("id") ? cells.text("id") : std::to_string(i + 1);
    const std::optional<double> time = measured_time(cells);
    row.figures.emplace_back().name = "time_us";
    if (time) row.figures[0].reference = *time;
    row.groups.emplace_back("system", cells.text("system"));
    row.in_subset = cells.integer("msg_bytes", 1, std::int64_t{1} << 50) >= kLarge;
    row.what = fmt::format("{} {} B, {} nodes, {} GPUs, {}", cells.text("collective"), cells.text("msg_bytes"),
                           cells.text("nodes"), cells.text("gpus"), cells.text("cluster"));
    predict(cells, systems, row);
    if (row.why.empty()) row.why = cells.why();
    rows.push_back(std::move(row));
  }
  if (!errors.empty()) return errors;
  return rows;
}

}  // namespace orrery::validation
