#include "sweep_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json_text.hpp"
#include "orrery/core/csv.hpp"
#include "orrery/planning/amounts.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using sweep::Row;
using sweep::Space;

bool has_figures(const Row& row) {
  return row.status <= sweep::Status::unwanted;
}

bool says_data(const Space& space) {
  return std::any_of(space.dimensions.begin(), space.dimensions.end(),
                     [](const auto& d) { return d.key == "layout.data"; });
}

}  // namespace

std::string last_part(const std::string& key) {
  const std::string last = key.substr(key.rfind('.') + 1);
  return last == "type" || last == "mode" ? key.substr(0, key.find('.')) : last;
}

namespace {

// {key, value} of each dimension, and layout.data.
// Of a row that was refused before it was known: nothing.
std::string data_text(const Row& row) {
  return row.data > 0 ? std::to_string(row.data) : std::string();
}

std::vector<std::pair<std::string, std::string>> keys_of(const Row& row, const Space& space) {
  std::vector<std::pair<std::string, std::string>> keys;
  const std::vector<std::string> values = sweep::values_of(row.point, space);
  for (std::size_t d = 0; d < values.size(); ++d) keys.emplace_back(space.dimensions[d].key, values[d]);
  if (!says_data(space)) keys.emplace_back("layout.data", data_text(row));
  return keys;
}

std::string figure_text(const sweep::FigureColumn& column, sweep::Figures f) {
  if (column.whole_of && column.whole_of(f) == &f.reserved_bytes && f.reserved_bytes < 0) return {};  // not asked for
  if (column.of && column.of(f) == &f.cost_usd && f.cost_usd == 0) return {};                         // no price
  if (column.of && column.of(f) == &f.goodput && f.goodput < 0) return {};  // no failures said
  return column.whole ? fmt::format("{}", *column.whole_of(f)) : fmt::format("{}", *column.of(f));
}

std::string quoted(const std::string& argument) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=-+:,@%";
  if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) return argument;
  std::string text = "'";
  for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

Json json_of(const Row& row, const Space& space) {
  Json json;
  for (const auto& [key, value] : keys_of(row, space)) json[key] = value;
  json["status"] = sweep::name_of(row.status);
  sweep::Figures f = row.figures;
  for (const sweep::FigureColumn& column : sweep::figure_columns()) {
    if (!has_figures(row)) break;
    if (figure_text(column, f).empty()) continue;
    if (column.whole)
      json[column.name] = *column.whole_of(f);
    else
      json[column.name] = *column.of(f);
  }
  if (!row.why.empty()) json["reason"] = row.why;
  return json;
}

// What of the split of the step grew most against the best, in words.
std::string what_is_worse(const sweep::Figures& f, const sweep::Figures& best) {
  std::size_t worst = 0;
  double most = 0;
  for (std::size_t c = 0; c < program::kCategories; ++c)
    if (const double more = f.mean_s[c] - best.mean_s[c]; more > most) most = more, worst = c;
  if (most <= 0) return f.goodput < best.goodput ? "less goodput" : "more memory";
  return fmt::format("{} +{:.3g} s", program::kCategoryNames[worst], most);
}

double exposed(const sweep::Figures& f) {
  double sum = 0;
  for (std::size_t c = 0; c < program::kCategories; ++c)
    if (program::is_transfer(static_cast<program::Category>(c))) sum += f.mean_s[c];
  return sum;
}

std::string cost_text(const sweep::Figures& f) {
  return f.cost_usd > 0 ? planning::money_text(f.cost_usd / static_cast<double>(f.tokens) * 1e9) : "-";
}

// With the cost of a token where prices are known and it is asked for.
std::string table_of(const std::vector<Row>& rows, const Space& space, bool cost = false) {
  cost = cost && std::any_of(rows.begin(), rows.end(), [](const Row& r) { return r.figures.cost_usd > 0; });
  std::vector<Column> columns{{"#", true}};
  std::vector<std::size_t> shown;
  for (const auto& [key, value] : keys_of(rows.front(), space)) columns.push_back({last_part(key), true});
  for (const char* title : {"step", "tokens/s/GPU", "MFU", "bubble", "exposed", "memory"})
    columns.push_back({title, true});
  if (cost) columns.push_back({"cost/B tokens", true});
  const bool goodput = rows.front().figures.goodput >= 0;
  if (goodput) columns.push_back({"goodput", true});
  columns.push_back({"worse by"});
  Table table(columns);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const sweep::Figures& f = rows[i].figures;
    std::vector<std::string> cells{std::to_string(i + 1)};
    for (const auto& [key, value] : keys_of(rows[i], space)) cells.push_back(value);
    const double step = static_cast<double>(f.step_time_ps) / 1e12;
    for (std::string& cell : std::vector<std::string>{
             report::time_text(f.step_time_ps), report::count_text(f.tokens_per_s_per_gpu),
             fmt::format("{:.1f} %", 100 * f.mfu), fmt::format("{:.1f} %", 100 * f.bubble_fraction),
             fmt::format("{:.1f} %", 100 * exposed(f) / step), report::bytes_text(f.memory_bytes)})
      cells.push_back(std::move(cell));
    if (cost) cells.push_back(cost_text(f));
    if (goodput) cells.push_back(fmt::format("{:.2f} %", 100 * f.goodput));
    cells.push_back(i == 0 ? "" : what_is_worse(f, rows.front().figures));
    table.add(std::move(cells));
  }
  return table.text();
}

std::string reasons_text(const char* title, const std::vector<sweep::Reason>& reasons) {
  std::string text;
  constexpr std::size_t kMost = 8;
  for (std::size_t i = 0; i < reasons.size() && i < kMost; ++i)
    text += fmt::format("  {:>10}  {}{}\n", reasons[i].points, title, reasons[i].why);
  if (reasons.size() > kMost) text += fmt::format("              and {} reasons more\n", reasons.size() - kMost);
  return text;
}

std::string counts_text(const sweep::Outcome& o) {
  const sweep::Counts& c = o.counts;
  return fmt::format("space {} = refused {} + duplicate {} + pruned {} + evaluated {}, of which {} fit\n", c.space,
                     c.refused, c.duplicate, c.pruned, c.evaluated, c.fit) +
         reasons_text("refused: ", o.refused) + reasons_text("pruned: ", o.pruned) +
         reasons_text("unwanted: ", o.unwanted);
}

}  // namespace

std::string in_words(const Row& row, const Space& space) {
  std::string text;
  for (const auto& [key, value] : keys_of(row, space))
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", last_part(key), value);
  return text;
}

namespace {

std::string unfit_text(const char* title, const Row& row, const Space& space) {
  if (!has_figures(row))
    return fmt::format("{}: {}: lacks at least {}\n", title, in_words(row, space),
                       report::bytes_text(-row.figures.headroom_bytes));
  return fmt::format("{}: {}: {}, lacks {} ({} of memory)\n", title, in_words(row, space),
                     report::time_text(row.figures.step_time_ps), report::bytes_text(-row.figures.headroom_bytes),
                     report::bytes_text(row.figures.memory_bytes));
}

// In GPU time for a token against the layout as it is.
std::string remedies_text(const sweep::Outcome& o) {
  const sweep::Figures& before = o.fastest_that_does_not_fit->figures;
  std::string text;
  for (const sweep::Remedy& r : o.remedies) {
    std::string sets;
    for (const std::string& set : r.sets) sets += (sets.empty() ? "" : " ") + set;
    text += fmt::format("  fits with {}: {}, {}, {:+.1f} % of a GPU's time for a token\n", sets,
                        report::time_text(r.figures.step_time_ps), report::bytes_text(r.figures.memory_bytes),
                        100 * (before.tokens_per_s_per_gpu / r.figures.tokens_per_s_per_gpu - 1));
  }
  return text;
}

std::string sensitivity_text(const sweep::Outcome& o) {
  if (o.sensitivity.empty()) return {};
  std::string text;
  const auto base = static_cast<double>(o.best.front().figures.step_time_ps);
  for (const sweep::Sensitivity& s : o.sensitivity)
    text += fmt::format("{}{} {:+.1f} %", text.empty() ? "" : ", ", s.resource,
                        100 * (static_cast<double>(s.step_time_ps) / base - 1));
  return "step time of the best with 10 % more of: " + text + "\n";
}

}  // namespace

std::string rerun_command(const Row& row, const Space& space, const SweepShown& shown) {
  std::string text = "orrery run " + quoted(shown.scenario);
  const auto set = [&](const std::string& assignment) { text += " --set " + quoted(assignment); };
  for (const std::string& assignment : shown.sets) set(assignment);
  bool mode = false;
  for (const std::string& assignment : sweep::assignments(row, space, *shown.tree, Catalogue::shared())) {
    set(assignment);
    mode = mode || assignment.starts_with("network.mode=");
  }
  if (!mode && shown.tree->find(shown.tree->root(), "network") == kNoNode) set("network.mode=steady");
  return text;
}

std::string sweep_text(const sweep::Outcome& o, const SweepShown& shown) {
  std::string text = counts_text(o);
  if (!o.best.empty()) {
    text += "\n" + table_of(o.best, o.space);
    text += "\nagain: " + rerun_command(o.best.front(), o.space, shown) + "\n";
  }
  text += sensitivity_text(o);
  if (o.pareto.size() > 1)
    text += fmt::format("\nbest in step time, memory, GPUs or cost ({} layouts):\n", o.pareto.size()) +
            table_of({o.pareto.begin(),
                      o.pareto.begin() + static_cast<std::ptrdiff_t>(std::min(o.pareto.size(), shown.top))},
                     o.space, true);
  const auto& unfit = o.fastest_that_does_not_fit;
  if (unfit && (o.best.empty() || sweep::better(*unfit, o.best.front())))
    text += "\n" + unfit_text("fastest that does not fit", *unfit, o.space) + remedies_text(o);
  if (o.best.empty() && o.nearest) text += unfit_text("nearest to fitting", *o.nearest, o.space);
  return text;
}

std::string sweep_json(const sweep::Outcome& o, const SweepShown& shown) {
  const auto reasons = [](const std::vector<sweep::Reason>& all) {
    Json list = Json::array();
    for (const sweep::Reason& r : all) list.push_back({{"reason", r.why}, {"points", r.points}});
    return list;
  };
  const auto rows = [&](const std::vector<Row>& all) {
    Json list = Json::array();
    for (const Row& row : all) list.push_back(json_of(row, o.space));
    return list;
  };
  Json space = Json::object();
  for (const sweep::Dimension& d : o.space.dimensions) space[d.key] = d.values;
  Json json{{"schema", "orrery.sweep/1"},
            {"scenario", shown.scenario},
            {"space", space},
            {"counts",
             {{"space", o.counts.space},
              {"refused", o.counts.refused},
              {"duplicate", o.counts.duplicate},
              {"pruned", o.counts.pruned},
              {"evaluated", o.counts.evaluated},
              {"fit", o.counts.fit}}},
            {"refused", reasons(o.refused)},
            {"pruned", reasons(o.pruned)},
            {"unwanted", reasons(o.unwanted)},
            {"best", rows(o.best)},
            {"pareto", rows(o.pareto)}};
  json["ten_percent_more"] = Json::object();
  for (const sweep::Sensitivity& s : o.sensitivity)
    json["ten_percent_more"][s.resource] = {{"step_time_ps", s.step_time_ps}};
  if (!o.best.empty()) json["run"] = rerun_command(o.best.front(), o.space, shown);
  if (o.fastest_that_does_not_fit) json["fastest_that_does_not_fit"] = json_of(*o.fastest_that_does_not_fit, o.space);
  json["remedies"] = Json::array();
  for (const sweep::Remedy& r : o.remedies)
    json["remedies"].push_back({{"set", r.sets},
                                {"step_time_ps", r.figures.step_time_ps},
                                {"peak_memory_bytes", r.figures.peak_memory_bytes},
                                {"gpus", r.figures.gpus},
                                {"tokens_per_s_per_gpu", r.figures.tokens_per_s_per_gpu}});
  if (o.nearest) json["nearest"] = json_of(*o.nearest, o.space);
  return json_text(json);
}

std::string sweep_csv_header(const Space& space) {
  std::string line;
  for (const sweep::Dimension& d : space.dimensions) line += csv_field(d.key) + ",";
  if (!says_data(space)) line += "layout.data,";
  line += "status";
  for (const sweep::FigureColumn& column : sweep::figure_columns()) line += fmt::format(",{}", column.name);
  return line + ",reason\n";
}

std::string sweep_csv_row(const Row& row, const Space& space) {
  std::string line;
  for (const std::string& value : sweep::values_of(row.point, space)) (line += csv_field(value)) += ',';
  if (!says_data(space)) (line += data_text(row)) += ',';
  line += sweep::name_of(row.status);
  for (const sweep::FigureColumn& column : sweep::figure_columns()) {
    line += ',';
    if (has_figures(row)) line += figure_text(column, row.figures);
  }
  return ((line += ',') += csv_field(row.why)) += '\n';
}

std::string sweep_json_row(const Row& row, const Space& space) {
  return json_of(row, space).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace orrery::cli
