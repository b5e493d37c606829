// An evaluation says what a whole run says of the step time, the bubble, MFU and the memory, whatever was evaluated
// before it with the same costs.
#include "orrery/scenario/evaluate.hpp"

#include <doctest/doctest.h>

#include "../drawn/drawn.hpp"
#include "../engine/plain_reserved.hpp"
#include "orrery/core/random.hpp"
#include "orrery/program/footprint.hpp"
#include "orrery/scenario/resolver.hpp"
#include "orrery/scenario/simulate.hpp"
#include "paths.hpp"
#include "scenario/playing.hpp"

namespace orrery::scenario::evaluate_test {

namespace {

Scenario small_model(int tensor, int pipeline, int virtual_stages, layout::Recompute recompute, std::int64_t batch) {
  const std::string file = orrery::testing::source_dir() + "/scenarios/megatron-22b-8xa100.yaml";
  Scenario s = *load_scenario(file, {"training.global_batch=" + std::to_string(batch), "training.micro_batch=1"},
                              {.automatic = NetworkModeChoice::steady});
  s.model.layers = 12;
  s.layout.tensor = tensor, s.layout.pipeline = pipeline, s.layout.data = 8 / (tensor * pipeline);
  s.layout.virtual_stages = virtual_stages, s.layout.sequence_parallel = tensor > 1;
  s.training.recompute = recompute;
  s.schedule = {};
  return s;
}

void check_same(const Scenario& s, std::array<int, 3>& verdicts, std::int64_t& replayed) {
  const Result<Run> run = resolve(s, Catalogue::shared(), {.automatic = NetworkModeChoice::steady});
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  EvaluationCosts costs;
  const Result<Evaluation> quick = evaluate(*run, costs);
  const Result<report::RunResult> whole = simulate(*run, {.what_if = false});
  REQUIRE(quick.ok());
  REQUIRE(whole.ok());
  const report::Metrics metrics = report::metrics_of(*whole);
  CHECK(quick->step_time == whole->timeline.step_time);
  CHECK(quick->bubble_fraction == metrics.bubble_fraction);
  CHECK(quick->mfu == metrics.mfu);
  CHECK(quick->verdict == metrics.verdict);
  std::int64_t peak = 0;
  for (const engine::DeviceMemory& m : whole->memory) peak = std::max(peak, m.peak);
  CHECK(quick->peak == peak);
  ++verdicts[static_cast<std::size_t>(quick->verdict)];
  replayed += quick->replayed;
  // What refuses a run before any pass is made is never below the estimate.
  const program::StepInput& in = run->input();
  const schedule::Placement& p = in.schedule->placement;
  const program::StepSize size{in.graph->spec,
                               in.layout,
                               in.pass,
                               in.stack,
                               p.stages,
                               p.pipes,
                               in.schedule->micro_batches,
                               in.schedule->split_backward,
                               false,
                               true,
                               1,
                               {}};
  CHECK(program::footprint_at_most(size).bytes >= program::footprint_of(size).bytes);
}

}  // namespace

TEST_CASE("an evaluation and a run agree, whether a step fits, releases or does not fit") {
  std::array<int, 3> verdicts{};
  std::int64_t replayed = 0;
  for (const int tensor : {1, 8})
    for (const int pipeline : {1, 4})
      for (const auto recompute : {layout::Recompute::none, layout::Recompute::full})
        if (tensor * pipeline <= 8) check_same(small_model(tensor, pipeline, 1, recompute, 16), verdicts, replayed);
  check_same(small_model(2, 4, 3, layout::Recompute::selective, 16), verdicts, replayed);
  Scenario tight = small_model(8, 1, 1, layout::Recompute::none, 16);
  for (const std::int64_t gib : {12, 13, 14, 16}) {
    tight.gpu.usable_memory = {gib << 30};
    check_same(tight, verdicts, replayed);
  }
  CHECK(verdicts[0] > 0);
  CHECK(verdicts[2] > 0);
  CHECK(replayed > 0);
}

namespace {

// Another value of some key that a part of a step may depend on.
void change(Scenario& s, Random& random) {
  const auto either = [&] { return random.below(2) == 0; };
  cost::StackCommunication& c = s.stack.communication;
  switch (random.below(19)) {
    case 0:
      s.layout.tensor = 1 << random.below(3);
      break;
    case 1:
      s.layout.pipeline = 1 << random.below(3);
      break;
    case 2:
      s.layout.virtual_stages = static_cast<int>(random.below(3)) + 1;
      break;
    case 3:
      s.layout.sequence_parallel = either();
      break;
    case 4:
      s.layout.zero = static_cast<layout::Zero>(random.below(4));
      break;
    case 5:
      s.training.micro_batch = 1 << random.below(2);
      break;
    case 6:
      s.training.global_batch = 16 << random.below(2);
      break;
    case 7:
      s.training.recompute = static_cast<layout::Recompute>(random.below(5));
      break;
    case 8:
      s.training.overlap_data = either();
      break;
    case 9:
      s.training.overlap_tensor = either();
      break;
    case 10:
      c.overlap_gather = either();
      break;
    case 11:
      c.scatter_gather_messages = either();
      break;
    case 12:
      c.messages = static_cast<layout::MessageMode>(random.below(3));
      break;
    case 13:
      c.tensor_slowdown_percent = either() ? 100 : 125;
      break;
    case 14:
      c.bucket = {either() ? 0 : 40'000'000};
      break;
    case 15:
      s.stack.launch.per_kernel = {either() ? 5'000'000 : 9'000'000};
      break;
    case 16:
      s.gpu.memory_bandwidth = {either() ? 1'500'000'000'000 : 2'000'000'000'000};
      break;
    case 17:
      s.gpu.usable_memory = {static_cast<std::int64_t>(6 + random.below(30)) << 30};
      break;
    default:
      s.cluster.scale_up.bandwidth = {either() ? 200'000'000'000 : 300'000'000'000};
      break;
  }
  s.layout.data = 8 / (s.layout.tensor * s.layout.pipeline);
  s.schedule = {};
}

// A run follows the allocator and leaves out what changes nothing; plain calls leave out nothing.
void check_reserved(const report::RunResult& whole, engine::Segments segments) {
  for (program::DeviceIndex d = 0; d < whole.memory.size(); d += std::max<program::DeviceIndex>(d, 1)) {
    const engine::Reserved plain =
        engine::plain_reserved(whole.program, whole.timeline, d, whole.usable_memory - whole.context_memory, segments);
    CHECK(whole.memory[d].reserved == plain.bytes);
    CHECK(whole.memory[d].retries == plain.retries);
  }
}

void check_equal(const Evaluation& quick, const report::RunResult& whole, engine::Segments segments) {
  const report::Metrics m = report::metrics_of(whole);
  std::int64_t peak = 0;
  for (const engine::DeviceMemory& memory : whole.memory) peak = std::max(peak, memory.peak);
  const bool same = quick.step_time == whole.timeline.step_time && quick.bubble_fraction == m.bubble_fraction &&
                    quick.mfu == m.mfu && quick.hfu == m.hfu && quick.tokens_per_s_per_gpu == m.tokens_per_s_per_gpu &&
                    quick.mean_s == m.mean_s && quick.peak == peak && quick.verdict == m.verdict;
  CHECK_MESSAGE(same, whole.title, ": ", quick.step_time.value, " ps, ", quick.peak, " B of ", peak, ", ",
                name_of(quick.verdict), " and ", name_of(m.verdict), "\n", whole.scenario_json);
  check_reserved(whole, segments);
}

}  // namespace

// A key that lacks something its value depends on gives some layout the value of another: then it differs from what a
// run of it, which keeps nothing, says.
TEST_CASE("costs kept from one layout to the next change nothing") {
  const int draws = orrery::testing::draws(1000);
  const ResolveOptions options{.automatic = NetworkModeChoice::steady};
  Resolver resolver(Catalogue::shared(), options);
  EvaluationCosts costs;
  Random random(11);
  Scenario s = small_model(2, 2, 1, layout::Recompute::none, 16);
  int evaluated = 0;
  std::int64_t replayed = 0;
  for (int i = 0; i < draws; ++i) {
    Scenario next = s;
    change(next, random);
    const Result<Run> alone = resolve(next, Catalogue::shared(), options), kept = resolver.resolve(next);
    REQUIRE(alone.ok() == kept.ok());
    if (!alone.ok()) {
      CHECK(render(alone.errors()) == render(kept.errors()));
      continue;
    }
    s = next;
    const Result<report::RunResult> whole = simulate(*alone, {.what_if = false});
    const Result<Evaluation> quick = evaluate(*kept, costs);
    REQUIRE(whole.ok() == quick.ok());
    if (!quick.ok()) continue;
    ++evaluated;
    replayed += quick->replayed;
    check_equal(*quick, *whole, segments_of(s));
  }
  CHECK(evaluated > draws / 2);
  CHECK(replayed > 0);
}

namespace {

// Evaluates scenarios one after the other with the same costs.
class Series {
 public:
  void check(const Scenario& s) {
    const Result<Run> alone = resolve(s, Catalogue::shared()), kept = resolver_.resolve(s);
    REQUIRE_MESSAGE(alone.ok(), render(alone.errors()));
    REQUIRE(kept.ok());
    const Result<report::RunResult> whole = simulate(*alone, {.what_if = false});
    const Result<Evaluation> quick = evaluate(*kept, costs_);
    REQUIRE(whole.ok() == quick.ok());
    if (quick.ok()) check_equal(*quick, *whole, segments_of(s));
  }

 private:
  Resolver resolver_{Catalogue::shared(), {}};
  EvaluationCosts costs_;
};

}  // namespace

TEST_CASE("nor do those kept from other models, clusters, stacks and schedules") {
  Series series;
  for (int i = 0; i < orrery::testing::draws(204); ++i) {
    Scenario s = orrery::testing::draw_scenario(20261201, i).scenario;
    if (s.network.mode == NetworkModeChoice::flows) s.network.mode = NetworkModeChoice::steady;
    series.check(s);
  }
}

// Neighbours in one field of a model with experts or of how these are spread.
TEST_CASE("nor do those kept from models whose experts, attention or layout of experts differ in one field") {
  const char* models[] = {"",
                          "experts: {top_k: 1}",
                          "experts: {hidden: 768}",
                          "experts: {count: 16}",
                          "experts: {shared: 1, shared_hidden: 256}",
                          "experts: {first_dense: 1}",
                          "kv_heads: 8",
                          "attention_window: 128",
                          "layers: 8"};
  const char* layouts[] = {"data: 16, expert: 4, zero: optimizer",
                           "data: 16, expert: 8, zero: optimizer",
                           "data: 16, expert: 4, zero: parameters",
                           "data: 16, expert: 4, zero: parameters, shard_degree: 8",
                           "tensor: 2, sequence_parallel: true, data: 8, expert: 4, expert_tensor: 1",
                           "tensor: 2, sequence_parallel: true, data: 8, expert: 4, expert_tensor: 2",
                           "pipeline: 2, data: 8, expert: 4"};
  Series series;
  for (const std::string model : models)
    for (const char* layout : layouts) {
      const std::string text =
          "model: {type: mixtral-8x7b, hidden: 512, heads: 8, vocab: 1024" +
          (model.starts_with("layers") ? "" : std::string(", layers: 4")) +
          (model.starts_with("kv_heads") ? "" : std::string(", kv_heads: 4")) + (model.empty() ? "" : ", ") + model +
          "}\ncluster: {type: dgx-h100, nodes: 2, gpus: 16}\ntraining: {sequence_length: 512, global_batch: 64}\n"
          "stack: megatron-2025-moe\nnetwork: steady\nlayout: {" +
          layout + "}\n";
      const auto scenario = read_scenario_text(text, "experts.yaml");
      REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
      series.check(*scenario);
    }
}

}  // namespace orrery::scenario::evaluate_test
