#include "sweep/again.hpp"

#include <fmt/format.h>

#include "orrery/scenario/simulate.hpp"
#include "sweep/evaluate.hpp"

namespace orrery::sweep {
namespace {

using scenario::Scenario;

std::string in_words(const Figures& f) {
  return fmt::format("{} ps, {} B allocated, bubble {}, MFU {}", f.step_time_ps, f.peak_memory_bytes, f.bubble_fraction,
                     f.mfu);
}

void more(BytesPerSecond& bandwidth) {
  bandwidth.value += bandwidth.value / 10;
}

struct Resource {
  const char* name;
  void (*grow)(Scenario&);
};

const std::vector<Resource>& resources() {
  static const std::vector<Resource> list{
      {"FLOP/s of the GPU",
       [](Scenario& s) {
         for (FlopsPerSecond& peak : s.gpu.dense_peak) peak.value += peak.value / 10;
       }},
      {"memory bandwidth", [](Scenario& s) { more(s.gpu.memory_bandwidth); }},
      {"bandwidth inside nodes", [](Scenario& s) { more(s.cluster.scale_up.bandwidth); }},
      {"bandwidth between nodes",
       [](Scenario& s) {
         more(s.cluster.scale_out.nic_bandwidth);
         more(s.cluster.pcie_bandwidth);
       }},
      {"speed of the host",
       [](Scenario& s) {
         cost::StackLaunch& l = s.stack.launch;
         for (Time* time : {&l.per_kernel, &l.per_kernel_backward, &l.per_collective, &l.per_collective_rank,
                            &l.per_micro_batch, &l.per_step})
           time->value = time->value * 10 / 11;
       }},
  };
  return list;
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
  Evaluator evaluator(catalogue, {options.memory_limit, options.reserved});
  for (const Resource& resource : resources()) {
    Scenario grown = s;
    resource.grow(grown);
    const Evaluation result = evaluator.evaluate(grown);
    if (result.status != Status::refused) all.push_back({resource.name, result.figures.step_time_ps});
  }
  return all;
}

}  // namespace orrery::sweep
