// The table of measured collectives (tests/data/network/collectives.csv), and the prediction for each row.
#pragma once
#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::network::test {

struct Measured {
  std::string system, cluster;
  Collective kind{};
  int nodes = 0, gpus = 0;
  std::int64_t bytes = 0;
  double microseconds = 0;  // 0: only a rate was published
};

inline std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

inline std::vector<Measured> read_measured(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  std::vector<Measured> rows;
  while (std::getline(file, line)) {
    const auto f = csv_fields(line);  // collective,system,gpu,cluster,nodes,gpus,msg_bytes,algbw,busbw,time_us,source
    Measured row;
    row.system = f.at(1);
    row.cluster = f.at(3);
    for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter,
                                  Collective::all_to_all, Collective::broadcast}) {
      if (f[0] == name_of(kind)) row.kind = kind;
    }
    if (f[0] == "sendrecv") row.kind = Collective::send_receive;
    row.nodes = std::stoi(f[4]);
    row.gpus = std::stoi(f[5]);
    row.bytes = std::stoll(f[6]);
    if (!f[9].empty()) row.microseconds = std::stod(f[9]);
    rows.push_back(row);
  }
  return rows;
}

class Predictor {
 public:
  CollectivePlan plan(const Measured& row) {
    const auto& [topology, tuning] = system(row);
    std::vector<hardware::DeviceId> group;
    const int per_node = row.gpus / row.nodes, in_node = topology->devices_per_node();
    for (int node = 0; node < row.nodes; ++node) {
      for (int i = 0; i < per_node; ++i) group.push_back(node * in_node + i);
    }
    if (row.kind == Collective::send_receive) group = {0, row.nodes > 1 ? in_node : 1};
    const bool ring = row.system.find("NCCL_ALGO=Ring") != std::string::npos;
    return plan_collective({row.kind, Bytes{row.bytes}, group, ring ? "ring" : ""}, *topology, tuning);
  }
  double microseconds(const Measured& row) {
    const CollectivePlan planned = plan(row);
    return static_cast<double>(unshared_time(planned, system(row).topology->links()).value) * 1e-6;
  }

 private:
  struct System {
    std::unique_ptr<hardware::Topology> topology;
    Tuning tuning;
  };
  const System& system(const Measured& row) {
    const bool more_channels = row.system.find("MIN_CTAS") != std::string::npos;
    System& entry = systems_[row.cluster + (more_channels ? "+" : "") + std::to_string(row.nodes)];
    if (entry.topology == nullptr) {
      const auto cluster = hardware::load_cluster(row.cluster);
      if (!cluster) throw std::runtime_error(render(cluster.errors()));
      const int nodes = std::max(row.nodes, (row.gpus + cluster->gpus_per_node - 1) / cluster->gpus_per_node);
      auto topology = hardware::build_topology(*cluster, nodes);
      if (!topology) throw std::runtime_error(render(topology.errors()));
      entry.topology = std::move(*topology);
      ClusterFacts facts = facts_of(*cluster);
      if (more_channels) facts.library = "more_channels";
      auto tuning = tuning_for(facts);
      if (!tuning) throw std::runtime_error(render(tuning.errors()));
      entry.tuning = std::move(*tuning);
    }
    return entry;
  }
  std::map<std::string, System> systems_;
};

}  // namespace orrery::network::test
