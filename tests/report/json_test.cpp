#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "example.hpp"

namespace orrery::report::json_test {

using nlohmann::ordered_json;

namespace {

std::vector<std::string> keys_of(const ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

}  // namespace

// 1F1B on 2 ranks, 4 micro-batches, F = 1 ms, B = 2 ms, messages 0.1 ms. Rank 0 waits for F0 to cross and for each B to
// come back: (m + p − 1)(F + B) = 15 ms plus the messages on the critical path.
TEST_CASE("derived figures follow their definitions") {
  const RunResult run = testing::run_example();
  const Metrics m = metrics_of(run);
  const double step = static_cast<double>(run.timeline.makespan.value) / 1e12;
  CHECK(m.step_time_s == step);
  CHECK(m.tokens_per_s == 4000 / step);
  CHECK(m.tokens_per_s_per_gpu == 4000 / step / 2);
  CHECK(m.mfu == doctest::Approx(1.248e12 / (step * 312e12)).epsilon(1e-14));
  CHECK(m.hfu == doctest::Approx(1.56e12 / (step * 312e12)).epsilon(1e-14));
  // 12 ms of work on each of two ranks.
  CHECK(m.total[0] == Int128{24} * testing::kMillisecond);
  CHECK(m.mean_s[0] == 0.012);
  CHECK(m.bubble_fraction > 0.1);
  CHECK(m.bubble_fraction < 0.2);
  // Rank 0 holds two activations of 2 GiB at its peak, rank 1 one: 10 + 30 + 4 + 1 reserved + 1 context = 46 of 79 GiB.
  CHECK(m.worst_device == 0);
  CHECK(m.headroom == 33 * testing::kGiB);
  CHECK(m.fits());
}

TEST_CASE("a folded device counts once for each rank it stands for") {
  RunResult run = testing::run_example();
  const Metrics one = metrics_of(run);
  run.program.devices[0].ranks = {0, 1, 2};
  run.program.devices[1].ranks = {3, 4, 5};
  run.gpus = 6;
  const Metrics three = metrics_of(run);
  for (std::size_t c = 0; c < program::kCategories; ++c) {
    CHECK(three.total[c] == 3 * one.total[c]);
    CHECK(three.mean_s[c] == one.mean_s[c]);
  }
  CHECK(three.bubble_fraction == one.bubble_fraction);
}

TEST_CASE("the fullest device decides whether a run fits") {
  RunResult run = testing::run_example();
  run.reserved = {10 * testing::kGiB, 78 * testing::kGiB};
  CHECK(metrics_of(run).fits());
  CHECK(metrics_of(run).headroom == 0);
  ++run.reserved[1];
  CHECK_FALSE(metrics_of(run).fits());
  CHECK(metrics_of(run).verdict == Verdict::does_not_fit);
  CHECK(ordered_json::parse(to_json(run))["fits"] == false);
  CHECK(ordered_json::parse(to_json(run))["verdict"] == "does_not_fit");
  CHECK(metrics_of(run).headroom == -1);
  CHECK(metrics_of(run).worst_device == 1);
}

TEST_CASE("a device whose allocator gave memory back fits, by releasing; beyond the capacity it does not") {
  RunResult run = testing::run_example();
  run.memory[0].retries = 2;
  CHECK(metrics_of(run).fits());
  const ordered_json json = ordered_json::parse(to_json(run));
  CHECK(json["fits"] == true);
  CHECK(json["verdict"] == "fits_by_releasing");
  CHECK(json["devices"][0]["alloc_retries"] == 2);
  CHECK(to_text(run, {}).find("fits by releasing:") != std::string::npos);
  run.reserved[1] = 80 * testing::kGiB;
  CHECK(metrics_of(run).verdict == Verdict::does_not_fit);
  CHECK(to_text(run, {}).find("does not fit:") != std::string::npos);
}

TEST_CASE("the JSON has exactly its keys, in order") {
  const std::string text = to_json(testing::run_example());
  CHECK(text.back() == '\n');
  const ordered_json run = ordered_json::parse(text);
  CHECK(keys_of(run) == std::vector<std::string>{"schema",
                                                 "scenario",
                                                 "setting",
                                                 "parameters",
                                                 "head_parameters",
                                                 "model_kind",
                                                 "gpus",
                                                 "sequences",
                                                 "tokens",
                                                 "peak_flops_per_s",
                                                 "usable_memory_bytes",
                                                 "network_mode",
                                                 "placement",
                                                 "pools",
                                                 "faults",
                                                 "evaluated_by",
                                                 "step_time_s",
                                                 "step_time_ps",
                                                 "bubble_fraction",
                                                 "schedule_bubble_fraction",
                                                 "span_bubble_fraction",
                                                 "mfu",
                                                 "hfu",
                                                 "hfu_korthikanti_eq8",
                                                 "tokens_per_s",
                                                 "tokens_per_s_per_gpu",
                                                 "model_flops",
                                                 "hardware_flops",
                                                 "flops",
                                                 "waterfall_gpu_ps",
                                                 "fits",
                                                 "verdict",
                                                 "limit",
                                                 "varied_steps",
                                                 "long_run",
                                                 "critical_path_ps",
                                                 "breakdown_ps",
                                                 "breakdown_s",
                                                 "shared_links",
                                                 "link_use",
                                                 "expert_loads",
                                                 "hosts",
                                                 "stages",
                                                 "devices",
                                                 "warnings",
                                                 "notes",
                                                 "timeline_hash",
                                                 "simulation"});
  CHECK(keys_of(run["devices"][0]) == std::vector<std::string>{"ranks", "stage", "tensor_rank", "context_rank",
                                                               "data_rank", "breakdown_ps", "in_flight",
                                                               "peak_memory_bytes", "reserved_bytes", "alloc_retries",
                                                               "context_bytes", "usable_memory_bytes", "memory_bytes"});
  const std::vector<std::string> categories(program::kCategoryNames.begin(), program::kCategoryNames.end());
  CHECK(keys_of(run["breakdown_ps"]) == categories);
  CHECK(keys_of(run["breakdown_s"]) == categories);
  CHECK(keys_of(run["devices"][1]["breakdown_ps"]) == categories);
  CHECK(keys_of(run["devices"][0]["memory_bytes"]) ==
        std::vector<std::string>(program::kMemoryClassNames.begin(), program::kMemoryClassNames.end()));
  CHECK(run["schema"] == "orrery.run/1");
  CHECK(run["scenario"]["layout"]["pipeline"] == 2);
  CHECK(run["evaluated_by"] == "one-pass");
  CHECK(run["timeline_hash"].get<std::string>().size() == 16);
  CHECK(run["simulation"]["devices"] == 2);
}

TEST_CASE("the sums in the JSON hold") {
  const RunResult example =
      testing::run_example({.schedule = "interleaved_1f1b", .ranks = 4, .chunks = 2, .micro_batches = 8});
  const ordered_json run = ordered_json::parse(to_json(example));
  const auto step = run["step_time_ps"].get<std::int64_t>();
  std::int64_t total = 0;
  double mean = 0;
  for (const auto& [key, value] : run["breakdown_ps"].items()) total += value.get<std::int64_t>();
  for (const auto& [key, value] : run["breakdown_s"].items()) mean += value.get<double>();
  CHECK(total == 4 * step);
  CHECK(mean == doctest::Approx(run["step_time_s"].get<double>()).epsilon(1e-14));
  REQUIRE(run["devices"].size() == 4);
  for (const auto& device : run["devices"]) {
    std::int64_t time = 0, memory = 0;
    for (const auto& item : device["breakdown_ps"]) time += item.get<std::int64_t>();
    for (const auto& item : device["memory_bytes"]) memory += item.get<std::int64_t>();
    CHECK(time == step);
    CHECK(memory == device["peak_memory_bytes"].get<std::int64_t>());
    CHECK(device["reserved_bytes"] == memory + testing::kGiB);
  }
}

TEST_CASE("integers beyond 64 bits stay exact") {
  RunResult run = testing::run_example();
  run.flops.model.linear = Int128{10'000'000'000'000'001} * 10'000;  // 10^20 + 10^4
  // Two devices of 500 000 ranks, with 10^18 ps (12 days) in one category: 10^6 · 10^18 = 10^24.
  for (std::size_t d = 0; d < 2; ++d) {
    run.program.devices[d].ranks.assign(500'000, 0);
    run.split[d][1] = 1'000'000'000'000'000'000;
  }
  const std::string text = to_json(run);
  CHECK(text.find("\"model_flops\": 100000000000000010000,") != std::string::npos);
  CHECK(text.find("\"recompute\": 1000000000000000000000000,") != std::string::npos);
}

TEST_CASE("the JSON never holds what is not a number") {
  RunResult run = testing::run_example();
  run.peak_flops_per_second = 0;
  CHECK_THROWS_AS(to_json(run), InternalError);
  run = testing::run_example();
  run.scenario_json = "{not json";
  CHECK_THROWS_AS(to_json(run), InternalError);
}

TEST_CASE("texts of the scenario and warnings survive quoting") {
  RunResult run = testing::run_example();
  run.scenario_json = R"({"name": "a \"quoted\"\nname {\n  \"x\": 1"})";
  run.warnings = {"first \\ line\nsecond", "µ"};
  const ordered_json parsed = ordered_json::parse(to_json(run));
  CHECK(parsed["scenario"]["name"] == "a \"quoted\"\nname {\n  \"x\": 1");
  CHECK(parsed["warnings"][0] == "first \\ line\nsecond");
  CHECK(parsed["warnings"][1] == "µ");
}

}  // namespace orrery::report::json_test
