// The best fitting layout of a model on a number of GPUs, of a small space.
#pragma once
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/model/spec.hpp"
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::planning {

struct LayoutSearch {
  std::string model, cluster;
  int gpus = 0;
  std::int64_t sequence_length = 0, sequences = 0;  // of a step
  DType precision = DType::bf16;
  bool experts = false;  // the model has some
};
struct BestLayout {
  int gpus = 0;
  std::string layout;  // KEY=VALUE …
  std::string why;     // there is none
  scenario::Scenario scenario;
  report::RunResult result;
};
// The 16 bits a GPU is fastest with: its own bf16, else fp16.
inline DType half_of(const hardware::Gpu& gpu) {
  return gpu.peak(DType::bf16).value > 0 ? DType::bf16 : DType::fp16;
}

// Mistakes are of --model, or of a file.
Result<BestLayout> best_layout(const LayoutSearch& search, Catalogue& catalogue);

// Mistakes in what the user said, of the option it was said in; those of a file keep their place.
Diagnostics named(Diagnostics errors, const char* option);

}  // namespace orrery::planning
