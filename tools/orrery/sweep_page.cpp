#include "sweep_page.hpp"

#include <fmt/format.h>

#include "sweep_output.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

using sweep::Row;

std::string memory_text(const Row& row) {
  return report::bytes_text(row.figures.memory_bytes);
}

std::string table_html(const sweep::Outcome& o) {
  std::vector<report::PageColumn> columns{{"#"}};
  for (const sweep::Dimension& d : o.space.dimensions) columns.push_back({last_part(d.key)});
  for (const char* title : {"step", "tokens/s/GPU", "MFU", "bubble", "memory"}) columns.push_back({title});
  std::vector<std::vector<std::string>> rows;
  for (const Row& row : o.best) {
    std::vector<std::string> cells{std::to_string(rows.size() + 1)};
    for (const std::string& value : sweep::values_of(row.point, o.space)) cells.push_back(value);
    cells.insert(cells.end(),
                 {report::time_text(row.figures.step_time_ps), report::count_text(row.figures.tokens_per_s_per_gpu),
                  fmt::format("{:.1f} %", 100 * row.figures.mfu),
                  fmt::format("{:.1f} %", 100 * row.figures.bubble_fraction), memory_text(row)});
    rows.push_back(std::move(cells));
  }
  return report::table_html(columns, rows);
}

std::string reasons_html(const sweep::Outcome& o) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* fate, const std::vector<sweep::Reason>& reasons) {
    for (const sweep::Reason& r : reasons) rows.push_back({std::to_string(r.points), fate, r.why});
  };
  add("refused", o.refused), add("pruned", o.pruned), add("unwanted", o.unwanted);
  return rows.empty() ? report::paragraph_html("Nothing.")
                      : report::table_html({{"layouts"}, {"fate", false}, {"why", false}}, rows);
}

}  // namespace

report::Page sweep_page(const sweep::Outcome& o, const std::vector<Row>& rows, const std::string& title) {
  const sweep::Counts& c = o.counts;
  report::Page page{title, fmt::format("{} layouts: {} refused, {} alike others, {} pruned, {} played, of which {} fit",
                                       c.space, c.refused, c.duplicate, c.pruned, c.evaluated, c.fit)};
  if (!o.best.empty()) {
    const Row& best = o.best.front();
    page.figures = {{"best step time", report::time_text(best.figures.step_time_ps), in_words(best, o.space)},
                    {"MFU", fmt::format("{:.1f} %", 100 * best.figures.mfu), "of the best"},
                    {"tokens/s/GPU", report::count_text(best.figures.tokens_per_s_per_gpu), "of the best"},
                    {"memory", memory_text(best), "of the fullest GPU"}};
    page.sections.push_back({"The best", table_html(o)});
  }
  const auto add = [&](const char* chart, const char* heading, const char* below) {
    if (const std::string svg = sweep_chart(o, rows, chart); !svg.empty())
      page.sections.push_back(
          {heading, "<div class=\"scroll\">" + svg + "</div>\n" + (*below ? report::paragraph_html(below) : "")});
  };
  add("pareto", "Step time and memory", "");
  add("heat", "Tensor × pipeline", "Hatched: nothing that was played fits.");
  add("parallel", "Layouts", "A line is a layout; rest on it to read it.");
  add("scaling", "Scaling", "");
  page.sections.push_back({"Left out", reasons_html(o)});
  return page;
}

}  // namespace orrery::cli
