// What must hold between the peaks of scenarios that differ in one key, over seeded random scenarios.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>

#include "orrery/core/random.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::memory_relations_test {

namespace {

struct Drawn {
  std::string model, stack, layout, schedule;
  int data = 1, micro_batches = 1;
  std::string text(const std::string& recompute, const std::string& zero) const {
    return fmt::format(
        "model: {}\ncluster: {{type: selene, nodes: 2}}\nlayout: {{{}, data: {}{}}}\ntraining: {{sequence_length: "
        "1024, "
        "global_batch: {}, micro_batch: 1, recompute: {}}}\nnetwork: ideal\nschedule: {}\nstack: {}\n",
        model, layout, data, zero.empty() ? "" : ", zero: " + zero, data * micro_batches, recompute, schedule, stack);
  }
};

Drawn draw(Random& random) {
  constexpr std::array stacks{"megatron-2021", "megatron-2022",   "megatron-2024", "nemo-2025",
                              "nanotron",      "torchtitan-2025", "llm-foundry",   "megatron-deepspeed-2021"};
  constexpr std::array models{"gpt3-125m", "gpt3-350m", "gpt3-1.3b"};
  Drawn d;
  d.stack = stacks[random.below(stacks.size())], d.model = models[random.below(models.size())];
  const int tensor = 1 << random.below(3), pipeline = 1 << random.below(3);
  d.data = 16 / tensor / pipeline;
  const bool split = pipeline > 1 && d.stack == "megatron-2024" && random.below(2) == 1;
  d.schedule = split ? "zb_h1" : "1f1b";
  d.micro_batches = static_cast<int>(random.between(pipeline, 3 * pipeline));
  d.layout = fmt::format("tensor: {}, pipeline: {}{}", tensor, pipeline,
                         tensor > 1 && random.below(2) == 1 ? ", sequence_parallel: true" : "");
  return d;
}

// The peak of the fullest device of each pipeline rank, what of it comes and goes within the step, and the most
// parameters that are gathered or reduced together: a layer or the embedding table.
struct Played {
  std::vector<std::int64_t> peak, passing;
  std::int64_t unit = 0;
};
std::optional<Played> play(const std::string& text) {
  const auto scenario = read_scenario_text(text, "test.yaml");
  if (!scenario.ok()) return {};  // a stack without this attention or schedule
  const auto run = resolve_and_simulate(*scenario, {});
  REQUIRE(run.ok());
  REQUIRE(run->books == std::vector<std::string>{});
  Played p;
  for (std::size_t d = 0; d < run->memory.size(); ++d) {
    const auto at = static_cast<std::size_t>(run->program.devices[d].pipeline_rank());
    if (p.peak.size() <= at) p.peak.resize(at + 1), p.passing.resize(at + 1);
    std::int64_t passing = run->memory[d].peak;
    for (const std::int64_t resident : run->program.devices[d].resident) passing -= resident;
    p.peak[at] = std::max(p.peak[at], run->memory[d].peak);
    p.passing[at] = std::max(p.passing[at], passing);
  }
  const model::ModelSpec& m = scenario->model;
  p.unit = std::max(12 * m.hidden * m.hidden + 13 * m.hidden, (m.vocab + m.max_positions) * m.hidden) /
           scenario->layout.tensor;
  return p;
}

}  // namespace

TEST_CASE("what is recomputed never raises the peak") {
  Random random(20261128);
  int compared = 0;
  for (int round = 0; round < 40; ++round) {
    const Drawn drawn = draw(random);
    CAPTURE(drawn.text("none", ""));
    const auto none = play(drawn.text("none", ""));
    if (!none) continue;
    for (const char* policy : {"selective", "full"}) {
      const auto with = play(drawn.text(policy, ""));
      if (!with) continue;
      for (std::size_t p = 0; p < none->peak.size(); ++p) CHECK(with->peak[p] <= none->peak[p]);
      ++compared;
    }
  }
  CHECK(compared >= 40);
}

// Units being computed, and being reduced or fetched beside them.
constexpr std::int64_t kReduced = 2, kGathered = 3;

TEST_CASE("a sharper ZeRO never raises the peak, but for the units that are whole while they are used") {
  Random random(20261129);
  int compared = 0;
  for (int round = 0; round < 40; ++round) {
    const Drawn drawn = draw(random);
    if (drawn.data == 1) continue;
    CAPTURE(drawn.text("none", ""));
    std::optional<Played> before = play(drawn.text("none", "none"));
    if (!before) continue;
    for (const char* zero : {"optimizer", "gradients", "parameters"}) {
      const auto now = play(drawn.text("none", zero));
      if (!now) continue;
      // What stays is sharded; whole are the gradients (4) of the units in flight and the parameters (2) of those
      // gathered.
      const std::int64_t whole = (zero[0] == 'o' ? 0 : 4 * kReduced) + (zero[0] == 'p' ? 2 * kGathered : 0);
      for (std::size_t p = 0; p < now->peak.size(); ++p) {
        INFO(zero, " ", p, " ", double(now->passing[p] - before->passing[p]) / double(now->unit));
        CHECK(now->passing[p] <= before->passing[p] + whole * now->unit);
        if (zero[0] == 'o') CHECK(now->peak[p] <= before->peak[p]);
      }
      before = now;
      ++compared;
    }
  }
  CHECK(compared >= 40);
}

}  // namespace orrery::scenario::memory_relations_test
