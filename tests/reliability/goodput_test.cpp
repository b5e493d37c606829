// Runs with failures: equations against worked cases, against each other, and against runs that are played.
#include "orrery/reliability/goodput.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "orrery/core/random.hpp"

namespace orrery::reliability::goodput_test {

namespace {

constexpr double kHour = 3600, kDay = 86400;

Job job_of(double mean_between, double interval, double hold, double recovery) {
  Job job;
  job.causes = {{1 / mean_between, recovery, false}};
  job.interval = interval, job.hold = hold;
  return job;
}

}  // namespace

// A failure every 24 h, a checkpoint of 5 min every 2 h, 30 min to restart. Daly's equation 13:
// 24 h · e^(0.5/24) · (e^((2 + 1/12)/24) − 1) = 24 · 1.0210518 · 0.0906895 = 2.2224 h for 2 h of training.
TEST_CASE("one cause and checkpoints that hold the run: Daly's equation") {
  const Job job = job_of(24 * kHour, 2 * kHour, kHour / 12, kHour / 2);
  const double expected = 24 * std::exp(0.5 / 24) * std::expm1((2 + 1.0 / 12) / 24);
  CHECK(expected == doctest::Approx(2.2224).epsilon(1e-4));
  const Losses l = losses_of_interval(job);
  CHECK(l.total() == doctest::Approx(expected * kHour).epsilon(1e-12));
  CHECK(l.goodput() == doctest::Approx(2 / expected).epsilon(1e-12));
  CHECK(l.training == 2 * kHour);
  CHECK(l.checkpoints == kHour / 12);
  CHECK(l.failures == doctest::Approx(expected / 24).epsilon(1e-12));
  CHECK(l.waiting == 0);
  // A restart of R fails with 1 − e^(−λR): (1 − e^(−0.5/24)) · 24 h a try.
  CHECK(l.recovery == doctest::Approx(expected / 24 * -std::expm1(-0.5 / 24) * 24 * kHour).epsilon(1e-12));
  // Ten such intervals take ten times as long: nothing is carried over.
  CHECK(losses_of_run(job, 20 * kHour).total() == doctest::Approx(10 * l.total()).epsilon(1e-12));
  // 21 h are eleven intervals, of 21/11 h.
  CHECK(losses_of_run(job, 21 * kHour).checkpoints == doctest::Approx(11 * kHour / 12));
}

TEST_CASE("without failures a run is its steps and checkpoints") {
  Job job;
  job.interval = 100, job.hold = 5, job.write = 20;
  const Losses l = losses_of_run(job, 1000);
  CHECK(l.total() == 10 * 105 + 20);  // the last checkpoint is waited for
  CHECK(l.failures == 0);
  CHECK(losses_of_interval(job).goodput() == doctest::Approx(100.0 / 105));
  CHECK(std::isinf(best_interval(job)));
  CHECK(std::isinf(young_interval(job)));
}

// Two causes of 1 in 20 h and 1 in 60 h, 10 min and 2 h to recover from: λ = 1/15 h. With shares 3/4 and 1/4,
// r₁ = 15 h (1 − ¾ e^(−1/90) − ¼ e^(−2/15)), r̄ = r₁ / (1 − r₁/15 h).
TEST_CASE("causes with restarts of their own") {
  Job job = job_of(20 * kHour, kHour, 0, kHour / 6);
  job.causes.push_back({1 / (60 * kHour), 2 * kHour, false});
  const double tried = 15 * (1 - 0.75 * std::exp(-1.0 / 90) - 0.25 * std::exp(-2.0 / 15));
  const double recovery = tried / (1 - tried / 15), all = 15 * std::expm1(1.0 / 15) * (1 + recovery / 15);
  CHECK(losses_of_interval(job).total() == doctest::Approx(all * kHour).epsilon(1e-12));
  CHECK(losses_of_interval(job).recovery == doctest::Approx(all / 15 * tried * kHour).epsilon(1e-12));
}

// Written beside the training for 10 min: a failure in these minutes loses two intervals.
TEST_CASE("a checkpoint that is written beside the training counts once it can be read back") {
  Job job = job_of(10 * kHour, kHour, 0, 0);
  const double at_once = losses_of_interval(job).lost;
  job.write = kHour / 6;
  const double later = losses_of_interval(job).lost;
  // Long intervals between failures: one in ten fails, of these a sixth loses an hour more, 1/60 h; to first order.
  CHECK((later - at_once) / kHour == doctest::Approx(1.0 / 60).epsilon(0.1));
  CHECK(losses_of_run(job, kHour).total() == doctest::Approx(10 * std::expm1(7.0 / 60) * kHour).epsilon(1e-12));
}

// One node fails a day and is repaired in two: load 2. B(1, 2) = 2/3, B(2, 2) = 2/5, B(3, 2) = 4/19 (Erlang's formula:
// (aⁿ/n!) / Σ aᵏ/k!), of n spare nodes plus the one that is missed.
TEST_CASE("a run waits where more nodes are in repair than there are spares") {
  Job job = job_of(kDay, kHour, 0, 0);
  job.causes.front().takes_node = true;
  job.repair = 2 * kDay;
  const double parts[] = {2.0 / 3, 2.0 / 5, 4.0 / 19};
  for (job.spares = 0; job.spares < 3; ++job.spares) {
    const Losses l = losses_of_interval(job);
    CHECK(l.waiting / l.total() == doctest::Approx(parts[job.spares]).epsilon(1e-12));
  }
  job.causes.front().takes_node = false;
  CHECK(losses_of_interval(job).waiting == 0);
}

TEST_CASE("the best interval is better than its neighbours, and near Young's where failures are rare") {
  for (const double hold : {1.0, 40.0, 600.0}) {
    for (const double mean : {kHour, kDay, 30 * kDay}) {
      CAPTURE(hold);
      CAPTURE(mean);
      Job job = job_of(mean, 0, hold, 1000);
      const double best = best_interval(job);
      const auto at = [&](double factor) {
        job.interval = factor * best;
        return losses_of_interval(job).goodput();
      };
      CHECK(at(1) > at(0.98));
      CHECK(at(1) > at(1.02));
      if (mean / hold > 1e4) CHECK(best == doctest::Approx(young_interval(job)).epsilon(0.01));
    }
  }
  // λδ = 1: λτ = 1 − e^(−(λτ+1)) has the root 0.841406.
  CHECK(best_interval(job_of(100, 0, 100, 0)) == doctest::Approx(84.1406).epsilon(1e-6));
  Job slow = job_of(kHour, 0, 1, 0);
  slow.write = 900;  // no two are written at once
  CHECK(best_interval(slow) == 899);
  slow.hold = 0, slow.write = 0;
  CHECK(best_interval(slow) == 0);
}

// 10 000 runs each, drawn jobs: the mean within three standard errors of the expected time, and failures as expected.
// Three in a thousand pass that by chance; with these seeds none of twelve does.
TEST_CASE("runs that are played take as long as is expected") {
  Random random(2026);
  for (int i = 0; i < 12; ++i) {
    CAPTURE(i);
    Job job = job_of(kHour * static_cast<double>(random.between(5, 50)), kHour * (0.2 + 2 * random.uniform()),
                     60 * random.uniform(), kHour * random.uniform());
    if (i % 2 == 1) job.causes.push_back({1 / (30 * kHour), 2 * kHour * random.uniform(), true});
    if (i % 3 == 2) job.write = 0.2 * kHour * random.uniform();
    job.repair = i % 4 == 3 ? 10 * kHour : 0, job.spares = i / 4;
    const double training = 20 * kDay;
    const Losses l = losses_of_run(job, training);
    const Played p = play_runs(job, training, 10'000, static_cast<std::uint64_t>(i));
    CHECK(std::abs(p.mean - l.total()) < 3 * p.standard_error);
    CHECK(p.failures == doctest::Approx(l.failures).epsilon(0.01));
    CHECK(p.p5 < p.p50);
    CHECK(p.p50 < p.p95);
    CHECK(p.standard_error < 0.002 * p.mean);
  }
}

TEST_CASE("the same seed plays the same runs") {
  const Job job = job_of(kDay, kHour, 60, 600);
  CHECK(play_runs(job, 5 * kDay, 50, 1).mean == play_runs(job, 5 * kDay, 50, 1).mean);
  CHECK(play_runs(job, 5 * kDay, 50, 1).mean != play_runs(job, 5 * kDay, 50, 2).mean);
  CHECK(play_runs(job, 5 * kDay, 1, 1).standard_error == 0);
}

TEST_CASE("a run that fails before its checkpoint is written never ends") {
  const Job job = job_of(1, 1000, 0, 0);  // e^1000
  CHECK(losses_of_interval(job).goodput() == 0);
  CHECK(std::isinf(losses_of_run(job, 1e6).total()));
}

// 876.6 GPUs and ten failures a GPU and year: one an hour. 14 GB at 1 GB/s take 14 s.
TEST_CASE("a plan of a section") {
  Reliability r;
  r.failures = {{"all", 10}};
  r.checkpoint.bandwidth = {1'000'000'000};
  r.restart = {600 * kPicosecondsPerSecond}, r.detection = {60 * kPicosecondsPerSecond};
  Plan plan = plan_of(r, 8766, 10, 14e9);
  CHECK(plan.job.rate() == doctest::Approx(10 / kHour));
  CHECK(plan.job.causes[0].recovery == 660);
  CHECK(plan.checkpoint == 14);
  CHECK(plan.job.hold == 14);
  CHECK(plan.job.write == 0);
  CHECK(plan.best);
  CHECK(plan.steps == std::llround(best_interval(plan.job) / 10));
  CHECK(plan.job.interval == 10.0 * static_cast<double>(plan.steps));
  r.failures[0].restart = Time{}, r.failures[0].detection = Time{30 * kPicosecondsPerSecond};
  r.checkpoint.bytes = Bytes{7'000'000'000}, r.checkpoint.hold = Time{2 * kPicosecondsPerSecond};
  r.checkpoint.interval = Time{24 * kPicosecondsPerSecond};
  plan = plan_of(r, 8766, 10, 14e9);
  CHECK(plan.job.causes[0].recovery == 30);
  CHECK(plan.checkpoint == 7);
  CHECK(plan.job.hold == 2);
  CHECK(plan.job.write == 5);
  CHECK_FALSE(plan.best);
  CHECK(plan.steps == 2);
  CHECK_FALSE(plan.write_longer);
  // Of 60 s that hold for 2: the next begins no sooner than the last is written, six steps of 10 s.
  r.checkpoint.time = Time{60 * kPicosecondsPerSecond};
  plan = plan_of(r, 8766, 10, 14e9);
  CHECK(plan.write_longer);
  CHECK(plan.steps == 6);
  r.checkpoint.interval = Time{kPicosecondsPerSecond}, r.checkpoint.time = Time{};
  CHECK(plan_of(r, 8766, 10, 14e9).steps == 1);
}

}  // namespace orrery::reliability::goodput_test
