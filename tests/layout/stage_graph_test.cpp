// The edges between stages are the cut edges of the model graph.
#include "orrery/layout/stage_graph.hpp"

#include <doctest/doctest.h>

#include "stages.hpp"

namespace orrery::layout::stage_graph_test {

using namespace orrery::layout::test;

namespace {

std::vector<int> ends(const StageGraph& graph, std::span<const std::int32_t> edges, bool forward) {
  std::vector<int> stages;
  for (const std::int32_t e : edges) stages.push_back(graph.edge(e).source(forward));
  return stages;
}

StageGraph cut_into(const model::ModelSpec& spec, const Layout& layout, const std::vector<StageSpan>& spans,
                    const PassOptions& options) {
  const model::ModelGraph graph = graph_of(spec, options);
  return stage_graph(graph, stage_of_operators(graph, spans), static_cast<int>(spans.size()), layout, options);
}

}  // namespace

TEST_CASE("each stage of a chain feeds the next") {
  const StageGraph chain = stage_chain(3);
  CHECK(chain.stages() == 3);
  REQUIRE(chain.edges().size() == 2);
  CHECK(chain.arriving(0, true).empty());
  CHECK(ends(chain, chain.arriving(1, true), true) == std::vector{0});
  CHECK(ends(chain, chain.arriving(1, false), false) == std::vector{2});
  CHECK(ends(chain, chain.leaving(1, false), false) == std::vector{1});
  CHECK(chain.leaving(2, true).empty());
  CHECK(stage_chain(1).edges().empty());
}

TEST_CASE("a stage may feed any other, each tensor once for each stage that reads it") {
  const model::ModelSpec spec = gpt(1, 64, 4, 256);
  PassOptions o;
  o.sequence_length = 32, o.micro_batch = 3;
  const model::ModelGraph graph = graph_of(spec, o);
  // The MLP (norm, fc1, activation, fc2) on stage 1, its sum and what follows on stage 2: the sum of the attention is
  // read by the norm (stage 1) and by the sum of the MLP (stage 2), what fc2 makes by the latter.
  std::vector<std::int32_t> stage;
  for (const model::Operator& op : graph.operators)
    stage.push_back(op.kind >= model::OperatorKind::mlp_residual ? 2
                    : op.kind >= model::OperatorKind::mlp_norm   ? 1
                                                                 : 0);
  CHECK(model::acyclic(graph, stage));
  const StageGraph cut = stage_graph(graph, stage, 3, {}, o);
  REQUIRE(cut.edges().size() == 3);
  CHECK(ends(cut, cut.arriving(2, true), true) == std::vector{0, 1});
  CHECK(ends(cut, cut.arriving(0, false), false) == std::vector{1, 2});
  for (const StageEdge& e : cut.edges()) CHECK(e.bytes == Bytes{2 * 64 * 32 * 3});
  CHECK(std::string(cut.edge(0).tensor) == "attention.residual");
  CHECK(std::string(cut.edge(2).tensor) == "fc2");
  // Cut through the MLP instead: its width travels, a share of it for each tensor rank.
  for (std::size_t op = 0; op < stage.size(); ++op)
    stage[op] = graph.operators[op].kind >= model::OperatorKind::activation ? 1 : 0;
  Layout two;
  two.tensor = 2;
  const StageGraph inner = stage_graph(graph, stage, 2, two, o);
  REQUIRE(inner.edges().size() == 2);  // the residual stream and what fc1 makes
  CHECK(inner.edge(1).bytes == Bytes{2 * (256 / 2) * 32 * 3});
  // A layer whose halves wait for each other.
  for (std::size_t op = 0; op < stage.size(); ++op)
    stage[op] = graph.operators[op].kind == model::OperatorKind::fc1 ? 1 : 0;
  CHECK_FALSE(model::acyclic(graph, stage));
}

TEST_CASE("a model cut into spans sends its residual stream from span to span") {
  const model::ModelSpec spec = gpt(4, 64, 4, 256);
  Layout layout;
  layout.pipeline = 3, layout.tensor = 2;
  PassOptions o;
  o.sequence_length = 32, o.micro_batch = 3;
  const std::vector<StageSpan> spans{{0, 0, true, false}, {0, 2}, {2, 2, false, true}};
  const StageGraph graph = cut_into(spec, layout, spans, o);
  CHECK(graph.arriving(0, true).empty());
  CHECK(graph.leaving(2, true).empty());
  REQUIRE(graph.edges().size() == 2);
  for (std::int32_t e = 0; e < 2; ++e) {
    CHECK(graph.edge(e).from == e);
    CHECK(graph.edge(e).to == e + 1);
    CHECK(graph.edge(e).bytes == Bytes{2 * 64 * 32 * 3});
  }
  CHECK(std::string(graph.edge(1).tensor) == "mlp.residual");
  layout.sequence_parallel = true;
  CHECK(cut_into(spec, layout, spans, o).edge(0).bytes == Bytes{64 * 32 * 3});

  // Tied embeddings: both ends hold a half of the table (two tensor ranks).
  const auto shared = graph.shared();
  REQUIRE(shared.size() == 1);
  CHECK(shared[0].stages == std::vector<std::int32_t>{0, 2});
  CHECK(shared[0].parameters == 128 * 64);
  CHECK(cut_into(spec, layout, {{0, 4, true, true}}, o).shared().empty());
  CHECK(cut_into(llama(4, 64, 4, 4, 256, 256), layout, spans, o).shared().empty());
}

}  // namespace orrery::layout::stage_graph_test
