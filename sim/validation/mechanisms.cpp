#include "mechanisms.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/core/yaml.hpp"
#include "orrery/validation/validate.hpp"

namespace orrery::validation {
namespace {

using scenario::Scenario;

constexpr Mechanism kMechanisms[] = {
    {"host", "time of the host: launches, calls, micro-batches, steps",
     [](Scenario& s) { s.stack.launch = {.mode = cost::LaunchMode::graph, .graphs = {}}; }},
    {"slowdown", "what a call costs the kernels that it runs beside",
     [](Scenario& s) {
       cost::StackCommunication& c = s.stack.communication;
       c.tensor_slowdown_percent = c.context_slowdown_percent = c.data_slowdown_percent = 100;
     }},
    {"overlap", "calls beside compute",
     [](Scenario& s) { s.training.overlap_tensor = s.training.overlap_context = s.training.overlap_data = false; }},
    {"sustained", "the clock under hours of training, below that of a lone kernel",
     [](Scenario& s) { s.kernels.sustained = s.kernels.fp8_sustained = 1; }},
    {"framework_rate", "factors of the stack on the rates of kernels",
     [](Scenario& s) { s.stack.kernels.matrix_rate = s.stack.kernels.memory_rate = 1; }},
    {"waves", "whole waves of tiles on the multiprocessors", [](Scenario& s) { s.kernels.gemm.wave_smoothing = 1; }},
    {"near_nics", "rings of older libraries leave a node by the NIC through which they came",
     [](Scenario& s) { s.stack.communication.near_nics = false; }},
    {"contiguous_shards", "each bucket of gradients goes to one rank, each rank broadcasts its own parameters",
     [](Scenario& s) { s.stack.communication.contiguous_shards = false; }},
    {"network_step", "what a stack adds to each step of a ring between nodes",
     [](Scenario& s) { s.stack.communication.network_step = {}; }},
};

}  // namespace

std::vector<const Mechanism*> mechanisms_of(const std::vector<std::string>& names, const std::string& file,
                                            Diagnostics& errors) {
  std::vector<const Mechanism*> found;
  for (const std::string& name : names) {
    const auto* const at = std::find_if(std::begin(kMechanisms), std::end(kMechanisms),
                                        [&](const Mechanism& m) { return name == m.name; });
    if (at != std::end(kMechanisms)) {
      found.push_back(at);
      continue;
    }
    std::vector<std::string> known;
    std::string all;
    for (const Mechanism& m : kMechanisms) known.emplace_back(m.name), all += (all.empty() ? "" : ", ") + known.back();
    Diagnostic d;
    d.place.file = file;
    d.message = fmt::format("--without '{}' is no mechanism, allowed: {}", name, all);
    d.help = did_you_mean(name, known);
    errors.push_back(std::move(d));
  }
  return found;
}

std::vector<std::pair<std::string, std::string>> mechanism_names() {
  std::vector<std::pair<std::string, std::string>> list;
  for (const Mechanism& m : kMechanisms) list.emplace_back(m.name, m.what);
  return list;
}

}  // namespace orrery::validation
