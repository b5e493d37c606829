// A layer with experts by itself, forward and backward, as the layout and network rooms have it.
#pragma once
#include <string>

#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"
#include "orrery/model/experts.hpp"

namespace orrery::validation {

struct LayerOfRow {
  std::string gpu;                      // one node of them
  int gpus = 1, ranks = 1;              // ranks: that the experts are spread over
  std::int64_t tokens = 0, hidden = 0;  // tokens of a GPU
  model::Experts experts;
  bool fp8 = false, block_scaled = false;
};
struct LayerTimes {
  Time forward{}, backward{};
};
Result<LayerTimes> layer_times(const LayerOfRow& layer);

}  // namespace orrery::validation
