#include "best_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "orrery/core/yaml.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/sweep/sweep.hpp"

namespace orrery::planning {
namespace {

// What is tried, of every number of GPUs; data follows. What is likely to be good comes first, so that the rest need
// not be played to the end. Embedding and head may count as layers, so that numbers of layers such as 126 divide.
constexpr const char* kPlanSpaces[] = {"tensor=8,4,2; sequence_parallel=true", "tensor=1; sequence_parallel=false"};
constexpr const char* kOfAll =
    "; pipeline=8,16,4,2,1; virtual=8,4,2,1; micro_batch=1,2; zero=optimizer; partition=ends_count_as_layers,even";
constexpr const char* kExperts = "; expert=8,16,32,64,4,2,1";
constexpr const char *kNone = "; recompute=none", *kFull = "; recompute=full";

constexpr const char* kPlanText = "the scenario of the plan";
constexpr std::size_t kWave = 16, kWaveOfFull = 4;  // layouts between two looks at the best

// Links are shared only in the run that is reported: the ranking hardly changes, and 2,048 ranks of a group take long.
std::string base_of(const LayoutSearch& s, bool reported) {
  return fmt::format(
      "model: {}\ncluster: {{type: {}, gpus: {}}}\ntraining: {{sequence_length: {}, global_batch: {}, precision: "
      "{}}}\nstack: megatron-2024\n{}",
      s.model, s.cluster, s.gpus, s.sequence_length, s.sequences, name_of(s.precision),
      reported ? "" : "network: ideal\n");
}

// Two sweeps of the same points: without recomputation, then with all of it. Recomputing takes longer than not, so only
// what is faster without it than the best and does not fit is worth the second.
class Hunt {
 public:
  Hunt(const YamlTree& tree, Catalogue& catalogue, std::string space)
      : tree_(tree), catalogue_(catalogue), space_(std::move(space)) {}

  // The best where that is better than `known`, and what lacks least where nothing fits.
  Result<sweep::Outcome> run(const std::optional<sweep::Row>& known) {
    auto without = swept(kNone, kWave, {{}, known, {}});
    if (!without.ok()) return without;
    sweep::Search again{{}, known, {}};
    if (!without->best.empty()) again.best = without->best.front();
    again.only = unfit(again.best);
    if (again.only.empty()) return without;
    again.at_least_ps = [this](std::int64_t point) { return rows_.at(point).figures.step_time_ps; };
    auto with = swept(kFull, kWaveOfFull, again);
    if (!with.ok() || with->best.empty())
      return with.ok() && without->best.empty() ? std::move(with) : std::move(without);
    return again.best && !sweep::better(with->best.front(), *again.best) ? std::move(without) : std::move(with);
  }

 private:
  Result<sweep::Outcome> swept(const char* recompute, std::size_t wave, const sweep::Search& search) {
    const auto space = sweep::read_space(space_ + recompute, tree_, catalogue_);
    if (!space.ok()) return space.errors();
    sweep::Options how;
    how.top = 1;
    how.threads = 0;
    how.wave = wave;
    how.search = search;
    if (search.only.empty()) how.row = [this](const sweep::Row& row) { rows_.emplace(row.point, row); };
    return sweep::sweep(tree_, *space, catalogue_, how);
  }

  // The fastest first.
  std::vector<std::int64_t> unfit(const std::optional<sweep::Row>& best) const {
    std::vector<const sweep::Row*> rows;
    for (const auto& [point, row] : rows_)
      if (row.status == sweep::Status::does_not_fit && (!best || sweep::better(row, *best))) rows.push_back(&row);
    std::sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return sweep::better(*a, *b); });
    std::vector<std::int64_t> points;
    for (const sweep::Row* row : rows) points.push_back(row->point);
    return points;
  }

  const YamlTree& tree_;
  Catalogue& catalogue_;
  const std::string space_;
  std::map<std::int64_t, sweep::Row> rows_;  // without recomputation
};

bool is_better(const sweep::Outcome& a, const sweep::Outcome& b) {
  if (!a.best.empty()) return b.best.empty() || sweep::better(a.best.front(), b.best.front());
  if (!b.best.empty() || !a.nearest) return false;
  return !b.nearest || a.nearest->figures.headroom_bytes > b.nearest->figures.headroom_bytes;
}

Result<sweep::Outcome> best_of_spaces(const YamlTree& tree, const std::string& more, Catalogue& catalogue) {
  std::optional<sweep::Outcome> best;
  for (const char* space : kPlanSpaces) {
    const bool known = best && !best->best.empty();
    auto found = Hunt(tree, catalogue, space + more).run(known ? std::optional(best->best.front()) : std::nullopt);
    if (!found.ok()) return found;
    if (!best || is_better(*found, *best)) best = std::move(found).value();
  }
  return *std::move(best);
}

std::string why_none(const sweep::Outcome& swept) {
  if (!swept.nearest) return "no layout divides: powers of two, or another --batch-tokens, may";
  return fmt::format("nothing fits: {:.3g} GiB lack at the least",
                     -static_cast<double>(swept.nearest->figures.headroom_bytes) / (1 << 30));
}

}  // namespace

Diagnostics named(Diagnostics errors, const char* option) {
  for (Diagnostic& e : errors)
    if (e.place.file.empty() || e.place.file == kPlanText) e.path = option, e.place = {}, e.source_line.clear();
  return errors;
}

Result<BestLayout> best_layout(const LayoutSearch& search, Catalogue& catalogue) {
  const auto tree = read_yaml_text(base_of(search, false), kPlanText);
  if (!tree.ok()) return tree.errors();
  const auto swept = best_of_spaces(*tree, std::string(kOfAll) + (search.experts ? kExperts : ""), catalogue);
  if (!swept.ok()) return named(swept.errors(), "--model");
  BestLayout found;
  found.gpus = search.gpus;
  if (swept->best.empty()) {
    found.why = why_none(*swept);
    return found;
  }
  auto reported = read_yaml_text(base_of(search, true), kPlanText);
  if (!reported.ok()) return reported.errors();
  for (const std::string& set : sweep::assignments(swept->best.front(), swept->space, *tree, catalogue)) {
    if (Diagnostics errors = reported->set(set); !errors.empty()) return errors;
    found.layout += (found.layout.empty() ? "" : " ") + set.substr(set.rfind('.', set.find('=')) + 1);
  }
  const auto run = scenario::read_run(*reported, catalogue);
  if (!run.ok()) return named(run.errors(), "--model");
  scenario::RunOptions quick;
  quick.what_if = false;
  auto result = scenario::simulate(*run, quick);
  if (!result.ok()) return result.errors();
  found.scenario = run->scenario();
  found.result = std::move(result).value();
  return found;
}

}  // namespace orrery::planning
