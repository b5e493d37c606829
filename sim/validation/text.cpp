#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "orrery/validation/validate.hpp"

namespace orrery::validation {
namespace {

constexpr std::size_t kWorst = 10;

std::string percent(double share, bool sign) {
  return sign ? fmt::format("{:+.1f} %", 100 * share) : fmt::format("{:.1f} %", 100 * share);
}

std::string statistics_line(const std::string& name, std::size_t width, const Statistics& s) {
  if (s.rows == 0) return {};
  return fmt::format("{:<{}} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9}\n", name, width, s.rows, percent(s.mape, false),
                     percent(s.median_abs_error, false), percent(s.p90_abs_error, false), percent(s.bias, true),
                     s.concordance ? percent(*s.concordance, false) : "-");
}

// One table per figure and way of grouping; the narrower statistics below it.
std::string table(const Report& report, const std::string& by, std::size_t figure, bool subset) {
  std::string lines;
  const char* name = "";
  std::size_t width = 24;
  for (const Group& group : report.groups)
    if (group.by == by) width = std::max(width, group.name.size());
  for (const Group& group : report.groups) {
    if ((group.by != by && group.by != "all") || figure >= group.figures.size()) continue;
    name = group.figures[figure].name;
    lines += statistics_line(group.name, width, subset ? group.figures[figure].subset : group.figures[figure].all);
  }
  if (lines.empty()) return {};
  return fmt::format("{} per {}{}\n{:<{}} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9}\n{}\n", name, by,
                     subset ? fmt::format(", {} only", report.subset) : "", "", width, "rows", "mape", "median", "p90",
                     "bias", "in order", lines);
}

std::string tables(const Report& report) {
  std::vector<std::string> ways;
  for (const Group& group : report.groups)
    if (group.by != "all" && std::find(ways.begin(), ways.end(), group.by) == ways.end()) ways.push_back(group.by);
  if (ways.empty()) ways.emplace_back("all");
  std::string text;
  for (const std::string& by : ways)
    for (std::size_t figure = 0; figure < report.groups.front().figures.size(); ++figure) {
      text += table(report, by, figure, false);
      if (*report.subset != '\0') text += table(report, by, figure, true);
    }
  return text;
}

// Runs that differ in the schedule alone.
std::string order_of_schedules(const Report& report) {
  if (report.groups.empty() || report.groups.front().figures.empty()) return {};
  const Statistics& s = report.groups.front().figures.front().all;
  if (!s.schedule_concordance) return {};
  return fmt::format("{} of {} pairs of runs that differ in the schedule alone, by more than 2 %, are in order\n\n",
                     percent(*s.schedule_concordance, false), s.schedule_pairs);
}

struct Miss {
  const Row* row;
  double measured, predicted;
  double error() const { return predicted / measured - 1; }
};

std::string worst(const Report& report, std::size_t figure) {
  std::vector<Miss> misses;
  const char* name = "";
  for (const Row& row : report.rows) {
    if (!row.counts || figure >= row.figures.size() || row.figures[figure].exact) continue;
    name = row.figures[figure].name;
    const double* measured = std::get_if<double>(&row.figures[figure].reference);
    const double* predicted = std::get_if<double>(&row.figures[figure].predicted);
    if (measured != nullptr && predicted != nullptr && *measured > 0) misses.push_back({&row, *measured, *predicted});
  }
  if (misses.empty()) return {};
  std::stable_sort(misses.begin(), misses.end(),
                   [](const Miss& a, const Miss& b) { return std::abs(a.error()) > std::abs(b.error()); });
  if (misses.size() > kWorst) misses.resize(kWorst);
  std::string text =
      fmt::format("worst rows of {}\n{:<28} {:>11} {:>11} {:>9}\n", name, "", "measured", "predicted", "error");
  for (const Miss& m : misses)
    text += fmt::format("{:<28} {:>11.5g} {:>11.5g} {:>9}  {}\n", m.row->id, m.measured, m.predicted,
                        percent(m.error(), true), m.row->what);
  return text + "\n";
}

// Reasons, each with the rows it holds for.
std::string refusals(const Report& report) {
  std::string text;
  for (const auto& [why, ids] : refusals_of(report)) {
    text += fmt::format("refused {} ({}", ids.size(), ids.front());
    for (std::size_t i = 1; i < ids.size() && i < 5; ++i) text += ", " + ids[i];
    text += fmt::format("{}): {}\n", ids.size() > 5 ? ", …" : "", why);
  }
  return text;
}

std::string words(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string joined;
  if (const auto* list = std::get_if<std::vector<double>>(&value))
    for (const double each : *list) joined += fmt::format("{}{}", joined.empty() ? "" : ";", each);
  return joined.empty() ? "-" : joined;
}

// Rows that are not equal, or, where nothing was expected, every row.
std::string exact_rows(const Report& report) {
  std::string text;
  for (const Row& row : report.rows) {
    if (row.equal && *row.equal) continue;
    std::string line;
    for (const Figure& f : row.figures) {
      if (!f.exact || f.predicted.index() == 0) continue;
      line += fmt::format("  {} {}", f.name, words(f.predicted));
      if (f.reference.index() != 0 && f.reference != f.predicted)
        line += fmt::format(" (expected {})", words(f.reference));
    }
    if (!line.empty()) text += fmt::format("{:<28}{}{}  {}\n", row.id, row.equal ? "  DIFFERS" : "", line, row.what);
  }
  return text;
}

}  // namespace

std::string to_text(const Report& report) {
  std::string text = tables(report) + order_of_schedules(report);
  if (!report.groups.empty())
    for (std::size_t figure = 0; figure < report.groups.front().figures.size(); ++figure) text += worst(report, figure);
  text += exact_rows(report) + refusals(report);
  std::int64_t equal = 0, decided = 0;
  for (const Row& row : report.rows) {
    equal += row.equal && *row.equal ? 1 : 0;
    decided += row.equal ? 1 : 0;
  }
  const auto rows = static_cast<std::int64_t>(report.rows.size());
  text += fmt::format("{} row{}: {} predicted, {} refused", rows, rows == 1 ? "" : "s", rows - report.refused(),
                      report.refused());
  if (decided > 0) text += fmt::format("; {} of {} equal to what is expected", equal, decided);
  return text + "\n";
}

}  // namespace orrery::validation
