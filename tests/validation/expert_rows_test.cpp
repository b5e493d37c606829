// Rows of layers with experts and of dispatch and combine: what is predicted of each by hand, and what is refused.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/validation/validate.hpp"

namespace orrery::validation::expert_rows_test {
namespace {

const std::string kLayers =
    "kind,gpu,gpus,dtype,num_tokens,hidden,expert_hidden,gated_mlp,top_k,experts,shared_expert_hidden,expert_parallel,"
    "expert_tensor_parallel,dispatcher,distribution,forward_ms,backward_ms,kernel_source\n";
const std::string kExchange =
    "mode,gpu,nodes,expert_parallel,hidden,tokens_per_rank,top_k,experts,dispatch_us,combine_us\n";

// Every seventeenth row of shared/validation/moe_layers.csv from H100, every eighteenth of expert_all_to_all.csv.
const char* const kSomeLayers =
    "routed_experts,h100-sxm-80gb,1,fp8,3072,4096,1536,1,8,128,,1,4,,power_law_1.01,0.703181,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,bf16,1536,6144,3072,1,4,128,,16,8,,balanced,0.0926933,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,bf16,3072,3072,1024,1,8,256,,16,1,,balanced,0.175413,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,bf16,4096,4096,14336,1,2,8,,2,8,,balanced,0.331477,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,bf16,8192,6144,2560,1,8,160,,1,8,,balanced,2.80046,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8_block,3072,7168,3072,1,6,384,,16,2,,power_law_1.01,0.539552,,moe_torch_flow_"
    "cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8,2048,6144,2560,1,8,160,,8,16,,power_law_1.2,0.170739,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8,16384,2048,5120,0,22,512,,32,1,,power_law_1.2,1.5785,,moe_torch_flow_nongated\n"
    "routed_experts,h100-sxm-80gb,1,bf16,1536,6144,16384,1,2,8,,4,16,,power_law_1.2,0.488314,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,bf16,3072,4096,1536,1,8,128,,128,2,,power_law_1.01,0.216653,,moe_torch_flow_"
    "cutlass\n"
    "routed_experts,h100-sxm-80gb,1,bf16,6144,6144,16384,1,2,8,,4,8,,power_law_1.01,4.15919,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8,4096,2048,512,1,8,256,,32,1,,balanced,0.0687147,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8,6144,3072,1024,1,8,256,,4,8,,balanced,0.252779,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8,1536,4096,1536,1,8,128,,2,1,,balanced,0.56184,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8,1024,8192,5120,0,22,512,,1,2,,balanced,8.1763,,moe_torch_flow_nongated\n"
    "routed_experts,h100-sxm-80gb,1,fp8_block,8192,3072,1536,1,8,256,,4,4,,power_law_1.2,1.0615,,moe_torch_flow_"
    "cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8_block,4096,3072,1024,1,8,256,,32,4,,balanced,0.0796587,,moe_torch_flow_"
    "cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8_block,1536,3072,1024,1,8,256,,2,4,,balanced,0.373621,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8_block,3072,7168,2048,1,8,384,,16,1,,balanced,0.528507,,moe_torch_flow_cutlass\n"
    "routed_experts,h100-sxm-80gb,1,fp8_block,16384,2048,768,1,8,128,,2,1,,balanced,2.3179,,moe_torch_flow_cutlass\n";
const char* const kSomeExchanges =
    "normal,h100-sxm-80gb,1,8,2048,256,8,128,41.639,53.066\n"
    "normal,h100-sxm-80gb,1,8,2048,131072,8,128,6851.2,8486.5\n"
    "normal,h100-sxm-80gb,1,8,4096,512,2,8,48.484,74.156\n"
    "normal,h100-sxm-80gb,1,8,4096,4096,2,8,173.33,316.82\n"
    "normal,h100-sxm-80gb,1,8,4096,32768,2,8,1079.7,2190.5\n"
    "normal,h100-sxm-80gb,1,8,5120,256,1,16,34.722,47.197\n"
    "normal,h100-sxm-80gb,1,8,5120,131072,1,16,3708.3,9146.2\n"
    "normal,h100-sxm-80gb,1,8,6144,4096,2,8,207.94,450.01\n"
    "normal,h100-sxm-80gb,1,8,6144,65536,8,160,6571.9,11701\n"
    "normal,h100-sxm-80gb,1,8,7168,4096,6,384,419.71,838.45\n";

Report of(const std::string& text) {
  const auto report = validate_table(text, "experts.csv", {.expected = {}, .threads = 1});
  REQUIRE_MESSAGE(report.ok(), render(report.errors()));
  return *report;
}

double layer_ms(const std::string& cells, std::size_t figure = 0) {
  const Report report = of(kLayers + cells + "\n");
  CHECK(report.kind == FileKind::expert_layers);
  REQUIRE_MESSAGE(report.rows[0].why.empty(), report.rows[0].why);
  return std::get<double>(report.rows[0].figures[figure].predicted);
}

std::string refusal(const std::string& header, const std::string& cells) {
  return of(header + cells + "\n").rows[0].why;
}

double error_of(const Report& report, std::size_t figure) {
  double sum = 0;
  for (const Row& row : report.rows) {
    REQUIRE_MESSAGE(row.why.empty(), row.why);
    const double is = std::get<double>(row.figures[figure].reference),
                 was = std::get<double>(row.figures[figure].predicted);
    sum += std::abs(was / is - 1);
  }
  return sum / static_cast<double>(report.rows.size());
}

}  // namespace

// 8 tokens, one for each of 8 experts of 3 · 8192² weights in 2 bytes: 3.2 GB at 0.88 of 3.35 TB/s are 1.093 ms. Beside
// them 2 products and 12 small kernels start: 2 · 3 and 12 · 2.5 us. In 8 ranks one expert each: an eighth.
TEST_CASE("products of few rows wait for the weights") {
  const auto row = [](int ranks) {
    return layer_ms(
        fmt::format("routed_experts,h100-sxm-80gb,1,bf16,8,8192,8192,1,1,8,,{},1,,balanced,1,,"
                    "moe_torch_flow_cutlass",
                    ranks));
  };
  const double weights = 3. * 8192 * 8192 * 2 * 8 / (0.88 * 3.35e12) * 1e3, starts = 2 * 3e-3 + 12 * 2.5e-3;
  CHECK(row(1) == doctest::Approx(weights + starts).epsilon(0.005));
  CHECK(row(8) == doctest::Approx(weights / 8 + starts).epsilon(0.01));
}

// Scales of 128 take 0.6 of the rate of fp8, and casts; a power law gives the busiest rank more rows.
TEST_CASE("number formats and loads of layers") {
  const auto row = [](const char* type, const char* distribution) {
    return layer_ms(
        fmt::format("routed_experts,h100-sxm-80gb,1,{},65536,4096,14336,1,2,8,,4,1,,{},1,,moe_torch_flow_cutlass", type,
                    distribution));
  };
  const double bf16 = row("bf16", "balanced"), fp8 = row("fp8", "balanced"), block = row("fp8_block", "balanced");
  CHECK(fp8 < 0.6 * bf16);
  CHECK(block > fp8 / 0.6);
  CHECK(row("bf16", "power_law_1.01") > 1.2 * bf16);
  CHECK(row("bf16", "power_law_1.2") > row("bf16", "power_law_1.01"));
}

TEST_CASE("a whole layer takes its exchanges beside its products") {
  const auto row = [](int ranks, std::size_t figure) {
    return layer_ms(
        fmt::format("moe_layer,h100-sxm-80gb,8,bf16,32768,4096,14336,1,2,8,0,{},1,alltoall,balanced,1,1,", ranks),
        figure);
  };
  // Products of 8192 rows a rank: 2 · 8192 · 3 · 4096 · 14336 FLOPs, backward twice that, at 0.844 of 989 TFLOP/s at
  // best.
  const double products = 2. * 8192 * 3 * 4096 * 14336 / (0.844 * 989e12) * 1e3;
  CHECK(row(8, 0) > products);
  CHECK(row(8, 0) < 2 * products);
  CHECK(row(8, 1) > 2 * products);
  CHECK(row(8, 1) < 3 * products);
}

// One of 8 experts on 8 ranks: a token goes to one of 8 ranks, 7/8 of them another: 7/8 · T · (h · 33/32 + 12) bytes
// out, 7/8 · T · 2 h home, at 0.82 of 450 GB/s; and each token once at 340 GB/s. Of eight experts a token, spread over
// all ranks, 7 copies to others and itself once.
TEST_CASE("dispatch and combine by hand") {
  const auto us = [](std::int64_t tokens, std::size_t figure, int chosen = 1) {
    const Report report = of(kExchange + fmt::format("normal,h100-sxm-80gb,1,8,4096,{},{},8,1,1\n", tokens, chosen));
    CHECK(report.kind == FileKind::expert_exchange);
    REQUIRE_MESSAGE(report.rows[0].why.empty(), report.rows[0].why);
    return std::get<double>(report.rows[0].figures[figure].predicted);
  };
  const double rate = 0.82 * 450e9 * 1e-6, own = 340e9 * 1e-6, more = (1 << 20) - 1024;
  const double out = 4096 * 33. / 32 + 12, home = 2 * 4096;
  CHECK(us(1 << 20, 0) - us(1 << 10, 0) == doctest::Approx(more * out * (7. / 8 / rate + 1 / own)).epsilon(1e-3));
  CHECK(us(1 << 20, 1) - us(1 << 10, 1) == doctest::Approx(more * home * (7. / 8 / rate + 1 / own)).epsilon(1e-3));
  CHECK(us(1 << 20, 1, 8) - us(1 << 10, 1, 8) == doctest::Approx(more * home * (7 / rate + 1 / own)).epsilon(1e-3));
  CHECK(us(1, 0) > 38);
  CHECK(us(1, 0) < 42);
}

TEST_CASE("some rows of the tables come out within their bounds") {
  CHECK(error_of(of(kLayers + kSomeLayers), 0) < 0.2);
  const Report exchanges = of(kExchange + kSomeExchanges);
  CHECK(error_of(exchanges, 0) < 0.2);
  CHECK(error_of(exchanges, 1) < 0.2);
}

TEST_CASE("rows of experts are refused by name") {
  const auto layer = [](const char* cells) { return refusal(kLayers, cells); };
  CHECK(layer("routed_experts,h100-sxm-80gb,1,int8,8,64,64,1,1,8,,1,1,,balanced,1,,") ==
        "dtype: 'int8' is not known, allowed: bf16, fp8, fp8_block");
  CHECK(layer("routed_experts,h100-sxm-80gb,1,bf16,8,64,64,1,1,8,,1,1,,zipf,1,,") ==
        "distribution: 'zipf' is not known, allowed: balanced, power_law_1.01, power_law_1.2");
  CHECK(layer("half_a_layer,h100-sxm-80gb,1,bf16,8,64,64,1,1,8,,1,1,,balanced,1,,") ==
        "kind: 'half_a_layer' is not known, allowed: routed_experts, grouped_gemm, moe_layer");
  CHECK(layer("routed_experts,h100-sxm-80gb,1,bf16,8,64,64,1,1,8,,3,1,,balanced,1,,") ==
        "expert_parallel: 8 experts do not divide over 3 ranks");
  CHECK(layer("moe_layer,h100-sxm-80gb,8,bf16,64,64,64,1,1,8,0,8,1,pigeon,balanced,1,1,") ==
        "dispatcher: 'pigeon' is not known, allowed: alltoall");
  CHECK(layer("routed_experts,h101,1,bf16,8,64,64,1,1,8,,1,1,,balanced,1,,").find("h101") != std::string::npos);
  const auto exchange = [](const char* cells) { return refusal(kExchange, cells); };
  CHECK(exchange("low_latency,h100-sxm-80gb,1,8,64,64,1,8,1,1") ==
        "mode: 'low_latency' is not simulated, allowed: normal");
  CHECK(exchange("normal,h100-sxm-80gb,2,16,64,64,1,16,1,1").starts_with("nodes: a copy for each node"));
  CHECK(exchange("normal,h100-sxm-80gb,1,8,64,64,1,12,1,1") == "experts: 12 do not divide over 8 ranks");
  CHECK(exchange("normal,h101,1,8,64,64,1,8,1,1") == "no cluster has nodes of 8 h101");
}

}  // namespace orrery::validation::expert_rows_test
