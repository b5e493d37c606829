#include "sweep/again.hpp"

#include <fmt/format.h>

#include "orrery/scenario/sensitivity.hpp"
#include "sweep/evaluate.hpp"

namespace orrery::sweep {
namespace {

using scenario::Scenario;

std::string in_words(const Figures& f) {
  return fmt::format("{} ps, {} B allocated, bubble {}, MFU {}", f.step_time_ps, f.peak_memory_bytes, f.bubble_fraction,
                     f.mfu);
}

}  // namespace

void verify(const Row& row, const Space& space, const YamlTree& scenario, Catalogue& catalogue, const Options& options,
            Verified& verified) {
  YamlTree tree = scenario;
  std::string sets;
  for (const std::string& set : assignments(row, space, scenario, catalogue)) {
    check(tree.set(set).empty(), "a value of a space cannot be set");
    sets += " --set " + set;
  }
  const auto ready = scenario::read_run(
      tree, catalogue, {.automatic = scenario::NetworkModeChoice::steady, .memory_limit = options.memory_limit});
  scenario::RunOptions how;
  how.every_rank = how.force_events = true;
  how.fuse = how.what_if = false;
  how.memory_limit = options.memory_limit;
  if (!ready.ok()) {
    verified.different.push_back(sets + ": refused: " + reason(ready.errors()));
    return;
  }
  const auto played = scenario::simulate(*ready, how);
  if (!played.ok()) {  // what is too large when every rank is played
    ++verified.too_large;
    return;
  }
  const Figures figures = figures_of(*played);
  if (in_words(figures) == in_words(row.figures))
    ++verified.equal;
  else
    verified.different.push_back(
        fmt::format("{}: {} in the sweep, {} again", sets, in_words(row.figures), in_words(figures)));
}

std::vector<Sensitivity> sensitivity_of(const Scenario& s, Catalogue& catalogue, const Options& options) {
  std::vector<Sensitivity> all;
  const auto run = scenario::resolve(
      s, catalogue, {.automatic = scenario::NetworkModeChoice::steady, .memory_limit = options.memory_limit});
  if (!run.ok()) return all;
  scenario::RunOptions how;
  how.memory_limit = options.memory_limit;
  for (const scenario::Sensitivity& one : scenario::sensitivities(*run, how))
    all.push_back({one.resource->name, one.step_time.value});
  return all;
}

}  // namespace orrery::sweep
