// The run of goodput.hpp with random failures, event by event.
#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>

#include "intervals.hpp"
#include "orrery/core/random.hpp"

namespace orrery::reliability {
namespace {

class OneRun {
 public:
  OneRun(const Job& job, Random random) : job_(job), rate_(job.rate()), random_(random) { fill_repairs(); }

  double time = 0;
  std::int64_t failures = 0;

  void play(std::int64_t intervals) {
    const double w = job_.interval + job_.hold;
    for (std::int64_t missing = intervals;;) {
      const double until_failure = exponential(rate_);
      const double all = w * static_cast<double>(missing) + job_.write;
      if (until_failure >= all) {
        time += all;
        return;
      }
      missing -= std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor((until_failure - job_.write) / w)));
      time += until_failure;
      recover();
    }
  }

 private:
  // Failures happen in a recovery too and begin another.
  void recover() {
    for (;;) {
      ++failures;
      const Job::Cause& cause = drawn_cause();
      if (cause.takes_node && job_.repair > 0) replace_node();
      const double until_failure = exponential(rate_);
      time += std::min(until_failure, cause.recovery);
      if (until_failure >= cause.recovery) return;
    }
  }
  void replace_node() {
    while (!repaired_at_.empty() && repaired_at_.top() <= time) repaired_at_.pop();
    repaired_at_.push(time + exponential(1 / job_.repair));
    if (repaired_at_.size() <= static_cast<std::size_t>(job_.spares)) return;
    time = repaired_at_.top();
    repaired_at_.pop();
  }
  // As many nodes are in repair while the run is up as in the long run: n with weight aⁿ/n!, n ≤ S.
  void fill_repairs() {
    const double load = nodes_in_repair(job_);
    double sum = 1, weight = 1;
    for (int n = 1; n <= job_.spares; ++n) sum += weight *= load / n;
    double left = random_.uniform() * sum;
    weight = 1;
    for (int n = 1; n <= job_.spares && left > weight; ++n) {
      left -= weight;
      weight *= load / n;
      repaired_at_.push(exponential(1 / job_.repair));
    }
  }
  const Job::Cause& drawn_cause() {
    double left = random_.uniform() * rate_;
    for (const Job::Cause& c : job_.causes)
      if ((left -= c.rate) < 0) return c;
    return job_.causes.back();
  }
  double exponential(double rate) { return rate > 0 ? -std::log1p(-random_.uniform()) / rate : HUGE_VAL; }

  const Job& job_;
  double rate_;
  Random random_;
  std::priority_queue<double, std::vector<double>, std::greater<>> repaired_at_;
};

}  // namespace

Played play_runs(const Job& job, double training, std::int64_t runs, std::uint64_t seed) {
  const auto [equal, n] = equal_intervals(job, training);
  std::vector<double> times;
  double sum = 0, squares = 0, failures = 0;
  for (std::int64_t i = 0; i < runs; ++i) {
    OneRun run(equal, Random(seed).fork(static_cast<std::uint64_t>(i)));
    run.play(static_cast<std::int64_t>(n));
    times.push_back(run.time);
    sum += run.time, failures += static_cast<double>(run.failures);
  }
  const auto count = static_cast<double>(runs);
  Played p;
  p.mean = sum / count, p.failures = failures / count;
  for (const double t : times) squares += (t - p.mean) * (t - p.mean);
  p.standard_error = runs > 1 ? std::sqrt(squares / (count - 1) / count) : 0;
  std::sort(times.begin(), times.end());
  const auto at = [&](double part) { return times[static_cast<std::size_t>(part * (count - 1) + 0.5)]; };
  p.p5 = at(0.05), p.p50 = at(0.5), p.p95 = at(0.95);
  return p;
}

}  // namespace orrery::reliability
