// Every picture that the program draws, as SVG in tests/cli/golden/pictures: open them to see what a change does to
// one.
#include "program.hpp"

namespace orrery::pictures_test {

using orrery::testing::check_golden;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;

TEST_CASE("pictures of sweeps, comparisons, tables, plans and fits look as they did") {
  const std::string sweep = "sweep scenarios/quickstart-16gpu.yaml --threads 1 --space ";
  const std::string layouts = sweep + "'tensor=1,2,4,8; pipeline=1,2,4,8; recompute=none,full' --chart ";
  const std::pair<const char*, std::string> pictures[] = {
      {"sweep_pareto", layouts + "pareto"},
      {"sweep_heat", layouts + "heat"},
      {"sweep_parallel", layouts + "parallel"},
      {"sweep_scaling", sweep + "'nodes=2,4,8; data=2,4,8' --chart scaling"},
      {"validate", "validate tests/data/validation/runs_sample.csv"},
      {"plan_budget", "plan --budget 3700PFs-day"},
      {"plan_table", "plan --table optimal"},
      {"fit", "fit --model gpt3-2.7b --gpu v100-sxm-32gb --for training"},
      {"run_timeline", "run scenarios/quickstart-16gpu.yaml --set network.mode=steady --chart timeline"}};
  for (const auto& [name, arguments] : pictures) {
    CAPTURE(name);
    const Outcome drawn = run_orrery(arguments + " --plot - 2>/dev/null");
    CHECK(drawn.text.starts_with("<svg "));
    check_golden(std::string("tests/cli/golden/pictures/") + name + ".svg", drawn.text);
  }
}

}  // namespace orrery::pictures_test
