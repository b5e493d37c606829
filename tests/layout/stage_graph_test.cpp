// The edges between stages are the cut edges of the model graph.
#include "orrery/layout/stage_graph.hpp"

#include <doctest/doctest.h>

#include "stages.hpp"

using namespace orrery;
using namespace orrery::layout;
using namespace orrery::layout::test;

namespace {

std::vector<int> ends(const StageGraph& graph, std::span<const std::int32_t> edges, bool forward) {
  std::vector<int> stages;
  for (const std::int32_t e : edges) stages.push_back(graph.edge(e).source(forward));
  return stages;
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
  // 0 → 1 → 2 → 3 and 0 → 2 twice: operator 0 is read by two operators of stage 1 and one of stage 2.
  model::OperatorGraph graph;
  graph.operators.resize(5);
  graph.edges = {{0, 1, 8}, {0, 2, 6}, {1, 2, 3}, {0, 3, 5}, {2, 3, 7}, {3, 4, 1}};
  const std::vector<std::int32_t> stage{0, 1, 1, 2, 2};
  const StageGraph cut = stage_graph(graph, stage, 3, 10);
  REQUIRE(cut.edges().size() == 3);
  CHECK(ends(cut, cut.arriving(2, true), true) == std::vector{0, 1});
  CHECK(ends(cut, cut.arriving(0, false), false) == std::vector{1, 2});
  CHECK(cut.edge(0).bytes == Bytes{80});  // what stage 1 reads of it at most
  CHECK(cut.edge(1).bytes == Bytes{50});
  CHECK(cut.edge(2).bytes == Bytes{70});
}

TEST_CASE("a model cut into spans sends its residual stream from span to span") {
  const model::ModelSpec spec = gpt(4, 64, 4, 256);
  Layout layout;
  layout.pipeline = 3, layout.tensor = 2;
  PassOptions o;
  o.sequence_length = 32, o.micro_batch = 3;
  const std::vector<StageSpan> spans{{0, 0, true, false}, {0, 2}, {2, 2, false, true}};
  const StageGraph graph = stage_graph(spec, layout, spans, o);
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
  CHECK(stage_graph(spec, layout, spans, o).edge(0).bytes == Bytes{64 * 32 * 3});

  // Tied embeddings: both ends hold a half of the table (two tensor ranks).
  const auto shared = graph.shared();
  REQUIRE(shared.size() == 1);
  CHECK(shared[0].stages == std::vector<std::int32_t>{0, 2});
  CHECK(shared[0].parameters == 128 * 64);
  CHECK(stage_graph(spec, layout, {{0, 4, true, true}}, o).shared().empty());
  CHECK(stage_graph(llama(4, 64, 4, 4, 256, 256), layout, spans, o).shared().empty());
}
