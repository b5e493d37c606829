// What the kernels of a step lose against the peak of their GPUs, by mechanism: their time is taken again and again
// with one more thing ideal, so that the differences add up to the picosecond.
#pragma once
#include <vector>

#include "orrery/program/lower.hpp"

namespace orrery::program {

// GPU-picoseconds of a step over all ranks, of kernels on a GPU at full speed with nothing beside them; recomputation
// is not among them.
struct KernelLosses {
  WideFlops flops = 0;       // that they run
  Int128 time = 0;           // as they are
  Int128 at_full_clock = 0;  // without the clock that hours of training lower (KernelModel::sustained)
  Int128 at_full_rate = 0;   // and their main loops at the peak: what is left is tiles, waves, traffic and floors
  Int128 number_format = 0;  // their FLOPs at the peak of their own number format, less at that of the run's
};
struct KernelBook {
  KernelLosses products, attention;
  Int128 memory_bound = 0;
};
// `costs`: as the step was lowered with, or new ones.
Result<KernelBook> kernel_book(const StepInput& input, Costs& costs);

// What a step of a pass waits for most.
enum class Bound : std::uint8_t { compute, memory, launch, network };
inline constexpr std::array<std::string_view, 4> kBoundNames{"compute", "HBM", "launch", "network"};

// A step of one layer's passes and, of a kernel, its time with all its launches; of a call, none.
struct LayerStep {
  layout::PassKind pass = layout::PassKind::forward;
  layout::PassStep step;
  Time time{};
  WideFlops executed = 0;
  Bound bound = Bound::network;
};
struct LayerSteps {
  int stage = 0;  // the layer is of
  std::int64_t layer = 0;
  std::int32_t place = -1;  // in the expert group: the one given most rows, which the others wait for; -1: all alike
  std::vector<LayerStep> steps;
};
// Of the layer in the middle of the first stage that has most of them.
Result<LayerSteps> layer_steps(const StepInput& input, Costs& costs);

}  // namespace orrery::program
