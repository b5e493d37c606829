// Which network mode `auto` is.
#include <fmt/format.h>

#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {
namespace {

// Under flows each pass of each layer on each rank is some 50 tasks of 0.6 µs and 110 bytes, and each group keeps its
// own transfers: within these bounds that is at most two seconds and 300 MB (gpt3-175b-64xa100: 49 152 passes, 2.3
// million tasks, 1.5 s, 259 MB; llama2-70b-fsdp-128xh100: 0.5 s, 229 MB).
constexpr std::int64_t kMostPasses = 50'000;
constexpr int kMostRanks = 128;

std::int64_t layer_passes(const Scenario& s) {
  return checked_mul(checked_mul(ceil_div(s.model.layers, s.layout.pipeline), s.micro_batches()), s.layout.ranks());
}

}  // namespace

NetworkDecision network_mode(const Scenario& s) {
  switch (s.network.mode) {
    case NetworkModeChoice::ideal:
      return {program::NetworkMode::ideal, {}};
    case NetworkModeChoice::steady:
      return {program::NetworkMode::steady, {}};
    case NetworkModeChoice::flows:
      return {program::NetworkMode::flows, {}};
    case NetworkModeChoice::automatic:
      break;
  }
  const std::int64_t passes = layer_passes(s);
  const bool flows = passes <= kMostPasses && s.layout.ranks() <= kMostRanks;
  return {flows ? program::NetworkMode::flows : program::NetworkMode::steady,
          fmt::format("network auto is {}: {} GPUs and {} passes of a layer on a GPU, flows takes up to {} and {}",
                      flows ? "flows" : "steady", s.layout.ranks(), passes, kMostRanks, kMostPasses)};
}

}  // namespace orrery::scenario
