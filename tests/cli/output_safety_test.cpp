// Names of files, keys and values may hold anything; none of it reaches the terminal as a command to it, and what is
// written for other programs stays readable for them.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace orrery::output_safety_test {

using orrery::testing::kOrrery;
using orrery::testing::kScenarios;
using orrery::testing::kSource;
using orrery::testing::Outcome;
using orrery::testing::run_in;
using orrery::testing::run_orrery;

namespace {

Outcome in_folder(const std::string& script) {
  return run_in("output_safety", script);
}

void check_harmless(const Outcome& outcome) {
  CHECK(!outcome.text.empty());
  for (const char c : outcome.text) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t'));
  CHECK(outcome.text.find("\xc2\x9b") == std::string::npos);
}

// A name that sets the title of a window, in the words of bash: $E.
const std::string kEvil = "E=$(printf \"\\033]0;title\\007\\233\\302\\2331m\\377\"); ";

}  // namespace

TEST_CASE("control characters of a file's name are shown, not obeyed") {
  for (const char* use :
       {"run $E.yaml", "check $E.yaml", "compare $E.yaml", "validate $E.csv", "topology $E.yaml", "schedule $E.csv",
        "schedule $E", "$E", "--$E", "run a.yaml --set $E", "run a.yaml --set $E=1", "run a.yaml --trace $E/x",
        "collective all_reduce --cluster $E --gpus 8", "compare a.yaml --schedules $E", "validate a --fail-on $E",
        "init --model $E"}) {
    CAPTURE(use);
    const Outcome outcome = in_folder(kEvil + "cp " + kScenarios + "quickstart-8gpu.yaml a.yaml; " + kOrrery + use);
    check_harmless(outcome);
    CHECK(outcome.code != 0);
    CHECK(outcome.code != 3);
  }
}

TEST_CASE("names of files that are read are shown, not obeyed, in text, picture and JSON") {
  const std::string make = kEvil + "mkdir $E; cp " + kScenarios + "quickstart-8gpu.yaml $E/a.yaml; " + kOrrery +
                           "schedule 1f1b --stages 4 --micro-batches 16 --export csv > $E/s.csv; ";
  for (const char* use :
       {"run $E/a.yaml --set schedule=null --set schedule.file=s.csv", "check $E/a.yaml",
        "schedule $E/s.csv --color always | sed -e s/.\\[[0-9\\;]*m//g", "schedule $E/s.csv --json"}) {
    CAPTURE(use);
    check_harmless(in_folder(make + kOrrery + use));
  }
  const std::string set = " --set layout.virtual=1 --set schedule={file:\\ s.csv}";
  const Outcome run = in_folder(make + kOrrery + "run $E/a.yaml" + set);
  CHECK(run.code == 0);
  check_harmless(run);
  for (const std::string& json :
       {"run $E/a.yaml --json" + set, "run $E/a.yaml --trace -  2>/dev/null" + set, "check $E/a.yaml --json" + set,
        std::string("schedule $E/s.csv --json"), std::string("compare $E/a.yaml --json --schedules 1f1b")}) {
    CAPTURE(json);
    const Outcome outcome = in_folder(make + kOrrery + json);
    CHECK(outcome.code == 0);
    check_harmless(outcome);
    CHECK(nlohmann::json::accept(outcome.text));
  }
}

TEST_CASE("the name in a config.json is shown, not obeyed") {
  const Outcome outcome = in_folder(
      "cat > config.json <<< \"{\\\"model_type\\\": \\\"gpt2\\\", \\\"_name_or_path\\\": "
      "\\\"\\\\u001b]0;x\\\\u0007\\\", "
      "\\\"n_embd\\\": 768, \\\"n_layer\\\": 12, \\\"n_head\\\": 12, \\\"vocab_size\\\": 50257, \\\"n_positions\\\": "
      "1024}\"; " +
      kOrrery + "run " + kScenarios +
      "quickstart-8gpu.yaml --set model={from:\\ $PWD/config.json} --set training.sequence_length=1024");
  CHECK(outcome.code == 0);
  check_harmless(outcome);
  CHECK(outcome.text.starts_with("\\u001b]0;x\\u0007 on 8"));
}

TEST_CASE("a trace on standard output stands there alone") {
  const Outcome trace = run_orrery("run " + kScenarios + "quickstart-8gpu.yaml --trace - 2>/dev/null");
  CHECK(trace.code == 0);
  CHECK(nlohmann::json::accept(trace.text));
  const Outcome device =
      run_orrery("run " + kScenarios + "quickstart-8gpu.yaml --trace /dev/stdout --json --audit 2>/dev/null");
  CHECK(device.text == trace.text);
  const Outcome talk = run_orrery("run " + kScenarios + "quickstart-8gpu.yaml --trace - 2>&1 >/dev/null");
  CHECK(talk.text.starts_with("trace: -: "));
  CHECK(talk.text.ends_with("\n" + run_orrery("run " + kScenarios + "quickstart-8gpu.yaml").text));
  CHECK(run_orrery("topology dgx-a100 --nodes 1 --dot - --graphml - 2>/dev/null").code == 2);
}

TEST_CASE("graphs of a network with any names can be read by other programs") {
  const std::string cluster = kSource + "/tests/data/hardware/odd_names.yaml";
  for (const char* format : {"--dot", "--graphml"}) {
    CAPTURE(format);
    const Outcome names =
        run_orrery("topology " + cluster + " " + format + " - | python3 " + kSource + "/tests/cli/read_graph.py 2>&1");
    CHECK(names.code == 0);
    CHECK(names.text == "node0.gpu0\nnode0.gpu1\na\"b<&>\\\nline\\u000abreak \\ufffe\n]]> --\n");
  }
}

}  // namespace orrery::output_safety_test
