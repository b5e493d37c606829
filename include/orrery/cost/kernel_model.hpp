// Constants of kernel_time(): what a GPU and its library generation achieve, measured, one file per GPU in
// topologies/kernels/. The mechanisms are in kernel_time.cpp, equation by equation.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "orrery/core/dtype.hpp"
#include "orrery/core/units.hpp"

namespace orrery::cost {

// Matrix products: a block of the grid computes one tile of the result; a multiprocessor runs one block at a time.
struct GemmModel {
  std::array<double, kDTypes.size()> rate{};  // main loop of the largest tile, fraction of the dense peak, by DType
  std::array<double, 3> layout_rate{1, 1, 1};  // factor on it, by model::GemmLayout
  double small_tile_cost = 0;                  // a in rate(tile) = rate / (1 + a (u − 1)), u = operand bytes per product
  double fill = 0;                             // s per block: first operands from memory until the first product
  double exposed_epilogue = 0;                 // share of a block's result traffic that hides behind nothing
  double wave_smoothing = 0;                   // 0 = whole waves, 1 = work divides evenly (stream-K, uneven clocks)
  double floor = 0;                            // s, of the kernel itself: from first block to last flag
  double misaligned_rate = 1;                  // factor if a contiguous dimension is no multiple of 16 bytes
  double memory_efficiency = 1;                // of the GPU's memory bandwidth, for operands and results
};

// Fused attention (FlashAttention): a block owns `rows` rows of queries (backward: keys) of one head.
struct AttentionModel {
  std::array<double, 3> rate{};  // fraction of the peak by head dimension: up to 64, up to 128, above
  std::int64_t rows = 128;
  double blocks_per_multiprocessor = 1;
  double fill = 0;            // s per block
  double floor = 0;           // s per call, all its kernels
  double traffic_factor = 1;  // memory traffic over that of operands and results (backward: fp32 accumulation of dQ)
};

// Memory-bound kernels: floor + bytes / (efficiency · bandwidth).
struct MemoryModel {
  double floor = 0;       // s: start, ramp and tail of a kernel that moves nothing
  double efficiency = 1;  // of the GPU's memory bandwidth, large sizes
};

struct KernelModel {
  std::string name;         // GPU
  std::string taken_from;   // GPU whose constants these are, if this one has no measurements of its own; else empty
  GemmModel gemm;
  AttentionModel attention_forward, attention_backward;
  MemoryModel memory;
};

}  // namespace orrery::cost
