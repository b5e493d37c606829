#include "orrery/reliability/goodput.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "intervals.hpp"
#include "orrery/core/error.hpp"

namespace orrery::reliability {
namespace {

constexpr double kSecondsPerYear = 365.25 * 86400;
constexpr double kForever = std::numeric_limits<double>::infinity();

// (e^(λt) − 1) / λ: expected time until t seconds have passed without a failure, each failure beginning them anew.
double grown(double rate, double t) {
  return rate > 0 ? std::expm1(rate * t) / rate : t;
}
// (1 − e^(−λt)) / λ: expected time until the next failure, or t.
double cut(double rate, double t) {
  return rate > 0 ? -std::expm1(-rate * t) / rate : t;
}

// r₁, of one attempt.
double attempt(const Job& job) {
  const double rate = job.rate();
  double sum = 0;
  for (const Job::Cause& c : job.causes) sum += rate > 0 ? c.rate / rate * cut(rate, c.recovery) : 0;
  return sum;
}

struct Expected {
  double first = 0, next = 0;  // E₀, E₁
};
Expected expected(const Job& job) {
  const double rate = job.rate(), tried = attempt(job), w = job.interval + job.hold;
  const double recovery = tried / (1 - rate * tried);
  Expected e;
  e.first = grown(rate, w + job.write) * (1 + rate * recovery);
  e.next = cut(rate, w) * (1 + rate * (recovery + e.first));
  return e;
}

// B(S + 1, a) by its recursion B(n) = a B(n−1) / (n + a B(n−1)), B(0) = 1.
double waits(const Job& job) {
  const double load = nodes_in_repair(job);
  double blocked = 1;
  for (int n = 1; n <= job.spares + 1; ++n) blocked = load * blocked / (n + load * blocked);
  return blocked;
}

// Of `up` seconds that the run is up.
Losses shared_out(const Job& job, double up, double training, double checkpoints) {
  const double part = waits(job);
  Losses l;
  if (!std::isfinite(up) || up <= 0) {  // it fails before it can write a checkpoint, time and again
    l.lost = kForever;
    return l;
  }
  l.training = training, l.checkpoints = checkpoints;
  l.failures = job.rate() * up;
  l.recovery = l.failures * attempt(job);
  l.lost = up - training - checkpoints - l.recovery;
  l.waiting = up * part / (1 - part);
  return l;
}

}  // namespace

double Job::rate() const {
  return std::accumulate(causes.begin(), causes.end(), 0.0, [](double sum, const Cause& c) { return sum + c.rate; });
}

EqualIntervals equal_intervals(const Job& job, double training) {
  EqualIntervals equal{job, std::max(1.0, std::ceil(training / job.interval * (1 - 1e-12)))};
  equal.job.interval = training / equal.count;
  equal.job.write = std::min(job.write, equal.job.interval + job.hold);
  return equal;
}

double nodes_in_repair(const Job& job) {
  double load = 0;
  for (const Job::Cause& c : job.causes) load += c.takes_node ? c.rate * job.repair : 0;
  return load;
}

Losses losses_of_interval(const Job& job) {
  return shared_out(job, expected(job).next, job.interval, job.hold);
}

Losses losses_of_run(const Job& job, double training) {
  const auto [equal, n] = equal_intervals(job, training);
  const Expected e = expected(equal);
  return shared_out(equal, e.first + (n - 1) * e.next, training, n * job.hold + equal.write);
}

// Newton on x − 1 + e^(−(x+c)) = 0 with x = λτ, c = λδ, from x = 1: convex and rising, so that each step stays on the
// right of the root.
double best_interval(const Job& job) {
  const double rate = job.rate(), c = rate * job.hold;
  if (rate == 0) return kForever;
  if (c == 0) return job.write;  // they cost nothing: as often as they can be written
  double x = 1;
  for (int i = 0; i < 200; ++i) {
    const double e = std::exp(-(x + c)), step = (x - 1 + e) / (1 - e);
    x -= step;
    if (step < 1e-15 * x || x <= 0) break;
  }
  return std::max({x / rate, job.write - job.hold, 0.0});
}

double young_interval(const Job& job) {
  return job.rate() > 0 ? std::sqrt(2 * job.hold / job.rate()) : kForever;
}

Plan plan_of(const Reliability& r, std::int64_t gpus, double step, double bytes) {
  check(step > 0, "a step takes time");
  Plan plan;
  Job& job = plan.job;
  const Checkpoint& c = r.checkpoint;
  for (const FailureCause& f : r.failures)
    job.causes.push_back({f.per_gpu_year * static_cast<double>(gpus) / kSecondsPerYear,
                          seconds(f.detection.value_or(r.detection)) + seconds(f.restart.value_or(r.restart)),
                          f.takes_node, f.cause});
  plan.about = r.about;
  if (c.bytes) bytes = static_cast<double>(c.bytes->value);
  plan.checkpoint = c.time                  ? seconds(*c.time)
                    : c.bandwidth.value > 0 ? bytes / static_cast<double>(c.bandwidth.value)
                                            : 0;
  job.hold = c.hold ? std::min(seconds(*c.hold), plan.checkpoint) : plan.checkpoint;
  job.write = plan.checkpoint - job.hold;
  job.spares = r.spare_nodes, job.repair = seconds(r.repair);
  plan.best = !c.interval.has_value();
  const double wanted = c.interval ? seconds(*c.interval) : best_interval(job);
  const double least = std::max(step, job.write - job.hold);
  plan.write_longer = wanted < job.write - job.hold;
  if (wanted == kForever) return plan;
  plan.steps = static_cast<std::int64_t>(std::max(std::round(wanted / step), std::ceil(least / step * (1 - 1e-12))));
  job.interval = static_cast<double>(plan.steps) * step;
  return plan;
}

}  // namespace orrery::reliability
