// Where the parts of a run lie: every rank of small layouts, by hand.
#include "orrery/planning/explain.hpp"

#include <set>

#include "answers.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::planning::explain_test {
namespace {

Answer explained(const std::string& layout, const std::string& more = {}, int nodes = 2) {
  const std::string text = "model: {type: gpt2, layers: 8, heads: 16, hidden: 1024}\ncluster: {type: selene, nodes: " +
                           std::to_string(nodes) + "}\nlayout: {" + layout +
                           "}\ntraining: {sequence_length: 1024, global_batch: 32, precision: bf16}\n"
                           "network: ideal\nstack: megatron-2024\n" +
                           more;
  CAPTURE(text);
  auto tree = read_yaml_text(text, "test.yaml");
  REQUIRE(tree.ok());
  return explain_layout(value_of(scenario::read_run(*tree, Catalogue::shared())));
}

const AnswerCell& of_rank(const Answer& answer, int rank, const char* column) {
  return cell_of(table(answer, "ranks"), std::to_string(rank), column);
}

std::vector<std::string> drawing(const Answer& answer) {
  return answer.parts.front().drawing;
}

TEST_CASE("16 GPUs as the notes draw them: two pipelines, X1 over X2") {
  const Answer a = explained("tensor: 2, pipeline: 4, data: 2");
  // tp fastest, then dp, then pp: rank = t + 2 d + 4 p.
  const std::vector<std::string> lines = drawing(a);
  REQUIRE(lines.size() == 4);
  CHECK(lines[2].find("data 0: X1  [0 1]") != std::string::npos);
  CHECK(lines[2].find("[4 5]") < lines[2].find("[8 9]"));
  CHECK(lines[2].find("[8 9]") < lines[2].find("[12 13]"));
  CHECK(lines[3].find("data 1: X2  [2 3]") != std::string::npos);
  CHECK(lines[3].find("[14 15]") != std::string::npos);
  for (int rank = 0; rank < 16; ++rank) {
    CAPTURE(rank);
    CHECK(number(of_rank(a, rank, "node").value) == rank / 8);
    CHECK(number(of_rank(a, rank, "gpu").value) == rank % 8);
    CHECK(number(of_rank(a, rank, "slice").value) == rank % 2);
    CHECK(number(of_rank(a, rank, "replica").value) == rank / 2 % 2);
  }
  // Two of eight layers each; the ends hold embedding and head, too.
  CHECK(of_rank(a, 3, "layers").text == "embedding, 0-1");
  CHECK(of_rank(a, 4, "layers").text == "2-3");
  CHECK(of_rank(a, 11, "layers").text == "4-5");
  CHECK(of_rank(a, 15, "layers").text == "6-7, head");
}

TEST_CASE("groups have their size, number, reach and links") {
  const Answer a = explained("tensor: 2, pipeline: 4, data: 2");
  const AnswerTable& t = table(a, "groups");
  REQUIRE(t.rows.size() == 3);
  const auto is = [&](const char* dimension, double size, double count, double domains, const char* first) {
    CAPTURE(dimension);
    CHECK(number(cell_of(t, dimension, "size").value) == size);
    CHECK(number(cell_of(t, dimension, "count").value) == count);
    CHECK(number(cell_of(t, dimension, "domains").value) == domains);
    CHECK(cell_of(t, dimension, "first").text == first);
  };
  is("tensor", 2, 8, 1, "0 1");
  is("data", 2, 8, 1, "0 2");
  is("pipeline", 4, 4, 2, "0 4 8 12");  // over both nodes
  CHECK(cell_of(t, "tensor", "over").text == "switch of the domain, 300 GB/s a GPU");
  CHECK(cell_of(t, "pipeline", "over").text == "NICs, 8 × 200 Gb/s a node");
}

TEST_CASE("chunks of an interleaved pipeline are named one after the other") {
  const Answer a = explained("pipeline: 2, virtual: 2", {}, 1);
  // Stages 0 and 2, layers 0-1 and 4-5, on the first; 1 and 3 on the second.
  CHECK(of_rank(a, 0, "layers").text == "embedding, 0-1, 4-5");
  CHECK(of_rank(a, 7, "layers").text == "2-3, 6-7, head");
}

TEST_CASE("each kind of parallelism has its sentence where it is used, and none where it is not") {
  const Answer plain = explained("data: 16");
  REQUIRE(plain.notes.size() == 1);
  CHECK(says(plain, "Data parallel (DDP, 16)"));
  CHECK(says(explained("data: 16, zero: optimizer"), "ZeRO-1 over 16"));
  CHECK(says(explained("data: 16, zero: gradients"), "ZeRO-2 over 16"));
  CHECK(says(explained("data: 16, zero: parameters"), "FSDP (ZeRO-3, 16)"));
  const Answer tensor = explained("tensor: 4, data: 4, sequence_parallel: true");
  CHECK(says(tensor, "Tensor parallel (4)"));
  CHECK(says(tensor, "its share of the tokens"));
  CHECK_FALSE(says(explained("tensor: 4, data: 4"), "its share of the tokens"));
  CHECK_FALSE(says(tensor, "Pipeline"));
  const Answer pipeline = explained("pipeline: 8, data: 2");
  CHECK(says(pipeline, "Pipeline parallel (8)"));
  CHECK_FALSE(says(pipeline, "Tensor"));
  CHECK(says(explained("context: 2, data: 8"), "Context parallel (2)"));
}

TEST_CASE("of many ranks the middle is left out of the drawing, and all are in the table") {
  const Answer a = explained("tensor: 1, pipeline: 1", {}, 4);  // 32 replicas
  CHECK(table(a, "ranks").rows.size() == 32);
  std::size_t rows = 0;
  bool left_out = false;
  for (const std::string& line : drawing(a)) {
    rows += line.find("data ") != std::string::npos ? 1 : 0;
    left_out |= line.find("…") != std::string::npos;
  }
  CHECK(left_out);
  CHECK(rows < 32);
  CHECK(drawing(a).back().find("X32") != std::string::npos);
  // Each rank once.
  std::set<std::string> ranks;
  for (const auto& row : table(a, "ranks").rows) ranks.insert(row[0].text);
  CHECK(ranks.size() == 32);
}

TEST_CASE("ranks that are placed elsewhere are where they are placed") {
  const Answer a = explained("data: 16", "placement: round_robin\n");
  // One node after the other: rank 1 on the second.
  CHECK(number(of_rank(a, 0, "node").value) == 0);
  CHECK(number(of_rank(a, 1, "node").value) == 1);
  CHECK(number(of_rank(a, 2, "node").value) == 0);
}

}  // namespace
}  // namespace orrery::planning::explain_test
