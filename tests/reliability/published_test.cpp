// The presets against what the runs lost. Sources: shared tables of goodput (bigscience chronicles, metaseq
// chronicles), Llama 3 (arXiv:2407.21783), section 3.3.4: "higher than 90 % effective training time".
#include <doctest/doctest.h>

#include "orrery/reliability/goodput.hpp"

namespace orrery::reliability::published_test {

namespace {

constexpr double kDay = 86400;

Plan plan(const char* name, std::int64_t gpus, double step, double bytes) {
  const Result<Reliability> r = load_reliability(name, Catalogue::shared());
  REQUIRE(r.ok());
  CHECK(missing_in(*r).empty());
  return plan_of(*r, gpus, step, bytes);
}

}  // namespace

TEST_CASE("every preset reads") {
  CHECK(reliability_names().size() >= 3);
  for (const std::string& name : reliability_names()) {
    CAPTURE(name);
    CHECK(load_reliability(name, Catalogue::shared()).ok());
  }
}

// 419 interruptions in 54 days; more than 90 % of the time effective. 405 B parameters, 14 bytes each.
TEST_CASE("Llama 3 405B") {
  const Plan p = plan("llama3-2024", 16384, 5, 405e9 * 14);
  const Losses l = losses_of_interval(p.job);
  CHECK(p.job.rate() * 54 * kDay == doctest::Approx(419).epsilon(0.005));
  CHECK(l.goodput() > 0.90);
  CHECK(l.goodput() < 0.98);
}

// A hundred iterations of 105 s between checkpoints of 40 s, a failure a week, at most 3 h lost to each: 1.5 h on
// average.
TEST_CASE("BLOOM-176B") {
  const Result<Reliability> r = load_reliability("bloom-2022", Catalogue::shared());
  REQUIRE(r.ok());
  Reliability bloom = *r;
  bloom.checkpoint.interval = Time{10'500 * kPicosecondsPerSecond};
  const Plan p = plan_of(bloom, 384, 105, 2.3e12);
  CHECK(p.steps == 100);
  CHECK(p.job.causes[0].rate * 7 * kDay == doctest::Approx(1).epsilon(0.005));
  const Losses l = losses_of_interval(p.job);
  CHECK(l.checkpoints / l.training == doctest::Approx(40.0 / 10'500));
  CHECK(l.lost / l.failures == doctest::Approx(5300).epsilon(0.02));  // half an interval and checkpoint
  CHECK(l.goodput() > 0.96);
}

// 33 days of training at full speed took from 2021-11-05 to 2022-01-06; two machines failed a day, 90 restarts in all
// (several failures to a restart, as most were by hand).
TEST_CASE("OPT-175B") {
  const Plan p = plan("opt-2022", 1024, 4.2, 175e9 * 14);
  const Losses l = losses_of_run(p.job, 33 * kDay);
  CHECK(p.job.rate() * kDay == doctest::Approx(2).epsilon(0.001));
  CHECK(l.failures > 66);
  CHECK(l.failures < 110);
  CHECK(l.total() / kDay < 62);
}

}  // namespace orrery::reliability::published_test
