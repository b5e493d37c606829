// Tasks per second of the two evaluations of a Program: 16 stages × 256 micro-batches of 1F1B with messages, and the
// same with eight ranks a stage.
#include <benchmark/benchmark.h>

#include "orrery/engine/engine.hpp"
#include "orrery/program/schedule_program.hpp"

namespace {

using namespace orrery;

program::Program pipeline(int stages, int micro_batches) {
  schedule::ScheduleRequest request;
  request.name = "1f1b";
  request.ranks = stages;
  request.micro_batches = micro_batches;
  const auto schedule = schedule::make_schedule(request);
  program::OperationTimes times;
  for (int s = 0; s < stages; ++s) {
    times.forward.push_back(Time{1'000'000 + 1000 * s});
    times.input_gradient.push_back(Time{1'100'000 + 700 * s});
    times.weight_gradient.push_back(Time{900'000 + 300 * s});
  }
  times.message = Time{50'000};
  return std::move(program::lower_schedule(*schedule, times, program::Release::weight_gradient)).value();
}

void report_tasks(benchmark::State& state, const program::Program& program) {
  state.counters["tasks"] = static_cast<double>(program.tasks());
  state.counters["tasks/s"] = benchmark::Counter(
      static_cast<double>(program.tasks()) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void one_pass(benchmark::State& state) {
  const program::Program program = pipeline(16, static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(engine::evaluate_one_pass(program));
  report_tasks(state, program);
}
BENCHMARK(one_pass)->Arg(256)->Arg(16384);

void events(benchmark::State& state) {
  const program::Program program = pipeline(16, static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(engine::play_events(program));
  report_tasks(state, program);
}
BENCHMARK(events)->Arg(256)->Arg(16384);

}  // namespace
