// Passes: kernels, communication, FLOPs and parameters of a rank against closed forms.
#include <doctest/doctest.h>

#include <string>

#include "orrery/model/flops.hpp"
#include "stages.hpp"

namespace orrery::layout::pass_test {

using namespace orrery::layout::test;

namespace {

constexpr StageSpan kWhole(std::int64_t layers) {
  return {.layers = layers, .embedding = true, .head = true};
}

std::int64_t flops(const std::vector<PassStep>& steps) {
  std::int64_t sum = 0;
  for (const PassStep& s : steps) sum += s.kernel.flops.value;
  return sum;
}

std::string key(const PassStep& s) {
  const model::Kernel& k = s.kernel;
  std::string text = s.name;
  for (const std::int64_t x :
       {s.layer, std::int64_t{s.is_communication}, s.message.value, std::int64_t{static_cast<int>(s.collective)},
        k.flops.value, k.bytes.value, k.m, k.n, k.k, std::int64_t{s.kernels}, s.gradients_ready})
    text += ' ' + std::to_string(x);
  return text;
}

std::vector<std::string> keys(std::initializer_list<std::vector<PassStep>> passes) {
  std::vector<std::string> all;
  for (const auto& pass : passes)
    for (const PassStep& s : pass) all.push_back(key(s));
  std::ranges::sort(all);
  return all;
}

std::vector<model::ModelSpec> models() {
  model::ModelSpec bloom = gpt(2, 128, 8, 512);
  bloom.position = model::Position::alibi, bloom.embedding_norm = true;
  model::ModelSpec nemotron = llama(2, 128, 8, 4, 256, 512);
  nemotron.activation = model::Activation::squared_relu, nemotron.norm = model::Norm::layer_norm;
  model::ModelSpec opt = gpt(2, 128, 8, 512);
  opt.activation = model::Activation::relu, opt.dropout = false;
  model::ModelSpec gopher = gpt(2, 128, 8, 512);
  gopher.position = model::Position::relative, gopher.norm = model::Norm::rms_norm, gopher.bias = false;
  return {gopher, gpt(2, 128, 8, 512), llama(2, 128, 8, 4, 256, 512), bloom, nemotron, opt};
}

// Every combination that changes the shape of a pass.
template <class Check>
void for_each_option(const Check& check) {
  for (const model::ModelSpec& m : models())
    for (const int tensor : {1, 4})
      for (const int context : {1, 2})
        for (const bool sp : {false, true})
          for (const AttentionKind attention : {AttentionKind::unfused, AttentionKind::flash})
            for (const Recompute r : {Recompute::none, Recompute::selective, Recompute::full, Recompute::selective_op,
                                      Recompute::alternate_layers})
              for (int variant = 0; variant < 6; ++variant) {
                if (m.position == model::Position::relative && context > 1) continue;
                Layout layout;
                layout.tensor = tensor, layout.context = context, layout.sequence_parallel = sp && tensor > 1;
                PassOptions o;
                o.sequence_length = 64, o.micro_batch = 2, o.attention = attention, o.recompute = r;
                if (variant == 1)
                  o.kernels.fused_norm = o.kernels.fused_softmax = o.kernels.fused_bias_activation =
                      o.kernels.fused_bias_dropout_add = o.kernels.fused_rotary = false;
                if (variant == 2) o.compute = DType::fp8, o.kernels.fused_cross_entropy = true;
                if (variant == 1) o.kernels.fused_gradient_accumulation = false, o.kernels.loss_copies = 1;
                if (variant == 2) o.kernels.gradient_placeholders = true;
                if (variant == 3) o.compiled = o.kernels.separate_projections = true, layout.zero = Zero::parameters;
                if (variant == 5) o.calls.context_exchange = ContextExchange::all_to_all;
                if (variant == 4)
                  o.calls.regather_in_backward = false, o.calls.context_exchange = ContextExchange::all_gather;
                check(m, layout, o);
              }
}

}  // namespace

TEST_CASE("hardware FLOPs of a GPT equal SC'21 eq. 3 under full recompute, and what runs under the others") {
  const model::ModelSpec m = gpt(4, 256, 8, 1024);
  PassOptions o;
  o.sequence_length = 128, o.micro_batch = 2;
  const auto run = [&](Recompute r) {
    o.recompute = r;
    return stage_of(m, {}, kWhole(4), o).hardware_flops().value;
  };
  CHECK(run(Recompute::none) == checked_narrow(model::model_flops(m, 128, 2)));
  CHECK(run(Recompute::full) == checked_narrow(model::full_recompute_flops(m, 128, 2)));
  CHECK(run(Recompute::selective) == checked_narrow(model::selective_recompute_flops(m, 128, 2)));
}

TEST_CASE("I and W together run the kernels of B, in every configuration") {
  for_each_option([](const model::ModelSpec& m, const Layout& layout, const PassOptions& o) {
    const StageModel stage = stage_of(m, layout, kWhole(m.layers), o);
    REQUIRE(keys({stage.pass(PassKind::backward)}) ==
            keys({stage.pass(PassKind::input_gradient), stage.pass(PassKind::weight_gradient)}));
  });
}

TEST_CASE("memory balances and references point forward, in every configuration") {
  for_each_option([](const model::ModelSpec& m, const Layout& layout, const PassOptions& o) {
    const StageModel stage = stage_of(m, layout, kWhole(m.layers), o);
    const std::int64_t saved = stage.saved_activations().value;
    const auto i = stage.pass(PassKind::input_gradient);
    const std::int64_t between = saved + net(i, MemoryClass::activations);
    for (const PassKind kind :
         {PassKind::forward, PassKind::backward, PassKind::input_gradient, PassKind::weight_gradient}) {
      const auto steps = stage.pass(kind);
      const std::int64_t held = kind == PassKind::forward ? 0 : kind == PassKind::weight_gradient ? between : saved;
      REQUIRE(net(steps, MemoryClass::buffers) == 0);
      REQUIRE(extremes(steps, held).least >= 0);
      const int count = static_cast<int>(steps.size());
      for (int n = 0; n < count; ++n) {
        const PassStep& s = steps[static_cast<std::size_t>(n)];
        REQUIRE((s.beside == 0 || (s.is_communication && n + 1 + static_cast<int>(s.beside) < count)));
        if (s.is_communication)
          REQUIRE(s.message.value > 0);
        else
          REQUIRE(s.kernel.bytes.value > 0);
      }
    }
    REQUIRE(net(stage.pass(PassKind::forward), MemoryClass::activations) == saved);
    REQUIRE(net(stage.pass(PassKind::backward), MemoryClass::activations) == -saved);
    REQUIRE(between + net(stage.pass(PassKind::weight_gradient), MemoryClass::activations) == 0);
  });
}

TEST_CASE("model FLOPs of all ranks sum to the closed form, in every configuration") {
  for_each_option([](const model::ModelSpec& m, const Layout& layout, const PassOptions& o) {
    const StageModel stage = stage_of(m, layout, kWhole(m.layers), o);
    REQUIRE(stage.model_flops().value * layout.tensor * layout.context ==
            checked_narrow(model::model_flops(m, o.sequence_length, o.micro_batch)));
    if (m.position != model::Position::relative)  // whose encodings are constants: no input gradient
      REQUIRE(flops(stage.pass(PassKind::backward)) >= 2 * flops(stage.pass(PassKind::forward)));
  });
}

TEST_CASE("parameters: one rank holds all; split ranks hold their share, norms and row biases each") {
  for (const model::ModelSpec& m : models()) {
    PassOptions o;
    o.sequence_length = 64;
    const StageModel one = stage_of(m, {}, kWhole(m.layers), o);
    CHECK(one.parameters() == model::parameter_count(m));
    Layout split;
    split.tensor = 4;
    const StageModel quarter = stage_of(m, split, kWhole(m.layers), o);
    // Held whole: norms, biases of projection and fc2, learned positions.
    const std::int64_t h = m.hidden, norm = m.norm == model::Norm::layer_norm ? 2 * h : h;
    const std::int64_t whole = norm * (2 * m.layers + 1 + (m.embedding_norm ? 1 : 0)) +
                               (m.bias ? 2 * h * m.layers : 0) +
                               (m.position == model::Position::learned ? m.max_positions * h : 0);
    CHECK(quarter.parameters() == (model::parameter_count(m) - whole) / 4 + whole);
    std::int64_t sum = 0;
    for (std::int64_t layer = -1; layer <= m.layers; ++layer) sum += one.parameters_of_layer(layer);
    CHECK(sum == one.parameters());
  }
}

TEST_CASE("a tied head on another stage holds a copy of the table") {
  const model::ModelSpec m = gpt(4, 64, 4, 256);
  PassOptions o;
  o.sequence_length = 64;
  const StageModel first = stage_of(m, {}, {.first_layer = 0, .layers = 2, .embedding = true}, o);
  const StageModel last = stage_of(m, {}, {.first_layer = 2, .layers = 2, .head = true}, o);
  CHECK(first.parameters() + last.parameters() == model::parameter_count(m) + 256 * 64);
}

TEST_CASE("end stages without layers: the embedding alone, the head alone") {
  const model::ModelSpec m = gpt(2, 64, 4, 256);
  PassOptions o;
  o.sequence_length = 64;
  const StageModel first = stage_of(m, {}, {.first_layer = 0, .layers = 0, .embedding = true}, o);
  const StageModel last = stage_of(m, {}, {.first_layer = 2, .layers = 0, .head = true}, o);
  CHECK(first.parameters() == (256 + 2048) * 64);
  CHECK(last.parameters() == 256 * 64 + 2 * 64);
  CHECK(first.pass(PassKind::backward).size() == 2);  // dropout, scattered gradient
  CHECK(first.model_flops().value == 0);
}

TEST_CASE("tensor parallel communication outside the layers") {
  const model::ModelSpec m = gpt(1, 64, 4, 256);
  PassOptions o;
  o.sequence_length = 32, o.micro_batch = 2;
  Layout layout;
  layout.tensor = 4;
  const std::int64_t hidden = 2 * 32 * 2 * 64, token = 4 * 32 * 2;
  std::vector<std::pair<Collective, std::int64_t>> calls;
  const auto record = [&](const StageSpan& span, PassKind kind) {
    calls.clear();
    for (const PassStep& s : stage_of(m, layout, span, o).pass(kind))
      if (s.is_communication && (s.layer < 0 || s.layer == 1)) calls.emplace_back(s.collective, s.message.value);
    return calls;
  };
  using Calls = std::vector<std::pair<Collective, std::int64_t>>;
  const StageSpan embedding{.layers = 1, .embedding = true}, head{.layers = 1, .head = true};
  CHECK(record(embedding, PassKind::forward) == Calls{{Collective::all_reduce, hidden}});
  CHECK(record(embedding, PassKind::backward).empty());
  // Maximum, target logit, sum of exponentials: one fp32 value a token each.
  CHECK(record(head, PassKind::forward) == Calls(3, {Collective::all_reduce, token}));
  CHECK(record(head, PassKind::backward) == Calls{{Collective::all_reduce, hidden}});
  layout.sequence_parallel = true;
  CHECK(record(embedding, PassKind::backward) == Calls{{Collective::all_gather, hidden}});
  CHECK(record(head, PassKind::backward) ==
        Calls{{Collective::all_gather, hidden}, {Collective::reduce_scatter, hidden}});
  o.kernels.fused_cross_entropy = true;
  CHECK(record(head, PassKind::forward) ==
        Calls{{Collective::all_gather, hidden}, {Collective::all_gather, 3 * 4 * token}});
}

TEST_CASE("the fused softmax gives way where its four rows of a block do not divide") {
  const model::ModelSpec m = gpt(1, 64, 4, 256);
  PassOptions o;
  o.sequence_length = 32;
  Layout layout;
  layout.tensor = 4;  // one head a rank
  const auto softmax = [&](PassKind kind) {
    for (const PassStep& s : stage_of(m, layout, {.layers = 1}, o).pass(kind))
      if (std::string(s.name) == "attention.softmax") return std::pair{s.kernels, s.kernel.bytes.value};
    return std::pair{0, std::int64_t{0}};
  };
  o.micro_batch = 4;
  const std::int64_t values = 32 * 32;  // of a head
  CHECK(softmax(PassKind::forward) == std::pair{1, 4 * values * 2 * 2});
  CHECK(softmax(PassKind::backward) == std::pair{1, 4 * values * 3 * 2});
  o.micro_batch = 2;  // cast, scale, mask, softmax, cast in fp32
  CHECK(softmax(PassKind::forward) == std::pair{5, 2 * values * (2 + 4 + 3 * 8 + 4 + 2)});
  CHECK(softmax(PassKind::backward) == std::pair{5, 2 * values * (2 + 4 + 12 + 8 + 8 + 4 + 2)});
  o.kernels.softmax_in_fp32 = false;  // mask in place and softmax; softmax, a copy of its gradient and a mask in place
  CHECK(softmax(PassKind::forward) == std::pair{2, 2 * values * (4 + 4)});
  CHECK(softmax(PassKind::backward) == std::pair{3, 2 * values * (6 + 4 + 4)});
}

TEST_CASE("PyTorch's cross-entropy: log-softmax is one kernel, its gradient starts from zeros") {
  const model::ModelSpec m = gpt(1, 64, 4, 256);
  PassOptions o;
  o.sequence_length = 32, o.micro_batch = 1;
  o.kernels.fused_log_softmax = true;
  const auto bytes = [&](PassKind kind, int tensor) {
    Layout layout;
    layout.tensor = tensor;
    std::int64_t sum = 0;
    for (const PassStep& s : stage_of(m, layout, {.layers = 1, .head = true}, o).pass(kind))
      if (std::string(s.name) == "cross_entropy") sum += s.kernel.bytes.value;
    return sum;
  };
  const std::int64_t logits = 32 * 256;
  CHECK(bytes(PassKind::forward, 1) == (2 + 4 + 3 * 4) * logits);
  CHECK(bytes(PassKind::backward, 1) == (4 + 3 * 4 + 4 + 2) * logits);
  o.kernels.fused_log_softmax = false;
  CHECK(bytes(PassKind::forward, 1) == (2 + 4 + 4 + 20 + 8) * logits);
  const std::int64_t split = bytes(PassKind::forward, 4);
  o.kernels.fused_log_softmax = true;  // over a split vocabulary the chain is written out
  CHECK(bytes(PassKind::forward, 4) == split);
}

TEST_CASE("tensor parallel communication: bytes of a layer, forward and backward") {
  const model::ModelSpec m = gpt(1, 64, 4, 256);
  PassOptions o;
  o.sequence_length = 32, o.micro_batch = 2;
  Layout layout;
  layout.tensor = 4;
  const auto bytes = [&](PassKind kind, Collective collective) {
    std::int64_t sum = 0;
    for (const PassStep& s : stage_of(m, layout, {.layers = 1}, o).pass(kind))
      sum += s.is_communication && s.collective == collective ? s.message.value : 0;
    return sum;
  };
  const std::int64_t sbh2 = 2 * 32 * 2 * 64;
  CHECK(bytes(PassKind::forward, Collective::all_reduce) == 2 * sbh2);  // f and g of Shoeybi et al.
  CHECK(bytes(PassKind::backward, Collective::all_reduce) == 2 * sbh2);
  layout.sequence_parallel = true;
  CHECK(bytes(PassKind::forward, Collective::all_gather) == 2 * sbh2);
  CHECK(bytes(PassKind::forward, Collective::reduce_scatter) == 2 * sbh2);
  CHECK(bytes(PassKind::backward, Collective::reduce_scatter) == 2 * sbh2);
  CHECK(bytes(PassKind::backward, Collective::all_gather) == 4 * sbh2);  // two conjugates, two for the weight gradients
  CHECK(bytes(PassKind::weight_gradient, Collective::all_gather) == 2 * sbh2);
  o.recompute = Recompute::full;  // a layer that runs again gathers as its forward pass does
  CHECK(bytes(PassKind::backward, Collective::all_gather) == 6 * sbh2);
  o.calls.regather_in_backward = false;  // what it has gathered then is there for the weight gradients
  CHECK(bytes(PassKind::backward, Collective::all_gather) == 4 * sbh2);
  o.recompute = Recompute::none;
  CHECK(bytes(PassKind::backward, Collective::all_gather) == 2 * sbh2);
}

TEST_CASE("keys and values that are gathered over context ranks: their gradients are scattered again") {
  Layout layout;
  layout.context = 4;
  PassOptions o;
  o.sequence_length = 64, o.attention = AttentionKind::flash, o.calls.context_exchange = ContextExchange::all_gather;
  const StageModel stage = stage_of(llama(1, 64, 4, 2, 128, 256), layout, {.layers = 1}, o);
  const auto calls = [&](PassKind kind) {
    std::vector<Collective> all;
    for (const PassStep& s : stage.pass(kind))
      if (s.is_communication && s.along == Dimension::context) all.push_back(s.collective);
    return all;
  };
  CHECK(calls(PassKind::forward) == std::vector{Collective::all_gather});
  // Not kept, so gathered once more.
  CHECK(calls(PassKind::backward) == std::vector{Collective::all_gather, Collective::reduce_scatter});
}

TEST_CASE("ring attention: context − 1 exchanges forward, gradients come home in one hop more") {
  const model::ModelSpec m = llama(1, 64, 4, 2, 128, 256);
  Layout layout;
  layout.context = 4;
  PassOptions o;
  o.sequence_length = 64, o.attention = AttentionKind::flash;
  const StageModel stage = stage_of(m, layout, {.layers = 1}, o);
  const std::int64_t block = 2 * 2 * 16 * 2 * 16;  // keys and values, 2 bytes, 16 positions, 2 heads of 16
  std::int64_t forward = 0, backward = 0, kernels = 0;
  for (const PassStep& s : stage.pass(PassKind::forward)) {
    forward += s.is_communication ? s.message.value : 0;
    kernels += s.kernel.kind == model::KernelKind::attention_forward ? 1 : 0;
  }
  for (const PassStep& s : stage.pass(PassKind::backward)) backward += s.is_communication ? s.message.value : 0;
  CHECK(forward == 3 * block);
  CHECK(backward == 3 * block + 4 * block);
  CHECK(kernels == 4);
}

// 16 positions of 4 query heads of 16 a rank, a block of keys and values of 2 heads, or of 4 where they are repeated.
TEST_CASE("keys and values gathered once and attended block by block, their gradients on a ring in fp32") {
  const model::ModelSpec m = llama(1, 64, 4, 2, 128, 256);
  Layout layout;
  layout.context = 4;
  PassOptions o;
  o.sequence_length = 64, o.attention = AttentionKind::flash;
  o.calls.context_exchange = ContextExchange::gathered_ring;
  const auto of_attention = [&](PassKind kind) {
    std::vector<PassStep> those;
    for (const PassStep& s : stage_of(m, layout, {.layers = 1}, o).pass(kind))
      if (s.kind == model::OperatorKind::attention_flash) those.push_back(s);
    return those;
  };
  for (const std::int64_t heads : {2, 4}) {
    o.kernels.repeated_heads = heads == 4;
    const std::int64_t block = 2 * 2 * 16 * heads * 16, queries = 16 * 64;
    const std::size_t first = heads == 4 ? 1 : 0;  // heads are repeated before
    const auto forward = of_attention(PassKind::forward), backward = of_attention(PassKind::backward);
    REQUIRE(forward.size() == first + 1 + 4 * 2);
    if (first == 1) CHECK(forward[0].kernel.bytes.value == block + block / 2);
    CHECK(forward[first].collective == Collective::all_gather);
    CHECK(forward[first].message.value == 4 * block);
    CHECK(forward[first].beside == 1);  // the block of its own
    CHECK(forward[first + 1].kernel.kv_heads == heads);
    CHECK(forward[first + 1].kernel.sequence_kv == 16);
    // Joined to be sent; cast to fp32. Then differences, product and sum in fp32; at last cast back.
    CHECK(forward[first + 2].kernel.bytes.value == 2 * block + 6 * queries);
    CHECK(forward[first + 4].kernel.bytes.value == 2 * block + (6 + 32) * queries);
    CHECK(forward[first + 8].kernel.bytes.value == (6 + 32 + 6) * queries);
    REQUIRE(backward.size() == first + 1 + 4 * 3);
    std::int64_t sent = 0;
    for (const PassStep& s : backward) sent += s.collective == Collective::send_receive ? s.message.value : 0;
    CHECK(sent == 4 * 2 * block);
    CHECK(backward[3].beside == 1);
    CHECK(backward[12].beside == 0);  // nothing is left to run beside the last
  }
}

TEST_CASE("repeated heads are what is kept for the backward pass of attention, none where each query has its own") {
  PassOptions o;
  o.sequence_length = 64, o.attention = AttentionKind::flash;
  const auto kept = [&](std::int64_t kv) {
    return stage_of(llama(1, 64, 4, kv, 128, 256), {}, {.layers = 1}, o).saved_activations().value;
  };
  const std::int64_t grouped = kept(2), own = kept(4);
  o.kernels.repeated_heads = true;
  CHECK(kept(2) == grouped + 2 * 2 * 64 * (64 - 32));
  CHECK(kept(4) == own);
}

}  // namespace orrery::layout::pass_test
