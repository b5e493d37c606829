// What of the states of a rank and of the activations of its micro-batches is kept in the memory of its host.
//   optimizer     a share of the parameters that the rank updates: their states and gradients, and the update itself
//                 (DeepSpeed offload_optimizer with its ratio, Megatron-LM --optimizer-offload-fraction)
//   weights       a share of the layers of each stage, the first ones; all of it: embedding and head, too
//                 (DeepSpeed offload_param, PyTorch FSDP CPUOffload)
//   activations   a share of the layers of each stage, the first ones (Megatron-LM --cpu-offloading-num-layers)
#pragma once
#include <cstdint>

#include "orrery/layout/layout.hpp"

namespace orrery::layout {

struct Offload {
  double optimizer = 0, weights = 0, activations = 0;
  bool any() const { return optimizer > 0 || weights > 0 || activations > 0; }
  friend bool operator==(const Offload&, const Offload&) = default;
};

// Of so many parameters, those that are kept off; rounded up.
std::int64_t kept_off(std::int64_t parameters, double share);
// Of the layers of a stage, the first so many; rounded up.
std::int64_t layers_kept_off(const StageSpan& span, double share);
// Whether a layer of the stage is one of them; of embedding (−1) and head (layers of the model) where all are.
bool keeps_off(const StageSpan& span, std::int64_t layer, double share);

}  // namespace orrery::layout
