// Traces of scenarios that nobody wrote: the rules of their viewers hold at every detail, and nothing is without a
// name.
#include <doctest/doctest.h>

#include "drawn.hpp"
#include "orrery/scenario/simulate.hpp"
#include "report/trace_rules.hpp"

namespace orrery::traces_test {
namespace {

TEST_CASE("traces of drawn scenarios keep the rules at every detail") {
  for (int i = 0; i < testing::draws(68); ++i) {
    const testing::Drawn drawn = testing::draw_scenario(20261202, i);
    CAPTURE(drawn.text);
    const auto run = scenario::resolve_and_simulate(drawn.scenario, {.what_if = false});
    REQUIRE(run.ok());
    for (const auto detail : {report::TraceDetail::step, report::TraceDetail::stage, report::TraceDetail::layer,
                              report::TraceDetail::operators}) {
      const report::testing::Written trace = report::testing::written(*run, {.detail = detail});
      report::testing::check_rules(trace);
      CHECK(trace.text.find("\"name\":\"\"") == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace orrery::traces_test
