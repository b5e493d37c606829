#include "orrery/validation/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/read_file.hpp"
#include "kinds.hpp"

namespace orrery::validation {
namespace {

// Flows are text: the first word that is no comment is `case`.
bool is_flow_text(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (!line.empty() && line.front() != '#') return line.starts_with("case ");
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return false;
}

std::optional<FileKind> kind_of(const CsvTable& table) {
  const auto has = [&](const char* column) { return table.column(column) >= 0; };
  if (has("stack") && has("layers") && has("tp")) return FileKind::runs;
  if (has("schedule") && has("p") && has("m")) return FileKind::schedules;
  if (has("collective") && has("msg_bytes")) return FileKind::collectives;
  if (has("kernel") && has("gpu")) return FileKind::kernels;
  if (has("expert_hidden") && has("num_tokens")) return FileKind::expert_layers;
  if (has("dispatch_us") && has("combine_us")) return FileKind::expert_exchange;
  if (has("layers_per_stage") && has("replicas_per_stage")) return FileKind::plans;
  if (has("quantity") && has("value")) return FileKind::goodput;
  return {};
}

// A table of measurements that nothing here predicts.
std::vector<Row> refused_rows(const CsvTable& table, const char* why) {
  const int id = table.column("id");
  std::vector<Row> rows(table.rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].id = id < 0 ? std::to_string(i + 1) : table.rows[i][static_cast<std::size_t>(id)].text;
    rows[i].why = fmt::format("not simulated: {}", why);
  }
  return rows;
}

const char* subset_of(FileKind kind) {
  return kind == FileKind::runs || kind == FileKind::plans ? "tier_a"
         : kind == FileKind::collectives                   ? "from_64_kib"
                                                           : "";
}

Result<std::vector<Row>> rows_of(FileKind kind, const CsvTable& table, const Options& options) {
  switch (kind) {
    case FileKind::runs:
      return run_rows(table, options);
    case FileKind::schedules:
      return schedule_rows(table, options);
    case FileKind::collectives:
      return collective_rows(table);
    case FileKind::kernels:
      return kernel_rows(table);
    case FileKind::expert_layers:
      return expert_layer_rows(table);
    case FileKind::expert_exchange:
      return expert_exchange_rows(table);
    case FileKind::plans:
      return plan_rows(table, options);
    case FileKind::goodput:
      return refused_rows(table, "what a run of many steps loses to checkpoints and failures");
    case FileKind::flows:
      break;
  }
  internal_error("a table of flows is no CSV");
}

Result<Report> report_of(FileKind kind, const std::string& name, Result<std::vector<Row>> rows) {
  if (!rows.ok()) return rows.errors();
  Report report{kind, name, subset_of(kind), std::move(rows).value(), {}};
  report.groups = groups_of(report.rows);
  return report;
}

Diagnostic about_file(const std::string& name, std::string message, std::string help = {}) {
  Diagnostic d;
  d.place.file = name;
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

}  // namespace

std::string reason(const Diagnostics& errors) {
  std::string text;
  for (const Diagnostic& e : errors) {
    if (!text.empty()) text += "; ";
    text += e.path.empty() ? e.message : e.path + ": " + e.message;
  }
  return text;
}

std::int64_t Report::refused() const {
  return std::count_if(rows.begin(), rows.end(), [](const Row& row) { return !row.why.empty(); });
}
std::int64_t Report::unequal() const {
  return std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.equal && !*row.equal; });
}
bool Report::nothing_predicted() const {
  return std::all_of(rows.begin(), rows.end(),
                     [](const Row& row) { return !row.why.empty() && !row.equal.value_or(false); });
}

std::vector<Refusal> refusals_of(const Report& report) {
  std::vector<Refusal> reasons;
  std::map<std::string_view, std::size_t> known;
  for (const Row& row : report.rows) {
    if (row.why.empty()) continue;
    const auto [at, fresh] = known.try_emplace(row.why, reasons.size());
    if (fresh) reasons.push_back({row.why, {}});
    reasons[at->second].ids.push_back(row.id);
  }
  return reasons;
}

Result<Report> validate_table(std::string_view text, const std::string& name, const Options& options) {
  if (is_flow_text(text) && !options.without.empty())
    return about_file(name, "--without goes with a table of runs only");
  if (is_flow_text(text) && !options.by.empty()) return about_file(name, "--by goes with a table of rows only");
  if (is_flow_text(text)) return report_of(FileKind::flows, name, flow_rows(text, name, options.expected));
  if (!options.expected.empty()) return about_file(name, "--expected goes with a file of flows (case … end) only");
  const Result<CsvTable> table = read_csv_text(text, name);
  if (!table.ok()) return table.errors();
  const std::optional<FileKind> kind = kind_of(*table);
  if (!kind)
    return about_file(name, "its columns are those of no table known here",
                      "runs: stack, layers, tp …; schedules: schedule, p, m …; collectives: collective, msg_bytes …; "
                      "kernels: kernel, gpu …; flows: case … end");
  if (!options.without.empty() && *kind != FileKind::runs && *kind != FileKind::plans)
    return about_file(name, "--without goes with a table of runs only");
  Result<std::vector<Row>> rows = rows_of(*kind, *table, options);
  if (!rows.ok()) return rows.errors();
  if (Diagnostics errors = group_rows_by(*table, options.by, *rows); !errors.empty()) return errors;
  return report_of(*kind, name, std::move(rows));
}

Result<Report> validate_row(const std::string& path, const std::string& id, const Options& options) {
  constexpr std::size_t kNeighbours = 4;
  const Result<std::string> text = read_file(path, kMaxFileBytes);
  if (!text.ok()) return text.errors();
  const std::string name = shown_name(path);
  const Result<CsvTable> table = read_csv_text(*text, name);
  if (!table.ok()) return table.errors();
  if (kind_of(*table) != FileKind::runs) return about_file(name, "--row goes with a table of runs only");
  const Result<CsvTable> nearest = nearest_rows(*table, id, kNeighbours);
  if (!nearest.ok()) return nearest.errors();
  Result<std::vector<Row>> rows = run_rows(*nearest, options);
  if (!rows.ok()) return rows.errors();
  if (Diagnostics errors = group_rows_by(*nearest, differing_columns(*nearest), *rows); !errors.empty()) return errors;
  return report_of(FileKind::runs, name, std::move(rows));
}

Result<Report> validate_file(const std::string& path, const Options& options) {
  const Result<std::string> text = read_file(path, kMaxFileBytes);
  if (!text.ok()) return text.errors();
  return validate_table(*text, shown_name(path), options);
}

}  // namespace orrery::validation
