// How tokens spread over experts: the law, whole rows, capacities, and what they make of the kernels of a rank.
#include "orrery/layout/routing.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <string_view>

#include "orrery/model/presets.hpp"
#include "stages.hpp"

namespace orrery::layout::routing_test {
namespace {

model::Experts experts(std::int64_t count, std::int64_t top_k) {
  model::Experts e;
  e.count = count, e.top_k = top_k, e.hidden = 64;
  return e;
}

Layout spread(int ranks, int sharing = 1) {
  Layout l;
  l.expert = ranks, l.expert_tensor = sharing, l.data = ranks * sharing;
  return l;
}

Routing of_loads(std::vector<double> shares) {
  Routing r;
  r.loads = std::make_shared<const ExpertLoads>(ExpertLoads{std::move(shares)});
  return r;
}

std::int64_t sum(const std::vector<std::int64_t>& rows) {
  return std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
}

}  // namespace

// Density x^-1 on [1, 800]: the quantiles are 800^(7/8), 800^(5/8), 800^(3/8), 800^(1/8), scaled to 1000 tokens.
// Density x^-1.5: 1 − u · (1 − 800^-0.5) to the power −2.
TEST_CASE("loads of the power law are its quantiles") {
  for (const double exponent : {1.0, 1.5}) {
    const std::vector<double> loads = power_law_loads(experts(4, 1), 1000, exponent);
    std::vector<double> expected;
    for (const double u : {0.875, 0.625, 0.375, 0.125})
      expected.push_back(exponent == 1.0 ? std::pow(800, u) : std::pow(1 - u * (1 - std::pow(800, -0.5)), -2));
    const double all = std::accumulate(expected.begin(), expected.end(), 0.0);
    for (std::size_t i = 0; i < 4; ++i) CHECK(loads[i] == doctest::Approx(expected[i] / all * 1000).epsilon(1e-12));
  }
}

// Of 100 tokens no expert gets more than 100 copies; the rest of 200 goes to the emptiest, here all of the second. Few
// copies: density x^-1 on [0.01, 2], 0.01 · 200^u.
TEST_CASE("no expert of the power law is given more than each token once") {
  const std::vector<double> two = power_law_loads(experts(2, 2), 100, 1.2);
  CHECK(two[0] == doctest::Approx(100));
  CHECK(two[1] == doctest::Approx(100));
  // 80^(5/6), 80^(1/2) and 80^(1/6) of 200 are 155, 36 and 8: what is poured fills the last up to the second, then
  // both.
  const std::vector<double> three = power_law_loads(experts(3, 2), 100, 1);
  CHECK(three[0] == doctest::Approx(100));
  CHECK(three[1] == doctest::Approx(50));
  CHECK(three[2] == doctest::Approx(50));
  const std::vector<double> few = power_law_loads(experts(4, 1), 3, 1);
  CHECK(few[0] / few[3] == doctest::Approx(std::pow(200, 0.75)));
}

TEST_CASE("a rank sends all of its copies, in an order that the seed and the layer say") {
  const model::Experts e = experts(64, 4);
  Routing law;
  law.exponent = 1.2;
  const auto rows = [&](std::int64_t layer) { return expert_rows(e, 8, spread(8, 2), 1024, law, layer); };
  for (std::int64_t layer = 0; layer < 8; ++layer) {
    const ExpertRows r = rows(layer);
    CHECK(r.copies == 4096);
    CHECK(sum(r.of_expert) == 4096);
    CHECK(*std::max_element(r.of_expert.begin(), r.of_expert.end()) <= 1024);
    std::int64_t all = 0;
    for (std::int64_t place = 0; place < 8; ++place) all += r.received(place);
    CHECK(all == 4096 * 8 * 2);  // of 16 ranks, each half of the columns
    CHECK(r.fullest() > 4096 * 2);
  }
  CHECK(rows(0).of_expert != rows(1).of_expert);
  const std::vector<std::int64_t> first = rows(0).of_expert;
  law.seed = 2;
  CHECK(rows(0).of_expert != first);
  std::vector<std::int64_t> sorted = rows(0).of_expert, before = first;
  std::sort(sorted.begin(), sorted.end()), std::sort(before.begin(), before.end());
  CHECK(sorted == before);  // the same loads of others
}

// 100 tokens to 1 of 4 experts: 60, 20, 15 and 5. ⌈1.2 · 25⌉ = 30 rows at most: 30 are dropped, or 10, 15, 25 and 0 are
// padding.
TEST_CASE("a capacity drops what is beyond it, and padding fills up to it") {
  Routing r = of_loads({0.6, 0.2, 0.15, 0.05});
  const auto rows = [&] { return expert_rows(experts(4, 1), 1, spread(2), 100, r, 0); };
  CHECK(rows().of_expert == std::vector<std::int64_t>{60, 20, 15, 5});
  CHECK(rows().received(0) == 2 * 80);
  CHECK(rows().received(1) == 2 * 20);
  r.capacity = 1.2;
  CHECK(rows().of_expert == std::vector<std::int64_t>{30, 20, 15, 5});
  CHECK(rows().copies == 70);
  CHECK(rows().fullest() == 2 * 50);
  r.pad = true;
  CHECK(rows().of_expert.empty());
  CHECK(rows().copies == 4 * 30);
  CHECK(rows().received(1) == 4 * 30);
  model::ModelSpec m = test::llama(1, 64, 2, 2, 64, 128);
  m.experts = experts(4, 1);
  CHECK(dropped_share(m, spread(2), 100, r) == doctest::Approx(0.3));
  r.capacity = 0, r.pad = false;
  CHECK(load_factor(m, spread(2), 100, r) == doctest::Approx(1.6));
  // Balanced, a factor below one drops the rest of each, one above drops nothing.
  Routing even;
  even.capacity = 0.5;
  CHECK(expert_rows(experts(4, 1), 1, spread(2), 100, even, 0).copies == 4 * 13);  // ⌈12.5⌉
  even.capacity = 2;
  CHECK(expert_rows(experts(4, 1), 1, spread(2), 100, even, 0).copies == 100);
}

TEST_CASE("places of an expert group are alike where their experts are") {
  model::ModelSpec m = test::llama(1, 64, 2, 2, 64, 128);
  m.experts = experts(8, 1);
  const Routing r = of_loads({0.3, 0.1, 0.1, 0.1, 0.1, 0.3, 0, 0});
  CHECK(alike_places(m, spread(4), 80, r) == std::vector<std::int32_t>{0, 1, 0, 3});
  CHECK(alike_places(m, spread(4), 80, {}) == std::vector<std::int32_t>{0, 0, 0, 0});
}

// 4 experts on 2 ranks that send 256 copies each by 1/2, 1/4, 1/4 and 0: the first rank's experts have 256 and 128
// rows, the other's 128 and none. h 64, m 64, gated: 2 · rows · 64 · 128 FLOPs in the first product.
TEST_CASE("a rank multiplies the rows that it is given, and calls say what each sends to each") {
  model::ModelSpec m = test::llama(1, 64, 2, 2, 64, 128);
  m.experts = experts(4, 1);
  PassOptions o;
  o.sequence_length = 256, o.attention = AttentionKind::flash, o.routing = of_loads({0.5, 0.25, 0.25, 0});
  const model::ModelGraph graph = graph_of(m, o);
  const StageSpan span{0, 1, false, false};
  const auto nodes = operators_of(stage_of_operators(graph, {&span, 1}), 0);
  const auto step = [&](std::int32_t place, PassKind kind, std::string_view name, bool call) {
    for (const PassStep& s : StageModel(graph, spread(2), nodes, o, place).pass(kind))
      if (s.name == name && s.is_communication == call) return s;
    FAIL("no such step");
    return PassStep{};
  };
  const model::Kernel full = step(0, PassKind::forward, "experts.fc1", false).kernel,
                      other = step(1, PassKind::forward, "experts.fc1", false).kernel;
  CHECK(full.flops.value == 2 * 384 * 64 * 128);
  CHECK(full.row_blocks == std::array<std::int32_t, 3>{6, 3, 2});
  CHECK(full.batch == 2);
  CHECK(other.flops.value == 2 * 128 * 64 * 128);
  CHECK(other.row_blocks == std::array<std::int32_t, 3>{2, 1, 1});
  CHECK(other.batch == 1);  // the other's weights are not read
  CHECK(other.bytes.value == 128 * (64 + 128) * 2 + 64 * 128 * 2);
  // A rank has 256 copies of 128 bytes, 192 for the first.
  for (const std::int32_t place : {0, 1})
    for (const PassKind kind : {PassKind::forward, PassKind::backward})
      for (const char* name : {"dispatch", "combine"}) {
        const PassStep call = step(place, kind, name, true);
        CHECK(call.message.value == 256 * 128);
        REQUIRE(call.rows);
        const bool home = (kind == PassKind::forward) == (std::string_view(name) == "combine");
        CHECK(*call.rows == MemberRows{{192, 64}, 256, home});
      }
  o.routing = {};
  CHECK(!step(0, PassKind::forward, "dispatch", true).rows);
  o.routing = of_loads({0.5, 0.25, 0.25, 0});
  // DeepEP sends a token to a rank once: of 256 that choose one of four 256 · (0.75 + 0.25) are sent.
  o.experts.dispatcher = Dispatcher::deepep;
  CHECK(step(0, PassKind::forward, "combine", true).message.value == 256 * 128);
  const auto saved = [&](std::int32_t place) {
    return StageModel(graph, spread(2), nodes, o, place).saved_activations().value;
  };
  // A row is kept as input of both products and of the activation, 2 · (64 + 128 + 64), with its weight.
  CHECK(saved(0) - saved(1) == 256 * (2 * (64 + 128 + 64) + 4));
}

}  // namespace orrery::layout::routing_test
