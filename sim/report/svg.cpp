#include "svg.hpp"

namespace orrery::report {

// Tol's bright and muted schemes (personal.sron.nl/~pault), which the colour-blind tell apart too; work is cool,
// communication warm, waiting grey.
std::string svg_style() {
  return R"(<style>
:root{--ink:#1b1f24;--faint:#57606a;--grid:#d8dee4;--paper:#ffffff}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--faint:#9da7b1;--grid:#30363d;--paper:#0d1117}}
svg{font-family:system-ui,sans-serif;font-size:11px}
.ink{fill:var(--ink)}.faint{fill:var(--faint)}.bold{font-weight:600}.paper{fill:var(--paper)}
.grid{stroke:var(--grid);fill:none}.limit{stroke:#cc3311;stroke-dasharray:5 3;fill:none}
.k0{fill:#228833}.k1{fill:#66ccee}.k2{fill:#4477aa}.k3{fill:#ccbb44}.k4{fill:#ee8866}.k5{fill:#ee6677}.k6{fill:#aa3377}.k7{fill:#994455}.k8{fill:#888888}.k9{fill:#bbbbbb}
.s0{fill:#4477aa;stroke:#4477aa}.s1{fill:#ee6677;stroke:#ee6677}.s2{fill:#228833;stroke:#228833}.s3{fill:#b8a530;stroke:#b8a530}.s4{fill:#3aa6c9;stroke:#3aa6c9}.s5{fill:#aa3377;stroke:#aa3377}.s6{fill:#888888;stroke:#888888}.s7{fill:#c2762a;stroke:#c2762a}
.strong{stroke:var(--ink);fill:none;stroke-width:2.5}.thin{fill:none;stroke-width:1.5}text.s0,text.s1,text.s2,text.s3,text.s4,text.s5,text.s6,text.s7{stroke:none}
.halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.hatch{fill:url(#hatch);stroke:var(--grid)}
@media (prefers-color-scheme:dark){.s0{fill:#77aadd;stroke:#77aadd}.s2{fill:#44bb66;stroke:#44bb66}.s5{fill:#dd77aa;stroke:#dd77aa}.s6{fill:#aaaaaa;stroke:#aaaaaa}}
.thin,.strong{fill:none}text.s0,text.s2,text.s5,text.s6{stroke:none}
</style>)";
}

// Pictures that a page may show larger or smaller than they are and that can still be read.
constexpr double kSmall = 620;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

Svg::Svg(double width, double height, const std::string& label) : width_(width), height_(height), label_(label) {}

void Svg::rect(double x, double y, double width, double height, const std::string& classes, const std::string& hint) {
  body_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"{}\"", x, y, width,
                       height, classes);
  body_ += hint.empty() ? "/>\n" : fmt::format("><title>{}</title></rect>\n", escaped(hint));
}

void Svg::line(double x1, double y1, double x2, double y2, const std::string& classes) {
  body_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1, x2, y2,
                       classes);
}

void Svg::text(double x, double y, const std::string& text, const char* anchor, const std::string& classes) {
  body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", x, y, anchor,
                       classes, escaped(text));
}

std::string Svg::close() const {
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{2}\" width=\"{0:.0f}\" "
             "height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\"{3}>\n",
             width_, height_, escaped(label_),
             width_ <= kSmall ? fmt::format(" class=\"small\" style=\"--w:{:.0f}px\"", width_) : "") +
         svg_style() +
         "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
         "patternTransform=\"rotate(45)\"><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" class=\"grid\" "
         "stroke-width=\"3\"/></pattern></defs>\n"
         "<rect width=\"100%\" height=\"100%\" class=\"paper\"/>\n" +
         body_ + "</svg>\n";
}

}  // namespace orrery::report
