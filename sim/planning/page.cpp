#include "orrery/planning/page.hpp"

#include <fmt/format.h>

#include "orrery/planning/chart.hpp"
#include "orrery/report/chart.hpp"

namespace orrery::planning {
namespace {

constexpr std::size_t kMostAtTheTop = 8;

std::string answer_figures_html(const std::vector<Figure>& figures) {
  std::vector<std::vector<std::string>> rows;
  for (const Figure& f : figures)
    if (!f.text.empty()) rows.push_back({f.label, f.text, f.remark});
  return rows.empty() ? std::string()
                      : report::table_html({{"figure", false}, {"value", false}, {"what it is", false}}, rows);
}

std::string answer_table_html(const AnswerTable& table) {
  std::vector<report::PageColumn> columns;
  for (const AnswerColumn& c : table.columns)
    if (!c.title.empty()) columns.push_back({c.title, c.right});
  if (columns.empty()) return {};
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : table.rows) {
    auto& cells = rows.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i)
      if (!table.columns[i].title.empty()) cells.push_back(row[i].text);
  }
  return (table.heading.empty() ? "" : report::paragraph_html(table.heading)) + report::table_html(columns, rows);
}

// Some parts are for the JSON alone.
void add_part(const AnswerPart& part, const char* untitled, report::Page& page) {
  std::string html;
  if (!part.drawing.empty()) {
    html += "<pre class=\"scroll\">";
    for (const std::string& line : part.drawing) html += report::escaped(line) + "\n";
    html += "</pre>\n";
  }
  html += answer_figures_html(part.figures);
  for (const AnswerTable& table : part.tables) html += answer_table_html(table);
  if (!html.empty()) page.sections.push_back({part.heading.empty() ? untitled : part.heading, html});
}

}  // namespace

report::Page page_of(const Answer& answer, Catalogue& catalogue) {
  report::Page page{answer.title, answer.notes.empty() ? "" : answer.notes.front()};
  if (!answer.parts.empty())
    for (const Figure& f : answer.parts.front().figures)
      if (!f.text.empty() && page.figures.size() < kMostAtTheTop) page.figures.push_back({f.label, f.text, f.remark});
  if (const auto svg = chart_of(answer, catalogue); svg.ok())
    page.sections.push_back({"The picture", "<div class=\"scroll\">" + *svg + "</div>\n"});
  for (std::size_t i = 0; i < answer.parts.size(); ++i) add_part(answer.parts[i], i == 0 ? "Figures" : "Tables", page);
  std::string notes;
  for (const std::string& note : answer.notes) notes += report::paragraph_html(note);
  if (!notes.empty()) page.sections.push_back({"What was assumed, and what is not counted", notes});
  return page;
}

}  // namespace orrery::planning
