#include <algorithm>
#include <array>
#include <cmath>

#include "orrery/core/error.hpp"
#include "orrery/cost/kernel_cost.hpp"

namespace orrery::cost {
namespace {

using model::Kernel;
using model::KernelKind;

double real(std::int64_t value) {
  return static_cast<double>(value);
}

double bytes_per_second(const hardware::Gpu& gpu, double efficiency) {
  return efficiency * real(gpu.memory_bandwidth.value);
}

double memory_seconds(const hardware::Gpu& gpu, const MemoryModel& model, const Kernel& kernel) {
  return seconds(model.floor) + real(kernel.bytes.value) / bytes_per_second(gpu, model.efficiency);
}

// ---- matrix products ------------------------------------------------------------------------------------------------

struct Tile {
  std::int64_t rows, columns;
};
// Shapes of CUTLASS' and cuBLAS' kernels for tensor cores (CUTLASS profiler, default tile list).
constexpr std::array kTiles{Tile{256, 128}, Tile{128, 256}, Tile{128, 128}, Tile{256, 64},
                            Tile{64, 256},  Tile{128, 64},  Tile{64, 128},  Tile{64, 64}};
constexpr std::array<std::int64_t, 5> kSplits{1, 2, 4, 8, 16};
constexpr std::int64_t kStepBytes = 128;      // one k-step of the main loop: a 128-byte row of an operand tile
constexpr std::int64_t kShortestSplit = 256;  // elements of k per split, below which cuBLAS does not split
constexpr double kLargestTile = 256. * 128. / (256. + 128.);

struct Gemm {
  const Kernel& kernel;
  const GemmModel& model;
  double multiprocessors;
  double rate;       // FLOP/s of one multiprocessor with the largest tile
  double bandwidth;  // bytes/s of the GPU
};

// Operands must start each row on 16 bytes for the wide copies of the main loop (cuBLAS: "tensor core alignment"). What
// counts is the dimension whose elements lie one behind the other: k of both operands (TN), k and n (NN), m and n (NT),
// and n of the result; how many rows there are does not matter.
bool aligned(const Kernel& kernel) {
  const std::int64_t elements = 128 / bits_of(kernel.dtype);
  const std::int64_t first = kernel.layout == model::GemmLayout::nt ? kernel.m : kernel.k;
  return first % elements == 0 && kernel.n % elements == 0;
}

// Of a batch: rows of blocks, which are as many rows of the result high.
std::int64_t rows_of_blocks(const Kernel& k, std::int64_t high) {
  if (k.row_blocks[0] == 0) return ceil_div(k.m, high) * k.batch;
  return k.row_blocks[high == 64 ? 0 : high == 128 ? 1 : 2];
}

// Time of the blocks of one grid.
//   blocks  C = ⌈m/Tm⌉ ⌈n/Tn⌉ · batch · splits                (NVIDIA, "Matrix multiplication background": tile
//   quantisation) waves   W = ⌈C/SMs⌉, smoothed: W + σ (C/SMs − W) for C > SMs                                (ibid.:
//   wave quantisation) block   fill + 2 Tm Tn k' / (rate/(1 + a (u − 1))) + exposed result traffic,   k' = whole
//   k-steps of a split the smaller the tile, the more operand bytes per product: u = (1/Tm + 1/Tn) / (1/256 + 1/128)
double grid_time(const Gemm& gemm, Tile tile, std::int64_t splits) {
  const Kernel& k = gemm.kernel;
  const std::int64_t step = 8 * kStepBytes / bits_of(k.dtype);
  const std::int64_t depth = ceil_div(ceil_div(k.k, splits), step) * step;
  const double blocks = real(rows_of_blocks(k, tile.rows) * ceil_div(k.n, tile.columns)) * real(splits);
  const double exact_waves = blocks / gemm.multiprocessors;
  const double whole_waves = real(static_cast<std::int64_t>(exact_waves) +
                                  (exact_waves > real(static_cast<std::int64_t>(exact_waves)) ? 1 : 0));
  const double waves =
      whole_waves <= 1 ? whole_waves : whole_waves + gemm.model.wave_smoothing * (exact_waves - whole_waves);

  const double operand_cost = kLargestTile * (1 / real(tile.rows) + 1 / real(tile.columns));
  const double rate = gemm.rate / (1 + gemm.model.small_tile_cost * (operand_cost - 1));
  const double main_loop = 2 * real(tile.rows * tile.columns) * real(depth) / rate;
  // What an accumulating product adds to is fetched beside its main loop: only the result is exposed.
  const std::int64_t element = splits > 1 ? 4 : size_of(k.out_dtype);
  const double result_bytes = real(tile.rows * tile.columns * element);
  const double epilogue = gemm.model.exposed_epilogue * result_bytes * gemm.multiprocessors / gemm.bandwidth;
  return waves * (seconds(gemm.model.fill) + main_loop + epilogue);
}

// A split in k writes `splits` partial results in fp32 and reads them again in a second kernel.
double reduction_time(const Gemm& gemm, std::int64_t splits) {
  if (splits == 1) return 0;
  const Kernel& k = gemm.kernel;
  const double elements = real(k.batch) * real(k.m) * real(k.n);
  return seconds(gemm.model.floor) + elements * real(4 * splits + size_of(k.out_dtype)) / gemm.bandwidth;
}

// Groups of unlike rows are not split (CUTLASS, grouped products).
double fastest_grid(const Gemm& gemm) {
  double best = -1;
  for (const std::int64_t splits : kSplits) {
    if (splits > 1 && (gemm.kernel.k / splits < kShortestSplit || gemm.kernel.row_blocks[0] > 0)) break;
    const double reduction = reduction_time(gemm, splits);
    for (const Tile tile : kTiles) {
      const double time = grid_time(gemm, tile, splits) + reduction;
      if (best < 0 || time < best) best = time;
    }
  }
  return best;
}

double layout_rate(const GemmModel& model, model::GemmLayout layout) {
  return layout == model::GemmLayout::tn ? model.tn : layout == model::GemmLayout::nn ? model.nn : model.nt;
}

double gemm_seconds(const hardware::Gpu& gpu, const KernelModel& constants, const Kernel& kernel) {
  const GemmModel& model = constants.gemm;
  const double peak = real(gpu.peak(kernel.dtype).value) * model.rate.of(kernel.dtype);
  check(peak > 0, "GPU without a rate for the number format of a matrix product");
  double rate = peak / gpu.multiprocessors * constants.sustained * layout_rate(model, kernel.layout);
  if (kernel.dtype == DType::fp8) rate *= constants.fp8_sustained;
  if (!aligned(kernel)) rate *= model.misaligned_rate;
  const Gemm gemm{kernel, model, real(gpu.multiprocessors), rate, bytes_per_second(gpu, model.memory_efficiency)};
  const double traffic = real(kernel.bytes.value) / gemm.bandwidth;
  return seconds(model.floor) + std::max(fastest_grid(gemm), traffic);
}

// ---- fused attention ------------------------------------------------------------------------------------------------

double attention_rate(const AttentionModel& model, std::int64_t head_dim) {
  return head_dim <= 64 ? model.rate_64 : head_dim <= 128 ? model.rate_128 : model.rate_wide;
}

// As kernel.flops counts them, per head and sequence (model::attention_pairs).
double counted_pairs(const Kernel& k) {
  const std::int64_t s = k.sequence_q, w = k.window;
  if (w == 0) return real(s) * real(k.sequence_kv);
  return k.chunks ? real(s / w * w * w + (s % w) * (s % w)) : real(s) * real(s) - real(s - w) * real(s - w + 1);
}

// Blocks of `rows` rows of one head (forward: queries, backward: keys; FlashAttention-2, section 3.2) on S slots. With
// the causal mask block i of B does (i + 1) / B of a full block's work, (B + 1) / 2B in the mean; blocks start longest
// first, so that
//   time = max(sum of blocks / S, longest block)
double attention_seconds(const hardware::Gpu& gpu, const AttentionModel& model, double sustained,
                         const Kernel& kernel) {
  const std::int64_t length = kernel.kind == KernelKind::attention_backward ? kernel.sequence_kv : kernel.sequence_q;
  const double blocks_per_head = real(ceil_div(length, model.rows));
  const double blocks = blocks_per_head * real(kernel.heads * kernel.batch);
  const double slots = real(gpu.multiprocessors) * model.blocks_per_multiprocessor;
  const double rate = attention_rate(model, kernel.head_dim) * sustained;
  check(rate > 0, "GPU without a rate for fused attention");
  const double slot_rate = real(gpu.peak(kernel.dtype).value) * rate / slots;

  double full_block = real(kernel.flops.value) / blocks / slot_rate;
  if (kernel.window > 0) {  // the blocks that run, each as long as its share of the pairs that are counted
    const AttentionBlocks run = causal_blocks(length, model.rows, kernel.window, kernel.chunks);
    const double of_pairs = full_block * blocks_per_head * real(model.rows) * real(model.rows) / counted_pairs(kernel);
    const double shared = blocks / slots * (of_pairs * real(run.all) / blocks_per_head + seconds(model.fill));
    const double longest = of_pairs * real(run.most) + seconds(model.fill);
    const double traffic = model.traffic_factor * real(kernel.bytes.value) / real(gpu.memory_bandwidth.value);
    return seconds(model.floor) + std::max({shared, longest, traffic});
  }
  const double mean_block = kernel.causal ? full_block * (blocks_per_head + 1) / (2 * blocks_per_head) : full_block;
  const double shared = blocks / slots * (mean_block + seconds(model.fill));
  const double traffic = model.traffic_factor * real(kernel.bytes.value) / real(gpu.memory_bandwidth.value);
  return seconds(model.floor) + std::max({shared, full_block + seconds(model.fill), traffic});
}

}  // namespace

AttentionBlocks causal_blocks(std::int64_t length, std::int64_t rows, std::int64_t window, bool chunks) {
  AttentionBlocks sum;
  for (std::int64_t i = 0; i < ceil_div(length, rows); ++i) {
    const std::int64_t first = i * rows, back = window == 0 ? first : chunks ? first % window : window - 1;
    const std::int64_t run = i - std::max<std::int64_t>(first - back, 0) / rows + 1;
    sum.all += run, sum.most = std::max(sum.most, run);
  }
  return sum;
}

Time kernel_time(const hardware::Gpu& gpu, const KernelModel& constants, const Kernel& kernel,
                 AttentionLibrary library) {
  switch (kernel.kind) {
    case KernelKind::gemm:
      return time_from_seconds(gemm_seconds(gpu, constants, kernel));
    case KernelKind::attention_forward: {
      const AttentionModel& model = constants.attention_of(library).forward;
      return time_from_seconds(attention_seconds(gpu, model, constants.sustained, kernel));
    }
    case KernelKind::attention_backward: {
      const AttentionModel& model = constants.attention_of(library).backward;
      return time_from_seconds(attention_seconds(gpu, model, constants.sustained, kernel));
    }
    case KernelKind::memory:
      return time_from_seconds(memory_seconds(gpu, constants.memory, kernel));
  }
  internal_error("kernel of an unknown kind");
}

// As attention_seconds has it: in the mean a block of B does (B + 1) / 2B of its work.
Flops executed_flops(const KernelModel& constants, const Kernel& kernel, AttentionLibrary library) {
  const bool backward = kernel.kind == KernelKind::attention_backward;
  if ((kernel.kind != KernelKind::attention_forward && !backward) || !kernel.causal) return kernel.flops;
  const AttentionKernels& kernels = constants.attention_of(library);
  const std::int64_t length = backward ? kernel.sequence_kv : kernel.sequence_q,
                     rows = backward ? kernels.backward.rows : kernels.forward.rows, blocks = ceil_div(length, rows);
  if (kernel.window > 0) {
    const Int128 run = static_cast<Int128>(causal_blocks(length, rows, kernel.window, kernel.chunks).all) * rows * rows;
    return {checked_narrow(kernel.flops.value * run / static_cast<std::int64_t>(counted_pairs(kernel)))};
  }
  return {checked_narrow(static_cast<Int128>(kernel.flops.value) * (blocks + 1) / (2 * blocks))};
}

}  // namespace orrery::cost
