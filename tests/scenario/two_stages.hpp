// A pipeline of two ranks with a stage each under 1F1B, where the second rank never waits once it has begun.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>

#include "simulated.hpp"

namespace orrery::scenario {

// F and B of the first stage a and A, of the second b and B, a message c each way, b + B ≥ a and A ≤ b + B: the second
// stage begins at a + c and is done m (b + B) later; the gradient of the last goes back in c, and A is left.
struct TwoStages {
  std::int64_t a, A, b, B, c = 0;

  explicit TwoStages(const report::RunResult& run)
      : a(run.stages[0].forward.value),
        A(run.stages[0].backward.value),
        b(run.stages[1].forward.value),
        B(run.stages[1].backward.value) {
    REQUIRE(b + B >= a);
    REQUIRE(A <= b + B);
    for (const program::TaskTemplate& t : run.program.templates)
      if (t.lane == program::Lane::pipeline_send) c = std::max(c, t.duration.value);
    REQUIRE(c > 0);
  }
  std::int64_t second_is_done(std::int64_t m) const { return a + c + m * (b + B); }
  std::int64_t first_is_done(std::int64_t m) const { return second_is_done(m) + c + A; }
};

}  // namespace orrery::scenario
