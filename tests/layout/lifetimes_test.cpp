// No step of any pass uses a tensor that is not there, and matrix products name no less than their operands.
#include <doctest/doctest.h>

#include <map>

#include "drawn_options.hpp"
#include "stages.hpp"

namespace orrery::layout::lifetimes_test {

using namespace orrery::layout::test;

namespace {

struct Drawn {
  model::ModelSpec model;
  Layout layout;
  StageSpan span;
  PassOptions options;
  StageModel stage() const { return stage_of(model, layout, span, options); }
};

model::ModelSpec draw_model(Random& random) {
  model::ModelSpec m = random.between(0, 1) ? gpt(4, 128, 8, 512) : llama(4, 128, 8, 4, 256, 512);
  m.position = static_cast<model::Position>(random.between(0, 3));
  m.activation = static_cast<model::Activation>(random.between(0, 3));
  m.norm = random.between(0, 1) ? model::Norm::layer_norm : model::Norm::rms_norm;
  m.dropout = random.between(0, 1), m.bias = random.between(0, 1), m.embedding_norm = random.between(0, 3) == 0;
  m.tied_embeddings = random.between(0, 1);
  return m;
}

Drawn draw(Random& random) {
  Drawn d{draw_model(random), {}, {}, draw_options(random)};
  d.layout.tensor = random.between(0, 1) ? 4 : 1;
  if (d.model.position != model::Position::relative) d.layout.context = static_cast<int>(random.between(1, 4)) / 2 + 1;
  if (d.layout.context == 3) d.layout.context = 4;
  d.layout.sequence_parallel = d.layout.tensor > 1 && random.between(0, 1);
  d.layout.data = 2, d.layout.zero = static_cast<Zero>(random.between(0, 3));
  const std::int64_t part = random.between(0, 3);  // whole, first, middle, last
  d.span = {.first_layer = part == 2 ? 1 : 0, .layers = 2, .embedding = part < 2, .head = part == 0 || part == 3};
  if (part == 0) d.span.layers = 4;
  if (part == 3) d.span.first_layer = 2;
  return d;
}

std::map<TensorId, std::int64_t> sizes(const StageModel& stage, PassKind kind) {
  std::map<TensorId, std::int64_t> bytes;
  for (const PassKind of :
       {PassKind::forward, kind == PassKind::weight_gradient ? PassKind::input_gradient : kind, kind})
    for (const PassStep& s : stage.pass(of))
      for (const MemoryChange& c : s.memory)
        if (c.bytes.value > 0) bytes[c.tensor] = c.bytes.value;
  return bytes;
}

// Operands of a product that are no weights: both of a weight gradient and of attention, else the first.
std::int64_t operands(const model::Kernel& k) {
  const bool both = k.batch > 1 || k.layout == model::GemmLayout::nt;
  return k.batch * (k.m * k.k + (both ? k.k * k.n : 0)) * size_of(k.dtype);
}

}  // namespace

TEST_CASE("no step uses a tensor that is freed, and products name their operands, whatever the options") {
  Random random(7);
  for (int n = 0; n < 1500; ++n) {
    const Drawn drawn = draw(random);
    const StageModel stage = drawn.stage();
    for (const PassKind kind : kPasses) {
      const std::vector<PassStep> steps = stage.pass(kind);
      REQUIRE(audit_pass(steps, stage.held_before(kind)) == std::vector<std::string>{});
      const auto bytes = sizes(stage, kind);
      for (const PassStep& s : steps) {
        if (s.kernel.kind != model::KernelKind::gemm || s.is_communication) continue;
        if (std::string_view(s.name) == "relative_positions") continue;  // its input is a constant
        // What the head gathers stands in a buffer of the process.
        if (drawn.options.kernels.gather_buffer && drawn.layout.sequence_parallel && s.layer == drawn.model.layers)
          continue;
        std::int64_t named = 0;
        for (const TensorId t : s.uses)
          if (const auto it = bytes.find(t); it != bytes.end()) named += it->second;
        CAPTURE(n);
        CAPTURE(s.name);
        CAPTURE(static_cast<int>(kind));
        REQUIRE(named >= operands(s.kernel));
      }
    }
  }
}

TEST_CASE("a fused loss leaves its gradient where the logits stood until the weight gradient has read it") {
  // Sequence 64, micro-batch 2, hidden 128, vocabulary 512 in 16 bits. B begins with the head: logits, input of the
  // head, input of the norm kept; the gradient of the head's input is new.
  PassOptions o;
  o.sequence_length = 64, o.micro_batch = 2, o.attention = AttentionKind::flash, o.kernels.fused_cross_entropy = true;
  const std::int64_t tokens = 128, logits = 2 * 512 * tokens, narrow = 2 * 128 * tokens;
  for (const bool sp : {false, true}) {
    Layout layout;
    layout.tensor = sp ? 4 : 1, layout.sequence_parallel = sp;
    const StageModel stage = stage_of(llama(1, 128, 8, 4, 256, 512), layout, {.layers = 1, .head = true}, o);
    const StageModel below = stage_of(llama(1, 128, 8, 4, 256, 512), layout, {.layers = 1}, o);
    const std::vector<PassStep> b = stage.pass(PassKind::backward);
    const auto weight = std::ranges::find_if(b, [](const PassStep& s) { return s.gradients_ready > 0; });
    const std::int64_t held = stage.saved_activations().value;
    CHECK(held == below.saved_activations().value + (logits + 2 * narrow) / layout.tensor);
    // While the product of the weight gradient runs: all that was kept, the gradient of its input (a shard under
    // sequence parallel, beside its partial sum), the input gathered once more.
    std::int64_t now = held;
    for (auto s = b.begin(); s <= weight; ++s)
      for (const MemoryChange& c : s->memory)
        if (s < weight || !c.at_end) now += c.bytes.value;
    CHECK(now == held + narrow / layout.tensor + (sp ? narrow : 0));
    // I leaves it to W.
    const auto i = stage.pass(PassKind::input_gradient);
    CHECK(held + net(i, MemoryClass::activations) >= logits / layout.tensor);
  }
}

TEST_CASE("a stage that begins with a product hands on an input gradient that is summed to the end") {
  // OLMo-2, BERT: no norm before the queries, so that the last call of the backward pass makes the message.
  for (const model::NormPlace place : {model::NormPlace::after, model::NormPlace::after_sum}) {
    model::ModelSpec m = test::llama(2, 64, 4, 4, 96, 128);
    m.norm_place = place;
    Layout layout;
    layout.tensor = 2;
    PassOptions options;
    options.sequence_length = 32;
    const std::vector<PassStep> back = test::stage_of(m, layout, {1, 1, false, true}, options).pass(PassKind::backward);
    CHECK(std::string(back.back().name) == "qkv");
    CHECK(back[back.size() - 2].is_communication);
    CHECK(back[back.size() - 2].beside == 1);
  }
}

TEST_CASE("books of a pass: what is freed too early, made twice or never made is found") {
  PassOptions o;
  o.sequence_length = 64, o.attention = AttentionKind::flash;
  Layout layout;
  layout.tensor = 4, layout.sequence_parallel = true;
  const StageModel stage = stage_of(llama(2, 128, 8, 4, 256, 512), layout, {.layers = 2, .head = true}, o);
  const std::vector<PassStep> whole = stage.pass(PassKind::backward);
  const std::vector<TensorId> held = stage.held_before(PassKind::backward);
  REQUIRE(audit_pass(whole, held).empty());
  int found = 0, tried = 0;
  for (std::size_t s = 1; s < whole.size(); ++s)
    for (std::size_t c = 0; c < whole[s].memory.size(); ++c) {
      const MemoryChange change = whole[s].memory[c];
      if (change.bytes.value > 0 || std::ranges::count(whole[s].uses, change.tensor) == 0) continue;
      std::vector<PassStep> broken = whole;
      broken[s].memory = {};
      for (std::size_t other = 0; other < whole[s].memory.size(); ++other)
        if (other != c) broken[s].memory.push_back(whole[s].memory[other]);
      broken[s - 1].memory.push_back(change);
      ++tried, found += audit_pass(broken, held).empty() ? 0 : 1;
    }
  CHECK(tried > 50);
  CHECK(found == tried);
  std::vector<PassStep> twice = whole;
  twice.back().memory.push_back({true, MemoryClass::activations, {-8}, held.front()});
  CHECK(audit_pass(twice, held).back().find("frees a tensor that is not there") != std::string::npos);
  CHECK(audit_pass(whole, {}).front().find("uses a tensor that nothing made") != std::string::npos);
}

}  // namespace orrery::layout::lifetimes_test
