// Bounds of drawn steps that are not played: no step is shorter, some device holds as much.
#include <doctest/doctest.h>

#include <algorithm>

#include "drawn.hpp"
#include "orrery/scenario/evaluate.hpp"
#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario::step_bounds_test {

TEST_CASE("no drawn step is shorter than its passes alone, or holds less than its state and what is in flight") {
  double closest = 0, closest_memory = 0;
  int known = 0;
  for (int i = 0; i < testing::draws(408); ++i) {
    const testing::Drawn drawn = testing::draw_scenario(51, i);
    const auto run = resolve(drawn.scenario, Catalogue::shared());
    REQUIRE(run.ok());
    EvaluationCosts costs;
    const Result<Evaluation> played = evaluate(*run, costs);
    REQUIRE(played.ok());
    const Time shortest = program::shortest_step(run->input(), costs.steps);
    const Bytes least = program::least_memory(run->input(), costs.steps);
    CHECK_MESSAGE(shortest <= played->step_time, drawn.text);
    CHECK_MESSAGE(least.value <= played->peak, drawn.text);
    known += shortest > Time{} ? 1 : 0;
    closest = std::max(closest, static_cast<double>(shortest.value) / static_cast<double>(played->step_time.value));
    closest_memory = std::max(closest_memory, static_cast<double>(least.value) / static_cast<double>(played->peak));
  }
  MESSAGE("known of " << known << ", at the most " << closest << " of the step, " << closest_memory << " of the peak");
  CHECK(closest > 0.9);  // they say something
  CHECK(closest_memory > 0.8);
}

// What nobody asks about is passed over by its bounds, and what is left out of it is told.
TEST_CASE("what a bound shows to be too large or too slow is not played") {
  EvaluationCosts costs;
  Result<Run> run = resolve(testing::draw_scenario(51, 0).scenario, Catalogue::shared());
  Time shortest{};
  for (int i = 1; shortest == Time{}; ++i) {  // the first whose bound is known
    REQUIRE(run.ok());
    shortest = program::shortest_step(run->input(), costs.steps);
    if (shortest == Time{}) run = resolve(testing::draw_scenario(51, i).scenario, Catalogue::shared());
  }
  const Bytes least = program::least_memory(run->input(), costs.steps);
  const Result<Evaluation> fits = evaluate(*run, costs, {.memory = least, .played = {}, .judged = {}});
  CHECK((fits.ok() && fits->played && fits->judged));
  const Result<Evaluation> large = evaluate(*run, costs, {.memory = least - Bytes{1}, .played = {}, .judged = {}});
  REQUIRE(large.ok());
  CHECK_FALSE(large->played);
  CHECK_FALSE(large->judged);
  const Result<Evaluation> quick = evaluate(*run, costs, {.memory = {}, .played = shortest, .judged = {}});
  CHECK((quick.ok() && quick->played && quick->judged));
  const Result<Evaluation> slow = evaluate(*run, costs, {.memory = {}, .played = shortest - Time{1}, .judged = {}});
  REQUIRE(slow.ok());
  CHECK_FALSE(slow->played);
}

}  // namespace orrery::scenario::step_bounds_test
