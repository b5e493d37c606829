// Changes whose effect on a step is known without knowing the step, over scenarios drawn at random.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "drawn.hpp"
#include "orrery/core/random.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::relations_test {

namespace {

const int kDraws = testing::draws(204);

report::RunResult simulated(const Scenario& scenario) {
  auto run = resolve_and_simulate(scenario);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  return std::move(run).value();
}

// The times of a step are then a graph of fixed lengths, in which nothing that takes longer can make the end come
// sooner: no links that are shared, no other algorithm for other sizes, no kernels slowed while a transfer passes, no
// schedule found for other times.
void fix_lengths(Scenario& s) {
  s.network.mode = NetworkModeChoice::ideal;
  s.network.algorithm = "ring", s.network.protocol = "simple";
  for (std::int64_t* percent :
       {&s.stack.communication.tensor_slowdown_percent, &s.stack.communication.context_slowdown_percent,
        &s.stack.communication.data_slowdown_percent})
    *percent = 100;
  if (s.schedule.type == "zb_auto") s.schedule.type = "zb_1p";
}

template <class Change>
void check_never_faster(const char* what, const Change& change) {
  for (int i = 0; i < kDraws; ++i) {
    testing::Drawn drawn = testing::draw_scenario(20261129, i);
    fix_lengths(drawn.scenario);
    Scenario more = drawn.scenario;
    Random random(static_cast<std::uint64_t>(i));
    if (!change(more, random)) continue;
    const Time before = simulated(drawn.scenario).timeline.step_time, after = simulated(more).timeline.step_time;
    CHECK_MESSAGE(after >= before,
                  before.value << " -> " << after.value << " ps: " << std::string(what) << ", scenario " << i << ": "
                               << (more.cluster.perturb.empty() ? std::string() : more.cluster.perturb.back().link)
                               << drawn.text);
  }
}

}  // namespace

TEST_CASE("a slower GPU or link never makes a step faster") {
  check_never_faster("a slow GPU", [](Scenario& s, Random& random) {
    hardware::Perturbation slow;
    slow.device = static_cast<int>(random.below(static_cast<std::uint64_t>(s.gpus())));
    slow.compute_factor = 0.5;
    s.cluster.perturb.push_back(slow);
    return true;
  });
  check_never_faster("a slow link", [](Scenario& s, Random& random) {
    const auto topology = hardware::build_topology(s.cluster, s.cluster.nodes);
    REQUIRE(topology.ok());
    hardware::Perturbation slow;
    slow.link = (*topology)->link_name(static_cast<hardware::LinkId>(random.below((*topology)->links().size())));
    slow.bandwidth_factor = 0.1;
    s.cluster.perturb.push_back(slow);
    return true;
  });
}

TEST_CASE("twice the sequence, the batch or the layers never makes a step faster") {
  check_never_faster("sequence", [](Scenario& s, Random&) {
    s.training.sequence_length *= 2;
    return true;
  });
  check_never_faster("batch", [](Scenario& s, Random&) {
    s.training.global_batch *= 2;
    for (std::int64_t& count : s.layout.micro_batches_per_replica) count *= 2;
    return s.stack.communication.messages != layout::MessageMode::rendezvous;  // not every order gets through
  });
  check_never_faster("layers", [](Scenario& s, Random&) {
    s.model.layers *= 2;
    return true;
  });
}

TEST_CASE("without a pipeline, on GPUs that are alike and have as many micro-batches, nobody waits for another") {
  int seen = 0;
  for (int i = 0; i < 3 * kDraws; ++i) {
    testing::Drawn drawn = testing::draw_scenario(20261130, i);
    if (drawn.scenario.layout.pipeline > 1) continue;
    drawn.scenario.layout.batch_split = layout::BatchSplit::even;
    const std::int64_t at_once = drawn.scenario.training.micro_batch * drawn.scenario.layout.data;
    drawn.scenario.training.global_batch = ceil_div(drawn.scenario.training.global_batch, at_once) * at_once;
    drawn.scenario.network.mode = NetworkModeChoice::ideal;
    drawn.scenario.placement = {};
    drawn.scenario.cluster.perturb.clear();
    const report::RunResult run = simulated(drawn.scenario);
    ++seen;
    CHECK_MESSAGE(report::metrics_of(run).bubble_fraction == 0, "scenario " << i << ": " << drawn.text);
  }
  CHECK(seen > kDraws / 10);
}

}  // namespace orrery::scenario::relations_test
