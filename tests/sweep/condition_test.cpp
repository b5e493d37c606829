// Conditions on figures and on keys: what holds, what is known before a layout is played, and what is refused.
#include <doctest/doctest.h>

#include "orrery/scenario/scenario.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/sweep/figures.hpp"

namespace orrery::sweep::condition_test {
namespace {

Condition condition(const std::string& text) {
  const auto parsed = Condition::parse(text, "--where");
  REQUIRE_MESSAGE(parsed.ok(), (parsed.ok() ? "" : render(parsed.errors())));
  CHECK(parsed->text() == text);
  return *parsed;
}

Figures figures() {
  Figures f;
  f.step_time_ps = 2'500'000'000'000;       // 2.5 s
  f.memory_bytes = std::int64_t{70} << 30;  // 70 GiB
  f.peak_memory_bytes = std::int64_t{69} << 30;
  f.gpus = 64;
  f.mfu = 0.41;
  f.hfu = 0.5;
  f.bubble_fraction = 0.125;
  f.tokens_per_s_per_gpu = 800;
  f.cost_usd = 0.25;
  return f;
}

scenario::Scenario a_scenario() {
  auto s = scenario::read_scenario_text(
      "model: gpt2\ncluster: {type: selene, nodes: 1}\nlayout: {tensor: 2, data: 4, zero: optimizer}\n"
      "training: {sequence_length: 1024, global_batch: 16, micro_batch: 2, precision: bf16, recompute: selective}\n"
      "stack: megatron-2024\n",
      "test.yaml");
  REQUIRE(s.ok());
  return *s;
}

TEST_CASE("every figure is compared in its own unit, by every operator") {
  struct Expected {
    const char* text;
    bool holds;
  };
  for (const Expected& e : {Expected{"memory <= 70 GiB", true},
                            {"memory < 70 GiB", false},
                            {"memory <= 75161927680 B", true},  // the same in bytes
                            {"memory <= 75 GB", false},         // of 10⁹
                            {"memory >= 69.5 GiB", true},
                            {"peak_memory == 69 GiB", true},
                            {"peak_memory != 69 GiB", false},
                            {"step_time <= 2.5 s", true},
                            {"step_time < 2500 ms", false},
                            {"step_time > 2 s", true},
                            {"mfu >= 0.4", true},
                            {"mfu >= 0.42", false},
                            {"hfu == 0.5", true},
                            {"bubble <= 0.125", true},
                            {"bubble > 0.125", false},
                            {"tokens_per_s_per_gpu >= 800", true},
                            {"gpus == 64", true},
                            {"cost_usd <= 0.25", true},
                            {"cost_usd < 0.25", false}}) {
    CAPTURE(e.text);
    CHECK(condition(e.text).holds(figures()) == e.holds);
  }
}

TEST_CASE("blanks around the operator are none of it") {
  for (const char* text : {"mfu>=0.4", "mfu >=0.4", " mfu  >=  0.4 "}) {
    CAPTURE(text);
    CHECK(condition(text).holds(figures()));
  }
}

TEST_CASE("keys are compared as they stand in the scenario: numbers by size, words by name") {
  const scenario::Scenario s = a_scenario();
  struct Expected {
    const char* text;
    bool holds;
  };
  for (const Expected& e : {Expected{"tensor == 2", true},
                            {"layout.tensor <= 1", false},
                            {"micro_batch < 3", true},
                            {"zero == optimizer", true},
                            {"zero != none", true},
                            {"recompute == full", false},
                            {"sequence_parallel == false", true},
                            {"sequence_length >= 1024", true},
                            {"stack == megatron-2024", true},
                            {"model != gpt2", false},
                            {"gpus == 8", true},
                            {"gpus >= 9", false}}) {
    CAPTURE(e.text);
    const Condition c = condition(e.text);
    CHECK(c.of_input());
    CHECK(c.holds(s) == e.holds);
  }
}

TEST_CASE("figures are known when a layout was played, keys and numbers of GPUs before") {
  CHECK_FALSE(condition("memory <= 1 GiB").of_input());
  CHECK_FALSE(condition("cost_usd <= 1").of_input());
  CHECK_FALSE(condition("mfu >= 0.1").of_input());
  CHECK(condition("gpus <= 64").of_input());
  CHECK(condition("pipeline <= 8").of_input());
}

TEST_CASE("what cannot be compared is refused with what can") {
  const auto refused = [](const std::string& text, const std::string& what) {
    const auto parsed = Condition::parse(text, "--where");
    CAPTURE(text);
    REQUIRE_FALSE(parsed.ok());
    const std::string said = render(parsed.errors());
    CAPTURE(said);
    CHECK(said.find(what) != std::string::npos);
    CHECK(said.find("--where") != std::string::npos);
    CHECK(said.find("help: ") != std::string::npos);
  };
  refused("", "there is no comparison");
  refused("memory", "there is no comparison");
  refused("memory 76 GiB", "there is no comparison");
  refused("memry <= 76 GiB", "is no figure");
  refused("memory <= 76", "has no unit");
  refused("memory <= much", "memory <= much");
  refused("step_time <= 3 GiB", "step_time <= 3 GiB");
  refused("mfu >= high", "mfu >= high");
  refused("gpus == 8 GPUs", "gpus == 8 GPUs");
  refused("zero >= optimizer", "has no order");
  refused("zero == some", "is not a value");
  refused("tensor == two", "tensor == two");
  refused("overlap_data == true", "is the end of several keys");
  refused("tensr == 2", "did you mean 'tensor'?");
}

}  // namespace
}  // namespace orrery::sweep::condition_test
