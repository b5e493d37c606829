#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "orrery/planning/chart.hpp"

namespace orrery::planning {
namespace {

constexpr double kWidth = 520, kHeight = 400, kLeft = 64, kRight = 16, kTop = 40, kBottom = 56;
constexpr std::array<const char*, 8> kColours{"#4477aa", "#ee6677", "#228833", "#ccbb44",
                                              "#66ccee", "#aa3377", "#888888", "#222222"};

const char* colour(std::size_t i) {
  return kColours[i % kColours.size()];
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

std::string text_at(double x, double y, const std::string& text, const char* anchor = "middle", const char* more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n", x, y, anchor, more,
                     escaped(text));
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
  return axis.log ? fmt::format("1e{:.0f}", std::log10(v)) : fmt::format("{:g}", v);
}

std::string frame(const Axis& x, const Axis& y, const Panel& p, bool x_ticks) {
  std::string out = fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" stroke=\"#888\"/>\n", x.from,
      y.to, x.to - x.from, y.from - y.to);
  for (const double v : ticks(y)) {
    out += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", x.from,
                       x.to, y.at(v), y.at(v));
    out += text_at(x.from - 6, y.at(v) + 4, tick_text(y, v), "end");
  }
  if (x_ticks)
    for (const double v : ticks(x)) {
      out += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", x.at(v),
                         x.at(v), y.from, y.to);
      out += text_at(x.at(v), y.from + 16, tick_text(x, v));
    }
  out += text_at((x.from + x.to) / 2, kTop - 14, p.title, "middle", "font-weight=\"bold\"");
  out += text_at((x.from + x.to) / 2, kHeight - 8, p.x_label);
  const double middle = (y.from + y.to) / 2;
  return out +
         text_at(16, middle, p.y_label, "middle", fmt::format("transform=\"rotate(-90 16 {:.1f})\"", middle).c_str());
}

std::string lines(const Panel& p) {
  double x0 = 1e300, x1 = 0, y0 = 1e300, y1 = 0;
  for (const Series& s : p.series)
    for (const auto& [x, y] : s.points)
      x0 = std::min(x0, x), x1 = std::max(x1, x), y0 = std::min(y0, y), y1 = std::max(y1, y);
  const Axis x = log_axis(x0, x1, kLeft, kWidth - kRight);
  const double room = 0.05 * (y1 - y0);
  const Axis y{y0 - room, y1 + room, kHeight - kBottom, kTop, false};
  std::string out = frame(x, y, p, true);
  double legend = kTop + 16;
  for (std::size_t i = 0; i < p.series.size(); ++i) {
    const Series& s = p.series[i];
    std::string points;
    for (const auto& [px, py] : s.points) points += fmt::format("{:.1f},{:.1f} ", x.at(px), y.at(py));
    const char* ink = s.strong ? "#000" : colour(i);
    out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"/>\n", points, ink,
                       s.strong ? 2.5 : 1.5);
    if (p.series.size() > 1) {
      out += text_at(kWidth - kRight - 8, legend, s.name, "end", fmt::format("fill=\"{}\"", ink).c_str());
      legend += 15;
    }
  }
  for (const Mark& m : p.marks) {
    out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" fill=\"#ee6677\"/>\n", x.at(m.x), y.at(m.y));
    out += text_at(x.at(m.x) - 8, y.at(m.y) + 16, m.text, "end");
  }
  return out;
}

// Names stand upright below their bars.
std::string bars(const Panel& p, double width) {
  double low = 1e300, high = 0;
  for (const Bar& b : p.bars) low = std::min(low, b.value), high = std::max(high, b.value);
  const Axis x{0, static_cast<double>(p.bars.size()), kLeft, width - kRight, false};
  Axis y = log_axis(low * 0.99, high, kHeight - 2 * kBottom, kTop);
  std::string out = frame(x, y, p, false);
  for (std::size_t i = 0; i < p.bars.size(); ++i) {
    const Bar& b = p.bars[i];
    const double left = x.at(static_cast<double>(i) + 0.15), right = x.at(static_cast<double>(i) + 0.85),
                 top = y.at(b.value), middle = (left + right) / 2;
    out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", left, top,
                       right - left, y.from - top, colour(static_cast<std::size_t>(b.group)));
    out += text_at(middle, top - 4, b.value < 1000 ? fmt::format("{:.3g}", b.value) : fmt::format("{:.0f}", b.value));
    out += text_at(middle + 4, y.from + 8, b.name, "end",
                   fmt::format("transform=\"rotate(-60 {:.1f} {:.1f})\"", middle + 4, y.from + 8).c_str());
  }
  return out;
}

double width_of(const Panel& p) {
  return p.bars.empty() ? kWidth : std::max(kWidth, kLeft + kRight + 44 * static_cast<double>(p.bars.size()));
}

}  // namespace

std::string svg_of(const std::vector<Panel>& panels) {
  double width = 0;
  std::string body;
  for (const Panel& p : panels) {
    body += fmt::format("<g transform=\"translate({:.0f} 0)\">\n", width);
    body += p.bars.empty() ? lines(p) : bars(p, width_of(p));
    body += "</g>\n";
    width += width_of(p);
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"white\"/>\n{2}</svg>\n",
      width, kHeight, body);
}

}  // namespace orrery::planning
