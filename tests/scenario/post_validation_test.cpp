// Which runs cross from a step to the next: those that validate the optimizer after the fact, over several stages.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::post_validation_test {

TEST_CASE("post-validation: never, of schedules that split the backward pass, or always; of pipelines only") {
  const auto steps = [](const char* when, const char* schedule, const char* layout) {
    const auto scenario = read_scenario_text(
        fmt::format("model: gpt2\ncluster: {{type: selene, nodes: 1}}\nlayout: {{{}}}\n"
                    "training: {{sequence_length: 1024, global_batch: 16}}\nschedule: {}\nnetwork: ideal\n"
                    "stack: {{type: megatron-2022, optimizer: {{post_validation: {}}}}}\n",
                    layout, schedule, when),
        "test.yaml");
    REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
    const auto run = resolve_and_simulate(*scenario);
    REQUIRE_MESSAGE(run.ok(), render(run.errors()));
    CHECK(run->books.empty());
    return run->program.steps;
  };
  const char *pipeline = "pipeline: 2, data: 4", *flat = "data: 8";
  CHECK(steps("never", "1f1b", pipeline) == 1);
  CHECK(steps("never", "zb_h1", pipeline) == 1);
  CHECK(steps("split_backward", "1f1b", pipeline) == 1);
  CHECK(steps("split_backward", "zb_h1", pipeline) == 4);
  CHECK(steps("always", "1f1b", pipeline) == 4);
  CHECK(steps("always", "zb_h1", pipeline) == 4);
  CHECK(steps("always", "1f1b", flat) == 1);
}

}  // namespace orrery::scenario::post_validation_test
