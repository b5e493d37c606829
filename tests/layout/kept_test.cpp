// What other configurations keep for the backward pass, each with its derivation; published memory figures.
#include <doctest/doctest.h>

#include "stages.hpp"

namespace orrery::layout::kept_test {

using namespace orrery::layout::test;

namespace {

// Llama: sequence 64, micro-batch 2, hidden 128, 8 heads of 16, 4 key/value heads, MLP 256, vocabulary 512.
constexpr std::int64_t kTokens = 2 * 64, h = 128, q = 128, kv = 64, a = 8, f = 256, V = 512;

struct Llama {
  Layout layout;
  PassOptions o;
  std::int64_t layers = 3;
  Llama() { o.sequence_length = 64, o.micro_batch = 2, o.attention = AttentionKind::flash; }
  StageModel stage(bool embedding = false, bool head = false) const {
    return stage_of(llama(layers, h, a, 4, f, V), layout, {.layers = layers, .embedding = embedding, .head = head}, o);
  }
  std::int64_t per_token() const { return stage().saved_activations().value / kTokens; }
};

// norm in, qkv in, q, k, v (rotated), context, log-sum-exp (fp32), norm in, fc1 in, gate and up, fc2 in.
constexpr std::int64_t kFlash = 2 * h + 2 * h + (2 * q + 4 * kv) + 2 * q + 4 * a + 2 * h + 2 * h + 4 * f + 2 * f;

}  // namespace

TEST_CASE("Llama with flash attention") {
  Llama m;
  CHECK(m.per_token() == m.layers * kFlash);
  m.o.kernels.fused_bias_activation = false;  // and silu(gate)
  CHECK(m.per_token() == m.layers * (kFlash + 2 * f));
  m.o.compiled = true;
  CHECK(m.per_token() == m.layers * kFlash);
  m.o.compiled = false,
  m.o.kernels.fused_norm = false;  // an fp32 copy and the normalised values in place of the input, twice
  CHECK(m.per_token() == m.layers * (kFlash + 2 * f + 2 * (4 + 2 - 2) * h));
}

TEST_CASE("Llama over tensor and context ranks") {
  Llama m;
  m.layout.tensor = 4;
  // Four tensors of width h whole, the rest divided.
  CHECK(m.per_token() == m.layers * (8 * h + (kFlash - 8 * h) / 4));
  m.layout.sequence_parallel = true;
  CHECK(m.per_token() == m.layers * kFlash / 4);
  m.o.calls.regather_in_backward = false;  // inputs of qkv and fc1 stay gathered
  CHECK(m.per_token() == m.layers * ((kFlash - 4 * h) / 4 + 4 * h));
  m.o.calls.regather_in_backward = true, m.layout.context = 2;
  CHECK(m.per_token() == m.layers * kFlash / 8);
}

TEST_CASE("fp8: Transformer Engine keeps the inputs of the products as one byte, torchao as they were") {
  Llama m;
  m.o.compute = DType::fp8;
  // qkv, fc1 and fc2 in: one byte; the context stays for flash attention and is kept once more, cast, for the
  // projection.
  CHECK(m.per_token() == m.layers * (kFlash - h - h - f + q));
  m.o.kernels.fp8_saves_input = false;
  CHECK(m.per_token() == m.layers * kFlash);
}

TEST_CASE("nvfp4 keeps the inputs of the products as nine bytes for sixteen values, gathers and casts them") {
  Llama m;
  m.o.compute = DType::fp4;
  // 9/16 of a byte where there were two of qkv, fc1 and fc2 in; for the projection that much beside the context.
  CHECK(m.per_token() == m.layers * (kFlash - 2 * (h + h + f) + (h + h + f + q) * 9 / 16));
  m.layout.tensor = 4, m.layout.sequence_parallel = true;
  const std::vector<PassStep> forward = m.stage().pass(PassKind::forward);
  const auto first = [&](const char* name, bool call) {
    return *std::ranges::find_if(
        forward, [&](const PassStep& s) { return std::string(s.name) == name && s.is_communication == call; });
  };
  CHECK(first("qkv", true).message.value == kTokens * h * 9 / 16);
  // Of the shard: read for the largest value and to cast, written as it is and transposed.
  CHECK(first("fp4.cast", false).kernel.bytes.value == kTokens / 4 * (2 * 2 * h + 2 * h * 9 / 16));
  // Operands of four bits, the result of two bytes.
  const std::int64_t out = (q + 2 * kv) / 4;
  CHECK(first("qkv", false).kernel.bytes.value == kTokens * h * 9 / 16 + out * h * 9 / 16 + 2 * kTokens * out);
}

TEST_CASE("recompute policies of torchtitan") {
  Llama m;
  m.o.recompute = Recompute::selective_op;
  // Input; of seven products the first, third, fifth, seventh (q, v, gate, fc2); context and log-sum-exp.
  const std::int64_t kept = 2 * h + 2 * q + 2 * kv + 2 * f + 2 * h + 2 * q + 4 * a;
  // The output of fc2 of one layer is not the input of the next (the sum is).
  CHECK(m.per_token() == m.layers * kept);
  // Run again in B: norm, k, rotary, projection, sum, norm, up, activation; no kernel of q, v, gate, fc2, attention.
  std::int64_t products = 0;
  for (const PassStep& s : m.stage().pass(PassKind::backward))
    if (s.role == StepRole::recompute && s.kernel.kind == model::KernelKind::gemm) ++products;
  CHECK(products == 3 * m.layers);
  for (const PassStep& s : m.stage().pass(PassKind::backward))
    CHECK(!(s.role == StepRole::recompute && s.kernel.kind == model::KernelKind::attention_forward));
  // What they make stays until the gradients that read it, and no more: nothing of what is kept is made twice.
  std::int64_t made = 0;
  for (const PassStep& s : m.stage().pass(PassKind::backward))
    for (const MemoryChange& c : s.memory)
      if (s.role == StepRole::recompute && c.bytes.value > 0) made += c.bytes.value;
  const std::int64_t again = 2 * h + 2 * kv + 2 * q + 2 * kv + 2 * h + 2 * h + 2 * h + 2 * f + 2 * f;
  CHECK(made == kTokens * (m.layers * again + 2 * h));  // and the gradient that arrives, in the first step
  // Under sequence parallel the reduce-scattered output of the projection is kept, and not reduced again.
  m.layout.tensor = 4, m.layout.sequence_parallel = true;
  CHECK(m.per_token() == m.layers * (kept + 2 * h) / 4);
  for (const PassStep& s : m.stage().pass(PassKind::backward))
    CHECK(!(s.role == StepRole::recompute && s.is_communication && s.collective == Collective::reduce_scatter));
  // Compiled, what no backward step reads is not kept: the output of fc2.
  m.o.compiled = true;
  CHECK(m.per_token() == m.layers * kept / 4);
  m.layout.tensor = 1, m.layout.sequence_parallel = false;
  CHECK(m.per_token() == m.layers * (kept - 2 * h));
}

TEST_CASE("full recompute of every k-th layer, and early stop") {
  Llama m;
  m.layers = 6;
  m.o.recompute = Recompute::full, m.o.recompute_every = 3;
  CHECK(m.per_token() == 2 * 2 * h + 4 * kFlash);
  m.o.recompute = Recompute::alternate_layers, m.o.recompute_every = 1;
  CHECK(m.per_token() == 3 * 2 * h + 3 * kFlash);
  m.o.recompute = Recompute::full;
  CHECK(m.per_token() == 6 * 2 * h);
  // PyTorch's non-reentrant checkpoint does not run fc2 again: nothing behind its input is needed.
  const Flops all = m.stage().hardware_flops();
  m.o.kernels.recompute_stops_early = true;
  CHECK((all - m.stage().hardware_flops()).value == 6 * 2 * kTokens * f * h);
}

// Megatron-LM, --recompute-method: block keeps the inputs of the first N layers and all of the others, uniform the
// input of each first of N. In the backward pass of layers that are run again together all of them are there.
TEST_CASE("full recompute of the first layers of a stage, or of several together") {
  Llama m;
  m.layers = 6;
  m.o.recompute = Recompute::full, m.o.recompute_method = RecomputeMethod::block;
  for (std::int64_t n = 1; n <= 7; ++n) {
    m.o.recompute_num_layers = n;
    const std::int64_t again = std::min<std::int64_t>(n, 6);
    CHECK(m.per_token() == again * 2 * h + (6 - again) * kFlash);
  }
  const auto most = [&] {
    const StageModel s = m.stage();
    return extremes(s.pass(PassKind::backward), s.saved_activations().value).most;
  };
  m.o.recompute_method = RecomputeMethod::uniform, m.o.recompute_num_layers = 1;
  const std::int64_t one = most();
  for (const std::int64_t n : {2, 3, 4}) {
    m.o.recompute_num_layers = n;
    const std::int64_t kept = ceil_div(6, n);
    CHECK(m.per_token() == kept * 2 * h);
    // The last of the stage are run again while all inputs are kept; of four and two the four while theirs is alone.
    const std::int64_t there = n == 4 ? 1 : kept;
    CHECK(most() - one == kTokens * ((n - 1) * kFlash - (6 - there) * 2 * h));
  }
  // Early stop leaves out the last product of each three alone: what stands behind others is needed.
  m.o.recompute_num_layers = 3;
  const Flops all = m.stage().hardware_flops();
  m.o.kernels.recompute_stops_early = true;
  CHECK((all - m.stage().hardware_flops()).value == 2 * 2 * kTokens * f * h);
}

TEST_CASE("the loss: fp32 softmax overwritten, copied, or fused in 16 bits") {
  Llama m;
  const auto peak = [&] {
    const StageModel s = m.stage(false, true);
    return extremes(s.pass(PassKind::backward), s.saved_activations().value).most - m.stage().saved_activations().value;
  };
  const std::int64_t ends = 4 * h * kTokens;  // norm and head inputs
  // First step of B: softmax, gradient in 16 bits.
  CHECK(peak() == ends + (4 + 2) * V * kTokens);
  m.o.kernels.loss_copies = 1;
  CHECK(peak() == ends + (4 + 4 + 2) * V * kTokens);
  m.o.kernels.loss_copies = 2;  // torch: gradients of nll_loss and of log_softmax
  CHECK(peak() == ends + (4 + 8 + 2) * V * kTokens);
  // Over shards torch holds the exponentials beside both, and no compiler makes one kernel of it.
  m.layout.tensor = 4, m.o.kernels.fused_log_softmax = true;
  CHECK(peak() == ends + (4 + 12 + 2) * V / 4 * kTokens);
  m.o.compiled = true;
  CHECK(peak() == ends + (4 + 12 + 2) * V / 4 * kTokens);
  // A compiler writes the gradient of nll_loss into that of log_softmax, where the loss is compiled with the layers.
  m.layout.tensor = 1;
  CHECK(peak() == ends + (4 + 4 + 2) * V * kTokens);
  m.o.kernels.compiled_loss = false;
  CHECK(peak() == ends + (4 + 8 + 2) * V * kTokens);
  m.o.compiled = false;
  m.o.kernels.fused_cross_entropy = true;
  CHECK(m.stage(false, true).saved_activations().value == m.stage().saved_activations().value + ends + 2 * V * kTokens);
}

TEST_CASE("a softmax that is not one kernel has 12 bytes a score alive in fp32, in 16 bits 4 like a fused one") {
  // A layer without dropout: 8 heads of 64 x 64 scores, 2 sequences. Kept of them: the 16-bit result for the product
  // with the values, and unfused the fp32 result for the softmax.
  Llama m;
  m.layers = 1, m.o.attention = AttentionKind::unfused;
  const std::int64_t scores = 2 * a * 64 * 64;
  const auto at_softmax = [&] {  // bytes of the scores while the softmax runs, in F
    const StageModel stage = m.stage();
    const std::vector<PassStep> f = stage.pass(PassKind::forward);
    std::int64_t now = 0;
    for (const PassStep& s : f) {
      for (const MemoryChange& c : s.memory)
        if (!c.at_end && c.bytes.value >= 2 * scores) now += c.bytes.value;
      if (std::string_view(s.name) == "attention.softmax") return now;
      for (const MemoryChange& c : s.memory)
        if (c.at_end && c.bytes.value <= -2 * scores) now += c.bytes.value;
    }
    return std::int64_t{-1};
  };
  const std::int64_t fused = m.stage().saved_activations().value;
  CHECK(at_softmax() == 4 * scores);
  m.o.kernels.fused_softmax = false;
  CHECK(at_softmax() == 12 * scores);
  CHECK(m.stage().saved_activations().value == fused + 4 * scores);
  m.o.kernels.softmax_in_fp32 = false;  // masked in place
  CHECK(at_softmax() == 4 * scores);
  CHECK(m.stage().saved_activations().value == fused);
}

TEST_CASE("placeholders of weight gradients: one for each shape") {
  Llama m;
  CHECK(m.stage().placeholders().value == 0);
  m.o.kernels.gradient_placeholders = true;
  CHECK(m.stage().placeholders().value == 2 * (h * (q + 2 * kv) + q * h + 2 * f * h + f * h));
}

TEST_CASE("what the head gathers stands in a buffer that stays, what layers gather does not") {
  Llama m;
  m.layout.tensor = 2, m.layout.sequence_parallel = true;
  const auto made = [&](PassKind kind) {  // by the head, of as many bytes as all of its input
    std::int64_t count = 0;
    for (const PassStep& s : m.stage(false, true).pass(kind))
      for (const MemoryChange& c : s.memory) count += s.layer == m.layers && c.bytes.value == 2 * h * kTokens ? 1 : 0;
    return count;
  };
  CHECK(m.stage(false, true).gather_buffer().value == 0);
  const std::int64_t forward = made(PassKind::forward), backward = made(PassKind::backward);
  m.o.kernels.gather_buffer = true;
  CHECK(m.stage(false, true).gather_buffer().value == 2 * h * kTokens);
  CHECK(m.stage().gather_buffer().value == 0);
  CHECK(made(PassKind::forward) == forward - 1);
  CHECK(made(PassKind::backward) == backward - 1);
}

TEST_CASE("without output deallocation each micro-batch in flight keeps one message more") {
  // Korthikanti et al., appendix B: the saving on the first rank is s b h elements for each of p micro-batches.
  Llama m;
  const std::int64_t without = m.stage().saved_activations().value;
  m.o.kernels.keep_stage_output = true;
  CHECK(m.stage().saved_activations().value - without == 2 * h * kTokens);
  m.o.recompute = Recompute::full;
  const auto f = m.stage().pass(PassKind::forward), b = m.stage().pass(PassKind::backward);
  CHECK(net(f, MemoryClass::activations) == (m.layers + 1) * 2 * h * kTokens);
  CHECK(net(b, MemoryClass::activations) == -(m.layers + 1) * 2 * h * kTokens);
}

TEST_CASE("a gradient that is not accumulated in the product is written first and then added") {
  Llama m;
  const auto bytes = [&] {
    std::int64_t sum = 0;
    for (const PassStep& s : m.stage().pass(PassKind::weight_gradient)) sum += s.kernel.bytes.value;
    return sum;
  };
  const std::int64_t fused = bytes(), weights = m.layers * (h * (q + 2 * kv) + q * h + 3 * f * h);
  m.o.kernels.fused_gradient_accumulation = false;
  // Fused: fp32 read and written by the product (8). Apart: 2 written by the product; 2 + 4 read and 4 written by the
  // addition.
  CHECK(bytes() - fused == weights * (2 + 10 - 8));
  m.layout.zero = Zero::parameters, m.layout.data = 2;  // FSDP: written only
  CHECK(bytes() - fused == weights * (2 - 8));
}

TEST_CASE("replicated parameters: norms and the biases of row-split products") {
  PassOptions o;
  o.sequence_length = 64;
  Layout layout;
  layout.tensor = 4;
  CHECK(stage_of(gpt(3, 64, 4, 256), layout, {.layers = 3}, o).replicated_parameters() == 3 * (4 * 64 + 2 * 64));
}

// Korthikanti et al. 2022: activations of the first stage in GiB, with tensor parallel 8 (their tables 3, 4 and
// §4.2.3).
TEST_CASE("published activation memory of 22B, 175B, 530B and 1T") {
  struct Row {
    std::int64_t l, hidden, heads, b, p, v;
    double none, sequence_selective;
  };
  const Row rows[] = {{48, 6144, 64, 4, 1, 1, 59.25, 9.5625},
                      {96, 12288, 96, 1, 8, 3, 66.84375, 12.3515625},
                      {105, 20480, 128, 1, 35, 3, 114.0234375, 23.076171875},
                      {128, 25600, 160, 1, 64, 1, 131.25, 26.5625}};
  for (const Row& r : rows) {
    Layout layout;
    layout.tensor = 8;
    PassOptions o;
    o.sequence_length = 2048, o.micro_batch = r.b;
    const auto gib = [&](bool sp, Recompute recompute) {
      layout.sequence_parallel = sp, o.recompute = recompute;
      const StageModel one = stage_of(gpt(1, r.hidden, r.heads, 51200), layout, {.layers = 1}, o);
      // l layers' worth in flight on the first stage, times 1 + (p − 1)/(p v) when interleaved.
      const double share = r.v > 1 ? 1.0 + static_cast<double>(r.p - 1) / static_cast<double>(r.p * r.v) : 1.0;
      return static_cast<double>(one.saved_activations().value * r.l) * share / (1024.0 * 1024 * 1024);
    };
    CAPTURE(r.hidden);
    CHECK(gib(false, Recompute::none) == doctest::Approx(r.none).epsilon(1e-6));
    CHECK(gib(true, Recompute::selective) == doctest::Approx(r.sequence_selective).epsilon(1e-6));
  }
}

}  // namespace orrery::layout::kept_test
