// Ranks and layers as text, and drawings of grids that are too wide or too high.
#include "planning/rank_drawing.hpp"

#include "answers.hpp"

namespace orrery::planning::rank_drawing_test {
namespace {

scenario::Run run_of(const std::string& layout, int nodes, const std::string& more = {}) {
  const std::string text = "model: {type: gpt2, layers: 16, heads: 16, hidden: 1024}\ncluster: {type: selene, nodes: " +
                           std::to_string(nodes) + "}\nlayout: {" + layout +
                           "}\ntraining: {sequence_length: 1024, global_batch: 128, precision: bf16}\n"
                           "network: ideal\nstack: megatron-2024\n" +
                           more;
  CAPTURE(text);
  auto tree = read_yaml_text(text, "test.yaml");
  REQUIRE(tree.ok());
  return value_of(scenario::read_run(*tree, Catalogue::shared()));
}

TEST_CASE("ranks that follow each other are a range, others a list, many of them with a gap") {
  CHECK(ranks_text({0}) == "0");
  CHECK(ranks_text({0, 1}) == "0 1");
  CHECK(ranks_text({4, 5, 6, 7}) == "4-7");
  CHECK(ranks_text({0, 8, 16, 24}) == "0 8 16 24");
  CHECK(ranks_text({0, 8, 16, 24, 32, 40, 48, 56, 64}) == "0 8 16 … 64");
  CHECK(ranks_text({3, 4, 6}) == "3 4 6");
}

TEST_CASE("a pipeline rank holds its stages along the model, with the ends where they are") {
  const scenario::Run plain = run_of("pipeline: 4, data: 2", 1);
  CHECK(stages_of(plain, 2) == std::vector<int>{2});
  CHECK(layers_of(plain, 0) == "embedding, 0-3");
  CHECK(layers_of(plain, 1) == "4-7");
  CHECK(layers_of(plain, 3) == "12-15, head");
  const scenario::Run chunks = run_of("pipeline: 4, virtual: 4, data: 2", 1);
  CHECK(stages_of(chunks, 1) == std::vector<int>{1, 5, 9, 13});
  CHECK(layers_of(chunks, 1) == "1, 5, 9, 13");
  CHECK(layers_of(chunks, 0) == "embedding, 0, 4, 8, 12");
  // One GPU holds all.
  CHECK(layers_of(run_of("data: 8", 1), 0) == "embedding, 0-15, head");
}

TEST_CASE("both directions of a bidirectional pipeline are held by a rank, and its mirror") {
  const scenario::Run both = run_of("pipeline: 4, data: 2", 1, "schedule: dualpipe\n");
  const std::vector<int> first = stages_of(both, 0);
  REQUIRE(first.size() == 2);
  CHECK(first[0] + first[1] == 3);  // stage 0 of one, stage 3 of the other
}

TEST_CASE("a drawing has a line for each replica and a column for each pipeline rank, up to eight") {
  const auto lines = rank_drawing(run_of("pipeline: 8, data: 2", 2));
  REQUIRE(lines.size() == 4);
  for (int p = 0; p < 8; ++p) CHECK(lines[0].find("pipeline " + std::to_string(p)) != std::string::npos);
  CHECK(lines[2].starts_with("  data 0: X1"));
  CHECK(lines[3].starts_with("  data 1: X2"));
  for (const std::string& line : lines) CHECK(line.back() != ' ');
}

TEST_CASE("of more than eight columns or rows the ends are drawn") {
  const auto wide = rank_drawing(run_of("pipeline: 16, data: 1", 2));
  CHECK(wide[0].find("pipeline 2") != std::string::npos);
  CHECK(wide[0].find("pipeline 3") == std::string::npos);
  CHECK(wide[0].find("…") != std::string::npos);
  CHECK(wide[0].find("pipeline 15") != std::string::npos);
  const auto high = rank_drawing(run_of("data: 16", 2));
  REQUIRE(high.size() == 7);  // two of heads, three of the first, a gap, the last
  CHECK(high[4].starts_with("  data 2: X3"));
  CHECK(high[5].starts_with("  …"));
  CHECK(high[6].starts_with("  data 15: X16"));
}

TEST_CASE("a box holds the ranks that share a micro-batch: tensor and context ranks together") {
  const auto lines = rank_drawing(run_of("tensor: 2, context: 2, data: 2", 1));
  CHECK(lines[2].find("[0-3]") != std::string::npos);
  CHECK(lines[3].find("[4-7]") != std::string::npos);
}

}  // namespace
}  // namespace orrery::planning::rank_drawing_test
