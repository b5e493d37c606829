#include "sweep/remedies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "scenario/parts.hpp"
#include "sweep/bounds.hpp"
#include "sweep/evaluate.hpp"

namespace orrery::sweep {
namespace {

using layout::Recompute;
using layout::Zero;
using scenario::Scenario;

struct Changed {
  std::string kinds;  // of change, a letter each
  std::vector<std::string> sets;
  Scenario scenario;
};
using Changes = std::vector<Changed>;

void keep(const Scenario& s, char kind, std::vector<std::string> sets, Changes& all) {
  all.push_back({std::string(1, kind), std::move(sets), s});
}

void recompute(Scenario s, Changes& all) {
  const Recompute now = s.training.recompute;
  for (const auto& [next, name] : {std::pair{Recompute::selective, "selective"}, {Recompute::full, "full"}}) {
    if (now == Recompute::full || (next == Recompute::selective && now != Recompute::none)) continue;
    s.training.recompute = next;
    s.training.recompute_every = s.training.recompute_num_layers = 1;
    s.training.recompute_method = layout::RecomputeMethod::uniform;
    keep(s, 'r', {fmt::format("training.recompute={}", name)}, all);
  }
}

void zero(Scenario s, Changes& all) {
  constexpr const char* kStages[] = {"none", "optimizer", "gradients", "parameters"};
  if (s.layout.gradient_ranks() == 1) return;
  for (auto next = static_cast<int>(s.layout.zero) + 1; next <= static_cast<int>(Zero::parameters); ++next) {
    s.layout.zero = static_cast<Zero>(next);
    keep(s, 'z', {fmt::format("layout.zero={}", kStages[next])}, all);
  }
}

void micro_batch(Scenario s, Changes& all) {
  for (std::int64_t m = s.training.micro_batch / 2; m >= 1; m /= 2) {
    if (s.training.global_batch % (m * s.layout.data) != 0) continue;
    s.training.micro_batch = m;
    keep(s, 'm', {fmt::format("training.micro_batch={}", m)}, all);
  }
}

void tokens_and_chunks(Scenario s, Changes& all) {
  if (s.layout.tensor > 1 && !s.layout.sequence_parallel) {
    Scenario split = s;
    split.layout.sequence_parallel = true;
    keep(split, 's', {"layout.sequence_parallel=true"}, all);
  }
  if (s.layout.virtual_stages > 1) {
    s.layout.virtual_stages = 1;
    s.schedule.type = scenario::default_schedule(s);
    keep(s, 'v', {"layout.virtual=1", "schedule.type=" + s.schedule.type}, all);
  }
}

// States first, for they cost a step once; then activations, then weights.
void offload(Scenario s, Changes& all) {
  layout::Offload& o = s.training.offload;
  if (!s.cluster.host.known() || o.optimizer >= 1) return;
  const bool in_flow = o.activations < 1;
  for (const double share : {0.5, 1.0}) {
    if (o.optimizer >= share) continue;
    o.optimizer = share;
    keep(s, 'o', {fmt::format("training.offload.optimizer={}", share)}, all);
  }
  if (!in_flow) return;
  o.activations = 1;
  keep(s, 'o', {"training.offload.optimizer=1", "training.offload.activations=1"}, all);
  o.weights = 1;
  keep(s, 'o', {"training.offload.optimizer=1", "training.offload.activations=1", "training.offload.weights=1"}, all);
}

// A larger degree takes its ranks from the replicas.
void degree(const Scenario& s, char kind, const char* name, int layout::Layout::*of, Changes& all) {
  for (const int factor : {2, 4, 8, 16}) {
    if (s.layout.data % factor != 0) return;
    Scenario larger = s;
    larger.layout.*of *= factor;
    larger.layout.data /= factor;
    keep(larger, kind,
         {fmt::format("layout.{}={}", name, larger.layout.*of), fmt::format("layout.data={}", larger.layout.data)},
         all);
  }
}

// Of use where replicas share states: more of them share more.
void nodes(const Scenario& s, Changes& all) {
  for (const int factor : {2, 4, 8}) {
    if (s.cluster.gpus > 0 || s.cluster.nodes > (1 << 20) / factor) return;
    Scenario larger = s;
    larger.cluster.nodes *= factor;
    larger.layout.data *= factor;
    if (s.training.global_batch % (s.training.micro_batch * larger.layout.data) != 0) return;
    keep(larger, 'n',
         {fmt::format("cluster.nodes={}", larger.cluster.nodes), fmt::format("layout.data={}", larger.layout.data)},
         all);
  }
}

Changes changes_of(const Scenario& s) {
  Changes all;
  recompute(s, all);
  zero(s, all);
  micro_batch(s, all);
  tokens_and_chunks(s, all);
  offload(s, all);
  degree(s, 't', "tensor", &layout::Layout::tensor, all);
  degree(s, 'p', "pipeline", &layout::Layout::pipeline, all);
  nodes(s, all);
  return all;
}

// A change on top of another of another kind; what is said twice holds as it is said last.
Changes pairs_of(const Changes& singles) {
  Changes all;
  for (const Changed& first : singles)
    for (Changed& second : changes_of(first.scenario)) {
      if (second.kinds <= first.kinds) continue;
      std::vector<std::string> sets = first.sets;
      for (const std::string& set : second.sets) {
        std::erase_if(sets, [&](const std::string& s) { return s.starts_with(set.substr(0, set.find('=') + 1)); });
        sets.push_back(set);
      }
      all.push_back({first.kinds + second.kinds, std::move(sets), std::move(second.scenario)});
    }
  return all;
}

// The cheapest of each kind; of changes of one kind alone, which go from little to much, the first that fits.
std::vector<Remedy> fitting(const Changes& changes, Evaluator& evaluator) {
  std::map<std::string, Remedy> best;
  for (const Changed& changed : changes) {
    const bool known = changed.kinds.size() == 1 && best.contains(changed.kinds);
    if (known || bounds_of(changed.scenario).memory_bytes > tensor_memory(changed.scenario)) continue;
    const Evaluation e = evaluator.evaluate(changed.scenario);
    if (e.status != Status::ok) continue;
    const auto [at, fresh] = best.try_emplace(changed.kinds, Remedy{changed.sets, e.figures});
    if (!fresh && e.figures.tokens_per_s_per_gpu > at->second.figures.tokens_per_s_per_gpu)
      at->second = {changed.sets, e.figures};
  }
  std::vector<Remedy> all;
  for (auto& [kinds, remedy] : best) all.push_back(std::move(remedy));
  std::stable_sort(all.begin(), all.end(), [](const Remedy& a, const Remedy& b) {
    return a.figures.tokens_per_s_per_gpu > b.figures.tokens_per_s_per_gpu;
  });
  constexpr std::size_t kMost = 6;
  if (all.size() > kMost) all.resize(kMost);
  return all;
}

}  // namespace

std::vector<Remedy> remedies_of(const Scenario& s, Catalogue& catalogue, const Options& options) {
  Evaluator evaluator(catalogue, {options.memory_limit, options.reserved});
  const Changes singles = changes_of(s);
  std::vector<Remedy> one = fitting(singles, evaluator);
  return one.empty() ? fitting(pairs_of(singles), evaluator) : one;
}

}  // namespace orrery::sweep
