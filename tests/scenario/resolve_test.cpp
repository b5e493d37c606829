// The door: what it refuses of a scenario that a program filled in, and what it reads.
#include <doctest/doctest.h>

#include <functional>

#include "orrery/hardware/catalogue.hpp"
#include "paths.hpp"
#include "resolved.hpp"

namespace orrery::scenario::resolve_test {

namespace {

Scenario by_hand() {
  Scenario s;
  s.model = model::load_model("gpt3-350m").value();  // of 16 heads
  s.cluster = hardware::load_cluster("dgx-a100").value();
  s.cluster.nodes = 2;
  s.gpu = hardware::gpu_of(s.cluster).value();
  s.kernels = cost::kernels_of(s.gpu).value().model;
  s.stack = cost::load_stack("megatron-2024").value();
  s.layout.tensor = 2, s.layout.pipeline = 4, s.layout.data = 2;
  s.training.global_batch = 32;
  return s;
}

std::string errors_of(const std::function<void(Scenario&)>& change) {
  Scenario s = by_hand();
  change(s);
  const auto run = resolve(s, Catalogue::shared());
  return run.ok() ? "" : render(run.errors());
}

std::string errors_of_yaml(const std::string& layout, int batch) {
  const auto s =
      read_scenario_text("model: gpt3-350m\ncluster: {type: dgx-a100, nodes: 2}\nlayout: {" + layout +
                             "}\ntraining: {sequence_length: 2048, global_batch: " + std::to_string(batch) + "}\n",
                         "test.yaml");
  std::string text;
  if (!s.ok())
    for (Diagnostic e : s.errors()) {
      e.place = {}, e.source_line = {};
      text += render(e);
    }
  return text;
}

}  // namespace

TEST_CASE("a scenario made in code runs as the same one in YAML") {
  const auto made = resolve_and_simulate(by_hand());
  const auto read = read_scenario_text(
      "model: gpt3-350m\ncluster: {type: dgx-a100, nodes: 2}\nlayout: {tensor: 2, pipeline: 4, data: 2}\n"
      "training: {sequence_length: 2048, global_batch: 32}\n",
      "test.yaml");
  REQUIRE_MESSAGE(made.ok(), render(made.errors()));
  REQUIRE(read.ok());
  CHECK(made->timeline_hash == resolve_and_simulate(*read)->timeline_hash);
  CHECK(made->books.empty());
}

TEST_CASE("a scenario made in code is refused with the words of YAML") {
  CHECK(errors_of([](Scenario&) {}).empty());
  CHECK(errors_of([](Scenario& s) { s.layout.tensor = 3; }) == errors_of_yaml("tensor: 3, pipeline: 4, data: 2", 32));
  CHECK(errors_of([](Scenario& s) { s.training.global_batch = 7; }) ==
        errors_of_yaml("tensor: 2, pipeline: 4, data: 2", 7));
  CHECK(errors_of([](Scenario& s) { s.layout.pipeline = 0; }).starts_with("layout.pipeline: expected an integer"));
}

TEST_CASE("what a scenario made in code lacks is named, with what gives it") {
  CHECK(errors_of([](Scenario& s) { s.stack = {}; }) ==
        "stack: is missing\n  help: cost::load_stack gives one by name\n");
  CHECK(errors_of([](Scenario& s) { s.kernels = {}; }).starts_with("cluster.gpu: the kernel constants"));
  CHECK(errors_of([](Scenario& s) { s.gpu = {}; }).find("cluster.gpu: is missing") != std::string::npos);
  CHECK(errors_of([](Scenario& s) { s.model = {}; }).starts_with("model: is missing"));
  CHECK(errors_of([](Scenario& s) { s.cluster = {}; }).starts_with("cluster: is missing"));
  CHECK(errors_of([](Scenario& s) { s = {}; }).find("stack: is missing") != std::string::npos);
}

TEST_CASE("a catalogue reads nothing twice") {
  Catalogue catalogue;
  const std::string file = orrery::testing::source_dir() + "/scenarios/quickstart-16gpu.yaml";
  REQUIRE(load_run(file, {}, catalogue).ok());
  const std::size_t files = catalogue.files();
  CHECK(files >= 6);  // model, cluster, GPU, kernels, stack, collectives
  REQUIRE(load_run(file, {"training.micro_batch=2"}, catalogue).ok());
  CHECK(catalogue.files() == files);
}

}  // namespace orrery::scenario::resolve_test
