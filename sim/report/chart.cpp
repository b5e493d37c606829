#include "orrery/report/chart.hpp"

#include <algorithm>
#include <cmath>

#include "svg.hpp"

namespace orrery::report {
namespace {

constexpr double kWidth = 520, kHeight = 400, kLeft = 64, kRight = 16, kTop = 40, kBottom = 56;

std::string series_class(std::size_t i) {
  return fmt::format("s{}", i % 8);
}

struct Axis {
  double low = 0, high = 1, from = 0, to = 1;  // values, pixels
  bool log = false;
  double scaled(double v) const { return log ? std::log10(v) : v; }
  double at(double v) const { return from + (scaled(v) - scaled(low)) / (scaled(high) - scaled(low)) * (to - from); }
};

Axis log_axis(double low, double high, double from, double to) {
  low = std::pow(10, std::floor(std::log10(low) + 1e-9));
  high = std::pow(10, std::ceil(std::log10(high) - 1e-9));
  return {low, high > low ? high : low * 10, from, to, true};
}

Axis linear_axis(double low, double high, double from, double to) {
  const double room = high > low ? 0.05 * (high - low) : std::max(0.05 * std::abs(high), 1e-9);
  return {low - room, high + room, from, to, false};
}

// Powers of ten; of many every second or third.
std::vector<double> ticks(const Axis& axis) {
  std::vector<double> at;
  if (axis.log) {
    const int low = static_cast<int>(std::lround(std::log10(axis.low))),
              high = static_cast<int>(std::lround(std::log10(axis.high)));
    const int step = std::max(1, (high - low + 5) / 6);
    for (int e = low; e <= high; e += step) at.push_back(std::pow(10, e));
    return at;
  }
  const double range = axis.high - axis.low;
  double step = std::pow(10, std::floor(std::log10(range / 4)));
  while (range / step > 8) step *= range / step > 16 ? 5 : 2;
  for (double v = std::ceil(axis.low / step - 1e-9) * step; v <= axis.high + 1e-9 * range; v += step) at.push_back(v);
  return at;
}

std::string tick_text(const Axis& axis, double v) {
  if (!axis.log) return fmt::format("{:.4g}", std::abs(v) < 1e-9 * (axis.high - axis.low) ? 0.0 : v);
  const double e = std::log10(v);
  return e > -4 && e < 5 ? fmt::format("{:g}", v) : fmt::format("1e{:.0f}", e);
}

// The panel at `left` of a drawing.
class Drawing {
 public:
  Drawing(Svg& svg, double left) : svg_(svg), left_(left) {}

  void lines_and_dots(const Panel& p) {
    Range xs, ys;
    for (const Series& s : p.series)
      for (const auto& [x, y] : s.points) xs.add(x), ys.add(y);
    for (const Dot& d : p.dots) xs.add(d.x), ys.add(d.y);
    if (p.diagonal) {
      xs.add(ys.low), xs.add(ys.high);
      ys = xs;
    }
    const Axis x = axis(p.x_log, xs, left_ + kLeft, left_ + kWidth - kRight);
    const Axis y = axis(p.y_log, ys, kHeight - kBottom, kTop);
    frame(x, y, p, true);
    if (p.diagonal) svg_.line(x.at(x.low), y.at(x.low), x.at(x.high), y.at(x.high), "grid");
    for (std::size_t i = 0; i < p.series.size(); ++i)
      draw(p.series[i], p.series[i].strong ? "strong" : series_class(i) + " thin", x, y);
    for (const Dot& d : p.dots) draw(d, x, y);
    for (const Mark& m : p.marks) {
      svg_.raw(fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" class=\"s1\"/>\n", x.at(m.x), y.at(m.y)));
      svg_.text(x.at(m.x) - 8, y.at(m.y) + 16, m.text, "end");
    }
    legend(p);
  }

  // Names stand upright below their bars.
  void bars(const Panel& p, double width) {
    Range values;
    for (const Bar& b : p.bars) values.add(b.value);
    if (p.limit > 0) values.add(p.limit);
    const Axis x{0, static_cast<double>(p.bars.size()), left_ + kLeft, left_ + width - kRight, false};
    const Axis y = log_axis(values.low * 0.99, values.high, kHeight - 2 * kBottom, kTop);
    frame(x, y, p, false);
    for (std::size_t i = 0; i < p.bars.size(); ++i) {
      const Bar& b = p.bars[i];
      const double from = x.at(static_cast<double>(i) + 0.15), to = x.at(static_cast<double>(i) + 0.85),
                   top = y.at(b.value), middle = (from + to) / 2;
      svg_.rect(from, top, to - from, y.from - top, series_class(static_cast<std::size_t>(b.group)));
      svg_.text(middle, top - 4, b.value < 1000 ? fmt::format("{:.3g}", b.value) : fmt::format("{:.0f}", b.value),
                "middle");
      svg_.raw(
          fmt::format("<text x=\"{0:.1f}\" y=\"{1:.1f}\" text-anchor=\"end\" class=\"ink\" transform=\"rotate(-60 "
                      "{0:.1f} {1:.1f})\">{2}</text>\n",
                      middle + 4, y.from + 8, escaped(b.name)));
    }
    if (p.limit > 0) svg_.line(x.from, y.at(p.limit), x.to, y.at(p.limit), "limit");
  }

 private:
  struct Range {
    double low = 1e300, high = -1e300;
    void add(double v) { low = std::min(low, v), high = std::max(high, v); }
  };
  static Axis axis(bool log, const Range& r, double from, double to) {
    return log ? log_axis(r.low, r.high, from, to) : linear_axis(r.low, r.high, from, to);
  }
  void frame(const Axis& x, const Axis& y, const Panel& p, bool x_ticks) {
    svg_.rect(x.from, y.to, x.to - x.from, y.from - y.to, "grid");
    for (const double v : ticks(y)) {
      svg_.line(x.from, y.at(v), x.to, y.at(v), "grid");
      svg_.text(x.from - 6, y.at(v) + 4, tick_text(y, v), "end", "faint");
    }
    for (const double v : x_ticks ? ticks(x) : std::vector<double>()) {
      svg_.line(x.at(v), y.from, x.at(v), y.to, "grid");
      svg_.text(x.at(v), y.from + 16, tick_text(x, v), "middle", "faint");
    }
    svg_.text((x.from + x.to) / 2, kTop - 14, p.title, "middle", "ink bold");
    svg_.text((x.from + x.to) / 2, kHeight - 8, p.x_label, "middle");
    const double middle = (y.from + y.to) / 2;
    svg_.raw(
        fmt::format("<text x=\"{0:.1f}\" y=\"{1:.1f}\" text-anchor=\"middle\" class=\"ink\" transform=\"rotate(-90 "
                    "{0:.1f} {1:.1f})\">{2}</text>\n",
                    left_ + 16, middle, escaped(p.y_label)));
  }
  void draw(const Series& s, const std::string& classes, const Axis& x, const Axis& y) {
    std::string points;
    for (const auto& [px, py] : s.points) points += fmt::format("{:.1f},{:.1f} ", x.at(px), y.at(py));
    svg_.raw(fmt::format("<polyline points=\"{}\" class=\"{}\"/>\n", points, classes));
  }
  void draw(const Dot& d, const Axis& x, const Axis& y) {
    svg_.raw(fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" class=\"{}\" fill-opacity=\"0.7\"><title>{}</title></circle>\n",
        x.at(d.x), y.at(d.y), series_class(static_cast<std::size_t>(d.group)), escaped(d.text)));
  }
  void legend(const Panel& p) {
    double at = kTop + 16;
    // Dots along a diagonal end in the corner above on the right.
    const double x = p.diagonal ? left_ + kLeft + 10 : left_ + kWidth - kRight - 8;
    const auto entry = [&](const std::string& name, const std::string& classes) {
      svg_.text(x, at, name, p.diagonal ? "start" : "end", classes);
      at += 15;
    };
    for (std::size_t i = 0; i < p.series.size() && p.series.size() > 1; ++i)
      entry(p.series[i].name, p.series[i].strong ? "ink bold" : series_class(i));
    for (std::size_t i = 0; i < p.groups.size(); ++i) entry("● " + p.groups[i], series_class(i));
  }

  Svg& svg_;
  double left_;
};

double width_of(const Panel& p) {
  return p.bars.empty() ? kWidth : std::max(kWidth, kLeft + kRight + 44 * static_cast<double>(p.bars.size()));
}

}  // namespace

std::string svg_of(const std::vector<Panel>& panels) {
  double width = 0;
  std::string label;
  for (const Panel& p : panels) {
    width += width_of(p);
    label += (label.empty() ? "" : ", ") + p.title;
  }
  Svg svg(width, kHeight, label);
  double left = 0;
  for (const Panel& p : panels) {
    Drawing drawing(svg, left);
    if (p.bars.empty())
      drawing.lines_and_dots(p);
    else
      drawing.bars(p, width_of(p));
    left += width_of(p);
  }
  return svg.close();
}

std::string svg_of(const HeatMap& map) {
  constexpr double kCell = 74, kRow = 34, kSide = 112, kHead = 64, kFoot = 34;
  const double width = kSide + kCell * static_cast<double>(map.columns.size()) + kRight,
               height = kHead + kRow * static_cast<double>(map.rows.size()) + kFoot;
  double low = 1e300, high = -1e300;
  for (const auto& row : map.cells)
    for (const HeatMap::Cell& c : row)
      if (c.value) low = std::min(low, *c.value), high = std::max(high, *c.value);
  Svg svg(std::max(width, 320.0), height, map.title);
  svg.text(kSide, 18, map.title, "start", "ink bold");
  svg.text(kSide - 8, kHead - 8, map.y_label + " \\ " + map.x_label, "end", "faint");
  for (std::size_t c = 0; c < map.columns.size(); ++c)
    svg.text(kSide + kCell * (static_cast<double>(c) + 0.5), kHead - 8, map.columns[c], "middle");
  for (std::size_t r = 0; r < map.rows.size(); ++r) {
    const double y = kHead + kRow * static_cast<double>(r);
    svg.text(kSide - 8, y + kRow / 2 + 4, map.rows[r], "end");
    for (std::size_t c = 0; c < map.columns.size(); ++c) {
      const HeatMap::Cell& cell = map.cells[r][c];
      if (cell.text.empty()) continue;
      const double x = kSide + kCell * static_cast<double>(c);
      const double part = cell.value && high > low ? (*cell.value - low) / (high - low) : 0;
      // Light enough for dark text at both ends: from white towards orange.
      if (cell.value)
        svg.raw(
            fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
                        "fill=\"hsl(32 90% {:.0f}%)\"><title>{}</title></rect>\n",
                        x + 1, y + 1, kCell - 2, kRow - 2, 92 - 34 * part, escaped(cell.hint)));
      else
        svg.rect(x + 1, y + 1, kCell - 2, kRow - 2, "hatch", cell.hint);
      svg.raw(fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" {}>{}</text>\n", x + kCell / 2,
                          y + kRow / 2 + 4, cell.value ? "fill=\"#1b1f24\"" : "class=\"ink\"", escaped(cell.text)));
    }
  }
  return svg.close();
}

}  // namespace orrery::report
