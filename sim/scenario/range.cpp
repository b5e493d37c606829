#include "range.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace orrery::scenario {
namespace {

struct Excess {
  const char* path;
  double times;  // beyond the most (or below the least) that any machine or model of today has
  const char* remedy = "smaller";
};

double above(std::int64_t value, double usual) {
  return static_cast<double>(value) / usual;
}
double below(std::int64_t value, double usual) {
  return value > 0 ? usual / static_cast<double>(value) : 0;
}

}  // namespace

Diagnostic out_of_range(const Scenario& s, const std::string& what) {
  const model::ModelSpec& m = s.model;
  std::vector<Excess> all{{"training.sequence_length", above(s.training.sequence_length, 1e7)},
                          {"training.micro_batch", above(s.training.micro_batch, 1e4)},
                          {"training.global_batch", above(s.training.global_batch, 1e6)},
                          {"model.layers", above(m.layers, 1e3)},
                          {"model.hidden", above(m.hidden, 1e5)},
                          {"model.ffn_hidden", above(m.ffn_hidden, 4e5)},
                          {"model.heads", above(m.heads, 1e3)},
                          {"model.vocab", above(m.vocab, 1e6)},
                          {"cluster.gpu_definition", below(s.gpu.memory_bandwidth.value, 1e11), "larger"},
                          {"cluster.pcie_bandwidth", below(s.cluster.pcie_bandwidth.value, 1e9), "larger"},
                          {"stack.launch", above(s.stack.launch.per_step.value, 1e14)}};
  for (const hardware::Perturbation& p : s.cluster.perturb)
    for (const double factor : {p.bandwidth_factor, p.compute_factor})
      if (factor > 0) all.push_back({"perturb", 1e-3 / factor, "larger"});
  const auto most =
      std::max_element(all.begin(), all.end(), [](const Excess& a, const Excess& b) { return a.times < b.times; });
  Diagnostic error;
  error.path = most->times > 1 ? most->path : "training";
  error.message = what + ": times go to 106 days, counts to 9.2e18";
  error.help = most->times > 1 ? fmt::format("{} is {:.3g} times beyond what runs of today have: write a {} figure",
                                             most->path, most->times, most->remedy)
                               : "write fewer tokens, sequences or layers";
  return error;
}

}  // namespace orrery::scenario
