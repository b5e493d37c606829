#include "fit_ways.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "scenario/parts.hpp"
#include "sweep/bounds.hpp"
#include "sweep/evaluate.hpp"

namespace orrery::planning {
namespace {

using layout::Zero;

constexpr std::size_t kNearest = 3;

// A cluster of the catalogue with this GPU, or nodes of eight on PCIe.
std::string cluster_of(const hardware::Gpu& gpu, int gpus, Catalogue& catalogue) {
  for (const std::string& name : hardware::cluster_names()) {
    const auto spec = hardware::load_cluster(name, catalogue);
    if (spec.ok() && spec->gpu == gpu.name && spec->nodes * spec->gpus_per_node >= gpus)
      return fmt::format("{{type: {}, gpus: {}}}", name, gpus);
  }
  return fmt::format(
      "{{gpu: {}, nodes: {}, gpus_per_node: 8, gpus: {}, pcie_bandwidth: 32 GB/s, scale_up: {{kind: pcie, latency: 1.5 "
      "us}}, scale_out: {{kind: ethernet, nics_per_node: 1, nic_bandwidth: 100 Gb/s, nic_latency: 2 us, "
      "switch_latency: 1 us, fabric: single_switch}}}}",
      gpu.name, (gpus + 7) / 8, gpus);
}

const char* name_of(Zero zero) {
  constexpr const char* names[] = {"none", "optimizer", "gradients", "parameters"};
  return names[static_cast<std::size_t>(zero)];
}

// A family of ways by their degree: what may be cut into so many.
struct Family {
  Zero zero = Zero::none;
  int tensor = 1, pipeline = 1;  // 0: the degree; else fixed
  std::vector<int> degrees;
};

std::vector<int> dividing(std::int64_t what, int most) {
  std::vector<int> all;
  for (int d = 2; d <= most && d <= what; ++d)
    if (what % d == 0) all.push_back(d);
  return all;
}

std::vector<Family> families_of(const model::ModelSpec& model) {
  // Single GPUs, nodes of eight, and doubled from eight nodes on.
  std::vector<int> ranks{2, 3, 4, 5, 6, 7, 8, 16, 24, 32, 40, 48, 56, 64};
  for (int n = 128; n <= 4096; n *= 2) ranks.push_back(n);
  const std::vector<int> slices = dividing(std::min<std::int64_t>(model.heads, model.kv_heads), 8);
  const std::vector<int> stages = dividing(model.layers, 512);
  std::vector<Family> all{{Zero::none, 1, 1, {1}}};
  for (const Zero zero : {Zero::optimizer, Zero::gradients, Zero::parameters}) all.push_back({zero, 1, 1, ranks});
  all.push_back({Zero::none, 0, 1, slices});
  all.push_back({Zero::none, 1, 0, stages});
  if (!slices.empty()) all.push_back({Zero::none, slices.back(), 0, stages});
  return all;
}

Way way_of(const Family& family, int degree, const char* recompute, int micro_batch) {
  Way way;
  way.zero = family.zero;
  way.tensor = family.tensor == 0 ? degree : family.tensor;
  way.pipeline = family.pipeline == 0 ? degree : family.pipeline;
  way.gpus = way.tensor * way.pipeline * (family.zero == Zero::none ? 1 : degree);
  way.recompute = recompute;
  way.micro_batch = micro_batch;
  return way;
}

// What every try needs.
struct Asked {
  const FitQuestion& question;
  Catalogue& catalogue;
  sweep::Evaluator& evaluator;
};

// Nothing where the layout cannot be. Not played where its parameters, gradients and optimizer alone are too much.
std::optional<TriedWay> try_way(const Asked& asked, const Way& way) {
  const FitQuestion& q = asked.question;
  Catalogue& catalogue = asked.catalogue;
  const auto tree = read_yaml_text(scenario_of(q, way, catalogue), "fit");
  if (!tree.ok()) return std::nullopt;
  const auto s = scenario::read_parts(*tree, catalogue);
  if (!s.ok()) return std::nullopt;
  const double least = sweep::bounds_of(*s).memory_bytes;
  const auto room = static_cast<double>((s->gpu.usable_memory - s->outside_allocator(s->gpu)).value);
  TriedWay tried{way, {}, false};
  tried.figures.headroom_bytes = static_cast<std::int64_t>(room - least);
  if (least > 1.5 * room) return tried;
  const sweep::Evaluation e = asked.evaluator.evaluate(*s);
  if (e.status == sweep::Status::refused) return std::nullopt;
  tried.figures = e.figures;
  tried.fits = e.status == sweep::Status::ok;
  return tried;
}

// The fewest GPUs of a family on which it fits, where those are fewer than `below`; that is what is returned.
int try_family(const Asked& asked, const Family& family, const char* recompute, int below, WaysTried& tried) {
  for (const int degree : family.degrees) {
    if (degree >= below) break;
    const auto way = try_way(asked, way_of(family, degree, recompute, asked.question.micro_batch));
    if (!way) continue;
    (way->fits ? tried.fitting : tried.nearest).push_back(*way);
    if (way->fits) return degree;
  }
  return below;
}

constexpr const char* kRecompute[] = {"none", "selective", "full"};

// Recomputation costs time, so it is of use where it saves GPUs; ZeRO-2 where it does against ZeRO-1.
void try_families(const Asked& asked, const std::vector<Family>& families, WaysTried& tried) {
  constexpr int kAny = 1 << 30;
  std::array<int, 3> of_zero_1{kAny, kAny, kAny};
  for (const Family& family : families) {
    int fewest = kAny;
    for (std::size_t r = 0; r < 3; ++r) {
      const int below = family.zero == Zero::gradients ? std::min(fewest, of_zero_1[r]) : fewest;
      fewest = std::min(fewest, try_family(asked, family, kRecompute[r], below, tried));
      if (family.zero == Zero::optimizer) of_zero_1[r] = fewest;
    }
  }
}

// On one GPU smaller micro-batches, alone or where that is not enough with recomputation, are another way.
void try_micro_batches(const Asked& asked, WaysTried& tried) {
  for (const char* recompute : kRecompute)
    for (int m = asked.question.micro_batch / 2; m >= 1; m /= 2) {
      const auto way = try_way(asked, way_of({}, 1, recompute, m));
      if (!way) continue;
      (way->fits ? tried.fitting : tried.nearest).push_back(*way);
      if (way->fits) return;
    }
}

}  // namespace

double TriedWay::gpu_hours_per_token() const {
  return 1 / figures.tokens_per_s_per_gpu / 3600;
}

std::string words_of(const Way& w, const FitQuestion& q) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (w.tensor > 1) add(fmt::format("tensor {}", w.tensor));
  if (w.pipeline > 1) add(fmt::format("pipeline {}", w.pipeline));
  if (w.data() > 1)
    add(w.zero == Zero::none         ? fmt::format("data {}", w.data())
        : w.zero == Zero::parameters ? fmt::format("FSDP {}", w.data())
                                     : fmt::format("ZeRO-{} over {}", static_cast<int>(w.zero), w.data()));
  if (w.micro_batch != q.micro_batch) add(fmt::format("micro-batch {}", w.micro_batch));
  if (std::string_view(w.recompute) != "none") add(fmt::format("recompute {}", w.recompute));
  return text.empty() ? "as it is" : text;
}

std::string scenario_of(const FitQuestion& q, const Way& w, Catalogue& catalogue) {
  const int batches = std::max(1, 4 * w.pipeline / std::max(1, w.data()));
  return fmt::format(
      "model: {}\ncluster: {}\nlayout: {{tensor: {}, pipeline: {}, data: {}, sequence_parallel: {}, zero: {}}}\n"
      "training: {{sequence_length: {}, global_batch: {}, micro_batch: {}, precision: {}, recompute: {}}}\n"
      "network: steady\nstack: {}\n",
      q.model, cluster_of(q.gpu, w.gpus, catalogue), w.tensor, w.pipeline, w.data(), w.tensor > 1, name_of(w.zero),
      q.sequence_length, w.data() * batches * w.micro_batch, w.micro_batch, q.precision, w.recompute, q.stack);
}

WaysTried try_ways(const FitQuestion& q, Catalogue& catalogue) {
  WaysTried tried;
  const auto model = model::load_model(q.model, catalogue);
  if (!model.ok()) return tried;
  sweep::Evaluator evaluator(catalogue, {});
  const Asked asked{q, catalogue, evaluator};
  try_families(asked, families_of(*model), tried);
  const bool as_it_is = !tried.fitting.empty() && words_of(tried.fitting.front().way, q) == "as it is";
  if (!as_it_is) try_micro_batches(asked, tried);
  std::stable_sort(tried.fitting.begin(), tried.fitting.end(), [](const TriedWay& a, const TriedWay& b) {
    return a.figures.tokens_per_s_per_gpu > b.figures.tokens_per_s_per_gpu;
  });
  std::stable_sort(tried.nearest.begin(), tried.nearest.end(), [](const TriedWay& a, const TriedWay& b) {
    return a.figures.headroom_bytes > b.figures.headroom_bytes;
  });
  if (tried.nearest.size() > kNearest) tried.nearest.resize(kNearest);
  return tried;
}

}  // namespace orrery::planning
