// Every link of the quickstarts made slow, then taken down. All of them where ORRERY_EVERY_LINK is set (.ci/nightly),
// else a few of each run.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "golden.hpp"
#include "orrery/core/random.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::slow_links_test {

namespace {

Scenario with(const Scenario& s, const std::string& link, double factor, bool down) {
  Scenario changed = s;
  hardware::Perturbation p;
  p.link = link;
  p.bandwidth_factor = factor;
  p.down = down;
  changed.cluster.perturb.push_back(p);
  return changed;
}

Result<Scenario> shipped(const std::string& name) {
  const std::string file = testing::source_dir() + "/scenarios/" + name + ".yaml";
  return read_scenario_text(testing::read_text(file), file);
}

Time step_time(const Scenario& s, std::vector<std::string>* notes = nullptr) {
  const auto run = resolve_and_simulate(s);
  if (!run.ok()) return {};  // nothing joins some ranks any more
  CHECK(run->books.empty());
  if (notes != nullptr) *notes = run->notes;
  return run->timeline.step_time;
}

// Both quickstarts in both modes, with their networks and what their steps take.
template <class Visit>
void each_quickstart(const Visit& visit) {
  for (const char* name : {"quickstart-8gpu", "quickstart-16gpu"})
    for (const NetworkModeChoice mode : {NetworkModeChoice::steady, NetworkModeChoice::flows}) {
      CAPTURE(name);
      auto scenario = shipped(name);
      REQUIRE(scenario.ok());
      scenario->network.mode = mode;
      const auto topology = hardware::build_topology(scenario->cluster, scenario->cluster.nodes);
      REQUIRE(topology.ok());
      visit(*scenario, **topology, step_time(*scenario));
    }
}

}  // namespace

// A link that is down is left out of the routes. So it may cost less than one at half rate, over which everything still
// goes, but only where what goes round it finds as much bandwidth; the notes of the run say which routes do.
TEST_CASE("a slow link never makes a step faster, and one that is down costs more unless its traffic has another way") {
  Random random(77);
  const bool every = std::getenv("ORRERY_EVERY_LINK") != nullptr;
  each_quickstart([&](const Scenario& scenario, const hardware::Topology& topology, Time before) {
    for (std::size_t i = 0; i < topology.links().size(); ++i) {
      if (!every && random.below(topology.links().size()) >= 6) continue;
      const std::string link = topology.link_name(static_cast<hardware::LinkId>(i));
      CAPTURE(link);
      const Time half = step_time(with(scenario, link, 0.5, false));
      CHECK(half >= before);
      std::vector<std::string> notes;
      const Time down = step_time(with(scenario, link, 1, true), &notes);
      if (down.value == 0) continue;
      const auto note = std::find_if(notes.begin(), notes.end(),
                                     [&](const std::string& text) { return text.starts_with(link + " is down: "); });
      CHECK(down >= before);
      if (down != before) CHECK(note != notes.end());
      if (down >= half) continue;
      REQUIRE(note != notes.end());
      CHECK(note->find("as before") != std::string::npos);
    }
  });
}

// Drawn stretches of the step, each link slow or down in them: 50 of each where ORRERY_EVERY_LINK is set.
TEST_CASE("a link that is slow or down for a part of the step never makes it faster, and the books hold") {
  Random random(78);
  const bool every = std::getenv("ORRERY_EVERY_LINK") != nullptr;
  each_quickstart([&](const Scenario& scenario, const hardware::Topology& topology, Time before) {
    const std::uint64_t links = topology.links().size();
    for (std::uint64_t i = 0; i < (every ? 50 * links : 4); ++i) {
      const std::string link =
          topology.link_name(static_cast<hardware::LinkId>(every ? i % links : random.below(links)));
      const bool down = random.below(2) == 0;
      Scenario changed = with(scenario, link, down ? 1 : 0.1, down);
      hardware::Perturbation& p = changed.cluster.perturb.back();
      p.from = {static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(before.value)))};
      p.until =
          p.from + Time{1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(before.value)) / 4)};
      CAPTURE(link);
      CAPTURE(p.from.value);
      CAPTURE(p.until->value);
      CAPTURE(down);
      const auto run = resolve_and_simulate(changed, {.what_if = false});
      REQUIRE(run.ok());
      CHECK(run->books == std::vector<std::string>{});
      CHECK(run->timeline.step_time >= before);
      if (down && scenario.network.mode == NetworkModeChoice::steady)
        CHECK(run->timeline.step_time <= before + (*p.until - p.from));
    }
  });
}

TEST_CASE("what goes round a link that is down is noted") {
  const auto scenario = shipped("quickstart-16gpu");
  REQUIRE(scenario.ok());
  std::vector<std::string> notes;
  CHECK(step_time(with(*scenario, "node0.gpu0--node0.nvswitch", 1, true), &notes).value > 0);
  CHECK(std::count_if(notes.begin(), notes.end(), [](const std::string& text) {
          return text.find("by way of") != std::string::npos && text.find("instead of 300") != std::string::npos;
        }) == 1);
  CHECK(step_time(with(*scenario, "node0.nic0->leaf0.0", 1, true), &notes).value > 0);
  CHECK(std::count_if(notes.begin(), notes.end(), [](const std::string& text) {
          return text.starts_with("node0.nic0->leaf0.0 is down: ") && text.find("as before") != std::string::npos;
        }) == 1);
}

}  // namespace orrery::scenario::slow_links_test
