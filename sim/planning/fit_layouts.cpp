#include <fmt/format.h>

#include <algorithm>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/fit.hpp"
#include "orrery/scenario/simulate.hpp"

namespace orrery::planning {
namespace {

// One way to run it: what the scenario says of it, and in words.
struct Way {
  int gpus = 1, tensor = 1, pipeline = 1;
  bool shard = false;
  const char* recompute = "none";
};

std::string words_of(const Way& w) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (w.tensor > 1) add(fmt::format("tensor {}", w.tensor));
  if (w.pipeline > 1) add(fmt::format("pipeline {}", w.pipeline));
  if (const int data = w.gpus / w.tensor / w.pipeline; data > 1)
    add(fmt::format("{} {}", w.shard ? "FSDP" : "data", data));
  if (std::string_view(w.recompute) != "none") add(fmt::format("recompute {}", w.recompute));
  return text.empty() ? "as it is" : text;
}

// A cluster of the catalogue with this GPU, or a PCIe node of eight.
std::string cluster_of(const hardware::Gpu& gpu, int gpus, Catalogue& catalogue) {
  for (const std::string& name : hardware::cluster_names()) {
    const auto spec = hardware::load_cluster(name, catalogue);
    if (spec.ok() && spec->gpu == gpu.name && spec->nodes * spec->gpus_per_node >= gpus)
      return fmt::format("{{type: {}, gpus: {}}}", name, gpus);
  }
  return fmt::format(
      "{{gpu: {}, nodes: {}, gpus_per_node: 8, gpus: {}, pcie_bandwidth: 32 GB/s, scale_up: {{kind: pcie, latency: 1.5 "
      "us}}, "
      "scale_out: {{kind: ethernet, nics_per_node: 1, nic_bandwidth: 100 Gb/s, nic_latency: 2 us, switch_latency: 1 "
      "us, "
      "fabric: single_switch}}}}",
      gpu.name, (gpus + 7) / 8, gpus);
}

std::string scenario_of(const FitQuestion& q, const Way& w, Catalogue& catalogue) {
  const int data = w.gpus / w.tensor / w.pipeline, batches = std::max(1, 4 * w.pipeline / std::max(1, data));
  return fmt::format(
      "model: {}\ncluster: {}\nlayout: {{tensor: {}, pipeline: {}, data: {}, sequence_parallel: {}, zero: {}}}\n"
      "training: {{sequence_length: {}, global_batch: {}, micro_batch: 1, precision: {}, recompute: {}}}\n"
      "network: ideal\nstack: megatron-2024\n",
      q.model, cluster_of(q.gpu, w.gpus, catalogue), w.tensor, w.pipeline, data, w.tensor > 1,
      w.shard ? "parameters" : "none", q.sequence_length, data * batches, q.precision, w.recompute);
}

struct Played {
  Way way;
  std::int64_t peak = 0, need = 0;
  program::MemoryByClass held{};
  double tokens_per_s_per_gpu = 0;
  bool fits = false;
};

// Nothing where the layout cannot be: a degree that does not divide, more GPUs than there are.
std::optional<Played> play(const FitQuestion& q, const Way& way, Catalogue& catalogue) {
  const auto tree = read_yaml_text(scenario_of(q, way, catalogue), "fit");
  if (!tree.ok()) return std::nullopt;
  const auto run = scenario::read_run(*tree, catalogue);
  if (!run.ok()) return std::nullopt;
  scenario::RunOptions how;
  how.what_if = false;
  const auto result = scenario::simulate(*run, how);
  if (!result.ok()) return std::nullopt;
  const report::Metrics m = report::metrics_of(*result);
  const engine::DeviceMemory& memory = result->memory[static_cast<std::size_t>(m.worst_device)];
  return Played{way,     memory.peak, result->usable_memory.value - m.headroom, memory.at_peak, m.tokens_per_s_per_gpu,
                m.fits()};
}

// Of each number of GPUs, the ways to split it, until one fits; then its doubles are no news.
std::vector<Played> search(const FitQuestion& q, Catalogue& catalogue) {
  std::vector<Played> all;
  for (int gpus = 1; gpus <= 4096; gpus *= 2) {
    std::vector<Way> ways;
    for (const char* recompute : {"none", "selective", "full"}) {
      if (gpus == 1) ways.push_back({1, 1, 1, false, recompute});
      if (gpus > 1) ways.push_back({gpus, 1, 1, true, recompute});
      if (gpus > 1 && gpus <= 8) ways.push_back({gpus, gpus, 1, false, recompute});
      if (gpus > 1 && gpus <= 16) ways.push_back({gpus, 1, gpus, false, recompute});
      if (gpus >= 16 && gpus <= 256) ways.push_back({gpus, 8, gpus / 8, false, recompute});
    }
    bool any = false;
    for (const Way& way : ways)
      if (const auto played = play(q, way, catalogue)) {
        all.push_back(*played);
        any |= played->fits;
      }
    if (any) break;
  }
  return all;
}

AnswerTable table_of(std::vector<Played> all) {
  // What fits first, by GPUs, then by speed; of the rest the nearest.
  std::stable_sort(all.begin(), all.end(), [](const Played& a, const Played& b) {
    if (a.fits != b.fits) return a.fits;
    if (!a.fits) return a.need < b.need;
    if (a.way.gpus != b.way.gpus) return a.way.gpus < b.way.gpus;
    return a.tokens_per_s_per_gpu > b.tokens_per_s_per_gpu;
  });
  if (all.size() > 12) all.resize(12);
  AnswerTable table{"layouts", "", {{"gpus", "GPUs"}, {"layout", "layout", false}, {"fits", "fits", false}}};
  for (std::size_t c = 0; c < 4; ++c)
    table.columns.push_back(
        {std::string(program::kMemoryClassNames[c]) + "_bytes", std::string(program::kMemoryClassNames[c])});
  table.columns.push_back({"need_bytes", "needs"});
  table.columns.push_back({"tokens_per_s_per_gpu", "tokens/s/GPU"});
  const auto size = [](std::int64_t bytes) {
    return AnswerCell{bytes, fmt::format("{:.3g} GiB", static_cast<double>(bytes) / (1 << 30))};
  };
  for (const Played& p : all) {
    auto& row = table.rows.emplace_back();
    row = {
        {std::int64_t{p.way.gpus}, std::to_string(p.way.gpus)}, cell(words_of(p.way)), {p.fits, p.fits ? "yes" : "no"}};
    for (std::size_t c = 0; c < 4; ++c) row.push_back(size(p.held[c]));
    row.push_back(size(p.need));
    row.push_back({p.tokens_per_s_per_gpu, grouped_text(p.tokens_per_s_per_gpu)});
  }
  return table;
}

}  // namespace

Result<AnswerPart> fitting_layouts(const FitQuestion& q, Catalogue& catalogue) {
  const std::vector<Played> all = search(q, catalogue);
  if (all.empty()) {
    // The first way says why none can be.
    const auto tree = read_yaml_text(scenario_of(q, {}, catalogue), "fit");
    const auto run = scenario::read_run(*tree, catalogue);
    if (!run.ok()) return run.errors();
    return AnswerPart{};
  }
  AnswerPart part{"simulated",
                  fmt::format("Simulated, micro-batches of one sequence of {} tokens: what fits, or comes nearest",
                              q.sequence_length)};
  const auto fits = std::find_if(all.begin(), all.end(), [](const Played& p) { return p.fits; });
  if (fits != all.end()) part.figures.push_back({"smallest_gpus", std::int64_t{fits->way.gpus}, "", ""});
  part.tables.push_back(table_of(all));
  return part;
}

}  // namespace orrery::planning
