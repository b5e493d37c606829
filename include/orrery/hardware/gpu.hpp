// A GPU as its data sheet describes it; measured efficiency is the cost room's, in topologies/kernels/.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/dtype.hpp"
#include "orrery/core/units.hpp"

namespace orrery::hardware {

struct Gpu {
  std::string name;
  std::string architecture;  // turing, volta, ampere, ada, hopper, blackwell, cdna2 to cdna4
  int multiprocessors = 0;
  int tensor_clock_mhz = 0;                                 // the clock the dense peaks are stated for
  std::array<FlopsPerSecond, kDTypes.size()> dense_peak{};  // by DType, without sparsity; 0 = not supported
  Bytes memory{};                                           // of the board
  Bytes usable_memory{};                                    // what an allocator can get, context included
  Bytes context_memory{};                                   // CUDA context and libraries
  Bytes library_workspace{4 << 20};  // that cuBLAS asks for (cublasSetWorkspace: 32 MiB from Hopper on, 4 MiB before)
  BytesPerSecond memory_bandwidth{};
  std::vector<std::string> sources;
  // What plans count with, no step: 0 and empty where nobody said.
  int power_watts = 0;            // thermal design power of the board
  double price_usd_per_hour = 0;  // rent of one GPU
  std::string price_source;       // whose price, and of when

  // The entries of the catalogue it is, or is built on, nearest first; none where it is of another architecture.
  std::vector<std::string> lineage;
  // Keys that set the speed of its kernels and that were laid over the nearest of them.
  std::vector<std::string> changed;

  FlopsPerSecond peak(DType type) const { return dense_peak[static_cast<std::size_t>(type)]; }
  // Of bf16, or of fp16 where there is none: FLOP/s.
  double peak_16_bit() const {
    return static_cast<double>((peak(DType::bf16).value > 0 ? peak(DType::bf16) : peak(DType::fp16)).value);
  }
  friend bool operator==(const Gpu&, const Gpu&) = default;
};

// The same as YAML says it: what is absent is taken from the GPU named by `type`, if any. Usable memory follows memory:
// the share of that GPU, without one kUsablePermille.
inline constexpr std::int64_t kUsablePermille = 985;  // 24 GiB boards show 23.65 GiB, 80 GiB ones 79.1
using DensePeaks = ByDType<std::optional<FlopsPerSecond>>;
struct GpuDefinition {
  std::string type;
  std::optional<std::string> architecture;
  std::optional<int> multiprocessors, tensor_clock_mhz;
  DensePeaks dense_peak;
  std::optional<Bytes> memory, usable_memory, context_memory, library_workspace;
  std::optional<BytesPerSecond> memory_bandwidth;
  std::optional<int> power_watts;
  std::optional<double> price_usd_per_hour;
  std::optional<std::string> price_source;
  std::vector<std::string> sources;
  friend bool operator==(const GpuDefinition&, const GpuDefinition&) = default;
};

}  // namespace orrery::hardware
