// Mechanisms of kernel_time on a made-up GPU whose numbers can be followed by hand: 4 multiprocessors of 10¹² FLOP/s
// each (bf16), 10¹² bytes/s of memory, everything at 100 %.
#include <doctest/doctest.h>

#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/cost/kernel_cost.hpp"

namespace orrery::cost::kernel_time_test {
namespace {

using model::GemmLayout;
using model::Kernel;
using model::KernelKind;

hardware::Gpu small_gpu() {
  hardware::Gpu gpu;
  gpu.name = "small";
  gpu.multiprocessors = 4;
  gpu.dense_peak[static_cast<std::size_t>(DType::bf16)] = {4'000'000'000'000};
  gpu.dense_peak[static_cast<std::size_t>(DType::fp8)] = {8'000'000'000'000};
  gpu.memory_bandwidth = {1'000'000'000'000};
  return gpu;
}

KernelModel ideal() {
  KernelModel model;
  model.gemm.rate = {1, 1, 1, 1, 1, 0};
  model.gemm.small_tile_cost = 1000;  // tiles of 256×128 only
  return model;
}

Kernel gemm(std::int64_t m, std::int64_t n, std::int64_t k) {
  Kernel kernel;
  kernel.kind = KernelKind::gemm;
  kernel.m = m;
  kernel.n = n;
  kernel.k = k;
  kernel.flops = {2 * m * n * k};
  kernel.bytes = {2 * (m * k + k * n + m * n)};
  return kernel;
}

Time run(const KernelModel& model, const Kernel& kernel) {
  return kernel_time(small_gpu(), model, kernel);
}

TEST_CASE("a product of whole waves runs at the peak") {
  // 2 · 4 blocks of 256×128 on 4 multiprocessors: 2 waves; 2 · 512 · 512 · 1024 FLOP / 4·10¹² FLOP/s = 134.217728 µs.
  CHECK(run(ideal(), gemm(512, 512, 1024)) == Time{134'217'728});
}

TEST_CASE("one row more costs a row of tiles, and whole waves of them") {
  // m = 513: ⌈513/128⌉ · ⌈512/256⌉ = 10 blocks of 128×256 (or 3 · 4 = 12 of 256×128): 3 waves instead of 2. k = 256
  // is too short to be split.
  CHECK(run(ideal(), gemm(512, 512, 256)) == Time{33'554'432});
  CHECK(run(ideal(), gemm(513, 512, 256)) == Time{33'554'432 / 2 * 3});
  KernelModel even = ideal();
  even.gemm.wave_smoothing = 1;  // 10 blocks are 2.5 waves
  CHECK(run(even, gemm(513, 512, 256)) == Time{33'554'432 / 4 * 5});
}

TEST_CASE("a small tile fills the GPU where a large one leaves it idle") {
  // 128 × 128 result: one block of the large tiles, 4 of 64×64. Without a cost of small tiles the latter is 4 times
  // faster than one 128×128 block: 2 · 64 · 64 · 128 / 10¹² = 1.048576 µs. Memory: 98 304 bytes, 0.098 µs.
  KernelModel model = ideal();
  model.gemm.small_tile_cost = 0;
  CHECK(run(model, gemm(128, 128, 128)) == Time{1'048'576});
  // u − 1 of 64×64 is 85⅓ · 2/64 − 1 = 5/3; at a cost of 3 it runs at 1/6 of the rate: 6.291456 µs; 128×64 (2 blocks,
  // u = 2): 4 · 2.097152 = 8.4; 128×128 (u = 4/3): 2 · 4.194304 = 8.4 µs.
  model.gemm.small_tile_cost = 3;
  const std::int64_t got = run(model, gemm(128, 128, 128)).value;
  CHECK(got >= 6'291'455);
  CHECK(got <= 6'291'457);
}

// Groups of 256 and 128 rows, n 512, k 1024: of 256×128 1 + 1 rows of 4 blocks, of 128×256 2 + 1 rows of 2: 8 or 6
// blocks on 4 multiprocessors, two waves. With a group of 64 rows 12 or 8, with two of them 16 or 10: two waves, and
// three. Two groups of 128 rows and k 16384 are one block each, which alike ones split 4 ways.
TEST_CASE("a grouped product takes the blocks of each group, and is not split") {
  const auto grouped = [](std::vector<std::int64_t> rows, std::int64_t n, std::int64_t k) {
    Kernel kernel = gemm(rows.front(), n, k);
    kernel.batch = static_cast<std::int64_t>(rows.size()), kernel.bytes = {1};
    for (const std::int64_t r : rows)
      for (std::size_t i = 0; i < 3; ++i)
        kernel.row_blocks[i] += static_cast<std::int32_t>((r + (64 << i) - 1) / (64 << i));
    return kernel;
  };
  CHECK(run(ideal(), grouped({256, 128}, 512, 1024)) == Time{2 * 67'108'864});
  CHECK(run(ideal(), grouped({256, 128, 64}, 512, 1024)) == Time{2 * 67'108'864});
  CHECK(run(ideal(), grouped({256, 128, 64, 64}, 512, 1024)) == Time{3 * 67'108'864});
  CHECK(run(ideal(), grouped({128, 128}, 128, 16384)) == Time{1'073'741'824});
  Kernel alike = gemm(128, 128, 16384);
  alike.batch = 2;
  CHECK(run(ideal(), alike) < Time{600'000'000});
}

TEST_CASE("few blocks with a long k are split, and pay for adding up") {
  // 256 × 128, k = 16384: one block 1073.741824 µs. Split 4 ways: 268.435456 µs + 32768 · (4·4 + 2) bytes / 10¹² =
  // 0.589824 µs; 8 ways: the same two waves of half blocks + 1.114112 µs.
  CHECK(run(ideal(), gemm(256, 128, 16384)) == Time{268'435'456 + 589'824});
}

TEST_CASE("a product of short k waits for memory") {
  // k = 64: 2 · 1024 · 1024 · 64 / 4·10¹² = 33.5 µs; operands and result 2 · (2 · 65536 + 1048576) = 2 359 296 bytes:
  // 2.36 µs at 10¹² B/s, 23.6 µs at a tenth, 47.2 µs at a twentieth.
  KernelModel model = ideal();
  model.gemm.memory_efficiency = 0.0625;
  CHECK(run(model, gemm(1024, 1024, 64)) == Time{2'359'296 * 16});
}

TEST_CASE("number format, layout and alignment change the rate") {
  KernelModel model = ideal();
  model.gemm.nn = 0.5;
  model.gemm.nt = 0.25;
  model.gemm.misaligned_rate = 0.5;
  Kernel kernel = gemm(512, 512, 1024);
  kernel.layout = GemmLayout::nn;
  CHECK(run(model, kernel) == Time{2 * 134'217'728});
  kernel.layout = GemmLayout::nt;
  CHECK(run(model, kernel) == Time{4 * 134'217'728});
  kernel.layout = GemmLayout::tn;
  kernel.dtype = DType::fp8;
  CHECK(run(model, kernel) == Time{134'217'728 / 2});
  model.fp8_sustained = 0.5;
  CHECK(run(model, kernel) == Time{134'217'728});
  model.fp8_sustained = 1;
  // n = 511 has as many blocks as 512 and starts rows on odd bytes.
  CHECK(run(model, gemm(512, 511, 1024)) == Time{2 * 134'217'728});
  // What must start on 16 bytes lies one behind the other in memory: k and n (TN, NN), m and n (NT). Rows do not.
  const auto shape = [&](GemmLayout layout, std::int64_t m, std::int64_t n, std::int64_t k) {
    Kernel product = gemm(m, n, k);
    product.layout = layout;
    return run(model, product);
  };
  CHECK(shape(GemmLayout::tn, 511, 512, 1024) == Time{134'217'728});
  CHECK(shape(GemmLayout::nn, 511, 512, 1024) == Time{2 * 134'217'728});
  CHECK(shape(GemmLayout::nt, 511, 512, 1024) == Time{2 * 4 * 134'217'728});
  CHECK(shape(GemmLayout::nt, 512, 512, 1023) == Time{4 * 134'217'728});
  CHECK(shape(GemmLayout::tn, 512, 512, 1023) == Time{2 * 134'217'728});
  kernel.dtype = DType::int8;  // no rate for it
  CHECK_THROWS_AS(run(model, kernel), InternalError);
}

TEST_CASE("an exposed epilogue writes the accumulated result") {
  KernelModel model = ideal();
  model.gemm.exposed_epilogue = 1;
  Kernel kernel = gemm(512, 512, 1024);
  kernel.out_dtype = DType::fp32;
  kernel.accumulate = true;
  // Two waves; a block's 256 · 128 · 4 bytes at a quarter of 10¹² B/s: 0.524288 µs each.
  CHECK(run(model, kernel) == Time{134'217'728 + 2 * 524'288});
}

TEST_CASE("time grows with every dimension, one whole tile at a time") {
  KernelModel model = ideal();
  model.gemm.small_tile_cost = 0.4;
  model.gemm.fill = {1'000'000};
  for (std::int64_t size = 256; size < 4096; size += 256) {
    CHECK(run(model, gemm(size, 1024, 1024)) <= run(model, gemm(size + 256, 1024, 1024)));
    CHECK(run(model, gemm(1024, size, 1024)) <= run(model, gemm(1024, size + 256, 1024)));
    CHECK(run(model, gemm(1024, 1024, size)) < run(model, gemm(1024, 1024, size + 256)));
    const Time floor{2 * size * 1024 * 1024 / 4};  // at the peak
    CHECK(run(model, gemm(size, 1024, 1024)) >= floor);
  }
}

Kernel attention(std::int64_t sequence, std::int64_t heads, bool causal) {
  Kernel kernel;
  kernel.kind = KernelKind::attention_forward;
  kernel.sequence_q = kernel.sequence_kv = sequence;
  kernel.heads = kernel.kv_heads = heads;
  kernel.head_dim = 128;
  kernel.flops = {4 * sequence * sequence * heads * 128};
  kernel.bytes = {8 * sequence * heads * 128};
  kernel.causal = causal;
  return kernel;
}

TEST_CASE("executed FLOPs: half of causal fused attention and its diagonal, all of anything else") {
  KernelModel model = ideal();
  model.attention.resize(1);
  model.attention[0].forward.rows = 128, model.attention[0].backward.rows = 64;
  CHECK(executed_flops(model, gemm(512, 1024, 1024)) == gemm(512, 1024, 1024).flops);
  CHECK(executed_flops(model, attention(1024, 4, false)) == attention(1024, 4, false).flops);
  // 8 blocks of queries: the first does 1/8 of its work, the last all: (1 + 2 + … + 8) / 64 = 9/16.
  Kernel kernel = attention(1024, 4, true);
  CHECK(executed_flops(model, kernel).value == kernel.flops.value / 16 * 9);
  // Backward by blocks of keys: 2048 in 64s are 32 blocks, 33/64.
  kernel.kind = KernelKind::attention_backward, kernel.sequence_kv = 2048;
  CHECK(executed_flops(model, kernel).value == kernel.flops.value / 64 * 33);
  // One block is all diagonal; a part of a FLOP is not counted: 7 FLOPs in 2 blocks are 3/4 · 7 = 5.25.
  CHECK(executed_flops(model, attention(128, 1, true)) == attention(128, 1, true).flops);
  kernel = attention(129, 1, true);
  kernel.flops = {7};
  CHECK(executed_flops(model, kernel).value == 5);
}

// Blocks of 128 queries and keys, 1024 positions. In windows of 256 block i begins at 128 i and looks back to 128 i −
// 255, which lies in block i − 2: 1 + 2 + 6 · 3. In chunks of 256: 1 and 2 in turn.
TEST_CASE("blocks that a mask leaves: of all that came before, in windows, in chunks") {
  const auto blocks = [](std::int64_t window, bool chunks) {
    const AttentionBlocks b = causal_blocks(1024, 128, window, chunks);
    return std::pair(b.all, b.most);
  };
  CHECK(blocks(0, false) == std::pair<std::int64_t, std::int64_t>(36, 8));
  CHECK(blocks(1024, false) == std::pair<std::int64_t, std::int64_t>(36, 8));
  CHECK(blocks(256, false) == std::pair<std::int64_t, std::int64_t>(21, 3));
  CHECK(blocks(1, false) == std::pair<std::int64_t, std::int64_t>(8, 1));
  CHECK(blocks(256, true) == std::pair<std::int64_t, std::int64_t>(12, 2));
  KernelModel model = ideal();
  model.attention.resize(1);
  model.attention[0].forward.rows = 128, model.attention[0].forward.rate_128 = 1;
  const std::int64_t of_pair = 4 * 128 * 4;  // 4 d FLOPs of each of four heads
  Kernel windowed = attention(1024, 4, true);
  windowed.window = 256, windowed.flops = {(1024 * 1024 - 768 * 769) * of_pair};
  CHECK(executed_flops(model, windowed).value == 21 * 128 * 128 * of_pair);
  Kernel chunked = windowed;
  chunked.chunks = true, chunked.flops = {4 * 256 * 256 * of_pair};
  CHECK(executed_flops(model, chunked).value == 12 * 128 * 128 * of_pair);
  CHECK(run(model, windowed) < run(model, attention(1024, 4, true)));
  CHECK(run(model, chunked) < run(model, windowed));
}

TEST_CASE("fused attention: half the work with the causal mask, but never less than its longest block") {
  KernelModel model = ideal();
  model.attention.resize(1);
  model.attention[0].forward.rate_64 = 0.5;
  model.attention[0].forward.rate_128 = 1;
  model.attention[0].forward.rate_wide = 0.25;
  // 4 heads · 1024 queries = 32 blocks, 8 on each multiprocessor: 4 · 1024² · 4 · 128 / 4·10¹² = 536.870912 µs.
  CHECK(run(model, attention(1024, 4, false)) == Time{536'870'912});
  // Causal: block i of 8 does (i + 1)/8 of the work, counted in whole tiles; 9/16 in the mean.
  CHECK(run(model, attention(1024, 4, true)) == Time{536'870'912 / 16 * 9});
  // One head of 256 queries: 2 blocks on 4 multiprocessors; the longest takes 4 · 128 · 256 · 128 / 10¹² = 16.777216
  // µs.
  CHECK(run(model, attention(256, 1, true)) == Time{16'777'216});
  Kernel narrow = attention(1024, 4, false);
  narrow.head_dim = 64;
  CHECK(run(model, narrow) == Time{2 * 536'870'912});
  narrow.head_dim = 129;
  CHECK(run(model, narrow) == Time{4 * 536'870'912LL});
}

TEST_CASE("the library of fused attention is the stack's, else the GPU's first") {
  KernelModel model = ideal();
  model.attention.resize(2);
  model.attention[0].library = AttentionLibrary::flash2;
  model.attention[0].forward.rate_128 = 1;
  model.attention[1].library = AttentionLibrary::flash1;
  model.attention[1].forward.rate_128 = 0.5;
  const Kernel kernel = attention(1024, 4, false);
  CHECK(kernel_time(small_gpu(), model, kernel) == Time{536'870'912});
  CHECK(kernel_time(small_gpu(), model, kernel, AttentionLibrary::flash1) == Time{2 * 536'870'912});
  CHECK(kernel_time(small_gpu(), model, kernel, AttentionLibrary::cudnn) == Time{536'870'912});
  CHECK_THROWS_AS(run(ideal(), kernel), InternalError);  // a GPU without fused attention
}

TEST_CASE("a power limit slows matrix work and nothing else") {
  KernelModel model = ideal();
  model.sustained = 0.5;
  CHECK(run(model, gemm(512, 512, 1024)) == Time{2 * 134'217'728});
  Kernel copy;
  copy.bytes = {1'000'000};
  CHECK(run(model, copy) == Time{1'000'000});
}

TEST_CASE("memory-bound kernels: floor + bytes over achieved bandwidth") {
  KernelModel model = ideal();
  model.memory = {.floor = {2'000'000}, .efficiency = 0.5};
  Kernel kernel;
  kernel.bytes = {1'000'000};
  CHECK(run(model, kernel) == Time{2'000'000 + 2'000'000});
  kernel.bytes = {0};
  CHECK(run(model, kernel) == Time{2'000'000});
}

}  // namespace
}  // namespace orrery::cost::kernel_time_test
