// A kernel by its shape: what a device runs, without how long it takes (the cost room says that).
#pragma once
#include <array>
#include <cstdint>

#include "orrery/core/dtype.hpp"
#include "orrery/core/units.hpp"

namespace orrery::model {

enum class KernelKind : std::uint8_t { gemm, attention_forward, attention_backward, memory };
// Operand layout of a GEMM as BLAS names it: forward TN, input gradient NN, weight gradient NT.
enum class GemmLayout : std::uint8_t { tn, nn, nt };

struct Kernel {
  KernelKind kind = KernelKind::memory;
  DType dtype = DType::bf16;  // of the arithmetic
  GemmLayout layout = GemmLayout::tn;
  bool accumulate = false;  // gemm: C += A·B
  DType out_dtype = DType::bf16;
  bool causal = true;
  bool chunks = false;  // windows are blocks side by side
  Flops flops{};        // what is run: gemm 2·batch·m·n·k; attention as if not causal; memory 0
  Bytes bytes{};        // read + written once each; for gemm and attention operands and results
  // gemm
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  // fused attention
  std::int64_t sequence_q = 0, sequence_kv = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::int32_t value_dim = 0;  // of a value; 0 = head_dim
  std::int32_t window = 0;     // positions a query looks back; 0 = all
  // Of a batch of products of unlike m: blocks of 64, 128 and 256 rows in all of them; 0 = they are alike.
  std::array<std::int32_t, 3> row_blocks{};
  friend bool operator==(const Kernel&, const Kernel&) = default;
};

}  // namespace orrery::model
