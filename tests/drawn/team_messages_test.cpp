// Messages that are taken for alike, with those of the slowest of their team, leave the step time as it is.
#include "program/team_messages.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "drawn.hpp"
#include "orrery/core/random.hpp"
#include "orrery/scenario/simulate.hpp"
#include "scenario/playing.hpp"

namespace orrery::scenario::team_messages_test {

namespace {

// One to three links slow, of whatever kind.
void slow_links(Scenario& s, const hardware::Topology& topology, Random& random) {
  for (std::int64_t n = random.between(1, 3); n > 0; --n) {
    hardware::Perturbation p;
    const auto& links = topology.links();
    const auto id = static_cast<hardware::LinkId>(random.below(links.size()));
    p.link = topology.link_name(id);
    p.bandwidth_factor = static_cast<double>(random.between(1, 9)) / 10;
    s.cluster.perturb.push_back(p);
  }
}

Time step_time(const Run& run, bool level, std::size_t& devices) {
  program::LowerOptions how;
  how.level = level, how.admit = {};
  program::Costs costs;
  auto lowered = program::lower_step(run.input(), how, costs);
  REQUIRE(lowered.ok());
  devices += lowered->program.devices.size();
  return timeline_of(run.input(), lowered->program, {}).makespan;
}

}  // namespace

TEST_CASE("with slow links the step takes as long whether messages of a team are levelled or not") {
  Random random(5);
  int tried = 0;
  std::size_t levelled = 0, each = 0;
  for (int i = 0; i < testing::draws(408); ++i) {
    testing::Drawn drawn = testing::draw_scenario(46, i);
    Scenario& s = drawn.scenario;
    if (s.layout.tensor < 2 || s.layout.pipeline < 2) continue;
    const auto whole = resolve(s, Catalogue::shared());
    REQUIRE(whole.ok());
    slow_links(s, *whole->input().topology, random);
    const auto run = resolve(s, Catalogue::shared());
    if (!run.ok()) continue;
    ++tried;
    CHECK_MESSAGE(step_time(*run, true, levelled) == step_time(*run, false, each), drawn.text);
  }
  MESSAGE(tried << " steps of " << each << " devices, levelled of " << levelled);
  if (tried > 50) CHECK(levelled < each);  // among fewer there may be none to level
}

}  // namespace orrery::scenario::team_messages_test
