// Groups by columns of the table: `stack,cluster,nodes` makes one of each combination that is there.
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "kinds.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery::validation {
namespace {

constexpr const char* kNodes = "nodes";    // where a table of runs does not say: GPUs over GPUs a node
constexpr const char* kPrefix = "prefix";  // of the id (see runs.cpp)

std::vector<std::string> columns_of(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

class Grouping {
 public:
  explicit Grouping(const CsvTable& table) : table_(table) {
    for (const CsvCell& cell : table.header) known_.push_back(cell.text);
    if (table.column(kNodes) < 0 && table.column("gpus") >= 0) known_.emplace_back(kNodes);
    if (table.column("stack") >= 0 && table.column("id") >= 0) known_.emplace_back(kPrefix);
  }

  Diagnostics check(const std::string& way) const {
    Diagnostics errors;
    const std::vector<std::string> columns = columns_of(way);
    if (columns.empty()) errors.push_back(wrong("--by needs the name of a column", {}));
    for (const std::string& column : columns) {
      if (std::find(known_.begin(), known_.end(), column) != known_.end()) continue;
      const std::string near = did_you_mean(column, known_);
      std::string all;
      for (const std::string& each : known_) all += (all.empty() ? "" : ", ") + each;
      errors.push_back(wrong(fmt::format("--by {}: the table has no column '{}'", way, column),
                             near.empty() ? "its columns: " + all : near));
    }
    return errors;
  }

  std::string name(std::size_t row, const std::string& way, const Row& of) const {
    std::string text;
    for (const std::string& column : columns_of(way)) {
      const std::string value = value_of(row, column, of);
      text += (text.empty() ? "" : " ") + (value.empty() ? "-" : value);
    }
    return text;
  }

 private:
  Diagnostic wrong(std::string message, std::string help) const {
    Diagnostic d;
    d.place.file = table_.name;
    d.message = std::move(message);
    d.help = std::move(help);
    return d;
  }
  std::string cell(std::size_t row, const char* column) const {
    const int at = table_.column(column);
    return at < 0 ? std::string() : table_.rows[row][static_cast<std::size_t>(at)].text;
  }
  std::string value_of(std::size_t row, const std::string& column, const Row& of) const {
    if (table_.column(column) >= 0) return cell(row, column.c_str());
    if (column == kPrefix) {
      for (const auto& [by, name] : of.groups)
        if (by == kPrefix) return name;
    }
    const std::string per_node = cell(row, "gpus_per_node");
    const std::int64_t gpus = std::atoll(cell(row, "gpus").c_str());
    const std::int64_t in_node = std::max<std::int64_t>(per_node.empty() ? 8 : std::atoll(per_node.c_str()), 1);
    return std::to_string((gpus + in_node - 1) / in_node);
  }

  const CsvTable& table_;
  std::vector<std::string> known_;
};

}  // namespace

Diagnostics group_rows_by(const CsvTable& table, const std::vector<std::string>& ways, std::vector<Row>& rows) {
  const Grouping grouping(table);
  Diagnostics errors;
  for (const std::string& way : ways)
    for (Diagnostic& error : grouping.check(way)) errors.push_back(std::move(error));
  if (!errors.empty() || ways.empty()) return errors;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::pair<std::string, std::string>> groups;
    for (const std::string& way : ways) groups.emplace_back(way, grouping.name(i, way, rows[i]));
    rows[i].groups = std::move(groups);
  }
  return errors;
}

}  // namespace orrery::validation
