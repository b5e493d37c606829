// From the peak of the GPUs to the MFU: where each FLOP that they could have run went, in GPU-picoseconds.
#pragma once
#include <string>
#include <vector>

#include "text_parts.hpp"

namespace orrery::report {

struct Loss {
  std::string key;    // in the JSON
  std::string label;  // in text and pictures
  Int128 time = 0;    // GPU-picoseconds; negative: counted as FLOPs of the model, and not run
};
// `whole` (all GPUs, all the step) less all losses is `model`: the time that the FLOPs of the model need at the peak.
struct Waterfall {
  Int128 whole = 0, model = 0;
  std::vector<Loss> losses;
};
Waterfall waterfall_of(const RunResult& run);

// Percent of the whole in tenths, so rounded that what is printed adds up: of the losses in their order, then the MFU.
std::vector<std::int64_t> tenths_of(const Waterfall& waterfall);

// A line each loss of a tenth of a percent or more, from 100 % to the MFU.
std::vector<std::string> waterfall_lines(const RunResult& run, const TextStyle& style);

}  // namespace orrery::report
