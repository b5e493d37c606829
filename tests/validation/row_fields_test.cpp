// What the columns of runs.csv say, word by word, and in which unit memory is compared.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>

#include "orrery/core/csv.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/validation/validate.hpp"
#include "resolved.hpp"
#include "validation/run_scenario.hpp"

namespace orrery::validation::row_fields_test {

namespace {

using Columns = std::map<std::string, std::string>;

// One row of a table: a GPT on eight A100, with what a test changes.
std::string table(const Columns& changes) {
  Columns cells{{"id", "a"},
                {"model", "gpt"},
                {"layers", "4"},
                {"hidden", "1024"},
                {"heads", "16"},
                {"kv_heads", "16"},
                {"ffn_hidden", "4096"},
                {"gated_mlp", "0"},
                {"vocab", "51200"},
                {"seq_len", "1024"},
                {"gpu", "a100-sxm-80gb"},
                {"cluster", "selene"},
                {"gpus", "8"},
                {"gpus_per_node", "8"},
                {"tp", "2"},
                {"pp", "2"},
                {"vp", "1"},
                {"dp", "2"},
                {"cp", "1"},
                {"micro_batch", "1"},
                {"global_batch", "8"},
                {"schedule", "1f1b"},
                {"partition", "even"},
                {"recompute", "none"},
                {"zero_stage", "0"},
                {"attention", "unfused"},
                {"dtype", "bf16"},
                {"grad_bytes", "4"},
                {"stack", "megatron-2022"},
                {"memory_kind", ""},
                {"tied_embeddings", "1"}};
  for (const auto& [column, text] : changes) cells[column] = text;
  std::string head, row;
  for (const auto& [column, text] : cells) head += column + ",", row += text + ",";
  head.back() = row.back() = '\n';
  return head + row;
}

scenario::Scenario scenario_with(const Columns& changes) {
  const auto csv = read_csv_text(table(changes), "test");
  REQUIRE_MESSAGE(csv.ok(), render(csv.errors()));
  Diagnostics errors;
  Catalogue catalogue;
  const Cells cells(*csv, 0, errors);
  const auto scenario = scenario_of(cells, catalogue);
  REQUIRE_MESSAGE(errors.empty(), render(errors));
  REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
  return *scenario;
}

double predicted_memory(const Columns& changes) {
  const auto report = validate_table(table(changes), "test.csv", {.expected = {}, .threads = 1});
  REQUIRE_MESSAGE(report.ok(), render(report.errors()));
  REQUIRE_MESSAGE(report->rows[0].why.empty(), report->rows[0].why);
  return std::get<double>(report->rows[0].figures[1].predicted);
}

}  // namespace

TEST_CASE("formats of eight and four bits with scales of blocks are precisions of their own") {
  const Columns hopper{{"gpu", "h100-sxm-80gb"}, {"cluster", "dgx-h100"}, {"stack", "nemo-2026"}};
  Columns cells = hopper;
  cells["dtype"] = "mxfp8";
  CHECK(scenario_with(cells).training.precision == scenario::Precision::mxfp8);
  cells["dtype"] = "nvfp4", cells["gpu"] = "gb200", cells["cluster"] = "gb200-nvl72";
  CHECK(scenario_with(cells).training.precision == scenario::Precision::nvfp4);
  cells["gpu"] = "h100-sxm-80gb", cells["cluster"] = "dgx-h100";
  const auto report = validate_table(table(cells), "test.csv", {.expected = {}, .threads = 1});
  REQUIRE(report.ok());
  CHECK(report->rows[0].why == "training.precision: h100-sxm-80gb has no fp4 arithmetic");
}

// Qwen3 norms its heads, gpt-oss has biases: no column says so. A model of that name and other shapes is another model.
TEST_CASE("what no column says of a model with experts is as its preset has it") {
  const Columns qwen{{"model", "qwen3-30b-a3b"}, {"layers", "48"},    {"hidden", "2048"},      {"heads", "32"},
                     {"kv_heads", "4"},          {"experts", "128"},  {"top_k", "8"},          {"expert_hidden", "768"},
                     {"gated_mlp", "1"},         {"zero_stage", "1"}, {"expert_parallel", "2"}};
  CHECK(scenario_with(qwen).model.qk_norm == model::QkNorm::head);
  Columns other = qwen;
  other["hidden"] = "1024";
  CHECK(scenario_with(other).model.qk_norm == model::QkNorm::none);
  other = qwen, other["experts"] = "0";
  CHECK(scenario_with(other).model.qk_norm == model::QkNorm::none);
  Columns oss = qwen;
  oss["model"] = "gpt-oss-120b", oss["layers"] = "36", oss["hidden"] = "2880", oss["heads"] = "64";
  CHECK(scenario_with(oss).model.qkv_bias);
  CHECK(scenario_with(oss).model.projection_bias);
}

// Tests of Megatron-LM change the activation alone; of other stacks a gated MLP stands for a model like LLaMA.
TEST_CASE("a gated MLP by stack") {
  for (const char* stack : {"megatron-2026", "megatron-2025"}) {
    const model::ModelSpec m = scenario_with({{"stack", stack}, {"gated_mlp", "1"}}).model;
    const bool alone = std::string(stack) == "megatron-2026";
    CHECK(m.gated());
    CHECK(m.norm == (alone ? model::Norm::layer_norm : model::Norm::rms_norm));
    CHECK(m.position == (alone ? model::Position::learned : model::Position::rotary));
    CHECK(m.bias == alone);
    CHECK(m.dropout == alone);
  }
}

TEST_CASE("number formats, recomputation and attention by their words") {
  using scenario::Precision;
  for (const auto& [word, precision] : {std::pair{"bf16", Precision::bf16}, std::pair{"fp16", Precision::fp16},
                                        std::pair{"fp32", Precision::fp32}, std::pair{"fp8", Precision::fp8}})
    CHECK(scenario_with({{"dtype", word}}).training.precision == precision);
  using layout::Recompute;
  for (const auto& [word, recompute] :
       {std::pair{"none", Recompute::none}, std::pair{"", Recompute::none}, std::pair{"full", Recompute::full},
        std::pair{"selective", Recompute::selective}, std::pair{"selective_op", Recompute::selective_op},
        std::pair{"alternate_layers", Recompute::alternate_layers}})
    CHECK(scenario_with({{"recompute", word}}).training.recompute == recompute);
  const scenario::Training modules = scenario_with({{"recompute", "modules:mla_up_proj+moe_act"}}).training;
  CHECK(modules.recompute == Recompute::selective);
  using Module = layout::RecomputeModule;
  CHECK(modules.recompute_modules == std::vector{Module::mla_up_proj, Module::moe_act});
  const auto wrong =
      validate_table(table({{"recompute", "modules:mlp+mpl"}}), "test.csv", {.expected = {}, .threads = 1});
  REQUIRE(wrong.ok());
  CHECK(wrong->rows[0].why == "recompute: 'mpl' is no module of a layer");
  const scenario::Training first = scenario_with({{"recompute", "full_layers:12"}}).training;
  CHECK(first.recompute == Recompute::full);
  CHECK(first.recompute_method == layout::RecomputeMethod::block);
  CHECK(first.recompute_num_layers == 12);
  for (const char* text : {"full_layers:", "full_layers:0", "full_layers:2x"}) {
    const auto none = validate_table(table({{"recompute", text}}), "test.csv", {.expected = {}, .threads = 1});
    REQUIRE(none.ok());
    CHECK(none->rows[0].why == fmt::format("recompute: '{}' is no number of layers", text + 12));
  }
  CHECK(scenario_with({{"attention", "flash"}}).training.attention == layout::AttentionKind::flash);
  CHECK(scenario_with({{"attention", "unfused"}}).training.attention == layout::AttentionKind::unfused);
}

TEST_CASE("what is replayed as graphs") {
  const auto launch = [](const char* graphs) { return scenario_with({{"cuda_graph", graphs}}).stack.launch; };
  using cost::GraphModule;
  CHECK(launch("").mode == cost::LaunchMode::eager);
  for (const char* whole : {"full", "layer", "yes"}) CHECK(launch(whole).mode == cost::LaunchMode::graph);
  CHECK(launch("modules:attn+moe_router").mode == cost::LaunchMode::eager);
  CHECK(launch("modules:attn+moe_router").graphs == std::vector{GraphModule::attn, GraphModule::moe_router});
}

TEST_CASE("degrees and sizes") {
  const scenario::Scenario s = scenario_with({{"sequence_parallel", "1"},
                                              {"zero_stage", "2"},
                                              {"micro_batch", "2"},
                                              {"grad_bytes", "2"},
                                              {"overlap_dp", "1"},
                                              {"overlap_tp", "1"},
                                              {"compile", "1"},
                                              {"kv_heads", "8"}});
  CHECK(s.layout.tensor == 2);
  CHECK(s.layout.pipeline == 2);
  CHECK(s.layout.data == 2);
  CHECK(s.layout.context == 1);
  CHECK(s.layout.virtual_stages == 1);
  CHECK(s.layout.sequence_parallel);
  CHECK(s.layout.zero == layout::Zero::gradients);
  CHECK(s.training.micro_batch == 2);
  CHECK(s.training.global_batch == 8);
  CHECK(s.training.sequence_length == 1024);
  CHECK(s.training.gradient_bytes == 2);
  CHECK(s.training.overlap_data == true);
  CHECK(s.training.overlap_tensor == true);
  CHECK(s.training.compiled);
  CHECK(s.model.layers == 4);
  CHECK(s.model.kv_heads == 8);
  CHECK(s.model.ffn_hidden == 4096);
  CHECK(s.model.vocab == 51200);
  CHECK(s.model.max_positions == 1024);
  CHECK(s.model.tied_embeddings);
  using layout::Zero;
  for (const auto& [stage, zero] : {std::pair{"0", Zero::none}, std::pair{"1", Zero::optimizer},
                                    std::pair{"2", Zero::gradients}, std::pair{"3", Zero::parameters}})
    CHECK(scenario_with({{"zero_stage", stage}}).layout.zero == zero);
  // Sequence parallelism is over tensor ranks: without them there is none.
  CHECK(!scenario_with({{"sequence_parallel", "1"}, {"tp", "1"}, {"dp", "4"}}).layout.sequence_parallel);
}

// Weights and optimizer of 14 bytes a parameter (Megatron), of which 2 are the weights; of llm-foundry 12, or 6 where
// all is in 16 bits. fp32 runs say nothing: the plan's own 8.
TEST_CASE("bytes of optimizer state by stack and width of gradients") {
  const auto bytes = [](const char* stack, const char* gradients, const char* dtype = "bf16") {
    return scenario_with({{"stack", stack}, {"grad_bytes", gradients}, {"dtype", dtype}}).training.optimizer_bytes;
  };
  CHECK(bytes("megatron-2022", "4") == 12);
  CHECK(bytes("megatron-2022", "2") == 12);
  CHECK(bytes("llm-foundry", "4") == 10);
  CHECK(bytes("llm-foundry", "2") == 4);
  CHECK(!bytes("megatron-2022", "4", "fp32").has_value());
}

// What the tool that measured counts: tensors, the allocator's segments, or the process with its CUDA context.
TEST_CASE("memory is compared as it was measured") {
  const auto run = [](const char* stack) {
    return *scenario::resolve_and_simulate(scenario_with({{"stack", stack}}), {},
                                           {.automatic = scenario::NetworkModeChoice::steady});
  };
  const auto most = [](const auto& values, const auto& of) {
    std::int64_t peak = 0;
    for (const auto& v : values) peak = std::max<std::int64_t>(peak, of(v));
    return static_cast<double>(peak) / (1024.0 * 1024.0 * 1024.0);
  };
  for (const char* stack : {"megatron-2022", "megatron-2024", "megatron-deepspeed-2022"}) {
    CAPTURE(std::string(stack));
    const report::RunResult played = run(stack);
    const double allocated = most(played.memory, [](const engine::DeviceMemory&m) { return m.peak; }),
                 reserved = most(played.reserved, [](std::int64_t bytes) { return bytes; }),
                 process = reserved + static_cast<double>(played.context_memory.value) / (1024.0 * 1024.0 * 1024.0);
    CHECK(allocated < reserved);
    CHECK(reserved < process);
    const auto predicted = [&](const char* kind) {
      return predicted_memory({{"stack", stack}, {"memory_kind", kind}});
    };
    const bool deepspeed = std::string(stack) == "megatron-deepspeed-2022";
    CHECK(predicted("allocated") == allocated);
    CHECK(predicted("reserved") == reserved);
    CHECK(predicted("tool-reported") == doctest::Approx(deepspeed ? process : reserved).epsilon(1e-12));
    const bool logs_allocated = std::string(stack) == "megatron-2024";
    CHECK(predicted("") == doctest::Approx(logs_allocated ? allocated : deepspeed ? process : reserved).epsilon(1e-12));
  }
}

}  // namespace orrery::validation::row_fields_test
