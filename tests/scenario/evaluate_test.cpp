// An evaluation says what a whole run says of the step time, the bubble, MFU and the memory.
#include "orrery/scenario/evaluate.hpp"

#include <doctest/doctest.h>

#include "orrery/program/footprint.hpp"
#include "orrery/scenario/simulate.hpp"
#include "paths.hpp"

using namespace orrery;
using namespace orrery::scenario;

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
  const Result<Evaluation> quick = evaluate(*run);
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
  const schedule::Placement& p = in.schedule.placement;
  const program::StepSize size{in.graph.spec,
                               in.layout,
                               in.pass,
                               in.stack,
                               p.stages,
                               p.pipes,
                               in.schedule.micro_batches,
                               in.schedule.split_backward,
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
