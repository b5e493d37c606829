// The rows of a table of runs that are most like one of them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kinds.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery::validation {
namespace {

// What a run is by, beside its stack.
constexpr const char* kConfiguration[] = {"model",        "layers",
                                          "hidden",       "heads",
                                          "kv_heads",     "ffn_hidden",
                                          "vocab",        "seq_len",
                                          "gpu",          "cluster",
                                          "gpus",         "tp",
                                          "pp",           "vp",
                                          "dp",           "cp",
                                          "micro_batch",  "schedule",
                                          "partition",    "recompute",
                                          "zero_stage",   "sequence_parallel",
                                          "attention",    "dtype",
                                          "global_batch", "compile",
                                          "grad_bytes",   "overlap_dp",
                                          "overlap_tp",   "p2p_scatter_gather",
                                          "cuda_graph"};
constexpr double kFurthest = 4;  // doublings beyond which numbers are as far apart as can be

const std::string& cell(const CsvTable& table, std::size_t row, int column) {
  static const std::string nothing;
  return column < 0 ? nothing : table.rows[row][static_cast<std::size_t>(column)].text;
}

double number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

// Doublings that two numbers are apart; words are equal or two doublings apart.
double apart(const std::string& a, const std::string& b) {
  if (a == b) return 0;
  const double x = number(a), y = number(b);
  if (x <= 0 || y <= 0) return 2;
  double doublings = 0;
  for (double less = std::min(x, y); less < std::max(x, y) && doublings < kFurthest; less *= 2) ++doublings;
  return doublings;
}

}  // namespace

Result<CsvTable> nearest_rows(const CsvTable& table, const std::string& id, std::size_t most) {
  const int ids = table.column("id"), stacks = table.column("stack"), times = table.column("step_time_s");
  std::vector<std::string> known;
  std::size_t found = table.rows.size();
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    known.push_back(cell(table, i, ids));
    if (known.back() == id && found == table.rows.size()) found = i;
  }
  if (found == table.rows.size()) {
    Diagnostic d;
    d.place.file = table.name;
    d.message = fmt::format("--row: the table has no row '{}'", id);
    d.help = did_you_mean(id, known);
    return d;
  }
  std::vector<std::pair<double, std::size_t>> others;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (i == found || cell(table, i, stacks) != cell(table, found, stacks) || cell(table, i, times).empty()) continue;
    double distance = 0;
    for (const char* column : kConfiguration) {
      const int at = table.column(column);
      distance += apart(cell(table, i, at), cell(table, found, at));
    }
    others.emplace_back(distance, i);
  }
  std::sort(others.begin(), others.end());
  if (others.size() > most) others.resize(most);
  CsvTable near = table;
  near.rows = {table.rows[found]};
  for (const auto& [distance, row] : others) near.rows.push_back(table.rows[row]);
  return near;
}

std::vector<std::string> differing_columns(const CsvTable& table) {
  std::vector<std::string> columns;
  for (const char* column : kConfiguration) {
    const int at = table.column(column);
    bool differs = false;
    for (std::size_t i = 1; i < table.rows.size(); ++i) differs = differs || cell(table, i, at) != cell(table, 0, at);
    if (differs) columns.emplace_back(column);
  }
  return columns;
}

}  // namespace orrery::validation
