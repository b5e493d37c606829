// Mixture of experts and latent attention on the ranks of a stage: groups, parameters a rank, states, bytes of an
// exchange, activations and FLOPs, each worked out by hand from the formulas beside it.
#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>

#include "orrery/layout/rank_grid.hpp"
#include "orrery/model/flops.hpp"
#include "orrery/model/presets.hpp"
#include "stages.hpp"

namespace orrery::layout::experts_test {

using layout::test::stage_of;

namespace {

using Ranks = std::vector<int>;

model::ModelSpec preset(const char* name) {
  const auto m = model::load_model(name);
  REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : render(m.errors())));
  return *m;
}

PassOptions plain(std::int64_t sequence) {
  PassOptions o;
  o.sequence_length = sequence, o.attention = AttentionKind::flash;
  return o;
}

// Layers [first, first + layers) on one stage.
StageModel stage(const model::ModelSpec& m, const Layout& layout, StageSpan span, std::int64_t sequence = 4096) {
  return stage_of(m, layout, span, plain(sequence));
}

std::int64_t both(const StageModel& s) {
  return s.parameters() + s.parameters(Parameters::experts);
}

Bytes state_of(const StageModel& s, const Layout& layout) {
  Bytes sum{};
  for (const Parameters of : kParameterKinds) {
    const StateBytes state = state_bytes(s.parameters(of), {}, layout, of);
    sum += state.weights, sum += state.gradients, sum += state.optimizer;
  }
  return sum;
}

Bytes sent(const std::vector<PassStep>& steps, std::string_view name, Collective kind) {
  Bytes sum{};
  for (const PassStep& s : steps)
    if (s.is_communication && s.name == name && s.collective == kind) sum += s.message;
  return sum;
}

}  // namespace

// Attention: tensor fastest, then context, then data. Experts: expert_tensor, expert, what is left.
TEST_CASE("experts stand on the ranks of a stage grouped anew") {
  Layout l;
  l.tensor = 2, l.context = 2, l.data = 4, l.expert = 8;
  CHECK(l.ranks() == 16);
  CHECK(l.expert_data() == 2);
  const RankGrid grid(l);
  const auto along = [&](int rank, Dimension d) { return grid.group(grid.coordinates(rank), d); };
  CHECK(along(0, Dimension::tensor) == Ranks{0, 1});
  CHECK(along(1, Dimension::context) == Ranks{1, 3});
  CHECK(along(0, Dimension::data) == Ranks{0, 4, 8, 12});
  CHECK(grid.gradient_group(grid.coordinates(0)) == Ranks{0, 2, 4, 6, 8, 10, 12, 14});
  CHECK(along(5, Dimension::expert) == Ranks{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(along(8, Dimension::expert) == Ranks{8, 9, 10, 11, 12, 13, 14, 15});
  CHECK(grid.expert_gradient_group(grid.coordinates(9)) == Ranks{1, 9});
  l.pipeline = 2;
  const RankGrid two(l);
  const auto of = [&](int rank) { return two.group(two.coordinates(rank), Dimension::expert); };
  CHECK(of(3) == Ranks{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(of(31) == Ranks{24, 25, 26, 27, 28, 29, 30, 31});
  CHECK(two.expert_gradient_group(two.coordinates(0)) == Ranks{0, 8});
  // DeepSpeed, utils/groups.py: 16 ranks, experts over 2.
  Layout deepspeed;
  deepspeed.data = 16, deepspeed.expert = 2;
  const RankGrid sixteen(deepspeed);
  CHECK(sixteen.group(sixteen.coordinates(2), Dimension::expert) == Ranks{2, 3});
  CHECK(sixteen.expert_gradient_group(sixteen.coordinates(1)) == Ranks{1, 3, 5, 7, 9, 11, 13, 15});
}

TEST_CASE("every rank is in one group of each kind, and experts and their copies make up a stage") {
  for (const char* order : {"tp-cp-dp-pp", "tp-cp-ep-dp-pp", "tp-ep-cp-dp-pp"})
    for (const int experts : {1, 2, 4, 6, 12}) {
      Layout l;
      l.tensor = 2, l.context = 2, l.data = 3, l.pipeline = 2, l.expert = experts, l.order = order;
      const RankGrid grid(l);
      for (int r = 0; r < l.ranks(); ++r) {
        const Coordinates at = grid.coordinates(r);
        CHECK(grid.rank(at) == r);
        const Ranks group = grid.group(at, Dimension::expert), same = grid.expert_gradient_group(at);
        CHECK(static_cast<int>(group.size()) == experts);
        CHECK(static_cast<int>(same.size()) == 12 / experts);
        CHECK(std::ranges::count(group, r) == 1);
        CHECK(std::ranges::count(same, r) == 1);
        for (const int other : group) {
          CHECK(grid.coordinates(other)[Dimension::pipeline] == at[Dimension::pipeline]);
          CHECK(grid.group(grid.coordinates(other), Dimension::expert) == group);
          if (other != r) CHECK(std::ranges::count(same, other) == 0);
        }
      }
    }
}

// Mixtral 8x7B, 32 ranks: pipeline 4 of 8 layers each, experts over 8, data 8. Bytes 6 + 12/8 of what all share, 6 + 12
// of experts, of which there is one copy.
TEST_CASE("parameters and states of Mixtral 8x7B on the ranks of four stages") {
  const model::ModelSpec m = preset("mixtral-8x7b");
  Layout l;
  l.pipeline = 4, l.data = 8, l.expert = 8, l.zero = Zero::optimizer;
  CHECK(check_layout(m, l).empty());
  const std::int64_t dense[] = {466'944'000, 335'872'000, 335'872'000, 466'948'096},
                     bytes[] = {28'869'230'592, 27'886'190'592, 27'886'190'592, 28'869'261'312};
  std::int64_t all = 0;
  for (int p = 0; p < 4; ++p) {
    const StageModel s = stage(m, l, {8 * p, 8, p == 0, p == 3});
    CHECK(s.parameters() == dense[p]);
    CHECK(s.parameters(Parameters::experts) == 1'409'286'144);
    CHECK(state_of(s, l).value == bytes[p]);
    all += s.parameters() + 8 * s.parameters(Parameters::experts);
  }
  CHECK(all == 46'702'792'704);
}

// Tensor 2 with sequence parallel, experts over 8 of 16 ranks, data 8.
TEST_CASE("parameters and states of Qwen3-30B-A3B on two tensor ranks") {
  const model::ModelSpec m = preset("qwen3-30b-a3b");
  Layout l;
  l.tensor = 2, l.data = 8, l.expert = 8, l.sequence_parallel = true, l.zero = Zero::optimizer;
  CHECK(check_layout(m, l).empty());
  const StageModel s = stage(m, l, {0, 48, true, true});
  CHECK(s.parameters() == 776'943'616);
  CHECK(s.replicated_parameters() == 12'793'856);  // norms, norms of heads, routers
  CHECK(s.parameters(Parameters::experts) == 3'623'878'656);
  CHECK(state_of(s, l).value == 49'313'620'992);  // 7.5 of the first, 12 of experts, of which there are two copies
  CHECK((776'943'616 - 12'793'856) * 2 + 12'793'856 + 8 * 3'623'878'656 == 30'532'122'624);
}

// The matrices that make the latents, and the latents, are whole on every tensor rank.
TEST_CASE("parameters of DeepSeek-V3's layers, whole and split") {
  const model::ModelSpec m = preset("deepseek-v3");
  const std::int64_t h = 7168, norms = 2 * h, latents = h * 1536 + 1536 + h * 576 + 512;
  const std::int64_t split = 1536 * 128 * 192 + 512 * 128 * 256 + 128 * 128 * h;
  CHECK(latents + split == 187'107'328);
  const Layout one;
  CHECK(both(stage(m, one, {0, 1, false, false})) == 583'483'392);
  CHECK(both(stage(m, one, {3, 1, false, false})) == 11'507'286'272);
  Layout eight;
  eight.tensor = 8, eight.sequence_parallel = true;
  const std::int64_t dense_mlp = 3 * h * 18432;
  CHECK(latents + split / 8 == 36'636'672);
  CHECK(both(stage(m, eight, {0, 1, false, false})) == 36'636'672 + norms + dense_mlp / 8);
  // A sparse layer without attention: norms, router with its bias for the choice, shared expert, experts of the rank.
  const std::int64_t attention = 187'107'328;
  for (const auto& [ranks, parameters] : {std::pair{8, 1'642'283'264}, std::pair{64, 409'157'888}}) {
    Layout l;
    l.data = l.expert = ranks;
    CHECK(both(stage(m, l, {3, 1, false, false})) == parameters);
    CHECK(parameters == attention + norms + 256 * h + 256 + 3 * h * 2048 + 256 / ranks * 3 * h * 2048);
  }
}

// Balanced: each rank is given as many copies as it sends. T 4096 tokens, k 8, h 7168 in 2 bytes.
TEST_CASE("what a rank of DeepSeek-V3 sends to the others") {
  const model::ModelSpec m = preset("deepseek-v3");
  Layout l;
  l.data = l.expert = 32;
  const StageModel s = stage(m, l, {3, 1, false, false});
  const std::int64_t copies = 4096 * 8, bytes = copies * 7168 * 2;
  CHECK(bytes == 469'762'048);
  const auto forward = s.pass(PassKind::forward), backward = s.pass(PassKind::backward);
  CHECK(sent(forward, "dispatch", Collective::all_to_all).value == bytes);
  CHECK(sent(forward, "dispatch.weights", Collective::all_to_all).value == copies * 4);
  CHECK(sent(forward, "combine", Collective::all_to_all).value == bytes);
  CHECK(sent(backward, "combine", Collective::all_to_all).value == bytes);
  CHECK(sent(backward, "dispatch", Collective::all_to_all).value == bytes);
  CHECK(sent(backward, "dispatch.weights", Collective::all_to_all).value == copies * 4);
  CHECK(sent(stage(m, Layout{}, {3, 1, false, false}).pass(PassKind::forward), "dispatch", Collective::all_to_all)
            .value == 0);
  // Ranks that share each expert gather the copies of all of them, and sum what they make.
  l.expert = 8, l.expert_tensor = 2;
  const StageModel shared = stage(m, l, {3, 1, false, false});
  CHECK(sent(shared.pass(PassKind::forward), "dispatch", Collective::all_gather).value == 2 * bytes);
  CHECK(sent(shared.pass(PassKind::forward), "combine", Collective::reduce_scatter).value == 2 * bytes);
  CHECK(sent(shared.pass(PassKind::backward), "dispatch", Collective::reduce_scatter).value == 2 * bytes);
}

// All tokens of 16 ranks in 2 bytes, and of each and expert a byte that says who is chosen and a weight.
TEST_CASE("dispatch by gathering all tokens") {
  const model::ModelSpec m = preset("deepseek-v3");
  Layout l;
  l.data = 16, l.expert = 8, l.expert_tensor = 2;
  PassOptions o = plain(4096);
  o.experts.dispatcher = Dispatcher::all_gather;
  const StageModel s = stage_of(m, l, {3, 1, false, false}, o);
  const auto forward = s.pass(PassKind::forward), backward = s.pass(PassKind::backward);
  const std::int64_t token = 7168 * 2, chosen = 256 * 5;
  // A call among the 2 that share an expert gathers 2 of 16 parts, one among the 8 that hold different ones the rest.
  CHECK(sent(forward, "dispatch", Collective::all_gather).value == 4096 * (2 + 16) * token);
  CHECK(sent(forward, "dispatch.weights", Collective::all_gather).value == 4096 * (2 + 16) * chosen);
  CHECK(sent(forward, "combine", Collective::reduce_scatter).value == 4096 * (2 + 16) * token);
  CHECK(sent(backward, "combine", Collective::all_gather).value == 4096 * (2 + 16) * token);
  CHECK(sent(backward, "dispatch", Collective::reduce_scatter).value == 4096 * (2 + 16) * token);
  CHECK(sent(backward, "dispatch.weights", Collective::reduce_scatter).value == 4096 * (2 + 16) * chosen);
  CHECK(sent(forward, "dispatch", Collective::all_to_all).value == 0);
  // What is kept is as if copies were sent, but for weights of copies at the sender.
  const StageModel copies = stage_of(m, l, {3, 1, false, false}, plain(4096));
  CHECK(s.saved_activations() == copies.saved_activations());
  // In one buffer for all layers; what is gathered backward, and what is summed, is not.
  CHECK(s.gather_buffer().value == 0);
  o.kernels.gather_buffer = true;
  CHECK(stage_of(m, l, {3, 1, false, false}, o).gather_buffer().value == 4096 * 16 * token);
  // Alone there is nothing to gather, and the tokens are permuted as ever.
  CHECK(sent(stage_of(m, {}, {3, 1, false, false}, o).pass(PassKind::forward), "dispatch", Collective::all_gather)
            .value == 0);
}

// One copy to each rank that has any of a token's 8 of 256 experts: of 32 ranks 32 · (1 − C(248, 8)/C(256, 8)) = 7.267,
// of 8 ranks 8 · (1 − C(224, 8)/C(256, 8)) = 5.295; beside it an index and a weight of 12 bytes for each choice.
TEST_CASE("dispatchers that send a token once to each rank") {
  const model::ModelSpec m = preset("deepseek-v3");
  for (const auto& [ranks, copies] : {std::pair{32, 7.267}, std::pair{8, 5.295}})
    for (const Dispatcher dispatcher : {Dispatcher::deepep, Dispatcher::hybridep}) {
      Layout l;
      l.data = l.expert = ranks;
      PassOptions o = plain(4096);
      o.experts.dispatcher = dispatcher;
      const StageModel s = stage_of(m, l, {3, 1, false, false}, o);
      const auto forward = s.pass(PassKind::forward);
      const double rows = 4096 * copies;
      const auto bytes = [&](const char* name) {
        return static_cast<double>(sent(forward, name, Collective::dispatch).value);
      };
      CHECK(bytes("dispatch") == doctest::Approx(rows * (7168 * 2 + 12 * 8)).epsilon(2e-4));
      CHECK(bytes("combine") == doctest::Approx(rows * 7168 * 2).epsilon(2e-4));
      const auto sorts = std::ranges::count_if(
          forward, [](const PassStep& step) { return std::string_view(step.name) == "sort_by_expert"; });
      CHECK(sorts == 2);
      CHECK(std::ranges::none_of(forward, [](const PassStep& p) { return std::string_view(p.name) == "permute"; }));
    }
}

// 4096 tokens, bf16, fused attention, no dropout. The fp32 statistic of a norm, 4 bytes a token, is left out here.
TEST_CASE("activations of a layer with experts") {
  constexpr std::int64_t kTokens = 4096, kStatistic = 4;
  const auto saved = [](const char* name, std::int64_t layer) {
    return stage(preset(name), Layout{}, {layer, 1, false, false}, kTokens).saved_activations().value;
  };
  // Four norms with two latents; two norms of heads and four in all; two.
  CHECK(saved("deepseek-v3", 3) == kTokens * (457'648 - 4 * kStatistic));
  CHECK(kTokens * 457'648 == 1'874'526'208);
  CHECK(saved("mixtral-8x7b", 0) == kTokens * (241'880 - 2 * kStatistic));
  // Of each of 32 + 4 heads, 2 · 128 for its norm's input, and a statistic.
  CHECK(saved("qwen3-30b-a3b", 0) == kTokens * (115'128 - 2 * kStatistic - 36 * kStatistic));
}

// A gated activation weighs its rows itself; any other is followed by a kernel that does, for which its result is kept
// beside what fc2 reads: 2m bytes more of each of k rows. GELU and ReLU² against SwiGLU, whose fc1 makes twice as much.
TEST_CASE("experts that are not gated keep their result before it is weighed") {
  model::ModelSpec mixtral = preset("mixtral-8x7b");
  const auto saved = [&](model::Activation activation, bool compiled) {
    mixtral.activation = activation;
    PassOptions o = plain(64);
    o.compiled = compiled;
    return stage_of(mixtral, Layout{}, {0, 1, false, false}, o).saved_activations().value;
  };
  using model::Activation;
  const std::int64_t rows = 64 * mixtral.experts.top_k, one = 2 * mixtral.experts.hidden * rows;
  for (const bool compiled : {false, true}) {
    const std::int64_t more = compiled ? 0 : one;
    // SwiGLU: 2m + m; GELU: m + m and, apart, m.
    CHECK(saved(Activation::swiglu, compiled) - saved(Activation::gelu, compiled) == one - more);
    // ReLU keeps no input, only its result: with what fc2 reads 2m, where one kernel does both that alone.
    CHECK(saved(Activation::gelu, compiled) - saved(Activation::relu, compiled) == one);
  }
}

// Of gpt-oss: halves of what fc1 made are clamped and put side by side, 4m kept beside the 4m + 2m bytes of a row. The
// kernel reads 2m values and writes m; two clamps read and write m each, the copy 2m: 3 + 8 passes of m; backward 5,
// and two clamps over gradient, mask and result with the two halves put together again, 10 more.
TEST_CASE("a clamp before the activation is kernels of its own") {
  model::ModelSpec m = preset("mixtral-8x7b");
  PassOptions o = plain(64);
  const auto stage_of_layer = [&] { return stage_of(m, Layout{}, {0, 1, false, false}, o); };
  const auto bytes = [&](PassKind kind) {
    for (const PassStep& s : stage_of_layer().pass(kind))
      if (std::string_view(s.name) == "experts.activation") return s.kernel.bytes.value;
    return std::int64_t{0};
  };
  const std::int64_t one = 2 * m.experts.hidden * 64 * m.experts.top_k;
  const std::int64_t kept = stage_of_layer().saved_activations().value;
  CHECK(bytes(PassKind::forward) == 3 * one);
  m.experts.clamped = true;
  CHECK(stage_of_layer().saved_activations().value - kept == 2 * one);
  CHECK(bytes(PassKind::forward) == (3 + 8) * one);
  CHECK(bytes(PassKind::backward) == (5 + 10) * one);
  o.compiled = true;
  CHECK(stage_of_layer().saved_activations().value == kept);
  CHECK(bytes(PassKind::forward) == 3 * one);
}

// Fused kernels multiply by cosines and sines as they are: with a factor on them the five kernels each of queries and
// keys run, over five times the bytes. gpt-oss has it, DeepSeek-V3, whose two factors cancel, has not.
TEST_CASE("rotary embeddings that are scaled are not fused") {
  CHECK(preset("gpt-oss-120b").rotary_scaled);
  CHECK_FALSE(preset("deepseek-v3").rotary_scaled);
  model::ModelSpec m = preset("mixtral-8x7b");
  PassOptions o = plain(64);
  const auto cost = [&] {
    for (const PassStep& s : stage_of(m, Layout{}, {0, 1, false, false}, o).pass(PassKind::forward))
      if (std::string_view(s.name) == "rotary") return std::pair{int{s.kernels}, s.kernel.bytes.value};
    return std::pair{0, std::int64_t{0}};
  };
  const std::int64_t once = 2 * 2 * 64 * (32 + 8) * 128;  // read and written, of 32 heads and 8 of keys
  CHECK(cost() == std::pair{2, once});
  m.rotary_scaled = true;
  CHECK(cost() == std::pair{10, 5 * once});
  o.compiled = true;
  const auto scaled = cost();
  m.rotary_scaled = false;
  CHECK(cost() == scaled);
}

// As NVIDIA counts them, a token at s = 4096: 6 per matrix element that it meets, half of attention, without the
// router.
TEST_CASE("FLOPs of a token") {
  const auto flops = [](const char* name, bool predicts) {
    model::ModelSpec m = preset(name);
    if (!predicts) m.prediction_layers = 0;
    const std::int64_t s = 4096, sparse = (m.layers - m.experts.first_dense) / m.experts.every + m.prediction_layers;
    const WideFlops routers = 6 * WideFlops{sparse} * m.hidden * m.experts.count;
    const WideFlops all = (model::model_flops(m, s, 1) - model::causal_saving(m, s, 1)) / s;
    return static_cast<std::int64_t>(all - routers);
  };
  // NVIDIA counts the norms of the latents too, 6 · (1536 + 512) a layer, and 3 h of those of a module that predicts.
  CHECK(flops("deepseek-v3", false) == 249'812'054'016 - 61 * 6 * 2048);
  CHECK(flops("deepseek-v3", true) == 259'992'950'784 - 62 * 6 * 2048 - 6 * 3 * 7168);
  CHECK(flops("qwen3-30b-a3b", false) == 23'006'281'728);
  CHECK(flops("mixtral-8x7b", false) == 79'706'456'064);
}

TEST_CASE("layouts that experts cannot have, each with its remedy") {
  const auto wrong = [](Layout l, const char* name = "mixtral-8x7b") {
    const Diagnostics errors = check_layout(preset(name), l, 4096);
    return errors.empty() ? std::string("accepted") : errors.front().path + ": " + errors.front().message;
  };
  Layout l;
  l.data = 8, l.expert = 3;
  CHECK(wrong(l) == "layout.expert: 8 experts do not divide over 3 ranks");
  l.data = 16, l.expert = 16;
  CHECK(wrong(l) == "layout.expert: 16 is more ranks than the 8 experts of mixtral-8x7b");
  l.data = 4, l.expert = 8;
  CHECK(wrong(l) ==
        "layout.expert: expert 8 · expert_tensor 1 do not divide the 4 ranks of a stage (tensor · context · data)");
  l = Layout{}, l.data = 8, l.expert = 2, l.expert_tensor = 3;
  CHECK(wrong(l) == "layout.expert_tensor: columns of an expert, 14336, do not divide over 3 ranks");
  l = Layout{}, l.data = 2, l.expert = 2;
  CHECK(wrong(l, "llama3.1-8b") == "layout.expert: llama3.1-8b has no experts to split");
  l = Layout{}, l.tensor = 2, l.data = 4, l.expert = 4;
  CHECK(wrong(l) ==
        "layout.sequence_parallel: experts behind tensor parallelism need each rank to have tokens of its own");
  l.sequence_parallel = true;
  CHECK(wrong(l) == "accepted");
  l.pipeline = 2, l.order = "tp-pp-cp-dp", l.expert = 8;
  CHECK(wrong(l) == "layout.order: 'tp-pp-cp-dp' puts the stages elsewhere for the experts than for the rest");
  l = Layout{}, l.data = 4, l.expert = 2, l.order = "tp-cp-ep-ep-dp-pp";
  CHECK(wrong(l).starts_with("layout.order: 'tp-cp-ep-ep-dp-pp' is not an order of tp, cp, dp and pp"));
}

TEST_CASE("one rank holds every parameter of every preset, whatever stands in its layers") {
  for (const std::string& name : model::list_models()) {
    CAPTURE(name);
    model::ModelSpec m = preset(name.c_str());
    const std::int64_t four = m.experts.first_dense + 4;
    m.layers = std::min(m.layers, std::max(four, m.global_every));
    if (m.has_two_stacks()) m.encoder_layers = m.layers / 2;
    const StageModel s = stage(m, Layout{}, {0, m.layers, true, true}, 64);
    CHECK(both(s) == model::parameter_count(m) + model::prediction_parameters(m) + model::head_parameters(m));
    // What I and W do is what B does, and FLOPs are twice those of the forward pass and what fused attention repeats.
    Flops forward{}, backward{}, apart{};
    for (const PassStep& step : s.pass(PassKind::forward)) forward += step.kernel.flops;
    for (const PassStep& step : s.pass(PassKind::backward)) backward += step.kernel.flops;
    for (const PassKind kind : {PassKind::input_gradient, PassKind::weight_gradient})
      for (const PassStep& step : s.pass(kind)) apart += step.kernel.flops;
    CHECK(backward == apart);
    CHECK(s.model_flops() == 3 * forward);
    if (m.position != model::Position::relative)
      CHECK(static_cast<WideFlops>(s.model_flops().value) == model::model_flops(m, 64, 1));
  }
}

}  // namespace orrery::layout::experts_test
