// Words, their other spellings, and the figures of a run.
#include "orrery/planning/glossary.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "answers.hpp"
#include "planning/run_figures.hpp"
#include "simulated.hpp"

namespace orrery::planning::glossary_test {
namespace {

constexpr const char* kScenario =
    "model: gpt2\n"
    "cluster: {type: selene, nodes: 1}\n"
    "layout: {tensor: 2, pipeline: 2, data: 2, zero: optimizer}\n"
    "training: {sequence_length: 1024, global_batch: 16, micro_batch: 2, precision: bf16}\n"
    "network: ideal\n"
    "stack: megatron-2024\n";

struct Run {
  scenario::Scenario scenario = value_of(scenario::read_scenario_text(kScenario, "test.yaml"));
  report::RunResult result = scenario::simulated(kScenario);
  PlayedRun played() const { return {scenario, result}; }
};

std::string first_term(const std::string& word) {
  return std::get<std::string>(value_of(explain_terms(word, nullptr)).parts.front().figures.front().value);
}

TEST_CASE("a word is found in any spelling") {
  CHECK(first_term("MFU") == "mfu");
  CHECK(first_term("model FLOPs utilization") == "mfu");
  CHECK(first_term("micro_batch") == "micro-batch");
  CHECK(first_term("Micro Batch") == "micro-batch");
  CHECK(first_term("ZeRO-3") == "zero");
  CHECK(first_term("FSDP") == "fsdp");
  CHECK(first_term("inflight") == "in flight");
  CHECK(first_term("1F1B") == "1f1b");
  CHECK(first_term("quantisation") == "quantization");
}

TEST_CASE("an unknown word is refused with the nearest, or with where all are") {
  CHECK(mistake_of(explain_terms("bubbel", nullptr)).help == "did you mean 'bubble'?");
  CHECK(mistake_of(explain_terms("xyzzyplugh", nullptr)).help == "`orrery glossary` lists all terms");
}

TEST_CASE("every term is a sentence, and no spelling stands for two terms") {
  const Glossary glossary = value_of(load_glossary());
  std::map<std::string, std::string> owner;
  for (const Term& term : glossary.terms) {
    CAPTURE(term.term);
    CHECK(term.is.size() > 30);
    CHECK(term.is.ends_with("."));
    std::vector<std::string> words = term.also;
    words.push_back(term.term);
    for (const std::string& word : words) {
      CAPTURE(word);
      const auto [at, fresh] = owner.try_emplace(word, term.term);
      CHECK((fresh || at->second == term.term));
    }
  }
  for (const char* word : {"mfu", "hfu", "bubble", "in flight", "reserved", "zero", "stack", "tensor parallelism"})
    CHECK(owner.contains(word));
}

TEST_CASE("what a term names as its figure there is, and no figure has no term") {
  const Run run;
  std::set<std::string> named;
  for (const Term& term : value_of(load_glossary()).terms) {
    CAPTURE(term.term);
    if (term.figure.empty()) continue;
    named.insert(term.figure);
    CHECK_FALSE(run_figure(term.figure, run.played()).empty());
  }
  CHECK(named.size() >= 25);
  CHECK(run_figure("no such figure", run.played()).empty());
}

TEST_CASE("figures are those of the run") {
  Run run;
  run.result.timeline.step_time = Time{2'500'000'000'000};
  const PlayedRun played = run.played();
  CHECK(run_figure("step_time_s", played) == "2.500 s");
  CHECK(run_figure("tokens_per_s", played) == "6,554");                              // 16 · 1024 in 2.5 s
  CHECK(run_figure("micro_batches", played) == "4 of 2 sequences on each replica");  // 16 / 2 / 2
  CHECK(run_figure("sequences_per_step", played) == "16");
  CHECK(run_figure("zero", played) == "ZeRO-1 over 2 GPUs");
  CHECK(run_figure("tensor", played) == "2 here");
  CHECK(run_figure("schedule", played) == "1f1b");
  CHECK(run_figure("stack", played) == "megatron-2024");
  CHECK(run_figure("network_mode", played) == "ideal");
  CHECK(run_figure("peak_flops_per_s", played) == "312 TFLOP/s");
  CHECK(run_figure("verdict", played) == "fits");
  CHECK(run_figure("in_flight", played) == "2 at most on a GPU");  // 1f1b: as many as there are ranks behind it
  const report::Metrics m = report::metrics_of(run.result);
  CHECK(run_figure("mfu", played) == fmt::format("{:.1f} %", 100 * m.mfu));
  CHECK(run_figure("bubble_fraction", played) == fmt::format("{:.1f} %", 100 * m.bubble_fraction));
  const auto& memory = run.result.memory[static_cast<std::size_t>(m.worst_device)];
  CHECK(run_figure("peak_bytes", played) == fmt::format("{:.3g} GiB", static_cast<double>(memory.peak) / (1 << 30)));
  run.scenario.layout.zero = layout::Zero::none;
  CHECK(run_figure("zero", run.played()) == "not used here");
  for (engine::Breakdown& of : run.result.split)
    of[static_cast<std::size_t>(program::Category::recompute)] = 250'000'000'000;
  CHECK(run_figure("recompute", run.played()) == "10.0 % of the step");  // 0.25 s of 2.5
}

TEST_CASE("with a run a term shows its figure, without it none") {
  const Run run;
  const PlayedRun played = run.played();
  const Answer with = value_of(explain_terms("tensor", &played)), without = value_of(explain_terms("tensor", nullptr));
  CHECK(with.parts.front().drawing.front() == "tensor parallelism: 2 here");
  CHECK(without.parts.front().drawing.front() == "tensor parallelism");
  CHECK(with.parts.front().figures.size() == without.parts.front().figures.size() + 1);
  // All of them: an answer for each.
  CHECK(value_of(explain_terms("", &played)).parts.size() == value_of(load_glossary()).terms.size());
}

}  // namespace
}  // namespace orrery::planning::glossary_test
