// What a layout costs, and the parts of a single run: resolve, lowering, accounts, memory, simulate(). Targets for the
// step time, the bubble and the verdict of a layout: 3 M instructions for Megatron-22B on 8 GPUs, 6 M for 175B on 64.
//
// bench/instructions counts the instructions of each benchmark: of all that is called inside measured().
#include <benchmark/benchmark.h>

#include "orrery/engine/account.hpp"
#include "orrery/engine/critical_path.hpp"
#include "orrery/scenario/evaluate.hpp"
#include "orrery/scenario/resolver.hpp"
#include "orrery/scenario/simulate.hpp"

namespace orrery::bench {

template <class Work>
[[gnu::noinline]] auto measured(const Work& work) {
  return work();
}

namespace {

using scenario::Run;
using scenario::Scenario;

Scenario shipped(const std::string& name) {
  const std::string path = std::string(ORRERY_SOURCE_DIR) + "/scenarios/" + name + ".yaml";
  return scenario::load_scenario(path, {}, {.automatic = scenario::NetworkModeChoice::steady}).value();
}

Run resolved(const Scenario& s) {
  return scenario::resolve(s, Catalogue::shared(), {.automatic = scenario::NetworkModeChoice::steady}).value();
}

// Layouts of a scenario's model on its GPUs that can run, `step` apart: degrees, virtual stages, micro-batch,
// recomputation, sharding.
std::vector<Scenario> layouts_of(const Scenario& base, std::size_t step) {
  std::vector<Scenario> all, some;
  const int gpus = base.layout.ranks();
  for (int tensor = 1; tensor <= 8; tensor *= 2)
    for (int pipeline = 1; tensor * pipeline <= gpus; pipeline *= 2)
      for (const int virtual_stages : {1, 2, 3})
        for (const std::int64_t micro_batch : {1, 2, 4})
          for (const auto recompute : {layout::Recompute::none, layout::Recompute::selective, layout::Recompute::full})
            for (const auto zero : {layout::Zero::none, layout::Zero::optimizer}) {
              Scenario s = base;
              s.layout.tensor = tensor, s.layout.pipeline = pipeline;
              s.layout.data = gpus / (tensor * pipeline);
              s.layout.virtual_stages = virtual_stages, s.layout.zero = zero;
              s.layout.sequence_parallel = tensor > 1;
              s.training.micro_batch = micro_batch, s.training.recompute = recompute;
              s.schedule = {};
              all.push_back(std::move(s));
            }
  for (std::size_t i = 0; i < all.size(); ++i)
    if (scenario::resolve(all[i], Catalogue::shared(), {.automatic = scenario::NetworkModeChoice::steady}).ok())
      some.push_back(all[i]);
  std::vector<Scenario> picked;
  for (std::size_t i = 0; i < some.size(); i += step) picked.push_back(some[i]);
  return picked;
}

void try_layouts(benchmark::State& state, const char* name, std::size_t step, bool whole) {
  const std::vector<Scenario> layouts = layouts_of(shipped(name), step);
  for (auto _ : state)
    measured([&] {
      scenario::Resolver resolver(Catalogue::shared(),
                                  {.automatic = scenario::NetworkModeChoice::steady, .evaluated = !whole});
      scenario::EvaluationCosts costs;
      for (const Scenario& s : layouts)
        if (const Run run = resolver.resolve(s).value(); whole)
          benchmark::DoNotOptimize(scenario::simulate(run, {.what_if = false}));
        else
          benchmark::DoNotOptimize(scenario::evaluate(run, costs));
    });
  state.counters["layouts"] = static_cast<double>(layouts.size());
}
BENCHMARK_CAPTURE(try_layouts, simulate_22B, "megatron-22b-8xa100", 7, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(try_layouts, evaluate_22B, "megatron-22b-8xa100", 1, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(try_layouts, evaluate_175B, "gpt3-175b-64xa100", 17, false)->Unit(benchmark::kMillisecond);

void Resolve(benchmark::State& state) {
  const Scenario s = shipped("gpt3-175b-64xa100");
  for (auto _ : state) measured([&] { benchmark::DoNotOptimize(resolved(s)); });
}
BENCHMARK(Resolve)->Unit(benchmark::kMicrosecond);

void Lower(benchmark::State& state) {
  const Run run = resolved(shipped("gpt3-175b-64xa100"));
  for (auto _ : state) measured([&] { benchmark::DoNotOptimize(program::lower_step(run.input())); });
}
BENCHMARK(Lower)->Unit(benchmark::kMicrosecond);

// A lowered step and its timeline.
struct Played {
  explicit Played(const char* name)
      : program(std::move(program::lower_step(resolved(shipped(name)).input())->program)),
        timeline(engine::evaluate_one_pass(program)) {}
  program::Program program;
  engine::Timeline timeline;
};

void Memory(benchmark::State& state) {
  const Played played("gpt3-175b-64xa100");
  for (auto _ : state) measured([&] { benchmark::DoNotOptimize(engine::memory_of(played.program, played.timeline)); });
}
BENCHMARK(Memory)->Unit(benchmark::kMicrosecond);

void Accounts(benchmark::State& state) {
  const Played played("gpt3-175b-64xa100");
  for (auto _ : state)
    measured([&] {
      benchmark::DoNotOptimize(engine::split_time(played.program, played.timeline));
      benchmark::DoNotOptimize(engine::critical_path(played.program, played.timeline));
      benchmark::DoNotOptimize(engine::schedule_bubbles(played.program, played.timeline));
    });
}
BENCHMARK(Accounts)->Unit(benchmark::kMicrosecond);

void Simulate(benchmark::State& state, const char* name) {
  const Run run = resolved(shipped(name));
  for (auto _ : state) measured([&] { benchmark::DoNotOptimize(scenario::simulate(run)); });
}
BENCHMARK_CAPTURE(Simulate, Gpt3_175B_64, "gpt3-175b-64xa100")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Simulate, Megatron_1T, "megatron-1t-512xa100")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Simulate, Llama3_405B_16384, "llama3-405b-16384xh100")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace orrery::bench
