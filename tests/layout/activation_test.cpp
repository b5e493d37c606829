// Activation memory against the closed forms of Korthikanti et al. 2022, table 2 and §4.3, to the byte.
#include <doctest/doctest.h>

#include "stages.hpp"

namespace orrery::layout::activation_test {

using namespace orrery::layout::test;

namespace {

struct Case {
  std::int64_t l, h, a, v, s, b;
  int t;
};
const Case kCases[] = {{4, 6144, 64, 51200, 2048, 4, 8},
                       {2, 12288, 96, 51200, 2048, 1, 8},
                       {3, 64, 4, 256, 32, 2, 2},
                       {1, 64, 4, 256, 64, 3, 1}};

StageModel stage(const Case& c, bool sequence_parallel, Recompute recompute, StageSpan span) {
  Layout layout;
  layout.tensor = c.t, layout.sequence_parallel = sequence_parallel;
  PassOptions o;
  o.sequence_length = c.s, o.micro_batch = c.b, o.recompute = recompute;
  return stage_of(gpt(c.l, c.h, c.a, c.v), layout, span, o);
}

// Layers only: a stage in the middle.
std::int64_t per_layer(const Case& c, bool sp, Recompute recompute) {
  return stage(c, sp, recompute, {.first_layer = 0, .layers = c.l}).saved_activations().value / c.l;
}

}  // namespace

TEST_CASE("activations of a layer equal the closed forms") {
  for (const Case& c : kCases) {
    const std::int64_t sbh = c.s * c.b * c.h, scores = 5 * c.a * c.s * c.s * c.b, t = c.t;
    CAPTURE(c.h);
    CHECK(per_layer(c, false, Recompute::none) == 10 * sbh + 24 * sbh / t + scores / t);  // (10 + 24/t + 5as/(ht))
    CHECK(per_layer(c, true, Recompute::none) == (34 * sbh + scores) / t);                // (34 + 5as/h)/t
    CHECK(per_layer(c, false, Recompute::selective) == 10 * sbh + 24 * sbh / t);          // 10 + 24/t
    CHECK(per_layer(c, true, Recompute::selective) == 34 * sbh / t);                      // 34/t
    CHECK(per_layer(c, false, Recompute::full) == 2 * sbh);
    CHECK(per_layer(c, true, Recompute::full) == 2 * sbh / t);
  }
}

TEST_CASE("outside the layers: dropout mask first, norm and head inputs and fp32 logits last") {
  for (const Case& c : kCases)
    for (const bool sp : {false, true})
      for (const Recompute r : {Recompute::none, Recompute::selective, Recompute::full}) {
        const std::int64_t sbh = c.s * c.b * c.h / (sp ? c.t : 1), layers = c.l * per_layer(c, sp, r);
        CHECK(stage(c, sp, r, {.layers = c.l, .embedding = true}).saved_activations().value == layers + sbh);
        CHECK(stage(c, sp, r, {.layers = c.l, .head = true}).saved_activations().value ==
              layers + 2 * sbh + 2 * sbh + 4 * c.s * c.b * c.v / c.t);
      }
}

TEST_CASE("what F leaves behind is what is saved, B and I + W free it, buffers end where they began") {
  for (const Case& c : kCases)
    for (const bool sp : {false, true})
      for (const Recompute r : {Recompute::none, Recompute::selective, Recompute::full, Recompute::selective_op,
                                Recompute::alternate_layers}) {
        const StageModel m = stage(c, sp, r, {.layers = c.l, .embedding = true, .head = true});
        const std::int64_t saved = m.saved_activations().value;
        const auto f = m.pass(PassKind::forward), b = m.pass(PassKind::backward);
        const auto i = m.pass(PassKind::input_gradient), w = m.pass(PassKind::weight_gradient);
        CHECK(net(f, MemoryClass::activations) == saved);
        CHECK(net(b, MemoryClass::activations) == -saved);
        const std::int64_t between = saved + net(i, MemoryClass::activations);
        CHECK(between + net(w, MemoryClass::activations) == 0);
        for (const auto* pass : {&f, &b, &i, &w}) CHECK(net(*pass, MemoryClass::buffers) == 0);
        CHECK(extremes(f, 0).least >= 0);
        CHECK(extremes(b, saved).least >= 0);
        CHECK(extremes(i, saved).least >= 0);
        CHECK(extremes(w, between).least >= 0);
      }
}

TEST_CASE("between I and W a layer holds 32 sbh: inputs and output gradients of its products") {
  // Qi et al. 2024 (Zero Bubble), table 1: M_W = 32 sbh. qkv 2 + 6, projection 2 + 2, fc1 2 + 8, fc2 8 + 2.
  const Case c{3, 64, 4, 256, 32, 2, 1};
  const StageModel m = stage(c, false, Recompute::none, {.layers = c.l});
  const std::int64_t between =
      m.saved_activations().value + net(m.pass(PassKind::input_gradient), MemoryClass::activations);
  CHECK(between == 32 * c.l * c.s * c.b * c.h);
}

}  // namespace orrery::layout::activation_test
