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

// Blocks of `rows` keys that the blocks of `rows` queries of one head run under a causal mask: all of them together,
// and the most of one. Within a window of so many positions, or in chunks of as many (0 = all that came before).
struct AttentionBlocks {
  std::int64_t all = 0, most = 0;
};
AttentionBlocks causal_blocks(std::int64_t length, std::int64_t rows, std::int64_t window, bool chunks);

}  // namespace orrery::cost
