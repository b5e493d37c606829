#include "orrery/planning/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "orrery/layout/rank_grid.hpp"
#include "rank_drawing.hpp"

namespace orrery::planning {
namespace {

using layout::Dimension;
using layout::Layout;
using layout::Zero;

int domain_of(const scenario::Run& run, int rank) {
  const hardware::ClusterSpec& c = run.scenario().cluster;
  const auto device = run.input().placement[static_cast<std::size_t>(rank)];
  return static_cast<int>(device) / (c.gpus_per_node * std::max(1, c.scale_up.nodes_per_domain));
}

std::string inside_text(const hardware::ClusterSpec& c) {
  using hardware::ScaleUpKind;
  const auto rate = [](BytesPerSecond b) {
    return fmt::format("{:.4g} GB/s a GPU", static_cast<double>(b.value) / 1e9);
  };
  switch (c.scale_up.kind) {
    case ScaleUpKind::switched:
      return "switch of the domain, " + rate(c.scale_up.bandwidth);
    case ScaleUpKind::full_mesh:
    case ScaleUpKind::hybrid_cube_mesh:
      return "direct links, " + rate(c.scale_up.bandwidth);
    case ScaleUpKind::pcie:
      return "PCIe, " + rate(c.pcie_bandwidth);
    case ScaleUpKind::none:
      break;
  }
  return "links of the graph";
}

std::string outside_text(const hardware::ClusterSpec& c) {
  return c.scale_out.nics_per_node == 0 ? "the links of the graph"
                                        : fmt::format("NICs, {} × {:g} Gb/s a node", c.scale_out.nics_per_node,
                                                      static_cast<double>(c.scale_out.nic_bandwidth.value) * 8 / 1e9);
}

struct Groups {
  int count = 0, size = 0, domains = 1;
  std::vector<int> first;  // ranks
};

Groups groups_along(const scenario::Run& run, Dimension along) {
  const layout::RankGrid grid(run.scenario().layout);
  Groups groups;
  for (int rank = 0; rank < run.scenario().layout.ranks(); ++rank) {
    const std::vector<int> group = grid.group(grid.coordinates(rank), along);
    if (group.front() != rank) continue;
    if (groups.count++ == 0) groups.first = group;
    groups.size = static_cast<int>(group.size());
    std::set<int> domains;
    for (const int r : group) domains.insert(domain_of(run, r));
    groups.domains = std::max(groups.domains, static_cast<int>(domains.size()));
  }
  return groups;
}

AnswerTable group_table(const scenario::Run& run) {
  AnswerTable table{"groups",
                    "",
                    {{"dimension", "groups of", false},
                     {"size", "ranks"},
                     {"count", "groups"},
                     {"domains", "domains"},
                     {"first", "the first", false},
                     {"over", "over", false}}};
  const hardware::ClusterSpec& cluster = run.scenario().cluster;
  for (const layout::DimensionFacts& f : layout::kDimensionList) {
    if (run.scenario().layout.*f.degree == 1) continue;
    const Groups g = groups_along(run, f.dimension);
    const std::string over = g.domains == 1 ? inside_text(cluster) : outside_text(cluster);
    table.rows.push_back({cell(std::string(f.name)),
                          {std::int64_t{g.size}, std::to_string(g.size)},
                          {std::int64_t{g.count}, std::to_string(g.count)},
                          {std::int64_t{g.domains}, std::to_string(g.domains)},
                          cell(ranks_text(g.first)),
                          cell(over)});
  }
  return table;
}

// Text of at most 16 ranks; the JSON has them all.
AnswerTable rank_table(const scenario::Run& run) {
  const Layout& l = run.scenario().layout;
  const bool few = l.ranks() <= 16;
  AnswerTable table{"ranks", "", {}};
  for (const char* key : {"rank", "node", "gpu", "layers", "slice", "replica"})
    table.columns.push_back({key, few ? key : "", std::string_view(key) != "layers"});
  const layout::RankGrid grid(l);
  std::vector<std::string> layers;
  for (int p = 0; p < l.pipeline; ++p) layers.push_back(layers_of(run, p));
  for (int rank = 0; rank < l.ranks(); ++rank) {
    const layout::Coordinates at = grid.coordinates(rank);
    const auto device = static_cast<int>(run.input().placement[static_cast<std::size_t>(rank)]);
    const int per_node = run.scenario().cluster.gpus_per_node;
    const auto number = [](int value) { return AnswerCell{std::int64_t{value}, std::to_string(value)}; };
    table.rows.push_back(
        {number(rank),
         number(device / per_node),
         number(device % per_node),
         cell(layers[static_cast<std::size_t>(at[Dimension::pipeline])]),
         {std::int64_t{at[Dimension::tensor]}, fmt::format("{} of {}", at[Dimension::tensor] + 1, l.tensor)},
         {std::int64_t{at[Dimension::data]}, fmt::format("{} of {}", at[Dimension::data] + 1, l.data)}});
  }
  return table;
}

std::string data_sentence(const Layout& l) {
  const std::string n = std::to_string(l.gradient_ranks());
  switch (l.zero) {
    case Zero::none:
      return "Data parallel (DDP, " + n +
             "): each replica holds all of its parameters, gradients and optimizer state, takes "
             "its own part of the batch (X1, X2, …), and the gradients are summed by an all-reduce once a step.";
    case Zero::optimizer:
      return "ZeRO-1 over " + n +
             ": each replica holds all parameters and gradients and a share of the optimizer state; gradients "
             "are reduce-scattered, and updated parameters gathered, once a step.";
    case Zero::gradients:
      return "ZeRO-2 over " + n + ": as ZeRO-1, and gradients are kept as shares, too: reduced in each backward pass.";
    case Zero::parameters:
      return "FSDP (ZeRO-3, " + n +
             "): parameters, gradients and optimizer state are held as shares; each layer is gathered "
             "before it is used, in the forward and the backward pass, and dropped behind it.";
  }
  return {};
}

std::vector<std::string> sentences_of(const Layout& l) {
  std::vector<std::string> out;
  if (l.tensor > 1)
    out.push_back(fmt::format(
        "Tensor parallel ({}): the GPUs of a box hold a slice of every matrix of their layers each and sum their "
        "results "
        "in every layer, twice in a forward and twice in a backward pass{}.",
        l.tensor, l.sequence_parallel ? "; between them each holds its share of the tokens (sequence parallel)" : ""));
  if (l.context > 1)
    out.push_back(
        fmt::format("Context parallel ({}): each holds a part of every sequence; attention exchanges keys and "
                    "values.",
                    l.context));
  if (l.expert > 1)
    out.push_back(
        fmt::format("Expert parallel ({}): the routed experts are spread over the GPUs of a stage grouped anew; each "
                    "token goes to those of its experts and comes back.",
                    l.expert));
  if (l.pipeline > 1)
    out.push_back(
        fmt::format("Pipeline parallel ({}): each column holds some layers; micro-batches go from left to right "
                    "and their gradients back, activations of one boundary a message.",
                    l.pipeline));
  if (l.gradient_ranks() > 1) out.push_back(data_sentence(l));
  return out;
}

}  // namespace

Answer explain_layout(const scenario::Run& run) {
  const scenario::Scenario& s = run.scenario();
  const Layout& l = s.layout;
  Answer answer{"orrery.explain/1",
                fmt::format("{} on {} × {}: {} replica{} of {} pipeline rank{}, {} GPU{} in a box", s.model.name,
                            l.ranks(), s.gpu.name, l.data, l.data == 1 ? "" : "s", l.pipeline,
                            l.pipeline == 1 ? "" : "s", l.tensor * l.context, l.tensor * l.context == 1 ? "" : "s")};
  AnswerPart part;
  part.drawing = rank_drawing(run);
  answer.parts.push_back(std::move(part));
  AnswerPart tables;
  if (AnswerTable groups = group_table(run); !groups.rows.empty()) tables.tables.push_back(std::move(groups));
  tables.tables.push_back(rank_table(run));
  if (l.ranks() > 16 && tables.tables.size() == 1) tables.tables.clear();
  answer.parts.push_back(std::move(tables));
  answer.notes = sentences_of(l);
  return answer;
}

}  // namespace orrery::planning
