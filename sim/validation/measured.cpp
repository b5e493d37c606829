#include "orrery/validation/measured.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "orrery/core/data_files.hpp"
#include "orrery/core/fields.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery::validation {
namespace {

constexpr DataCollection kMeasuredFiles{"ORRERY_SCENARIOS", "scenarios", "validation", "table of measured runs"};
constexpr std::size_t kMostAlike = 6;

struct MeasuredFile {
  std::vector<MeasuredRun> runs;
};

const Fields<MeasuredRun>& measured_fields() {
  using R = MeasuredRun;
  static const auto table = Fields<R>("run", "A measured run.")
                                .add("id", &R::id, "of its row in the table of runs")
                                .required()
                                .add("model", &R::model, "of the run")
                                .add("stack", &R::stack, "software stack")
                                .add("gpu", &R::gpu, "GPU")
                                .add("cluster", &R::cluster, "cluster")
                                .add("precision", &R::precision, "number format")
                                .add("gpus", &R::gpus, "how many")
                                .required()
                                .at_least(1)
                                .add("error_percent", &R::error_percent, "of the predicted step time")
                                .required()
                                .number_range(-100, 1e4);
  return table;
}

const Fields<MeasuredFile>& measured_file_fields() {
  static const auto table = Fields<MeasuredFile>("measured", "Measured runs.")
                                .section("runs", &MeasuredFile::runs, measured_fields(), "the runs");
  return table;
}

// How much of a run is that of another: what the constants stand in counts most, then the number of GPUs by its
// logarithm.
double likeness(const MeasuredRun& r, const scenario::Scenario& s) {
  const std::string precision = scenario::kPrecisionNames[static_cast<std::size_t>(s.training.precision)];
  const auto points = [](bool same, double worth) { return same ? worth : 0.0; };
  const double doublings = std::abs(std::log2(static_cast<double>(s.gpus()) / static_cast<double>(r.gpus)));
  return points(r.stack == s.stack.type, 4) + points(r.gpu == s.gpu.name, 4) + points(r.cluster == s.cluster.name, 2) +
         points(r.precision == precision, 1) - 0.5 * doublings;
}

}  // namespace

Result<std::vector<MeasuredRun>> measured_runs(Catalogue& catalogue) {
  const auto path = find_data_file(kMeasuredFiles, "measured");
  if (!path.ok()) return path.errors();
  const auto file = catalogue.once<MeasuredFile>(*path, [&]() -> Result<MeasuredFile> {
    const auto tree = read_yaml_file(*path);
    if (!tree.ok()) return tree.errors();
    return read(measured_file_fields(), *tree, tree->root());
  });
  if (!file.ok()) return file.errors();
  return file->runs;
}

Result<std::vector<report::HeldAgainst>> measured_runs_like(const scenario::Scenario& s, Catalogue& catalogue) {
  auto runs = measured_runs(catalogue);
  if (!runs.ok()) return runs.errors();
  std::vector<MeasuredRun>& all = runs.value();
  std::erase_if(all, [&](const MeasuredRun& r) { return r.stack != s.stack.type && r.gpu != s.gpu.name; });
  std::stable_sort(all.begin(), all.end(),
                   [&](const MeasuredRun& a, const MeasuredRun& b) { return likeness(a, s) > likeness(b, s); });
  std::vector<report::HeldAgainst> held;
  for (std::size_t i = 0; i < all.size() && i < kMostAlike; ++i)
    held.push_back({all[i].id,
                    fmt::format("{}, {} × {} ({}), {}, {}", all[i].model, all[i].gpus, all[i].gpu, all[i].cluster,
                                all[i].precision, all[i].stack),
                    all[i].error_percent / 100});
  return held;
}

}  // namespace orrery::validation
