// What memory of a device is held for. The classes of a device sum to what it has allocated.
#pragma once
#include <cstdint>

namespace orrery::layout {

enum class MemoryClass : std::uint8_t { weights, gradients, optimizer, activations, buffers, context, other };

}  // namespace orrery::layout
