#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text_parts.hpp"

namespace orrery::report {
namespace {

using program::Category;
using program::kCategories;

// Told apart without colour, too.
constexpr std::array<std::string_view, kCategories> kFill{"█", "▓", "▒", "▞", "▚", "▟", "▙", "▄", "▖", "▘", "▌", "░"};

// Blocks [⌊total before · width / whole⌋, …): each category gets its share to within one block, all of them the width.
std::string bar(const Metrics& m, Int128 whole, int width, const Paint& paint) {
  std::string text;
  Int128 before = 0;
  for (std::size_t c = 0; c < kCategories; ++c) {
    const auto from = static_cast<int>((before * width + whole / 2) / whole);
    before += m.total[c];
    const auto to = static_cast<int>((before * width + whole / 2) / whole);
    std::string blocks;
    for (int i = from; i < to; ++i) blocks += paint.on && c + 1 < kCategories ? kFill[0] : kFill[c];
    if (!blocks.empty()) text += paint(static_cast<Category>(c), blocks);
  }
  return text;
}

}  // namespace

std::vector<std::string> time_bar(const Metrics& m, const TextStyle& style) {
  constexpr int kBarIndent = 2, kBarGap = 3;
  Int128 whole = 0;
  for (const Int128 part : m.total) whole += part;
  if (whole == 0) return {};
  const Paint paint{style.colour};
  std::vector<std::string> lines{
      std::string(kBarIndent, ' ') + bar(m, whole, std::max(10, style.width - 2 * kBarIndent), paint), ""};
  int used = 0;
  for (std::size_t c = 0; c < kCategories; ++c) {
    if (m.total[c] == 0) continue;
    const std::string share = percent_text(static_cast<double>(m.total[c]) / static_cast<double>(whole));
    const std::string label = fmt::format(" {} {}", program::kCategoryNames[c], share);
    if (used > 0 && used + kBarGap + 1 + columns(label) > style.width) {
      lines.emplace_back();
      used = 0;
    }
    lines.back() += std::string(used == 0 ? kBarIndent : kBarGap, ' ');
    lines.back() += paint(static_cast<Category>(c), paint.on && c + 1 < kCategories ? kFill[0] : kFill[c]) + label;
    used += (used == 0 ? kBarIndent : kBarGap) + 1 + columns(label);
  }
  return lines;
}

}  // namespace orrery::report
