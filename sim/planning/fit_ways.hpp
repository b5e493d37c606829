// Ways to train a model on GPUs of one kind, played as layouts: of each kind of way the fewest GPUs on which it fits.
#pragma once
#include <string>
#include <vector>

#include "orrery/layout/layout.hpp"
#include "orrery/planning/fit.hpp"
#include "orrery/sweep/figures.hpp"

namespace orrery::planning {

struct Way {
  int gpus = 1, tensor = 1, pipeline = 1, micro_batch = 1;
  layout::Zero zero = layout::Zero::none;
  const char* recompute = "none";
  int data() const { return gpus / tensor / pipeline; }
};
// "tensor 8, pipeline 2, recompute full"; "as it is" on one GPU.
std::string words_of(const Way& way, const FitQuestion& question);
// The scenario as YAML.
std::string scenario_of(const FitQuestion& question, const Way& way, Catalogue& catalogue);

struct TriedWay {
  Way way;
  sweep::Figures figures;
  bool fits = false;
  double gpu_hours_per_token() const;
};
struct WaysTried {
  std::vector<TriedWay> fitting;  // cheapest first: GPU time for a token
  std::vector<TriedWay> nearest;  // of the others, those that lack least
};
WaysTried try_ways(const FitQuestion& question, Catalogue& catalogue);

}  // namespace orrery::planning
