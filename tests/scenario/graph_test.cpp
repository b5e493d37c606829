// The model graph is what is simulated: no edge and no shape of it can change without a change in what a run says.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "resolved.hpp"
#include "scenario/run_maker.hpp"

namespace orrery::scenario::graph_test {

namespace {

// Two layers on two stages of two tensor ranks, large enough and launched early enough that kernels set the pace.
Run run_of(const std::string& model, const std::string& attention) {
  const auto scenario = read_scenario_text(
      fmt::format("model: {{layers: 2, hidden: 1024, heads: 8, vocab: 4096, max_positions: 512, {}}}\n"
                  "cluster: {{type: dgx-h100, nodes: 1, gpus: 4}}\nlayout: {{tensor: 2, pipeline: 2}}\n"
                  "training: {{sequence_length: 512, global_batch: 4, micro_batch: 2, attention: {}}}\n"
                  "stack: {{type: megatron-2024, launch: {{mode: graph}}}}\nnetwork: ideal\n",
                  model, attention),
      "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  auto run = resolve(*scenario, Catalogue::shared());
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  return std::move(run).value();
}

// Step time, peaks of all devices, FLOPs run and bytes sent; nothing where the step cannot be made of such a graph.
using Figures = std::tuple<std::int64_t, std::int64_t, WideFlops, std::int64_t>;
std::optional<Figures> figures_of(const Run& of, model::ModelGraph graph) {
  program::StepInput input = of.input();
  input.graph = std::make_shared<const model::ModelGraph>(std::move(graph));
  try {
    const auto run = simulate(RunMaker::make(of.scenario(), std::move(input), {}), {.what_if = false});
    if (!run.ok()) return {};
    std::int64_t peak = 0, sent = 0;
    for (const engine::DeviceMemory& m : run->memory) peak += m.peak;
    for (program::TaskId t = 0; t < run->program.tasks(); ++t) sent += run->program.template_of(t).bytes_sent.value;
    return Figures{run->timeline.step_time.value, peak, run->flops.executed.total(), sent};
  } catch (const InternalError&) {
    return {};
  }
}

model::ModelGraph without_edge(model::ModelGraph graph, std::size_t edge) {
  const std::int32_t reader = graph.edges[edge].to;
  graph.edges.erase(graph.edges.begin() + static_cast<std::ptrdiff_t>(edge));
  for (std::size_t op = 0; op < graph.operators.size(); ++op) {
    if (op == static_cast<std::size_t>(reader)) --graph.operators[op].reads;
    if (op > static_cast<std::size_t>(reader)) --graph.operators[op].first_edge;
  }
  return graph;
}

struct Tally {
  int edges = 0, shapes = 0, refused = 0;
  std::vector<std::string> silent;
};

class Changes {
 public:
  Changes(const Run& run, Tally& tally) : run_(run), graph_(*run.input().graph), tally_(tally) {
    const auto figures = figures_of(run, graph_);
    REQUIRE(figures);
    before_ = *figures;
  }
  void all() {
    for (std::size_t e = 0; e < graph_.edges.size(); ++e) {
      const model::Edge& edge = graph_.edges[e];
      ++tally_.edges;
      see(without_edge(graph_, e), fmt::format("{} -> {} slot {}", at(edge.from), at(edge.to), edge.slot));
    }
    for (std::size_t t = 0; t < graph_.tensors.size(); ++t)
      change(fmt::format("tensor {} of {}", t, at(graph_.tensors[t].producer)),
             [&](model::ModelGraph& g) -> std::int64_t& { return g.tensors[t].features; });
    for (std::size_t op = 0; op < graph_.operators.size(); ++op)
      for (const auto& [member, name] : {std::pair{&model::Operator::rows, "rows"},
                                         {&model::Operator::vectors, "vectors"},
                                         {&model::Operator::head_dim, "head_dim"}})
        change(fmt::format("{} of {}", name, at(static_cast<std::int32_t>(op))),
               [&, member = member](model::ModelGraph& g) -> std::int64_t& { return g.operators[op].*member; });
  }

 private:
  std::string at(std::int32_t op) const {
    const model::Operator& node = graph_.operators[static_cast<std::size_t>(op)];
    return fmt::format("{} ({})", model::name_of(node.kind), node.layer);
  }
  template <class Shape>
  void change(const std::string& what, const Shape& shape) {
    model::ModelGraph changed = graph_;
    if (shape(changed) == 0) return;  // it has none
    ++tally_.shapes;
    shape(changed) *= 2;
    see(std::move(changed), what);
  }
  void see(model::ModelGraph changed, const std::string& what) {
    const auto after = figures_of(run_, std::move(changed));
    if (!after) ++tally_.refused;
    if (after == before_) tally_.silent.push_back(what);
  }

  const Run& run_;
  const model::ModelGraph& graph_;
  Tally& tally_;
  Figures before_;
};

}  // namespace

TEST_CASE("each edge and each shape of the model graph reaches the figures of a run") {
  Tally tally;
  for (const char* model : {"position: learned", "position: rotary, norm: rms_norm, activation: swiglu, bias: false",
                            "kind: encoder, norm_place: after_sum, head_transform: true, pooler: true, head_bias: true",
                            "kind: encoder_decoder, encoder_layers: 1, norm_place: after_sum, tied_embeddings: false",
                            "kind: encoder_decoder, encoder_layers: 1, position: relative_bias, position_buckets: 32, "
                            "tied_embeddings: false"})
    for (const char* attention : {"unfused", "flash"}) {
      if (std::string_view(model).find("relative_bias") != std::string_view::npos && attention[0] == 'f') continue;
      const std::size_t before = tally.silent.size();
      const Run run = run_of(model, attention);
      Changes(run, tally).all();
      for (std::size_t i = before; i < tally.silent.size(); ++i)
        tally.silent[i] += fmt::format(" [{}, {}]", model, attention);
    }
  MESSAGE(fmt::format("{} edges dropped and {} shapes doubled: {} refused as a bug, {} silent", tally.edges,
                      tally.shapes, tally.refused, tally.silent.size()));
  for (const std::string& silent : tally.silent) MESSAGE(silent);
  CHECK(tally.silent.empty());
}

}  // namespace orrery::scenario::graph_test
