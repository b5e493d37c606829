#include "answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "json_text.hpp"
#include "orrery/core/file.hpp"
#include "orrery/planning/chart.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using namespace planning;

Json json_of(const AnswerValue& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Json json_of(const AnswerTable& table) {
  Json rows = Json::array();
  for (const auto& row : table.rows) {
    Json& entry = rows.emplace_back(Json::object());
    for (std::size_t i = 0; i < row.size(); ++i) entry[table.columns[i].key] = json_of(row[i].value);
  }
  return rows;
}

std::string figures_text(const std::vector<Figure>& figures) {
  std::size_t label = 0, text = 0;
  for (const Figure& f : figures) {
    label = std::max(label, f.label.size());
    if (!f.remark.empty()) text = std::max(text, f.text.size());
  }
  std::string out;
  for (const Figure& f : figures) {
    if (f.text.empty()) continue;
    out += fmt::format("  {:<{}}  ", f.label, label);
    out += f.remark.empty() ? f.text : fmt::format("{:<{}}  {}", f.text, text, f.remark);
    out += "\n";
  }
  return out;
}

std::string table_text(const AnswerTable& table) {
  std::vector<Column> columns;
  for (const AnswerColumn& c : table.columns)
    if (!c.title.empty()) columns.push_back({c.title, c.right});
  if (columns.empty()) return {};
  Table text(columns);
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < row.size(); ++i)
      if (!table.columns[i].title.empty()) cells.push_back(row[i].text);
    text.add(cells);
  }
  std::istringstream lines(text.text());
  std::string out = table.heading.empty() ? "" : table.heading + "\n";
  for (std::string line; std::getline(lines, line);) out += "  " + line + "\n";
  return out;
}

// Some parts are for the JSON alone.
bool is_shown(const AnswerPart& part) {
  if (!part.heading.empty() || !part.drawing.empty() || !figures_text(part.figures).empty()) return true;
  return std::any_of(part.tables.begin(), part.tables.end(),
                     [](const AnswerTable& t) { return !table_text(t).empty(); });
}

}  // namespace

std::string wrapped(const std::string& text, std::size_t indent) {
  constexpr std::size_t kWidth = 100;
  std::string out, line(indent, ' ');
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (line.size() > indent && line.size() + word.size() + 1 > kWidth) {
      out += line + "\n";
      line.assign(indent, ' ');
    }
    line += (line.size() > indent ? " " : "") + word;
  }
  return out + line + "\n";
}

std::string answer_text(const Answer& answer) {
  std::string out = answer.title.empty() ? "" : answer.title + "\n";
  for (const AnswerPart& part : answer.parts) {
    if (!is_shown(part)) continue;
    if (!out.empty()) out += "\n";
    if (!part.heading.empty()) out += part.heading + "\n";
    for (const std::string& line : part.drawing)
      out += line.starts_with(">") ? wrapped(line.substr(1), 2) : line + "\n";
    out += figures_text(part.figures);
    for (std::size_t i = 0; i < part.tables.size(); ++i) {
      if (i > 0 || (!part.figures.empty() && !figures_text(part.figures).empty())) out += "\n";
      out += table_text(part.tables[i]);
    }
  }
  if (!answer.notes.empty()) out += "\n";
  for (const std::string& note : answer.notes) out += wrapped(note, 2);
  return out;
}

std::string answer_json(const Answer& answer) {
  Json json{{"schema", answer.schema}, {"title", answer.title}};
  for (const AnswerPart& part : answer.parts) {
    Json& into = part.key.empty() ? json : json[part.key];
    for (const Figure& f : part.figures) into[f.key] = json_of(f.value);
    for (const AnswerTable& t : part.tables) into[t.key] = json_of(t);
  }
  json["notes"] = answer.notes;
  return json_text(json);
}

int plot_answer(const std::string& path, const Answer& answer, bool force, const Console& console) {
  const auto svg = chart_of(answer);
  if (!svg.ok()) return console.refuse(svg.errors());
  const Diagnostics errors = write_file(path, *svg, force);
  return errors.empty() ? kOk : console.refuse(errors);
}

int print_answer(const Result<Answer>& answer, bool json, const Console& console) {
  if (!answer.ok()) return console.refuse(answer.errors());
  console.print(json ? answer_json(*answer) : answer_text(*answer));
  return answer->yes ? kOk : kNo;
}

}  // namespace orrery::cli
