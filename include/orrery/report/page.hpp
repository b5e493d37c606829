// A page of a report: one self-contained HTML file that asks for nothing from anywhere, for light, dark and paper.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

struct PageFigure {
  std::string label, value, hint;
};
struct PageSection {
  std::string heading;
  std::string html;  // SVG of chart.hpp, tables of table_html, paragraphs
};
struct Page {
  std::string title, subtitle;
  std::vector<PageFigure> figures = {};
  std::vector<PageSection> sections = {};
  std::string script = {};
};
std::string to_html(const Page& page);

struct PageColumn {
  std::string title;
  bool right = true;
};
// Cells are plain text.
std::string table_html(const std::vector<PageColumn>& columns, const std::vector<std::vector<std::string>>& rows);
std::string paragraph_html(const std::string& text);

// One of its pictures by itself, as SVG.
inline constexpr std::array<std::string_view, 4> kRunCharts{"timeline", "split", "waterfall", "memory"};
std::string run_chart(const RunResult& run, std::string_view name);

// A measured run that the simulator was held against, and how far off it was.
struct HeldAgainst {
  std::string id, what;
  double time_error = 0;  // predicted / measured - 1
};

// The report of a run: timeline, pipeline, split, waterfall, critical path, memory, operators, ranks, links, inputs.
Page page_of(const RunResult& run, const std::vector<HeldAgainst>& held = {});

}  // namespace orrery::report
