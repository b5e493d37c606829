// What sets the step time: sums over stages, and what operators must cost at the least.
#include <algorithm>

#include "answers.hpp"
#include "orrery/core/yaml.hpp"
#include "orrery/planning/explain.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::planning::explain_time_test {
namespace {

scenario::Run run_of(const std::string& layout, int micro_batch = 1) {
  const auto tree = read_yaml_text(
      "model: {type: gpt2, layers: 8, heads: 16, hidden: 1024}\n"
      "cluster: {type: selene, nodes: 1}\nlayout: {" +
          layout + "}\ntraining: {sequence_length: 1024, global_batch: " + std::to_string(64 * micro_batch) +
          ", micro_batch: " + std::to_string(micro_batch) +
          ", precision: bf16}\nnetwork: ideal\nstack: megatron-2024\n",
      "test.yaml");
  REQUIRE(tree.ok());
  return value_of(scenario::read_run(*tree, Catalogue::shared()));
}

// The numbers of a column, of the rows whose first cell is `what` (all: "").
std::vector<double> column(const AnswerTable& t, const std::string& key, const std::string& what = {}) {
  std::vector<double> all;
  for (std::size_t c = 0; c < t.columns.size(); ++c)
    for (const auto& row : t.rows)
      if (t.columns[c].key == key && (what.empty() || row[0].text == what)) all.push_back(number(row[c].value));
  return all;
}
double sum(const std::vector<double>& values) {
  double total = 0;
  for (const double v : values) total += v;
  return total;
}

TEST_CASE("of all stages together the path has what it has of each, and makes up the step") {
  const Answer a = value_of(explain_critical_path(run_of("tensor: 2, pipeline: 4")));
  const AnswerTable &path = table(a, "path"), &by_stage = table(a, "path_by_stage");
  CHECK(sum(column(path, "time_s")) == doctest::Approx(number(a, "step_time_s")).epsilon(1e-12));
  CHECK(sum(column(path, "share")) == doctest::Approx(1).epsilon(1e-9));
  CHECK(by_stage.rows.size() > path.rows.size());
  for (const auto& row : path.rows) {
    CAPTURE(row[0].text);
    for (const char* key : {"time_s", "stretches"})
      CHECK(sum(column(by_stage, key, row[0].text)) ==
            doctest::Approx(sum(column(path, key, row[0].text))).epsilon(1e-12));
  }
  for (const char* pass : {"F", "B"}) CHECK(column(path, "time_s", pass).size() == 1);
}

TEST_CASE("slack of all stages is the least, the most and the mean of each operation of every stage") {
  const Answer a = value_of(explain_critical_path(run_of("tensor: 2, pipeline: 4")));
  const AnswerTable &all = table(a, "slack"), &by_stage = table(a, "slack_by_stage");
  // 64 micro-batches over the four stages.
  CHECK(column(all, "operations", "F") == std::vector<double>{4 * 64});
  for (const char* pass : {"F", "B"}) {
    const auto least = column(by_stage, "least_s", pass), most = column(by_stage, "most_s", pass),
               mean = column(by_stage, "mean_s", pass);
    REQUIRE(least.size() == 4);
    CHECK(column(all, "least_s", pass).front() == *std::min_element(least.begin(), least.end()));
    CHECK(column(all, "most_s", pass).front() == *std::max_element(most.begin(), most.end()));
    CHECK(column(all, "mean_s", pass).front() == doctest::Approx(sum(mean) / 4).epsilon(1e-6));
  }
}

TEST_CASE("a tenth more of a resource that a run has none of saves nothing") {
  const Answer alone = value_of(explain_critical_path(run_of("data: 8")));
  const AnswerTable& more = table(alone, "ten_percent_more");
  const auto saved = [&](const char* resource) { return column(more, "saved_s", resource).at(0); };
  CHECK(saved("gpu_flops") > 0);
  CHECK(saved("gpu_flops") > saved("network_bandwidth"));
  CHECK(saved("network_bandwidth") == 0);  // one node
  for (std::size_t i = 0; i < more.rows.size(); ++i)
    CHECK(column(more, "saved_s")[i] + column(more, "step_time_s")[i] ==
          doctest::Approx(number(alone, "step_time_s")).epsilon(1e-12));
}

TEST_CASE("a kernel takes no less than its FLOPs do at the peak, and a backward pass twice the FLOPs") {
  const Answer a = value_of(explain_operators(run_of("tensor: 2, data: 4")));
  const AnswerTable& t = table(a, "operators");
  CHECK(sum(column(t, "share")) == doctest::Approx(number(a, "share_of_step")));
  double forward = 0, backward = 0;
  for (const auto& row : t.rows) {
    CHECK(number(row[5].value) >= number(row[3].value) / 312e12);
    (row[0].text == "F" ? forward : backward) += number(row[3].value);
  }
  // Matrices of the MLP alone, over two tensor ranks: 2 · 1024 tokens · 8 · 1024² parameters / 2.
  CHECK(forward > 2 * 1024.0 * 8 * 1024 * 1024 / 2);
  // Twice, but for attention, whose backward pass makes the scores once more: five products in place of four.
  CHECK(backward > 2 * forward);
  CHECK(backward < 2.1 * forward);
}

TEST_CASE("a layout that does not fit has no step to explain") {
  const scenario::Run run = run_of("data: 8", 256);
  for (const auto& answer : {explain_critical_path(run), explain_operators(run)})
    CHECK(mistake_of(answer).message.find("so there is no step to explain") != std::string::npos);
}

}  // namespace
}  // namespace orrery::planning::explain_time_test
