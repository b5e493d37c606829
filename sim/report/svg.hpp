// Pieces of SVG. Classes are those of svg_style(): ink, faint, grid, k0 … k9 (categories), s0 … s7 (series).
#pragma once
#include <fmt/format.h>

#include <string>

#include "orrery/report/chart.hpp"

namespace orrery::report {

// The colours of charts, for light and dark, as a <style> that every SVG carries.
std::string svg_style();

class Svg {
 public:
  Svg(double width, double height, const std::string& label);
  void rect(double x, double y, double width, double height, const std::string& classes, const std::string& hint = {});
  void line(double x1, double y1, double x2, double y2, const std::string& classes);
  void text(double x, double y, const std::string& text, const char* anchor = "start",
            const std::string& classes = "ink");
  void raw(const std::string& element) { body_ += element; }
  std::string close() const;

 private:
  double width_, height_;
  std::string label_, body_;
};

}  // namespace orrery::report
