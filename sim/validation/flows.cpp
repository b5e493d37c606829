// Cases of max-min sharing (network/maxmin_cases.hpp) with their expected completions.
#include <fmt/format.h>

#include <filesystem>

#include "core/read_file.hpp"
#include "kinds.hpp"
#include "orrery/network/maxmin_cases.hpp"

namespace orrery::validation {
namespace {

using network::MaxminCompletion;

// NAME with "cases" replaced by "expected", or NAME_expected.EXTENSION.
std::string expected_beside(const std::string& name) {
  const std::filesystem::path path(name);
  std::string file = path.filename().string();
  if (const std::size_t at = file.find("cases"); at != std::string::npos)
    file.replace(at, 5, "expected");
  else
    file = path.stem().string() + "_expected" + path.extension().string();
  return (path.parent_path() / file).string();
}

// Without --expected a missing file means that nothing is expected.
Result<std::vector<MaxminCompletion>> expectations(const std::string& name, const std::string& asked_for) {
  const std::string path = asked_for.empty() ? expected_beside(name) : asked_for;
  std::error_code none;
  if (asked_for.empty() && !std::filesystem::exists(path, none)) return std::vector<MaxminCompletion>();
  const Result<std::string> text = read_file(path, kMaxFileBytes);
  if (!text.ok()) return text.errors();
  return network::parse_maxmin_expected(*text, path);
}

const MaxminCompletion* find(const std::vector<MaxminCompletion>& all, const std::string& of_case,
                             const std::string& flow) {
  for (const MaxminCompletion& each : all)
    if (each.case_name == of_case && each.flow_name == flow) return &each;
  return nullptr;
}

}  // namespace

Result<std::vector<Row>> flow_rows(std::string_view text, const std::string& name, const std::string& expected) {
  const Result<std::vector<network::MaxminCase>> cases = network::parse_maxmin_cases(text, name);
  if (!cases.ok()) return cases.errors();
  const Result<std::vector<MaxminCompletion>> wanted = expectations(name, expected);
  if (!wanted.ok()) return wanted.errors();
  std::vector<Row> rows;
  for (const network::MaxminCase& each : *cases) {
    const std::vector<network::MaxminOutcome> outcomes = network::run_maxmin_case(each);
    for (std::size_t f = 0; f < each.flows.size(); ++f) {
      Row row;
      row.id = each.name + "/" + each.flows[f].name;
      row.groups.emplace_back("case", each.name);
      row.figures = {{"time_s", true, {}, seconds(outcomes[f].completion)}};
      if (const MaxminCompletion* want = find(*wanted, each.name, each.flows[f].name)) {
        row.figures[0].reference = static_cast<double>(want->numerator) / static_cast<double>(want->denominator);
        row.equal = network::equal_within(outcomes[f].completion, *want, outcomes[f].preceding_events);
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace orrery::validation
