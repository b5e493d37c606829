// orrery topology CLUSTER: what a cluster's network consists of, and its graph for other tools.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli.hpp"
#include "json_text.hpp"
#include "orrery/core/file.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/hardware/graph_export.hpp"
#include "orrery/hardware/summary.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

struct TopologyCommand {
  std::string cluster, dot, graphml;
  int nodes = 0;
  bool json = false, force = false;
};

using hardware::TopologySummary;

std::string to_json(const hardware::ClusterSpec& spec, const TopologySummary& s) {
  const nlohmann::ordered_json json{{"schema", "orrery.topology/1"},
                                    {"cluster", spec.name},
                                    {"gpu", spec.gpu},
                                    {"nodes", s.nodes},
                                    {"devices", s.devices},
                                    {"nics", s.switches.nics},
                                    {"switches",
                                     {{"scale_up", s.switches.scale_up},
                                      {"leaf", s.switches.leaf},
                                      {"spine", s.switches.spine},
                                      {"core", s.switches.core}}},
                                    {"cables", s.cables},
                                    {"bisection_bytes_per_s", s.bisection_bandwidth.value},
                                    {"diameter", s.diameter}};
  return json_text(json);
}

std::string to_text(const hardware::ClusterSpec& spec, const TopologySummary& s) {
  const auto line = [](const char* what, const std::string& value) {
    return fmt::format("  {:<20} {}\n", what, value);
  };
  std::string text = fmt::format("{}: {} nodes of {} {}\n", spec.name, s.nodes, spec.gpus_per_node, spec.gpu);
  text += line("devices", std::to_string(s.devices)) + line("NICs", std::to_string(s.switches.nics));
  text += line("scale-up domains", std::to_string(s.switches.scale_up)) +
          line("leaf switches", std::to_string(s.switches.leaf));
  text +=
      line("spine switches", std::to_string(s.switches.spine)) + line("core switches", std::to_string(s.switches.core));
  text += line("cables", std::to_string(s.cables));
  text += line("bisection bandwidth",
               bandwidth_text(static_cast<double>(s.bisection_bandwidth.value)) + " one direction, " +
                   bandwidth_text(static_cast<double>(s.bisection_bandwidth.value) * 2 / s.devices) + " per GPU");
  return text + line("diameter", fmt::format("{} links", s.diameter));
}

int run(const TopologyCommand& options, const Console& console) {
  if (is_standard_output(options.dot) && is_standard_output(options.graphml)) {
    console.complain("orrery topology: --dot and --graphml cannot both go to standard output",
                     "give one of them a file");
    return kWrong;
  }
  Result<hardware::ClusterSpec> spec = hardware::load_cluster(options.cluster);
  if (!spec.ok()) return console.refuse(spec.errors());
  const int nodes = options.nodes > 0 ? options.nodes : spec->nodes;
  if (Diagnostics errors = hardware::check_cluster(*spec, nodes); !errors.empty()) return console.refuse(errors);
  const auto topology = hardware::build_topology(*spec, nodes);
  if (!topology.ok()) return console.refuse(topology.errors());
  for (const auto& [file, is_dot] : {std::pair{&options.dot, true}, std::pair{&options.graphml, false}}) {
    if (file->empty()) continue;
    const std::string graph = is_dot ? hardware::to_dot(**topology) : hardware::to_graphml(**topology);
    if (const Diagnostics errors = write_file(*file, graph, options.force); !errors.empty())
      return console.refuse(errors);
  }
  if (is_standard_output(options.dot) || is_standard_output(options.graphml)) return kOk;  // the graph is the output
  const TopologySummary summary = hardware::summarize(**topology);
  console.print(options.json ? to_json(*spec, summary) : to_text(*spec, summary));
  return kOk;
}

}  // namespace

Action add_topology(Arguments& app, const Console& console) {
  auto o = std::make_shared<TopologyCommand>();
  app.add_option("CLUSTER", o->cluster, "cluster (orrery list clusters), or a YAML file").required();
  app.add_option("--nodes", o->nodes, "only the first nodes, with the switches so many need; default: all")
      .range(1, 1 << 20);
  app.add_option("--dot", o->dot, "write the graph for Graphviz (- for standard output)");
  app.add_option("--graphml", o->graphml, "write the graph as GraphML (- for standard output)");
  app.add_flag("--force", o->force, "replace existing files");
  app.add_flag("--json", o->json, "one JSON object instead of the text");
  return [o, &console] { return run(*o, console); };
}

}  // namespace orrery::cli
