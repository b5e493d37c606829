#include <fmt/format.h>

#include <algorithm>

#include "fit_ways.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/scenario/simulate.hpp"

namespace orrery::planning {
namespace {

constexpr std::size_t kShown = 12;

// The way as `orrery run` plays it, with its ledger.
struct Played {
  program::MemoryByClass held{};
  std::int64_t need = 0;
};
std::optional<Played> play(const FitQuestion& q, const Way& way, Catalogue& catalogue) {
  const auto tree = read_yaml_text(scenario_of(q, way, catalogue), "fit");
  check(tree.ok(), "a scenario of fit does not read");
  const auto run = scenario::read_run(*tree, catalogue);
  if (!run.ok()) return std::nullopt;
  scenario::RunOptions how;
  how.what_if = false;
  const auto result = scenario::simulate(*run, how);
  if (!result.ok()) return std::nullopt;
  const report::Metrics m = report::metrics_of(*result);
  return Played{result->memory[static_cast<std::size_t>(m.worst_device)].at_peak,
                result->usable_memory.value - m.headroom};
}

double price_of(const FitQuestion& q) {
  return q.price_usd_per_hour.value_or(q.gpu.price_usd_per_hour);
}

AnswerTable columns_of(const FitQuestion& q) {
  AnswerTable table{"layouts", "", {{"gpus", "GPUs"}, {"layout", "layout", false}, {"fits", "fits", false}}};
  for (std::size_t c = 0; c < 4; ++c)
    table.columns.push_back(
        {std::string(program::kMemoryClassNames[c]) + "_bytes", std::string(program::kMemoryClassNames[c])});
  table.columns.push_back({"need_bytes", "needs"});
  table.columns.push_back({"tokens_per_s_per_gpu", "tokens/s/GPU"});
  table.columns.push_back({"gpu_hours_per_billion_tokens", "GPU hours/B tokens"});
  if (price_of(q) > 0) table.columns.push_back({"usd_per_billion_tokens", "cost/B tokens"});
  return table;
}

void add_row(const FitQuestion& q, const TriedWay& tried, AnswerTable& table, Catalogue& catalogue) {
  const auto size = [](std::int64_t bytes) {
    return AnswerCell{bytes, fmt::format("{:.3g} GiB", static_cast<double>(bytes) / (1 << 30))};
  };
  const auto played = play(q, tried.way, catalogue);
  if (!played) return;
  auto& row = table.rows.emplace_back();
  row = {{std::int64_t{tried.way.gpus}, std::to_string(tried.way.gpus)},
         cell(words_of(tried.way, q)),
         {tried.fits, tried.fits ? "yes" : "no"}};
  for (std::size_t c = 0; c < 4; ++c) row.push_back(size(played->held[c]));
  row.push_back(size(played->need));
  if (tried.figures.step_time_ps == 0) {  // it was not worth playing
    while (row.size() < table.columns.size()) row.push_back(cell("-"));
    return;
  }
  const double hours = tried.gpu_hours_per_token() * 1e9;
  row.push_back({tried.figures.tokens_per_s_per_gpu, grouped_text(tried.figures.tokens_per_s_per_gpu)});
  row.push_back({hours, fmt::format("{:.4g}", hours)});
  if (const double price = price_of(q); price > 0) row.push_back({price * hours, money_text(price * hours)});
}

void add_figures(const FitQuestion& q, const std::vector<TriedWay>& fitting, AnswerPart& part) {
  if (fitting.empty()) {
    part.figures.push_back(
        {"smallest_gpus", std::int64_t{0}, "smallest", "nothing that was tried fits, up to 4096 GPUs"});
    return;
  }
  const auto smallest = std::min_element(fitting.begin(), fitting.end(),
                                         [](const TriedWay& a, const TriedWay& b) { return a.way.gpus < b.way.gpus; });
  const auto say = [&](const char* key, const char* label, const TriedWay& t) {
    part.figures.push_back({key, std::int64_t{t.way.gpus}, label,
                            fmt::format("{} GPU{}", t.way.gpus, t.way.gpus == 1 ? "" : "s"), words_of(t.way, q)});
  };
  say("smallest_gpus", "smallest that fits", *smallest);
  say("cheapest_gpus", "cheapest for a token", fitting.front());
  part.figures.push_back({"smallest_layout", words_of(smallest->way, q), "", ""});
  part.figures.push_back({"cheapest_layout", words_of(fitting.front().way, q), "", ""});
}

}  // namespace

Result<AnswerPart> fitting_layouts(const FitQuestion& q, Catalogue& catalogue) {
  const WaysTried tried = try_ways(q, catalogue);
  if (tried.fitting.empty() && tried.nearest.empty()) {
    // The first way says why none can be.
    const auto tree = read_yaml_text(scenario_of(q, {}, catalogue), "fit");
    if (!tree.ok()) return tree.errors();
    const auto run = scenario::read_run(*tree, catalogue);
    if (!run.ok()) return run.errors();
    return AnswerPart{};
  }
  AnswerPart part{
      "simulated",
      fmt::format("Simulated, micro-batches of {} × {} tokens: what makes it fit, each with the fewest GPUs, the "
                  "cheapest for a token first; then what comes nearest",
                  q.micro_batch, q.sequence_length)};
  add_figures(q, tried.fitting, part);
  AnswerTable table = columns_of(q);
  for (std::size_t i = 0; i < tried.fitting.size() && i < kShown; ++i) add_row(q, tried.fitting[i], table, catalogue);
  for (const TriedWay& way : tried.nearest) add_row(q, way, table, catalogue);
  part.tables.push_back(std::move(table));
  return part;
}

}  // namespace orrery::planning
