// A scenario's text through the door and played, its books looked at.
#pragma once
#include <doctest/doctest.h>

#include "resolved.hpp"

namespace orrery::scenario {

inline report::RunResult simulated(const std::string& text, const RunOptions& options = {}) {
  CAPTURE(text);
  const auto scenario = read_scenario_text(text, "test.yaml");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  auto run = resolve_and_simulate(*scenario, options);
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  CHECK(run->books == std::vector<std::string>{});
  return std::move(run).value();
}

}  // namespace orrery::scenario
