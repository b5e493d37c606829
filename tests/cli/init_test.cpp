// orrery init.
#include "program.hpp"

namespace orrery::init_test {

using orrery::testing::check_golden;
using orrery::testing::kOrrery;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;
using orrery::testing::run_shell;

namespace {}  // namespace

TEST_CASE("orrery init explains every key, and what it writes runs") {
  const std::string flags =
      "init --model gpt3-6.7b --cluster selene --nodes 2 --tensor 2 --pipeline 4 --sequence-parallel --recompute "
      "selective ";
  const Outcome text = run_orrery(flags + "2>&1");
  CHECK(text.code == 0);
  check_golden("tests/cli/golden/init.yaml", text.text);
  // Every key of both sections stands there, said or as a comment with its default.
  for (const char* key : {"tensor", "context", "pipeline", "data", "virtual", "zero", "micro_batch", "precision",
                          "overlap_data", "flops"})
    CHECK(text.text.find(std::string(" ") + key + ":") != std::string::npos);
  const Outcome run = run_orrery(flags + "| " + kOrrery + "check - 2>&1");
  CHECK(run.code == 0);
  CHECK(run.text == "-: ok\n");
}

TEST_CASE("a batch that was not said is four micro-batches per pipeline rank on each data rank") {
  // 16 GPUs = 4 pipeline · 4 data; micro-batches of 2: 4 · 2 · 16 = 128.
  const Outcome text =
      run_orrery("init --model gpt3-1.3b --cluster selene --nodes 2 --pipeline 4 --micro-batch 2 2>&1");
  CHECK(text.text.find("  global_batch: 128 ") != std::string::npos);
  CHECK(text.text.find("  data: 4 ") != std::string::npos);
}

TEST_CASE("GPUs without nodes are the first of the whole cluster") {
  // 128 GPUs / 8 tensor = 16 data.
  const Outcome text = run_orrery("init --model llama3.1-8b --cluster dgx-h100 --gpus 128 --tensor 8 2>&1");
  CHECK(text.code == 0);
  CHECK(text.text.find("cluster: {type: dgx-h100, gpus: 128}") != std::string::npos);
  CHECK(text.text.find("  data: 16 ") != std::string::npos);
}

// Its path is relative to the scenario, which may stand in another folder than this.
TEST_CASE("a model is taken from a config.json") {
  const std::string flags = "init --model tests/data/model/llama-3.1-8b.json --cluster dgx-h100 --tensor 8 ";
  const Outcome here = run_orrery(flags + "2>&1");
  CHECK(here.code == 0);
  CHECK(here.text.find("model: tests/data/model/llama-3.1-8b.json ") != std::string::npos);
  const Outcome there = run_shell("d=$(mktemp -d); " + kOrrery + flags + "-o $d/s.yaml && " + kOrrery +
                                  "run $d/s.yaml | sed -n 2p; rm -r $d");
  CHECK(there.text.starts_with("8.03 B parameters"));
  const Outcome of_file = run_shell("d=$(mktemp -d); " + kOrrery +
                                    "init --model gpt3-1.3b --cluster topologies/clusters/selene.yaml --nodes 1 -o "
                                    "$d/s.yaml && " +
                                    kOrrery + "check $d/s.yaml 2>&1 | grep -o 's.yaml: ok'; rm -r $d");
  CHECK(of_file.text == "s.yaml: ok\n");
  const Outcome refused = run_orrery("init --model tests/data/model/deepseek-v3.2.json --cluster dgx-h100 2>&1");
  CHECK(refused.code == 2);
  CHECK(refused.text.find(
            "deepseek-v3.2.json: index_topk: attention to the keys that an indexer chooses cannot be described") !=
        std::string::npos);
}

TEST_CASE("what cannot be is refused as a scenario is, and no file is left") {
  check_golden("tests/cli/golden/init_errors.txt",
               run_orrery("init --model gpt3-6.7b --cluster selene --nodes 2 --tensor 3 --pipeline 4 2>&1").text +
                   run_orrery("init --model gpt3-6.8b --cluster selen 2>&1").text +
                   run_orrery("init --model gpt3-6.7b --cluster selene --precision fp17 2>&1").text +
                   run_orrery("init --cluster selene 2>&1").text);
  const Outcome file =
      run_shell("d=$(mktemp -d) && cd $d && " + kOrrery +
                "init --model gpt3-1.3b --cluster selene --tensor 5 -o s.yaml 2>/dev/null; echo $?; ls; " + kOrrery +
                "init --model gpt3-1.3b --cluster selene -o s.yaml; echo $?; ls; " + kOrrery +
                "init --model gpt3-1.3b --cluster selene -o s.yaml 2>/dev/null; echo $?; " + kOrrery +
                "check -q s.yaml; echo $?; rm -r $d");
  CHECK(file.text == "2\n0\ns.yaml\n2\n0\n");
}

}  // namespace orrery::init_test
