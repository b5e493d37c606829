// Plans of Sailor as rows of a table: the fifteen that its authors ran (tests/data/validation/sailor.csv), and what is
// refused of plans that no scenario can say.
#include <doctest/doctest.h>

#include <cmath>

#include "orrery/validation/validate.hpp"
#include "paths.hpp"

namespace orrery::validation::plan_rows_test {

namespace {

const std::string kHeader =
    "id,model,nodes,pipelines,layers_per_stage,dp,replicas_per_stage,micro_batch,global_batch,step_time_s\n";

Report of(const std::string& rows) {
  const Result<Report> report = validate_table(kHeader + rows + "\n", "plans.csv", {});
  REQUIRE_MESSAGE(report.ok(), (report.ok() ? std::string() : render(report.errors())));
  return *report;
}

std::string why(const std::string& row) {
  return of("a," + row).rows.front().why;
}

std::string mistake(const std::string& row) {
  const Result<Report> report = validate_table(kHeader + "a," + row + "\n", "plans.csv", {});
  return report.ok() ? "no error" : report.errors().front().path + ": " + report.errors().front().message;
}

}  // namespace

TEST_CASE("the plans that Sailor's authors ran are predicted, and put in their order") {
  const Result<Report> report = validate_file(orrery::testing::source_dir() + "/tests/data/validation/sailor.csv", {});
  REQUIRE_MESSAGE(report.ok(), (report.ok() ? std::string() : render(report.errors())));
  CHECK(report->kind == FileKind::plans);
  REQUIRE(report->rows.size() == 15);
  CHECK(report->refused() == 0);
  for (const Row& row : report->rows) {
    CAPTURE(row.id);
    for (std::size_t f = 0; f < 2; ++f) {  // the worst: 7.6 % of a time, 5.5 % of a peak
      const double measured = std::get<double>(row.figures[f].reference),
                   predicted = std::get<double>(row.figures[f].predicted);
      CHECK(std::abs(predicted / measured - 1) < 0.1);
    }
  }
  const Group& all = report->groups.front();
  CHECK(all.figures[0].all.mape < 0.04);
  CHECK(all.figures[1].all.mape < 0.03);
  REQUIRE(all.figures[0].all.concordance.has_value());
  CHECK(*all.figures[0].all.concordance == 1);  // nine pairs of as many nodes and one batch
}

TEST_CASE("a plan counts embedding and head among its layers") {
  // 26 in two stages: the embedding and 11 layers, 13 and the head; or the embedding and 4, 20 and the head.
  const Report report =
      of("deep,opt-350,1,1,0-11|12-25,1|1,2xGH-96 tp2 ; 2xGH-96 tp2,1,8,1\n"
         "shallow,opt-350,1,1,0-4|5-25,1|1,2xGH-96 tp2 ; 2xGH-96 tp2,1,8,1");
  for (const Row& row : report.rows) REQUIRE_MESSAGE(row.why.empty(), row.why);
  const auto time = [&](std::size_t row) { return std::get<double>(report.rows[row].figures[0].predicted); };
  CHECK(time(0) < time(1));
  CHECK(report.rows[0].what == "opt-350 1 nodes GH-96 TP2 PP2 DP1 mb1 gb8");
}

TEST_CASE("plans that no scenario can say are refused, each with what it would need") {
  CHECK(why("opt-350,1,1,0-25,1,4xGH-96 tp4,1,8,1").empty());
  CHECK(why("opt-66,1,1,0-25,1,4xGH-96 tp4,1,8,1") == "model: 'opt-66' is not known, allowed: opt-350");
  CHECK(why("opt-350,1,1,0-25,1,4xTPU tp4,1,8,1") == "replicas_per_stage: 'TPU' is not known, allowed: GH-96");
  CHECK(why("opt-350,2,1,0-11|12-25,1|1,4xGH-96 tp4 ; 2xGH-96 tp2,1,8,1") ==
        "replicas_per_stage: unlike tensor degrees (2, 4) are not simulated");
  CHECK(why("opt-350,2,1,0-11|12-25,2|1,4xGH-96 tp4+4xGH-96 tp4 ; 4xGH-96 tp4,1,8,1") ==
        "dp: stages of unlike replicas (1, 2) are not simulated");
  CHECK(why("opt-350,1,1,0-25,1,4xGH-96 tp2,1,8,1") ==
        "replicas_per_stage: 4 GPUs for tp2: a replica of a stage is its tensor ranks");
  CHECK(why("opt-350,1,2,0-25,1,4xGH-96 tp4,1,8,1") ==
        "pipelines: several pipelines of unlike stages are not simulated");
  CHECK(why("opt-350,1,1,0-20,1,4xGH-96 tp4,1,8,1") ==
        "layout.layers_per_stage: the entries sum to 19, the model has 24 layers");
}

TEST_CASE("cells of plans that cannot be read are mistakes of the file") {
  CHECK(mistake("opt-350,1,1,1-25,1,4xGH-96 tp4,1,8,1") ==
        "layers_per_stage: '1-25' is no stage that begins with layer 0");
  CHECK(mistake("opt-350,1,1,0-11|13-25,1|1,4xGH-96 tp4 ; 4xGH-96 tp4,1,8,1") ==
        "layers_per_stage: '13-25' is no stage that begins with layer 12");
  CHECK(mistake("opt-350,1,1,0-25,1,four GPUs,1,8,1") ==
        "replicas_per_stage: 'four GPUs' is no replica, expected such as 4xGH-96 tp4");
  CHECK(mistake("opt-350,1,1,0-11|12-25,1|1,4xGH-96 tp4,1,8,1") ==
        "replicas_per_stage: 1 stages, layers_per_stage has 2");
}

}  // namespace orrery::validation::plan_rows_test
