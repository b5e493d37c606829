// Every way a scenario can be wrong, and what is said of it: tests/cli/bad_inputs/*.yaml, and files that are no text at
// all. The messages stand in one golden file, for a reviewer to read.
#include <algorithm>
#include <filesystem>
#include <vector>

#include "program.hpp"

namespace orrery::bad_inputs_test {

using orrery::testing::check_golden;
using orrery::testing::kBuild;
using orrery::testing::kOrrery;
using orrery::testing::kSource;
using orrery::testing::Outcome;
using orrery::testing::run_shell;

namespace {

// What `orrery check` says when it is run in `folder`; 2 is the only right answer.
std::string refusal(const std::string& folder, const std::string& arguments) {
  CAPTURE(arguments);
  const Outcome outcome = run_shell("cd " + folder + " && timeout 20 " + kOrrery + "check " + arguments + " 2>&1");
  CHECK(outcome.code == 2);
  CHECK(!outcome.text.empty());
  return outcome.text;
}

}  // namespace

TEST_CASE("every mistake is named with place, path, what is wrong and what is allowed") {
  const std::string folder = kSource + "/tests/cli/bad_inputs";
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().filename().string());
  std::sort(files.begin(), files.end());
  CHECK(files.size() >= 70);
  std::string all;
  for (const std::string& file : files) {
    const std::string text = refusal(folder, file);
    CHECK((text.starts_with(file) || text.starts_with("files/")));  // the place, or that of the file it names
    all += "## " + file + "\n" + text + "\n";
  }
  check_golden("tests/cli/golden/bad_inputs.txt", all);
}

TEST_CASE("what is no scenario file at all is refused at once, whatever it is") {
  const std::string folder = kBuild + "/bad_inputs";
  const std::string make = "rm -rf " + folder + " && mkdir -p " + folder + "/directory.yaml && cd " + folder +
                           " && : > empty.yaml && head -c 4096 /dev/zero > zeros.yaml && printf "
                           "'\\211PNG\\r\\n\\032\\n' > binary.yaml && printf 'model: \\377\\376\\n' > not_utf8.yaml && "
                           "printf '\\377\\376m\\0o\\0' > utf16.yaml && truncate -s 100M 100MB.yaml && mkfifo "
                           "fifo.yaml && ln -s loop.yaml loop.yaml && "
                           "{ for i in $(seq 100000); do printf '['; done; } > nested_lists.yaml && { for i in $(seq "
                           "100000); do printf '{a: '; done; } > nested_maps.yaml && "
                           "{ printf 'layout: '; for i in $(seq 70); do printf '{a: '; done; for i in $(seq 70); do "
                           "printf '}'; done; } > nested_closed.yaml && echo made";
  REQUIRE(run_shell(make).text == "made\n");
  std::string all;
  for (const char* file : {"missing.yaml", "empty.yaml", "zeros.yaml", "binary.yaml", "not_utf8.yaml", "utf16.yaml",
                           "100MB.yaml", "fifo.yaml", "loop.yaml", "directory.yaml", "nested_lists.yaml",
                           "nested_maps.yaml", "nested_closed.yaml", "- < empty.yaml", "- <&-", "/dev/null", "''"}) {
    std::string text = refusal(folder, file);
    if (text.size() > 2000) text = text.substr(0, 2000) + "…\n";  // no screenful of brackets
    all += std::string("## ") + file + "\n" + text + "\n";
  }
  check_golden("tests/cli/golden/bad_files.txt", all);
}

TEST_CASE("mistakes of --set are named as those of a file are") {
  std::string all;
  for (const char* set : {"layout.tensor=two", "layout.tensr=2", "layout.tensor", "=2", "layout..tensor=2",
                          "layout.tensor.degree=2", "training={", "training.micro_batch=1e3",
                          "cluster.pcie_bandwidth=31", "layout.layers_per_stage[0]=3", "model.layers=-1"})
    all += std::string("## --set '") + set + "'\n" +
           refusal(kSource + "/scenarios", std::string("quickstart-8gpu.yaml --set '") + set + "'") + "\n";
  // Words of other tools: the remedy stands in the message.
  for (const auto& [set, remedy] : {std::pair{"layout.tp=8", "'tensor'"},
                                    {"layout.zero=3", "3 is `parameters`"},
                                    {"gbs=16", "training.global_batch"},
                                    {"mbs=2", "training.micro_batch"},
                                    {"seq_length=2048", "training.sequence_length"},
                                    {"training.seq_length=2048", "'sequence_length'"},
                                    {"training.precision=BF16", "write bf16"},
                                    {"model=llama3-70b", "llama3.1-70b"},
                                    {"cluster.scale_out.nic_bandwidth=400Gbps", "write 400 Gb/s"},
                                    {"training.sequence_length=8k", "write 8192"},
                                    {"tensor=2", "belongs in layout"},
                                    {"layout.ep=8", "'expert'"},
                                    {"training.offload=true", "allowed keys: optimizer, weights, activations"},
                                    {"training.cpu_offload=true", "training: {offload: {optimizer: 1"},
                                    {"schedule=interleaved", "`interleaved_1f1b`"},
                                    {"cluster.gpu=h100", "h100-sxm-80gb"},
                                    {"training.compiled=True", "write true"},
                                    {"stack=megatron-lm", "`megatron-2025`"},
                                    {"cluster.gpu_definition={type: nonsense}", "unknown GPU 'nonsense'"},
                                    {"training.sequence_length=8192", "model.max_positions=8192"}}) {
    const std::string text = refusal(kSource + "/scenarios", std::string("quickstart-8gpu.yaml --set '") + set + "'");
    CHECK(text.find(remedy) != std::string::npos);
    all += std::string("## --set '") + set + "'\n" + text + "\n";
  }
  check_golden("tests/cli/golden/bad_sets.txt", all);
}

}  // namespace orrery::bad_inputs_test
