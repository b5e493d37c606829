#include "varied.hpp"

#include <algorithm>
#include <map>

#include "core/parallel.hpp"
#include "orrery/core/random.hpp"
#include "playing.hpp"

namespace orrery::scenario {
namespace {

// Mean 0, variance 1: the sum of twelve uniform numbers, less six (Irwin-Hall). Within ±6, the same on every machine.
double nearly_normal(Random random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += random.uniform();
  return sum;
}

struct VariedStep {
  Time step{};
  std::int32_t waited_for = 0;
};

// The first rank of those that wait least for the work of others.
std::int32_t waited_for(const program::Program& program, const engine::Timeline& timeline) {
  const std::vector<engine::Breakdown> split = engine::split_time(program, timeline);
  const auto bubble = [](const engine::Breakdown& b) { return b[static_cast<std::size_t>(program::Category::bubble)]; };
  const auto least =
      std::min_element(split.begin(), split.end(), [&](const auto& a, const auto& b) { return bubble(a) < bubble(b); });
  return program.devices[static_cast<std::size_t>(least - split.begin())].ranks.front();
}

Result<VariedStep> play_one(const Run& run, std::int64_t step, const RunOptions& options) {
  program::StepInput input = run.input();
  input.speed = varied_speeds(run, step);
  program::Costs costs;
  const Result<PlayedStep> played = lower_and_play(input, lower_options(run.scenario(), options), options, costs);
  if (!played.ok()) return played.errors();
  return VariedStep{played->timeline.step_time, waited_for(played->step.program, played->timeline)};
}

report::VariedSteps summary_of(const Variation& v, const std::vector<VariedStep>& all) {
  report::VariedSteps s{v.count, v.gpus, v.steps, 0, {}, {}, {}, {}, {}};
  std::vector<Time> times;
  std::map<std::int32_t, std::int64_t> count;
  for (const VariedStep& p : all) {
    times.push_back(p.step);
    s.mean_s += seconds(p.step) / static_cast<double>(v.count);
    ++count[p.waited_for];
  }
  std::sort(times.begin(), times.end());
  // The least time that so many of a hundred steps do not exceed.
  const auto percentile = [&](std::int64_t p) {
    return times[static_cast<std::size_t>(ceil_div(p * v.count, 100) - 1)];
  };
  s.p50 = percentile(50), s.p95 = percentile(95), s.p99 = percentile(99), s.slowest = times.back();
  for (const auto& [rank, steps] : count)
    s.waited_for.emplace_back(rank, static_cast<double>(steps) / static_cast<double>(v.count));
  std::stable_sort(s.waited_for.begin(), s.waited_for.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return s;
}

}  // namespace

std::vector<double> varied_speeds(const Run& run, std::int64_t step) {
  constexpr double kLeast = 0.01;
  const Variation& v = run.scenario().variation;
  const program::StepInput& input = run.input();
  std::vector<double> speeds;
  for (std::size_t r = 0; r < input.placement.size(); ++r) {
    const Random gpu = Random(static_cast<std::uint64_t>(v.seed)).fork(static_cast<std::uint64_t>(input.placement[r]));
    double speed = input.speed.empty() ? 1 : input.speed[r];
    speed *= 1 + v.gpus * nearly_normal(gpu.fork(0));
    if (gpu.fork(1).uniform() < v.slow_share) speed *= v.slow_speed;
    speed *= 1 + v.steps * nearly_normal(gpu.fork(2 + static_cast<std::uint64_t>(step)));
    speeds.push_back(std::max(speed, kLeast));
  }
  return speeds;
}

Result<report::VariedSteps> varied_steps(const Run& run, const RunOptions& asked) {
  RunOptions options = asked;
  options.every_rank = true, options.record_links = false, options.phase = {};
  const Variation& v = run.scenario().variation;
  const auto count = static_cast<std::size_t>(v.count);
  std::vector<VariedStep> all(count);
  std::vector<Diagnostics> errors(count);
  for_each(count, processors(), [&](std::size_t i, std::size_t) {
    const Result<VariedStep> played = play_one(run, static_cast<std::int64_t>(i), options);
    if (played.ok())
      all[i] = *played;
    else
      errors[i] = played.errors();
  });
  for (Diagnostics& e : errors)
    if (!e.empty()) return std::move(e);
  return summary_of(v, all);
}

}  // namespace orrery::scenario
