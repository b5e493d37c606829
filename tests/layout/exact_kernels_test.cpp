// Kernels of passes that few models and stacks have, each counted by hand.
#include <doctest/doctest.h>

#include <string_view>

#include "stages.hpp"

namespace orrery::layout::exact_kernels_test {

using namespace orrery::layout::test;

namespace {

std::vector<model::Kernel> kernels_of(const std::vector<PassStep>& pass, std::string_view name) {
  std::vector<model::Kernel> found;
  for (const PassStep& step : pass)
    if (!step.is_communication && name == step.name) found.push_back(step.kernel);
  return found;
}

bool is_product(const model::Kernel& k, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t depth,
                model::GemmLayout layout) {
  return k.kind == model::KernelKind::gemm && k.batch == batch && k.m == m && k.n == n && k.k == depth &&
         k.layout == layout && k.flops.value == 2 * batch * m * n * depth;
}

}  // namespace

// 2 sequences of 64 tokens, 8 heads of 16: scores of queries and encodings S = Q Rᵀ; dQ = dS R, dR = dSᵀ Q.
TEST_CASE("relative attention: one batched product forward, two backward") {
  model::ModelSpec m = gpt(1, 128, 8, 512);
  m.position = model::Position::relative;
  PassOptions o;
  o.sequence_length = 64, o.micro_batch = 2;
  const StageModel stage = stage_of(m, {}, {.layers = 1}, o);
  const auto forward = kernels_of(stage.pass(PassKind::forward), "attention.relative");
  REQUIRE(forward.size() == 1);
  CHECK(is_product(forward[0], 16, 64, 64, 16, model::GemmLayout::tn));
  const auto backward = kernels_of(stage.pass(PassKind::backward), "attention.relative");
  REQUIRE(backward.size() == 2);
  CHECK(is_product(backward[0], 16, 64, 16, 64, model::GemmLayout::nn));
  CHECK(is_product(backward[1], 16, 64, 16, 64, model::GemmLayout::nt));
  // The encodings are constants: their projection has a weight gradient, and no gradient of its input.
  CHECK(kernels_of(stage.pass(PassKind::backward), "relative_positions").size() == 1);
  CHECK(kernels_of(stage.pass(PassKind::forward), "relative_positions").size() == 1);
}

// The input gradients of q, k and v (of gate and up) are of one tensor: each but the first is added, two reads and a
// write of 2 bytes a value.
TEST_CASE("products apart: their input gradients are added, products in one need no addition") {
  const model::ModelSpec m = llama(1, 128, 8, 4, 256, 512);
  PassOptions o;
  o.sequence_length = 64, o.micro_batch = 2, o.kernels.separate_projections = true;
  const auto apart = kernels_of(stage_of(m, {}, {.layers = 1}, o).pass(PassKind::backward), "input.add_gradient");
  REQUIRE(apart.size() == 2 + 1);
  for (const model::Kernel& k : apart) CHECK(k.bytes.value == 3 * 2 * 128 * 128);
  o.kernels.separate_projections = false;
  CHECK(kernels_of(stage_of(m, {}, {.layers = 1}, o).pass(PassKind::backward), "input.add_gradient").empty());
  // On 4 tensor ranks with sequence parallelism the products, and so the sums, are of the whole sequence.
  o.kernels.separate_projections = true;
  Layout four;
  four.tensor = 4, four.sequence_parallel = true;
  for (const model::Kernel& k :
       kernels_of(stage_of(m, four, {.layers = 1}, o).pass(PassKind::backward), "input.add_gradient"))
    CHECK(k.bytes.value == 3 * 2 * 128 * 128);
}

// Unfused attention repeats 4 key and value heads for 8 query heads: a kernel each, 64 whole values a token read, 128
// written, 2 bytes each; backward the sums. With as many key heads as query heads there is nothing to do.
TEST_CASE("unfused attention repeats grouped keys and values, and only grouped ones") {
  PassOptions o;
  o.sequence_length = 64, o.micro_batch = 2;
  for (const PassKind kind : {PassKind::forward, PassKind::backward}) {
    int found = 0;
    for (const PassStep& step : stage_of(llama(1, 128, 8, 4, 256, 512), {}, {.layers = 1}, o).pass(kind)) {
      if (std::string_view(step.name) != "attention.repeat_heads") continue;
      ++found;
      CHECK(step.kernels == 2);
      CHECK(step.kernel.bytes.value == 2 * 2 * 128 * (64 + 128));
    }
    CHECK(found == 1);
    for (const PassStep& step : stage_of(llama(1, 128, 8, 8, 256, 512), {}, {.layers = 1}, o).pass(kind))
      CHECK(std::string_view(step.name) != "attention.keys_values");
  }
}

// 128 tokens of 128 values of 2 bytes: the addition reads two and writes one, a bias reads and writes one more.
TEST_CASE("each addition to the residual stream has the bias of its own projection") {
  PassOptions o;
  o.sequence_length = 64, o.micro_batch = 2, o.kernels.fused_bias_dropout_add = false;
  for (const bool attention : {true, false}) {
    model::ModelSpec m = llama(1, 128, 8, 4, 256, 512);
    (attention ? m.projection_bias : m.mlp_bias) = true;
    const auto forward = stage_of(m, {}, {.layers = 1}, o).pass(PassKind::forward);
    const auto bytes = [&](std::string_view name) { return kernels_of(forward, name).at(0).bytes.value; };
    CHECK(bytes("attention.residual") == (attention ? 5 : 3) * 2 * 128 * 128);
    CHECK(bytes("mlp.residual") == (attention ? 3 : 5) * 2 * 128 * 128);
  }
}

// 128 tokens of 128 values to the scores of 4 experts; backward the gradients of the tokens and of the weights.
TEST_CASE("the router's products have the layouts of a linear layer") {
  model::ModelSpec m = llama(1, 128, 8, 4, 256, 512);
  m.experts.count = 4, m.experts.top_k = 2, m.experts.hidden = 64;
  PassOptions o;
  o.sequence_length = 64, o.micro_batch = 2;
  const StageModel stage = stage_of(m, {}, {.layers = 1}, o);
  const auto layouts = [&](PassKind kind) {
    std::vector<model::GemmLayout> all;
    for (const model::Kernel& k : kernels_of(stage.pass(kind), "router"))
      if (k.kind == model::KernelKind::gemm) all.push_back(k.layout);
    return all;
  };
  CHECK(layouts(PassKind::forward) == std::vector{model::GemmLayout::tn});
  CHECK(layouts(PassKind::backward) == std::vector{model::GemmLayout::nn, model::GemmLayout::nt});
}

}  // namespace orrery::layout::exact_kernels_test
