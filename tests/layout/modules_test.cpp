// Selective recompute by module (Megatron-LM, --recompute-modules): what is dropped, what runs again, and when.
#include <doctest/doctest.h>

#include <string_view>

#include "orrery/model/presets.hpp"
#include "stages.hpp"

namespace orrery::layout::modules_test {

using layout::test::stage_of;

namespace {

using M = RecomputeModule;
using Modules = std::vector<RecomputeModule>;

constexpr std::int64_t kTokens = 4096;

StageModel layer_of(const char* name, std::int64_t layer, const Modules& modules, DType compute = DType::bf16) {
  const auto m = model::load_model(name);
  REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : render(m.errors())));
  PassOptions o;
  o.sequence_length = kTokens, o.attention = AttentionKind::flash, o.compute = compute;
  if (!modules.empty()) o.recompute = Recompute::selective, o.recompute_modules = modules_of(modules);
  return stage_of(*m, {}, {layer, 1, false, false}, o);
}

std::int64_t per_token(const StageModel& s) {
  return s.saved_activations().value / kTokens;
}

// Index of the first step of that name and role, −1 without one.
int first(const std::vector<PassStep>& steps, std::string_view name, StepRole role) {
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (steps[i].name == name && steps[i].role == role) return static_cast<int>(i);
  return -1;
}

}  // namespace

// A sparse layer of DeepSeek-V3, h 7168, 128 heads of 128 + 64 and 128, k 8, m 2048, one shared expert: 457 648 bytes a
// token, of which four norms' statistics of 4 bytes are left out here.
TEST_CASE("what each module drops of a layer of DeepSeek-V3") {
  constexpr std::int64_t kAll = 457'648 - 16;
  const auto kept = [](const Modules& modules) { return per_token(layer_of("deepseek-v3", 3, modules)); };
  CHECK(kept({}) == kAll);
  CHECK(kept({M::mla_up_proj}) == kAll - (2 * 2 * 128 * 192 + 2 * 128 * 128));  // queries, keys and values: 131 072
  CHECK(kept({M::layernorm}) == kAll - 2 * 2 * 7168);
  CHECK(kept({M::moe_act}) == kAll - 8 * 2 * 2048);
  CHECK(kept({M::core_attn}) == kAll - 4 * 128);  // the statistics alone
  CHECK(kept({M::mla_up_proj, M::moe_act}) == 293'808 - 16);
  // Of 256 292 for experts and their norm its input and result stay.
  CHECK(kept({M::moe}) == kAll - 256'288 + 2 * 2 * 7168);
  CHECK(kept({M::moe, M::layernorm}) == kept({M::moe}) - 2 * 2 * 7168);
  // Gate, up and product of the shared expert.
  CHECK(kept({M::shared_experts}) == kAll - 3 * 2 * 2048);
  CHECK(kept({M::mlp}) == kAll);  // of dense layers
}

TEST_CASE("what each module drops of a dense layer") {
  const auto kept = [](const Modules& modules) { return per_token(layer_of("deepseek-v3", 0, modules)); };
  CHECK(kept({M::mlp}) == kept({}) - 3 * 2 * 18432);
  CHECK(kept({M::moe, M::moe_act, M::shared_experts}) == kept({}));
}

// The cast that Transformer Engine keeps for the product behind would hold what recompute drops: the original is kept
// for it instead, and made again.
TEST_CASE("modules drop what fp8 products read") {
  const auto kept = [](const Modules& modules) { return per_token(layer_of("deepseek-v3", 3, modules, DType::fp8)); };
  // One byte of k · m; of the two norms' results one byte for each of two latents, and two for router and shared
  // expert.
  CHECK(kept({}) - kept({M::moe_act}) == 8 * 2048);
  // The norms' results: cast for each of the two latents' products, and whole for the router, cast for the shared one.
  CHECK(kept({}) - kept({M::layernorm}) == 2 * 7168 + 2 * 7168 + 7168);
}

// 2 FLOPs for each element of a matrix that a token meets once more.
TEST_CASE("products that run again") {
  const auto again = [](const Modules& modules, std::int64_t layer = 3) {
    return (layer_of("deepseek-v3", layer, modules).hardware_flops() -
            layer_of("deepseek-v3", layer, {}).hardware_flops())
               .value /
           (2 * kTokens);
  };
  const std::int64_t h = 7168;
  CHECK(again({M::layernorm}) == 0);
  CHECK(again({M::moe_act}) == 0);
  CHECK(again({M::mla_up_proj}) == 1536 * 128 * 192 + 512 * 128 * 256);
  CHECK(again({M::shared_experts}) == 3 * h * 2048);
  CHECK(again({M::moe}) == 9 * 3 * h * 2048 + 256 * h);
  CHECK(again({M::mlp}, 0) == 3 * h * 18432);
}

// Results that are dropped until they are read come back where their first reader's backward pass begins; a module that
// is a whole runs again where its own does.
TEST_CASE("when modules run again") {
  const auto backward = [](const Modules& modules) {
    return layer_of("deepseek-v3", 3, modules).pass(PassKind::backward);
  };
  const auto up = backward({M::mla_up_proj});
  CHECK(first(up, "projection", StepRole::compute) < first(up, "latent.up", StepRole::recompute));
  CHECK(first(up, "latent.up", StepRole::recompute) < first(up, "latent.keys_values", StepRole::recompute));
  CHECK(first(up, "rotary", StepRole::recompute) + 1 == first(up, "attention", StepRole::compute));
  const auto act = backward({M::moe_act});
  CHECK(first(act, "experts.activation", StepRole::recompute) + 1 == first(act, "experts.fc2", StepRole::compute));
  const auto moe = backward({M::moe});
  CHECK(first(moe, "shared.fc1", StepRole::recompute) == 0);
  CHECK(first(moe, "router", StepRole::recompute) < first(moe, "router", StepRole::compute));
  CHECK(first(moe, "attention", StepRole::recompute) == -1);
  // The norm is there again for the experts, before they run again.
  const auto both = backward({M::moe, M::layernorm});
  CHECK(first(both, "mlp.norm", StepRole::recompute) < first(both, "shared.fc1", StepRole::recompute));
}

}  // namespace orrery::layout::modules_test
