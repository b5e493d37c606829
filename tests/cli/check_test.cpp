// orrery check refuses what orrery run refuses, in the same words and at the same place.
#include "program.hpp"

namespace orrery::check_test {

using orrery::testing::kSource;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;

TEST_CASE("check refuses whatever run refuses") {
  for (const std::string set :
       {"training.sequence_length=2147483648", "training.sequence_length=1073741824", "training.global_batch=4194304",
        "cluster.gpus=7", "layout.pipeline=64", "perturb=[{device: 3, down: true}]",
        "perturb=[{device: 3, compute_factor: 1e-12}]", "stack.launch.per_step=9000000s", "schedule=dualpipe",
        "stack.launch.per_kernel=3000s", "layout.order=tp-pp"}) {
    CAPTURE(set);
    const std::string arguments = " " + kSource + "/scenarios/quickstart-8gpu.yaml --set '" + set + "' 2>&1";
    const Outcome check = run_orrery("check" + arguments), run = run_orrery("run" + arguments);
    CHECK(check.code == run.code);
    if (run.code != 2) continue;
    CHECK(check.text == run.text);
    CHECK((run.text.starts_with("--set: ") || run.text.find("quickstart-8gpu.yaml:5:1: ") != std::string::npos));
  }
}

TEST_CASE("a limit of memory that cannot be read is a usage error, one that is too small a refusal with a place") {
  const std::string scenario = " " + kSource + "/scenarios/quickstart-8gpu.yaml ";
  for (const char* command : {"run", "check", "compare"}) {
    CAPTURE(command);
    CHECK(run_orrery(command + scenario + "--memory-limit 8GB 2>&1 >/dev/null").text.find("rror") == std::string::npos);
    const Outcome wrong = run_orrery(command + scenario + "--memory-limit 8 2>&1");
    CHECK(wrong.code == 2);
    CHECK(wrong.text.find("for example --memory-limit 8GiB") != std::string::npos);
    const Outcome small = run_orrery(command + scenario + "--memory-limit 1MiB 2>&1");
    CHECK(small.code == 2);
    CHECK(small.text.find("quickstart-8gpu.yaml:5:1: layout: the run needs about ") != std::string::npos);
  }
}

TEST_CASE("check names keys that have no effect and stays content") {
  const Outcome noted =
      run_orrery("check " + kSource + "/scenarios/quickstart-8gpu.yaml --set training.recompute_every=2 2>&1");
  CHECK(noted.code == 0);
  CHECK(
      noted.text.starts_with("note: --set: training.recompute_every: has no effect: training.recompute is not full\n"));
  CHECK(noted.text.ends_with("quickstart-8gpu.yaml: ok\n"));
}

}  // namespace orrery::check_test
