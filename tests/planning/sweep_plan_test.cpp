// Plans without a layout: the best of a small space, and the cheapest number of GPUs.
#include "orrery/planning/sweep_plan.hpp"

#include <cmath>

#include "answers.hpp"

namespace orrery::planning::sweep_plan_test {
namespace {

SweepPlan asked(std::vector<int> gpus) {
  SweepPlan plan{"gpt2", "dgx-a100", std::move(gpus)};
  plan.batch_tokens = 1 << 18;  // 256 sequences of the 1024 positions that GPT-2 has
  plan.run = RunPlan{2.6e9};
  return plan;
}

TEST_CASE("one number of GPUs is the plan in full, of a layout that is named") {
  const Answer a = value_of(plan_layouts(asked({8})));
  CHECK(number(a, "steps") == std::ceil(2.6e9 / (1 << 18)));  // 9919
  CHECK(says(a, "Layout: "));
  CHECK(says(a, "262.1 K tokens a step in sequences of 1024"));
  CHECK(number(a, "gpu_hours") == doctest::Approx(8 * 24 * number(a, "days")));
}

TEST_CASE("several are a table of time, hours and cost, and the cheapest of those in time") {
  SweepPlan plan = asked({8, 16, 64});
  const Answer a = value_of(plan_layouts(plan));
  const AnswerTable& t = table(a, "gpus");
  REQUIRE(t.rows.size() == 3);
  double least = 1e300, cheapest = 0;
  for (const auto& row : t.rows) {
    CHECK(number(row[2].value) == doctest::Approx(number(row[0].value) * 24 * number(row[1].value)));
    if (number(row[3].value) < least) least = number(row[3].value), cheapest = number(row[0].value);
  }
  CHECK(number(a, "cheapest_gpus") == cheapest);
  CHECK(cheapest == 8);  // fewer GPUs lose less in communication
  CHECK(number(t.rows[2][1].value) < number(t.rows[0][1].value));
  // A deadline between the times of 8 and of 64 rules the first out.
  plan.run.deadline = whole_seconds(kSecondsPerDay * (number(t.rows[0][1].value) + number(t.rows[2][1].value)) / 2);
  CHECK(number(value_of(plan_layouts(plan)), "cheapest_gpus") > 8);
  plan.run.deadline = Seconds{1};
  CHECK(mistake_of(plan_layouts(plan)).path == "--deadline");
}

TEST_CASE("what a model has no positions for is not assumed") {
  SweepPlan plan = asked({8});
  plan.sequence_length = 512;
  CHECK(says(value_of(plan_layouts(plan)), "in sequences of 512"));
}

TEST_CASE("tokens of a step follow from the critical batch where they are not said") {
  // GPT-2, 124.4e6 parameters on 2.6e9 tokens: L = 1.69 + 406.4 / 124.4e6^0.34 + 410.7 / 2.6e9^0.28 = 1.69 + 0.719 +
  // 0.949 = 3.358; 2e8 / 3.358^(1/0.21) = 0.625 M tokens, and 512 sequences of 1024 are the largest power of two below.
  SweepPlan plan = asked({8});
  plan.batch_tokens = 0;
  const Answer a = value_of(plan_layouts(plan));
  CHECK(says(a, "524.3 K tokens a step in sequences of 1024"));
  CHECK(says(a, "The critical batch at the predicted loss of 3.36 is 62"));
  CHECK(says(a, "--batch-tokens 1048576"));
  CHECK(number(a, "steps") == std::ceil(2.6e9 / 524'288));
}

TEST_CASE("a step is one sequence at the least") {
  SweepPlan plan = asked({8});
  plan.batch_tokens = 1000;
  CHECK(mistake_of(plan_layouts(plan)).message == "1 K are less than a sequence of 1024");
}

TEST_CASE("auto doubles nodes up to the cluster, and leaves out what takes years at the peak") {
  SweepPlan plan = asked({});
  std::vector<std::size_t> told;
  plan.progress = [&](std::size_t done, std::size_t of) { told = {done, of}; };
  const AnswerTable all = table(value_of(plan_layouts(plan)), "gpus");
  REQUIRE(all.rows.size() == 8);  // 8 … 1024 of 1120
  CHECK(number(all.rows.front()[0].value) == 8);
  CHECK(number(all.rows.back()[0].value) == 1024);
  CHECK(told == std::vector<std::size_t>{8, 8});
  // 6 · 124.4e6 · 1e16 = 7.46e24 FLOPs over 312e12 · 3 years of 3.1536e7 s are 252.9 GPUs.
  plan.run.tokens = 1e16;
  plan.batch_tokens = 1 << 20;
  const Answer long_run = value_of(plan_layouts(plan));
  CHECK(number(table(long_run, "gpus").rows.front()[0].value) == 256);
}

TEST_CASE("where nothing fits the table says what lacks, and the answer is no") {
  SweepPlan plan{"gpt3-175b", "dgx-a100", {8, 16}};
  plan.run = RunPlan{1e9};
  const Answer a = value_of(plan_layouts(plan));
  CHECK_FALSE(a.yes);
  CHECK(table(a, "gpus").rows[0].back().text.find("GiB lack at the least") != std::string::npos);
  CHECK_FALSE(has_figure(a, "cheapest_gpus"));
}

TEST_CASE("models, clusters and numbers of GPUs that cannot be are refused by their option") {
  const auto path_of = [](const SweepPlan& plan) { return mistake_of(plan_layouts(plan)).path; };
  SweepPlan plan = asked({8});
  plan.model = "gpt9";
  CHECK(path_of(plan) == "--model");
  plan = asked({8});
  plan.cluster = "dgx-a101";
  CHECK(path_of(plan) == "--cluster");
  CHECK(mistake_of(plan_layouts(asked({8, 4096}))).message == "4,096 is more than the 1,120 of dgx-a100");
}

}  // namespace
}  // namespace orrery::planning::sweep_plan_test
