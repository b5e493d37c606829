// GPUs of the user's own: as a file, inline, in the user's catalogue; whose kernel constants they run with, and that
// the report says so.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/scenario/simulate.hpp"
#include "paths.hpp"
#include "resolved.hpp"

namespace orrery::gpu_test {

namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() { fs::create_directories(path / "gpus"); }
  ~Folder() { fs::remove_all(path); }
  fs::path path = fs::temp_directory_path() / "orrery_gpu_test";
};

const std::string kOwn =
    "{architecture: ampere, multiprocessors: 128, dense_peak: {fp32: 82.6 TFLOP/s, fp16: 165.2 TFLOP/s, bf16: 165.2 "
    "TFLOP/s}, memory: 24 GiB, memory_bandwidth: 1008 GB/s}";

struct Outcome {
  Time step{};
  std::vector<std::string> notes;
  std::string gpu;
};

// Read as a file of `folder` that says this of its cluster.
Outcome run(const fs::path& folder, const std::string& cluster) {
  const auto scenario = scenario::read_scenario_text(
      "model: {type: gpt2, layers: 2}\ncluster: {" + cluster +
          ", nodes: 1}\ntraining: {sequence_length: 128, global_batch: 8, precision: fp16}\nnetwork: steady\n",
      (folder / "scenario.yaml").string());
  REQUIRE_MESSAGE(scenario.ok(), (scenario.ok() ? "" : render(scenario.errors())));
  const auto result = scenario::resolve_and_simulate(*scenario);
  REQUIRE_MESSAGE(result.ok(), (result.ok() ? "" : render(result.errors())));
  return {result->timeline.step_time, scenario->notes, scenario->gpu.name};
}

}  // namespace

TEST_CASE("a copy of a file of the catalogue beside the scenario gives what its name gives") {
  const Folder folder;
  for (const std::string& name : hardware::gpu_names()) {
    CAPTURE(name);
    fs::copy_file(orrery::testing::source_dir() + "/topologies/gpus/" + name + ".yaml", folder.path / "copy.yaml",
                  fs::copy_options::overwrite_existing);
    const Outcome named = run(folder.path, "type: dgx-a100, gpu: " + name);
    const Outcome copied = run(folder.path, "type: dgx-a100, gpu: ./copy.yaml");
    CHECK(copied.step == named.step);
    // A GPU without measurements of its own says whose constants it runs with.
    CHECK(named.notes.empty() == fs::exists(orrery::testing::source_dir() + "/topologies/kernels/" + name + ".yaml"));
    REQUIRE(copied.notes.size() == 1);
    CHECK(copied.gpu == "copy");
  }
}

TEST_CASE("a GPU of one's own runs with the constants of its architecture, and the report says so") {
  const Folder folder;
  std::ofstream(folder.path / "mine.yaml") << kOwn << '\n';
  fs::copy_file(folder.path / "mine.yaml", folder.path / "gpus" / "mine.yaml");
  const Outcome file = run(folder.path, "type: dgx-a100, gpu: ./mine.yaml");
  const Outcome inside = run(folder.path, "type: dgx-a100, gpu_definition: " + kOwn);
  const Outcome typed = run(folder.path, "type: dgx-a100, gpu_definition: {type: ./mine.yaml}");
  setenv("ORRERY_TOPOLOGIES", folder.path.c_str(), 1);
  const Outcome named = run(folder.path, "type: dgx-a100, gpu: mine");
  unsetenv("ORRERY_TOPOLOGIES");
  for (const Outcome* each : {&inside, &typed, &named}) CHECK(each->step == file.step);
  CHECK(file.step > run(folder.path, "type: dgx-a100").step);  // half the peak, half the bandwidth
  const std::string note =
      " has no kernel constants of its own: those of its architecture ampere (a100-sxm-80gb) are used.";
  CHECK(file.notes == std::vector<std::string>{"mine" + note});
  CHECK(inside.notes == std::vector<std::string>{"inline" + note});
  CHECK(named.notes == std::vector<std::string>{"mine" + note});
  CHECK(run(folder.path, "type: dgx-a100, gpu_definition: {multiprocessors: 100}").notes ==
        std::vector<std::string>{"a100-sxm-80gb: multiprocessors as given, kernel constants of a100-sxm-80gb."});
}

// A copy of a shipped GPU under another name has its constants; one whose figures differ in a single one of six has
// those of its architecture.
TEST_CASE("a GPU with all the figures of another has its constants") {
  const auto shipped = hardware::load_gpu("h200-sxm-141gb");
  REQUIRE(shipped.ok());
  hardware::Gpu copy = *shipped;
  copy.name = "copy", copy.lineage = {};
  const auto note = [](const hardware::Gpu& gpu) {
    const auto kernels = cost::kernels_of(gpu);
    REQUIRE(kernels.ok());
    return kernels->note;
  };
  CHECK(note(copy) ==
        "copy has no kernel constants of its own: those of h200-sxm-141gb, whose figures it has, are used.");
  const auto changed = [&](const auto& change) {
    hardware::Gpu other = copy;
    change(other);
    return note(other);
  };
  const std::string by_architecture = "copy has no kernel constants of its own: those of its architecture hopper";
  CHECK(changed([](hardware::Gpu& g) { ++g.multiprocessors; }).starts_with(by_architecture));
  CHECK(changed([](hardware::Gpu& g) { ++g.tensor_clock_mhz; }).starts_with(by_architecture));
  CHECK(changed([](hardware::Gpu& g) { ++g.dense_peak.front().value; }).starts_with(by_architecture));
  CHECK(changed([](hardware::Gpu& g) { ++g.memory.value; }).starts_with(by_architecture));
  CHECK(changed([](hardware::Gpu& g) { ++g.memory_bandwidth.value; }).starts_with(by_architecture));
  CHECK(changed([](hardware::Gpu& g) {
          g.architecture = "ampere";
        }).starts_with("copy has no kernel constants of its own: those of its architecture ampere"));
}

TEST_CASE("a GPU whose constants lack what the run needs is refused, not a bug of ours") {
  const auto errors = [](const std::string& gpu, const std::string& precision) {
    const auto read = scenario::read_scenario_text(
        "model: gpt2\ncluster: {type: dgx-a100, nodes: 1, gpu_definition: " + gpu +
            "}\ntraining: {sequence_length: 128, global_batch: 8, precision: " + precision + "}\n",
        "s.yaml");
    return read.ok() ? std::string("accepted") : read.errors().front().path + ": " + read.errors().front().message;
  };
  CHECK(errors("{dense_peak: {fp8: 600 TFLOP/s}}", "fp8") ==
        "training.precision: the kernel constants of a100-sxm-80gb have no fp8 products");
  CHECK(errors(kOwn, "fp8") == "training.precision: inline has no fp8 arithmetic");
  CHECK(errors("{multiprocessors: 8, dense_peak: {fp32: 1 TFLOP/s}, memory: 8 GiB, memory_bandwidth: 1 TB/s}", "fp32")
            .starts_with("cluster.gpu_definition.architecture: inline has no kernel constants of its own, and no "
                         "architecture to take them from; known: ada, ampere, blackwell, "));
}

}  // namespace orrery::gpu_test
