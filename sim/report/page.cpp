#include "orrery/report/page.hpp"

#include <fmt/format.h>

#include "orrery/core/version.hpp"
#include "svg.hpp"

namespace orrery::report {
namespace {

constexpr const char* kStyle = R"(<style>
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:1.45rem;line-height:1.25;margin:0 0 4px}h1,.sub{overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:36px 0 8px;border-bottom:1px solid var(--grid);padding-bottom:4px}
.sub,.note,footer{color:var(--faint)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(155px,1fr));gap:10px 14px;margin:20px 0}
dt{color:var(--faint);font-size:.85rem}dd{margin:0;font-size:1.1rem;font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem}
th,td{padding:3px 12px 3px 0;text-align:left;vertical-align:top;white-space:nowrap}
th{color:var(--faint);font-weight:600;border-bottom:1px solid var(--grid)}
.r{text-align:right;font-variant-numeric:tabular-nums}
section{overflow-x:auto}svg{max-width:100%;height:auto}svg.small{width:min(100%,1.35*var(--w))}
@media (max-width:700px){svg{max-width:none}svg.small{max-width:100%}}
canvas{width:100%;border:1px solid var(--grid);display:block;touch-action:none;cursor:grab}
#hover{min-height:1.5em;font-size:.9rem;font-variant-numeric:tabular-nums}
footer{margin-top:40px;font-size:.85rem}
@media print{main{max-width:none;padding:0}h2{break-after:avoid}svg,table,canvas{break-inside:avoid}}
</style>)";

std::string figures_html(const std::vector<PageFigure>& figures) {
  if (figures.empty()) return {};
  std::string html = "<dl>\n";
  for (const PageFigure& f : figures)
    html += fmt::format("<div title=\"{}\"><dt>{}</dt><dd>{}</dd></div>\n", escaped(f.hint), escaped(f.label),
                        escaped(f.value));
  return html + "</dl>\n";
}

}  // namespace

std::string to_html(const Page& page) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" "
      "href=\"data:,\">\n<title>{0}</title>\n{1}\n{2}\n</head>\n<body>\n<main>\n<header>\n<h1>{0}</h1>\n<p "
      "class=\"sub\">{3}</p>\n</header>\n",
      escaped(page.title), svg_style(), kStyle, escaped(page.subtitle));
  html += figures_html(page.figures);
  for (const PageSection& s : page.sections)
    html += fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", escaped(s.heading), s.html);
  html += fmt::format("<footer>Orrery {}, commit {}</footer>\n</main>\n", version(), git_hash());
  if (!page.script.empty()) html += page.script;
  return html + "</body>\n</html>\n";
}

std::string table_html(const std::vector<PageColumn>& columns, const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<div class=\"scroll\"><table>\n<thead><tr>";
  for (const PageColumn& c : columns)
    html += fmt::format("<th scope=\"col\"{}>{}</th>", c.right ? " class=\"r\"" : "", escaped(c.title));
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      html += fmt::format("<td{}>{}</td>", columns[i].right ? " class=\"r\"" : "", escaped(row[i]));
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string paragraph_html(const std::string& text) {
  return fmt::format("<p>{}</p>\n", escaped(text));
}

}  // namespace orrery::report
