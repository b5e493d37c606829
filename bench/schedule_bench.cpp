// Speed of building and checking schedules. Targets: 64 ranks, 1024 micro-batches, 4 chunks within 50 ms; zb_auto with
// 16 ranks and 64 micro-batches within 1 s.
#include <benchmark/benchmark.h>

#include "orrery/schedule/csv.hpp"
#include "orrery/schedule/replay.hpp"
#include "orrery/schedule/validate.hpp"

namespace {

using namespace orrery;
using namespace orrery::schedule;

ScheduleRequest large() {
  return {.name = "interleaved_1f1b", .ranks = 64, .chunks = 4, .micro_batches = 1024, .times = {}};
}

// make_schedule checks what it makes.
void ScheduleMakeAndCheck(benchmark::State& state) {
  for (auto _ : state) {
    const Result<Schedule> schedule = make_schedule(large());
    if (!schedule.ok()) state.SkipWithError("refused");
    benchmark::DoNotOptimize(schedule);
  }
  state.SetItemsProcessed(state.iterations() * 64 * 1024 * 4 * 2);
}
BENCHMARK(ScheduleMakeAndCheck)->Unit(benchmark::kMillisecond);

void ScheduleCheck(benchmark::State& state) {
  const Result<Schedule> schedule = make_schedule(large());
  for (auto _ : state) benchmark::DoNotOptimize(validate(*schedule));
}
BENCHMARK(ScheduleCheck)->Unit(benchmark::kMillisecond);

void ScheduleReplay(benchmark::State& state) {
  const Result<Schedule> schedule = make_schedule(large());
  const StageTimes times = uniform_times(schedule->placement.stages, 2, 3, 1, 1);
  for (auto _ : state) benchmark::DoNotOptimize(replay(*schedule, times));
}
BENCHMARK(ScheduleReplay)->Unit(benchmark::kMillisecond);

void ScheduleSearch(benchmark::State& state) {
  ScheduleRequest request{.name = "zb_auto", .ranks = 16, .micro_batches = 64, .times = {}};
  request.memory_cap = static_cast<double>(state.range(0));
  request.times = uniform_times(16, 10, 9, 6, 1);
  for (auto _ : state) benchmark::DoNotOptimize(make_schedule(request));
}
BENCHMARK(ScheduleSearch)->Arg(16)->Arg(24)->Arg(32)->Arg(64)->Unit(benchmark::kMillisecond);

void ScheduleFromCsv(benchmark::State& state) {
  const std::string text = to_csv(*make_schedule({.name = "zbv", .ranks = 16, .micro_batches = 256, .times = {}}));
  for (auto _ : state) benchmark::DoNotOptimize(from_csv(text, "bench.csv"));
}
BENCHMARK(ScheduleFromCsv)->Unit(benchmark::kMillisecond);

void ScheduleEveryKind(benchmark::State& state) {
  for (auto _ : state) {
    for (const ScheduleKind& kind : schedule_kinds()) {
      const ScheduleRequest request{.name = kind.name, .ranks = 8, .chunks = 1, .micro_batches = 32, .times = {}};
      benchmark::DoNotOptimize(make_schedule(request));
    }
  }
}
BENCHMARK(ScheduleEveryKind)->Unit(benchmark::kMillisecond);

}  // namespace
