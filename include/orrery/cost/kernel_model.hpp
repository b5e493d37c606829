// Constants of kernel_time(): what a GPU and its library generation achieve, measured, one file per GPU in
// topologies/kernels/. The mechanisms are in sim/cost/kernel_time.cpp, equation by equation.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/dtype.hpp"
#include "orrery/core/error.hpp"
#include "orrery/core/fields.hpp"
#include "orrery/core/units.hpp"
#include "orrery/hardware/gpu.hpp"

namespace orrery::cost {

// Fraction of the GPU's dense peak; 0 = no such kernels.
using RateByType = ByDType<double>;

// Matrix products: a block of the grid computes one tile of the result; a multiprocessor runs one block at a time.
struct GemmModel {
  RateByType rate;                // main loop of the largest tile
  double tn = 1, nn = 1, nt = 1;  // factor on it by layout, as BLAS names it
  double small_tile_cost = 0;     // a in rate(tile) = rate / (1 + a (u − 1)), u = operand bytes per product
  Time fill{};                    // per block: first operands from memory until the first product
  double exposed_epilogue = 0;    // share of a block's result traffic that hides behind nothing
  double wave_smoothing = 0;      // 0 = whole waves, 1 = work divides evenly (stream-K, uneven clocks)
  Time floor{};                   // of a kernel that does nothing, with the gap to the next
  double misaligned_rate = 1;     // factor if rows of an operand do not start on 16 bytes
  double memory_efficiency = 1;   // of the GPU's memory bandwidth, for operands and results
  friend bool operator==(const GemmModel&, const GemmModel&) = default;
};

// One direction of fused attention (FlashAttention): a block owns `rows` queries (backward: keys) of one head.
struct AttentionModel {
  double rate_64 = 0, rate_128 = 0, rate_wide = 0;  // fraction of the peak: head dimension up to 64, up to 128, above
  std::int64_t rows = 128;
  double blocks_per_multiprocessor = 1;
  Time fill{};                // per block
  Time floor{};               // per call, all its kernels
  double traffic_factor = 1;  // memory traffic over that of operands and results (backward: fp32 accumulation of dQ)
  friend bool operator==(const AttentionModel&, const AttentionModel&) = default;
};

// Generations of fused attention; a software stack says which it brings.
enum class AttentionLibrary : std::uint8_t { flash1, flash2, cudnn };
std::vector<std::pair<std::string, AttentionLibrary>> attention_library_names();  // for field tables

struct AttentionKernels {
  AttentionLibrary library = AttentionLibrary::flash2;
  AttentionModel forward, backward;
  friend bool operator==(const AttentionKernels&, const AttentionKernels&) = default;
};

// Memory-bound kernels: floor + bytes / (efficiency · bandwidth).
struct MemoryModel {
  Time floor{};           // start, ramp and tail of a kernel that moves nothing, with the gap to the next
  double efficiency = 1;  // of the GPU's memory bandwidth, large sizes
  friend bool operator==(const MemoryModel&, const MemoryModel&) = default;
};

// What is particular to grouped products of experts and the casts before them.
struct ExpertKernels {
  double block_scaled_rate = 1;  // factor on the rate of fp8 where blocks of 128 have scales: promoted in between
  double block_cast_rate = 1;    // factor on the memory rate of casts that find such scales
  double generated_rate = 1;     // factor on the rate of kernels that a compiler generated (Triton)
  friend bool operator==(const ExpertKernels&, const ExpertKernels&) = default;
};

struct KernelModel {
  std::string name;          // GPU
  std::string constants_of;  // GPU whose constants these are but for those said here; empty = its own
  std::string source;        // where the figures are from
  // Clock under hours of training over that of a lone kernel (power limit): a factor on every matrix rate.
  double sustained = 1;
  // The same again for fp8 products: twice the rate at the same power.
  double fp8_sustained = 1;
  // mxfp8: operands are quantised along rows and along columns, and their scales brought into the order of the tensor
  // cores, at the rate of products. Of NVIDIA's recipes three pairs that differ from fp8 in nothing else take 3.7
  // to 5.9 % longer, four of 405B on GB200 that differ in virtual stages too 0.9 to 7.5 %; the mean of either is 5 %,
  // and products are three quarters of the step.
  double mxfp8_rate = 0.94;
  // Published tables of its kernels come from loops that meet the power limit as training does, not from lone kernels.
  bool tables_under_load = false;
  GemmModel gemm;
  std::vector<AttentionKernels> attention;  // the first is the default
  MemoryModel memory;
  ExpertKernels experts;

  // The kernels of a library; those of the default if this GPU has none of it.
  const AttentionKernels& attention_of(AttentionLibrary library) const;
  friend bool operator==(const KernelModel&, const KernelModel&) = default;
};

const Fields<KernelModel>& kernel_model_fields();

// By GPU name (topologies/kernels/NAME.yaml, $ORRERY_TOPOLOGIES first) or by path.
Result<KernelModel> load_kernel_model(const std::string& name);
std::vector<std::string> kernel_model_names();

// The constants of a GPU: its own (topologies/kernels), else those of the entry of the catalogue it is built on or a
// copy of, else those of its architecture (topologies/kernels/architectures). `note`: whose they are, where not its
// own.
struct GpuKernels {
  KernelModel model;
  std::string note;
};
Result<GpuKernels> kernels_of(const hardware::Gpu& gpu, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::cost
