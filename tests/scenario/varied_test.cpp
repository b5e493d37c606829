// Steps of GPUs that are unlike: each is the step that `perturb` gives with the same speeds.
#include "scenario/varied.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "simulated.hpp"

namespace orrery::scenario::varied_test {

namespace {

const std::string kFour =
    "model: {type: gpt3-125m, layers: 4}\ncluster: {type: selene, nodes: 1, gpus: 4}\nlayout: {pipeline: 2, data: 2}\n"
    "training: {sequence_length: 1024, global_batch: 8}\nstack: megatron-2024\nnetwork: steady\n";

Run run_of(const std::string& text) {
  const auto tree = read_yaml_text(text, "varied.yaml");
  REQUIRE(tree.ok());
  auto run = read_run(*tree, Catalogue::shared());
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  return std::move(run).value();
}

}  // namespace

TEST_CASE("each of the steps is what it is with these speeds said one by one") {
  const std::string varied =
      kFour + "variation: {gpus: 0.05, steps: 0.03, slow_share: 0.2, slow_speed: 0.7, count: 7}\n";
  const Run run = run_of(varied);
  std::vector<Time> times;
  for (int step = 0; step < 7; ++step) {
    const std::vector<double> speeds = varied_speeds(run, step);
    REQUIRE(speeds.size() == 4);
    std::string perturb = "perturb: [";
    for (int d = 0; d < 4; ++d)
      perturb += fmt::format("{}{{device: {}, compute_factor: {}}}", d > 0 ? ", " : "", d,
                             speeds[static_cast<std::size_t>(d)]);
    times.push_back(simulated(kFour + perturb + "]\n").timeline.step_time);
  }
  std::sort(times.begin(), times.end());
  const auto result = simulated(varied);
  REQUIRE(result.varied.has_value());
  const report::VariedSteps& v = *result.varied;
  CHECK(v.steps == 7);
  CHECK(v.p50 == times[3]);  // 4 of 7 are more than half
  CHECK(v.p95 == times[6]);
  CHECK(v.p99 == times[6]);
  CHECK(v.slowest == times[6]);
  double mean = 0;
  for (const Time t : times) mean += seconds(t) / 7;
  CHECK(v.mean_s == doctest::Approx(mean));
  double all = 0;
  for (const auto& [rank, share] : v.waited_for) all += share;
  CHECK(all == doctest::Approx(1));
  CHECK(result.timeline.step_time == simulated(kFour).timeline.step_time);  // the step itself is of like GPUs
}

TEST_CASE("the others wait for the slow GPU") {
  std::string deep = kFour;  // the head is little beside 12 layers
  deep.replace(deep.find("layers: 4"), 9, "layers: 24");
  for (int slow = 0; slow < 4; ++slow) {
    const auto run = simulated(deep + fmt::format("perturb: [{{device: {}, compute_factor: 0.5}}]\n", slow) +
                               "variation: {steps: 0.01, count: 5}\n");
    REQUIRE(run.varied->waited_for.size() == 1);
    CHECK(run.varied->waited_for.front() == std::pair<std::int32_t, double>{slow, 1.0});
  }
}

TEST_CASE("a GPU keeps its speed from step to step, and whatever rank runs on it; steps of one GPU differ") {
  const Run of_gpus = run_of(kFour + "variation: {gpus: 0.02}\n"),
            of_steps = run_of(kFour + "variation: {steps: 0.02}\n");
  CHECK(varied_speeds(of_gpus, 0) == varied_speeds(of_gpus, 9));
  CHECK(varied_speeds(of_steps, 0) != varied_speeds(of_steps, 9));
  std::vector<double> placed = varied_speeds(run_of(kFour + "variation: {gpus: 0.02}\nplacement: {type: random}\n"), 0);
  std::vector<double> packed = varied_speeds(of_gpus, 0);
  CHECK(placed != packed);
  std::sort(placed.begin(), placed.end()), std::sort(packed.begin(), packed.end());
  CHECK(placed == packed);
}

// 512 GPUs: mean 1 within 5 standard errors, spread 2 % within 5 of its own (1/√(2n)); a tenth of them slow.
TEST_CASE("speeds spread as they are said to") {
  const std::string large =
      "model: {type: gpt3-125m, layers: 4}\ncluster: {type: selene, nodes: 64}\nlayout: {data: 512}\n"
      "training: {sequence_length: 1024, global_batch: 512}\nstack: megatron-2024\nnetwork: steady\n";
  const std::vector<double> speeds = varied_speeds(run_of(large + "variation: {gpus: 0.02}\n"), 0);
  double mean = 0, squares = 0;
  for (const double s : speeds) mean += s / 512;
  for (const double s : speeds) squares += (s - mean) * (s - mean) / 511;
  CHECK(std::abs(mean - 1) < 5 * 0.02 / std::sqrt(512));
  CHECK(std::abs(std::sqrt(squares) / 0.02 - 1) < 5 / std::sqrt(2 * 512.0));
  const std::vector<double> slow = varied_speeds(run_of(large + "variation: {slow_share: 0.1, slow_speed: 0.5}\n"), 0);
  const auto count = std::count(slow.begin(), slow.end(), 0.5);
  CHECK(count + std::count(slow.begin(), slow.end(), 1.0) == 512);
  CHECK(std::abs(static_cast<double>(count) - 51.2) < 5 * std::sqrt(512 * 0.1 * 0.9));
}

TEST_CASE("more spread makes the steps longer, none leaves them alone") {
  const Time like = simulated(kFour).timeline.step_time;
  Time before = like;
  for (const double spread : {0.005, 0.02, 0.08}) {
    const auto run = simulated(kFour + fmt::format("variation: {{gpus: {}, count: 1}}\n", spread));
    CHECK(run.varied->p50 > before);
    before = run.varied->p50;
  }
  CHECK(!simulated(kFour + "variation: {count: 3}\n").varied.has_value());
}

}  // namespace orrery::scenario::varied_test
