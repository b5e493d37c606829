// A tenth more of each resource, against the scenario written anew with it and played through the door.
#include "orrery/scenario/sensitivity.hpp"

#include "orrery/network/tuning.hpp"
#include "simulated.hpp"

namespace orrery::scenario::sensitivity_test {

namespace {

const std::string kCluster = "cluster: {type: selene, nodes: 2}\n";
const std::string kScenarios[] = {
    "model: gpt3-1.3b\n" + kCluster +
        "layout: {tensor: 2, pipeline: 4, data: 2}\n"
        "training: {sequence_length: 2048, global_batch: 40, micro_batch: 1}\nstack: megatron-2022\nnetwork: steady\n",
    "model: gpt3-1.3b\n" + kCluster +
        "layout: {tensor: 16, pipeline: 1, data: 1}\n"
        "training: {sequence_length: 2048, global_batch: 20, micro_batch: 2}\nstack: megatron-2022\nnetwork: steady\n",
    "model: gpt3-1.3b\n" + kCluster +
        "layout: {data: 16, zero: parameters}\n"
        "training: {sequence_length: 2048, global_batch: 160, micro_batch: 1}\nstack: torchtitan-2025\nnetwork: "
        "steady\n",
};

Run run_of(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  auto run = resolve(*scenario, Catalogue::shared());
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  return std::move(run).value();
}

Time of(const std::vector<Sensitivity>& all, std::string_view key) {
  for (const Sensitivity& s : all)
    if (s.resource->key == key) return s.step_time;
  FAIL(std::string(key));
  return {};
}

// The step as it is written; `change` lays a change over the scenario as a user would say it.
template <class Change>
double again(const Run& run, Change change) {
  Scenario s = run.scenario();
  change(s);
  const auto played = resolve_and_simulate(s);
  REQUIRE_MESSAGE(played.ok(), render(played.errors()));
  return seconds(played->timeline.step_time) * static_cast<double>(run.scenario().training.global_batch) /
         static_cast<double>(s.training.global_batch);
}

void close(Time is, double wanted) {
  CHECK(seconds(is) == doctest::Approx(wanted).epsilon(1e-6));
}

}  // namespace

TEST_CASE("what more of a resource saves is what the step takes with it") {
  for (const std::string& text : kScenarios) {
    CAPTURE(text);
    const Run run = run_of(text);
    const std::vector<Sensitivity> all = sensitivities(run);
    CHECK(all.size() == resources().size());
    close(of(all, "gpu_flops"), again(run, [](Scenario& s) {
            for (FlopsPerSecond& peak : s.gpu.dense_peak) peak.value = peak.value / 10 * 11;
          }));
    close(of(all, "memory_bandwidth"),
          again(run, [](Scenario& s) { s.gpu.memory_bandwidth.value = s.gpu.memory_bandwidth.value / 10 * 11; }));
    close(of(all, "node_bandwidth"), again(run, [](Scenario& s) {
            s.cluster.scale_up.bandwidth.value = s.cluster.scale_up.bandwidth.value / 10 * 11;
          }));
    close(of(all, "host"), again(run, [](Scenario& s) {
            cost::StackLaunch& l = s.stack.launch;
            for (Time* t : {&l.per_kernel, &l.per_kernel_backward, &l.per_collective, &l.per_collective_rank,
                            &l.per_micro_batch, &l.per_step})
              t->value = t->value * 10 / 11;
          }));
    // 20 micro-batches of a replica and two more (of the second 10 and one, of the third 10 and one).
    close(of(all, "micro_batches"),
          again(run, [](Scenario& s) { s.training.global_batch += s.training.global_batch / 10; }));
  }
}

// More of anything is no slower; what a layout does not use saves nothing.
TEST_CASE("resources save where they are used") {
  const Run run = run_of(
      "model: gpt3-1.3b\ncluster: {type: selene, nodes: 1, gpus: 1}\nlayout: {data: 1}\n"
      "training: {sequence_length: 2048, global_batch: 4, micro_batch: 1}\nstack: megatron-2022\nnetwork: steady\n");
  const auto played = simulate(run);
  REQUIRE(played.ok());
  const std::vector<Sensitivity> all = sensitivities(run);
  for (const Sensitivity& s : all) CHECK(s.step_time <= played->timeline.step_time);
  for (const char* unused : {"node_bandwidth", "network_bandwidth", "latency"})
    CHECK(of(all, unused) == played->timeline.step_time);
  CHECK(of(all, "gpu_flops") < played->timeline.step_time);
  CHECK(of(all, "memory_bandwidth") < played->timeline.step_time);
}

}  // namespace orrery::scenario::sensitivity_test
