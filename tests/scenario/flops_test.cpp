// FLOPs of a step: what MFU counts, what the kernels run, and what papers print, each against its closed form.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "orrery/scenario/simulate.hpp"
#include "program/flops_book.hpp"
#include "resolved.hpp"

namespace orrery::scenario::flops_test {

namespace {

Scenario scenario_of(const std::string& text) {
  auto scenario = read_scenario_text(text, "test");
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  return std::move(scenario).value();
}

report::RunResult run_of(const std::string& text) {
  auto run = resolve_and_simulate(scenario_of(text));
  REQUIRE_MESSAGE(run.ok(), render(run.errors()));
  CHECK(run->books.empty());
  return std::move(run).value();
}

std::string long_context(const std::string& training = "", const std::string& stack = "nemo-2025") {
  return fmt::format(
      "model: llama3.1-8b\ncluster: {{type: dgx-h100, nodes: 1}}\nlayout: {{context: 8}}\n"
      "training: {{sequence_length: 131072, global_batch: 8, recompute: full{}}}\nstack: {}\nnetwork: steady\n",
      training, stack);
}
// llama3.1-8b: a token's matrices in its layers and in its head.
constexpr Int128 kLayers = 32, kQuery = 4096, kHead = Int128{4096} * 128256;
constexpr Int128 kMatrices = kLayers * (Int128{4096} * (4096 + 2 * 1024) + 4096 * 4096 + Int128{3} * 4096 * 14336);

// A GPT of 24 layers on 4 tensor ranks, its vocabulary padded to a multiple of 128 · 4.
constexpr Int128 b = 8, l = 24, s = 1024, h = 2048, v = 50688;
report::RunResult gpt(const std::string& recompute, const std::string& more = "attention: unfused") {
  return run_of(
      fmt::format("model: gpt3-1.3b\ncluster: {{type: selene, nodes: 1}}\nlayout: {{tensor: 4, pipeline: 2}}\n"
                  "training: {{sequence_length: 1024, global_batch: 8, recompute: {}, {}}}\n"
                  "stack: megatron-2022\nnetwork: steady\n",
                  recompute, more));
}

}  // namespace

// 8 context ranks: rings of 8 kernels of 16384 queries and keys, 128 blocks of 128, of which causal kernels run
// (128 + 1) / 256. Forward, again, and backward 4 + 4 + 10 s² · width; linear layers 4 times, the head 3 times.
TEST_CASE("HFU counts what causal flash kernels run, MFU the model's attention in full") {
  const report::RunResult run = run_of(long_context());
  const Int128 tokens = Int128{8} * 131072, attention = tokens * 131072 * kQuery * kLayers;
  CHECK(run.flops.model.linear == 6 * tokens * (kMatrices + kHead));
  CHECK(run.flops.model.attention == 12 * attention);
  CHECK(run.flops.executed.linear == 8 * tokens * kMatrices + 6 * tokens * kHead);
  CHECK(run.flops.executed.attention == 18 * attention / 256 * 129);
  CHECK(run.flops.again.linear == 2 * tokens * kMatrices);
  CHECK(run.flops.again.attention == 4 * attention / 256 * 129);
  CHECK(run.flops.korthikanti == 8 * tokens * kMatrices + 6 * tokens * kHead + 16 * attention);
  const report::Metrics m = report::metrics_of(run);
  CHECK(m.hfu < m.mfu);
  CHECK(m.hfu_korthikanti / m.mfu ==
        doctest::Approx(static_cast<double>(run.flops.korthikanti) / static_cast<double>(run.flops.model.total())));
  const std::string text = report::to_text(run, {});
  CHECK(text.find("causal kernels skip") != std::string::npos);
  const auto json = nlohmann::json::parse(report::to_json(run));
  CHECK(json["flops"]["executed_attention"].get<double>() == static_cast<double>(run.flops.executed.attention));
}

// Keys gathered: one kernel of 16384 queries and all keys; backward by 1024 blocks of keys.
TEST_CASE("gathered keys and values: the backward pass counts its blocks over all keys") {
  const report::RunResult run =
      run_of(long_context("", "{type: nemo-2025, communication: {context_exchange: all_gather}}"));
  const Int128 attention = Int128{8} * 131072 * 131072 * kQuery * kLayers;
  CHECK(run.flops.executed.attention == 8 * attention / 256 * 129 + 10 * attention / 2048 * 1025);
}

// Under flops: causal MFU counts half of attention, and HFU is above it again.
TEST_CASE("training.flops: causal halves the model's attention and nothing else") {
  const report::RunResult full = run_of(long_context()), half = run_of(long_context(", flops: causal"));
  CHECK(half.flops.model.attention * 2 == full.flops.model.attention);
  CHECK(half.flops.model.linear == full.flops.model.linear);
  CHECK(half.flops.executed.total() == full.flops.executed.total());
  CHECK(half.flops.korthikanti == full.flops.korthikanti);
  CHECK(report::metrics_of(half).hfu > report::metrics_of(half).mfu);
  CHECK(report::to_text(half, {}).find("causal kernels skip") == std::string::npos);
}

// 72 B l s h² (1 + s/(6h) + V/(12 h l)), and s/(3h) in place of s/(6h): Korthikanti et al., equations 7 and 8.
TEST_CASE("unfused attention is run in full: equations 7 and 8 of Korthikanti et al.") {
  const Int128 linear = 72 * b * l * s * h * h + 6 * b * s * h * v, attention = 12 * b * l * s * s * h;
  const report::RunResult none = gpt("none"), selective = gpt("selective"), full = gpt("full");
  for (const report::RunResult* run : {&none, &selective, &full}) CHECK(run->flops.model.total() == linear + attention);
  CHECK(none.flops.executed.total() == linear + attention);
  CHECK(none.flops.korthikanti == linear + attention);
  CHECK(none.flops.again.total() == 0);
  CHECK(report::to_text(none, {}).find("FLOPs a step") == std::string::npos);
  CHECK(selective.flops.executed.total() == linear + attention * 4 / 3);
  CHECK(selective.flops.korthikanti == linear + attention * 2);
  CHECK(full.flops.executed.total() == 96 * b * l * s * h * h + 16 * b * l * s * s * h + 6 * b * s * h * v);
  CHECK(full.flops.korthikanti == full.flops.executed.total());
  // Every third of 24 layers: 8 run their forward pass again.
  const report::RunResult third = gpt("full", "attention: unfused, recompute_every: 3");
  CHECK(third.flops.again.total() == (full.flops.executed.total() - none.flops.executed.total()) / 3);
}

// The first of each of the stages, in Megatron's sense: 24 layers on two ranks with three chunks each, four layers a
// stage.
TEST_CASE("full recomputation of the first layers of each virtual stage") {
  const auto again = [](const char* layout, const char* recompute) {
    const auto scenario = read_scenario_text(
        fmt::format("model: gpt3-1.3b\ncluster: {{type: dgx-h100, nodes: 1}}\nlayout: {{{}}}\n"
                    "training: {{sequence_length: 512, global_batch: 8, recompute: full{}}}\nstack: megatron-2022\n"
                    "network: ideal\n",
                    layout, recompute),
        "test");
    REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
    const auto run = resolve_and_simulate(*scenario);
    REQUIRE_MESSAGE(run.ok(), render(run.errors()));
    CHECK(run->books.empty());
    return run->flops.again.total();
  };
  const char *chunks = "pipeline: 2, virtual: 3, data: 4", *whole = "data: 8";
  const Int128 all = again(chunks, "");
  CHECK(again(chunks, ", recompute_method: block") == all * 6 / 24);
  CHECK(again(chunks, ", recompute_method: block, recompute_num_layers: 3") == all * 18 / 24);
  CHECK(again(chunks, ", recompute_method: block, recompute_num_layers: 5") == all);
  CHECK(again(whole, ", recompute_method: block, recompute_num_layers: 5") == all * 5 / 24);
  CHECK(again(chunks, ", recompute_num_layers: 3") == all);
  CHECK(again(whole, ", recompute_num_layers: 7") == all);
}

// Each model, policy, attention and stack that lay its passes out in another way.
TEST_CASE("the FLOPs of the passes equal their closed form, whatever is run") {
  int runs = 0;
  for (const char* model : {"gpt3-1.3b", "llama3.1-8b"})
    for (const char* recompute :
         {"none", "selective", "selective_op", "full", "alternate_layers",
          "full, recompute_method: block, recompute_num_layers: 5", "full, recompute_num_layers: 5"})
      for (const char* stack : {"megatron-2022", "nemo-2025", "torchtitan-2024", "llm-foundry"})
        for (const char* attention : {"unfused", "flash"})
          for (const char* precision : {"bf16", "fp8"}) {
            CAPTURE(std::string(model) + " " + recompute + " " + stack + " " + attention + " " + precision);
            const auto scenario = read_scenario_text(
                fmt::format("model: {}\ncluster: {{type: dgx-h100, nodes: 1}}\nlayout: {{tensor: 2, data: 4}}\n"
                            "training: {{sequence_length: 1000, global_batch: 8, micro_batch: 2, recompute: {}, "
                            "attention: {}, precision: {}}}\nstack: {}\nnetwork: ideal\n",
                            model, recompute, attention, precision, stack),
                "test");
            if (!scenario.ok()) continue;  // the stack has no such kernels
            const auto run = resolve_and_simulate(*scenario);
            REQUIRE(run.ok());
            CHECK(run->books.empty());
            ++runs;
          }
  CHECK(runs >= 60);
}

// The bias of the positions is made once for all layers of a stack, within the first: that is run again in one piece,
// of which an early stop leaves out the last product alone.
TEST_CASE("a layer that makes a bias for others is run again in one piece") {
  for (const char* layers : {"1", "5"})
    for (const char* early : {"false", "true"}) {
      CAPTURE(layers);
      CAPTURE(early);
      const auto scenario = read_scenario_text(
          fmt::format("model: t5-small\ncluster: {{type: dgx-h100, nodes: 1}}\nlayout: {{data: 8}}\n"
                      "training: {{sequence_length: 512, decoder_sequence_length: 128, global_batch: 8, "
                      "recompute: full, recompute_num_layers: {}}}\n"
                      "stack: {{type: megatron-2024, kernels: {{recompute_stops_early: {}}}}}\nnetwork: ideal\n",
                      layers, early),
          "test");
      REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
      const auto run = resolve_and_simulate(*scenario);
      REQUIRE_MESSAGE(run.ok(), render(run.errors()));
      CHECK(run->books.empty());
    }
}

// ---- the books ------------------------------------------------------------------------------------------------------

TEST_CASE("the book of FLOPs names what is not as the closed form says") {
  const auto ready = resolve(scenario_of(long_context()), Catalogue::shared());
  REQUIRE(ready.ok());
  const program::StepInput& plan = ready->input();
  const program::StepFlops closed = program::closed_form_flops(plan);
  CHECK(program::audit_flops(plan, closed).empty());
  struct Case {
    WideFlops program::FlopCount::*part;
    program::FlopCount program::StepFlops::*count;
    const char* name;
  };
  using F = program::FlopCount;
  using S = program::StepFlops;
  for (const Case& c : {Case{&F::linear, &S::model, "the model's of linear layers"},
                        Case{&F::attention, &S::model, "the model's of attention"},
                        Case{&F::linear, &S::executed, "those run of linear layers"},
                        Case{&F::attention, &S::executed, "those run of attention"},
                        Case{&F::linear, &S::again, "those run again of linear layers"},
                        Case{&F::attention, &S::again, "those run again of attention"}}) {
    program::StepFlops broken = closed;
    broken.*c.count.*c.part -= 1;
    const auto wrong = program::audit_flops(plan, broken);
    REQUIRE(wrong.size() == 1);
    CHECK(wrong[0] == fmt::format("FLOPs: {} are {} by the kernels of the passes, {} in closed form", c.name,
                                  broken.*c.count.*c.part, closed.*c.count.*c.part));
  }
  program::StepFlops broken = closed;
  ++broken.korthikanti;
  CHECK(program::audit_flops(plan, broken).size() == 1);
}

TEST_CASE("the book of rates: no step runs more FLOPs than its GPUs can") {
  report::RunResult run = run_of(long_context());
  CHECK(report::audit_rates(run).empty());
  run.timeline.step_time = {run.timeline.step_time.value / 2 + 1};  // HFU was just above half
  REQUIRE(report::audit_rates(run).size() == 1);
  CHECK(report::audit_rates(run)[0].ends_with(" % of what the GPUs can"));
}

}  // namespace orrery::scenario::flops_test
