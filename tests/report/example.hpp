// A run made by hand: a schedule with given operation times, played by the engine, and made-up figures around it.
#pragma once
#include <string>
#include <vector>

#include "orrery/program/schedule_program.hpp"
#include "orrery/report/run_result.hpp"

namespace orrery::report::testing {

inline constexpr std::int64_t kMillisecond = 1'000'000'000;
inline constexpr std::int64_t kGiB = 1LL << 30;

struct Example {
  std::string schedule = "1f1b";
  int ranks = 2, chunks = 1, micro_batches = 4;
  Time forward{kMillisecond}, input_gradient{kMillisecond}, weight_gradient{kMillisecond}, message{kMillisecond / 10};
};

// What the engine says of the Program and its timeline.
inline void play(RunResult& run) {
  run.timeline =
      engine::one_pass_applies(run.program) ? engine::evaluate_one_pass(run.program) : engine::play_events(run.program);
  run.split = engine::split_time(run.program, run.timeline);
  run.critical = engine::critical_path(run.program, run.timeline);
  run.memory = engine::memory_of(run.program, run.timeline);
  run.schedule_bubbles = engine::schedule_bubbles(run.program, run.timeline);
  run.timeline_hash = engine::timeline_hash(run.program, run.timeline);
  run.books = engine::audit(run.program, run.timeline, run.split, run.memory);
}

inline RunResult run_example(const Example& e = {}) {
  schedule::ScheduleRequest request;
  request.name = e.schedule;
  request.ranks = e.ranks;
  request.chunks = e.chunks;
  request.micro_batches = e.micro_batches;
  const auto schedule = schedule::make_schedule(request);
  check(schedule.ok(), "the example has a schedule");
  const auto stages = static_cast<std::size_t>(schedule->placement.stages);
  program::OperationTimes times;
  times.forward.assign(stages, e.forward);
  times.input_gradient.assign(stages, e.input_gradient);
  times.weight_gradient.assign(stages, e.weight_gradient);
  times.message = e.message;
  auto program = program::lower_schedule(*schedule, times, program::Release::weight_gradient);
  check(program.ok(), "the example lowers");

  RunResult run;
  run.title = "toy model on 2 GPUs: pipeline 2, 1f1b";
  run.scenario_json = R"({"model": "toy", "layout": {"pipeline": 2}})";
  run.network_mode = "steady";
  run.program = std::move(program).value();
  run.gpus = run.program.ranks();
  run.sequences = e.micro_batches;
  run.tokens = 1000 * e.micro_batches;
  run.peak_flops_per_second = 312e12;
  run.usable_memory = {79 * kGiB};
  run.context_memory = {kGiB};
  for (std::size_t s = 0; s < stages; ++s) {
    const auto at = static_cast<std::int64_t>(s);
    run.stages.push_back(
        {{4 * at, 4, s == 0, s + 1 == stages}, 1'300'000'000, e.forward, e.input_gradient + e.weight_gradient});
  }
  for (program::Device& device : run.program.devices) {
    device.resident[static_cast<std::size_t>(program::MemoryClass::weights)] = 10 * kGiB;
    device.resident[static_cast<std::size_t>(program::MemoryClass::optimizer)] = 30 * kGiB;
  }
  for (program::MemoryEffect& effect : run.program.effects) effect.bytes *= 2 * kGiB;
  play(run);
  for (const engine::DeviceMemory& m : run.memory) run.reserved.push_back(m.peak + kGiB);
  run.flops.model.linear = static_cast<Int128>(1'248'000'000'000) * run.gpus;
  run.flops.executed.linear = run.flops.korthikanti = static_cast<Int128>(1'560'000'000'000) * run.gpus;
  // All of the compute is products: a twentieth of it to the clock, half to their main loops and tiles.
  Int128 compute = 0;
  for (const engine::Breakdown& split : run.split) compute += split[0];
  run.kernels.products = {run.flops.model.linear, compute, compute - compute / 20, compute / 2, 0};
  run.flops.again.linear = static_cast<Int128>(312'000'000'000) * run.gpus;
  return run;
}

}  // namespace orrery::report::testing
