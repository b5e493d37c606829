// Time of a kernel on a GPU, by mechanism: tiles and waves for matrix products, bytes moved for memory-bound kernels,
// FLOPs at a measured efficiency for fused attention. Constants belong to the GPU and its library generation.
#pragma once
#include "orrery/core/units.hpp"
#include "orrery/cost/kernel_model.hpp"
#include "orrery/hardware/gpu.hpp"
#include "orrery/model/kernel.hpp"

namespace orrery::cost {

// Duration on the device, without launch cost. `library` matters to fused attention only.
Time kernel_time(const hardware::Gpu& gpu, const KernelModel& constants, const model::Kernel& kernel,
                 AttentionLibrary library = AttentionLibrary::flash2);

// FLOPs that a kernel runs: of fused attention under a causal mask the part that its blocks do not skip, half and the
// blocks on the diagonal (rounded down to a whole FLOP); of all others all.
Flops executed_flops(const KernelModel& constants, const model::Kernel& kernel,
                     AttentionLibrary library = AttentionLibrary::flash2);

}  // namespace orrery::cost
