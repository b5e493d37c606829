#include "orrery/core/error.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/utf8.hpp"
#include "orrery/core/show.hpp"

namespace orrery {

namespace {

// The source line, cut to a window around the place, and the caret under it.
std::string excerpt(const Diagnostic& d) {
  constexpr std::size_t kBefore = 60, kShown = 110;
  const std::string& line = d.source_line;
  const auto at = std::min(static_cast<std::size_t>(std::max(d.place.column - 1, 0)), line.size());
  std::size_t start = line.size() > kShown && at > kBefore ? at - kBefore : 0;
  while (start > 0 && continues(line[start])) --start;
  std::size_t end = std::min(line.size(), start + kShown);
  while (end < line.size() && continues(line[end])) ++end;

  std::string shown = start > 0 ? "..." : "";
  std::string caret(shown.size(), ' ');
  shown += line.substr(start, end - start) + (end < line.size() ? "..." : "");
  for (std::size_t i = start; i < at; ++i)
    if (!continues(line[i])) caret += line[i] == '\t' ? '\t' : ' ';
  const std::size_t last = std::min(at + static_cast<std::size_t>(std::max(d.length, 1)), end);
  caret += '^';
  for (std::size_t i = at + 1; i < last; ++i)
    if (!continues(line[i])) caret += '^';
  const std::string number = d.place.line > 0 ? std::to_string(d.place.line) : std::string();
  return fmt::format("{:>5} | {}\n{:5} | {}\n", number, shown, "", caret);
}

// A path of keys that go on for lines: its ends.
std::string shortened(const std::string& path) {
  constexpr std::size_t kEnd = 120;
  if (path.size() <= 2 * kEnd) return path;
  std::size_t head = kEnd, tail = path.size() - kEnd;
  while (continues(path[head])) --head;
  while (continues(path[tail])) ++tail;
  return path.substr(0, head) + "..." + path.substr(tail);
}

}  // namespace

std::string render(const Diagnostic& d) {
  // File names, keys and values are the user's: none says anything to the terminal, and no name ends the line.
  const auto shown = [](const std::string& text) { return safe_to_show(text, Shown::one_line); };
  std::string text = shown(d.place.file);
  if (d.place.line > 0) text += fmt::format(":{}:{}", d.place.line, d.place.column);
  if (!text.empty()) text += ": ";
  if (!d.path.empty()) text += shortened(shown(d.path)) + ": ";
  text += safe_to_show(d.message) + "\n";
  if (!d.source_line.empty()) text += safe_to_show(excerpt(d));
  if (!d.help.empty()) text += "  help: " + safe_to_show(d.help) + "\n";
  return text;
}

std::string render(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& d : diagnostics) text += render(d);
  return text;
}

void internal_error(std::string_view what) {
  throw InternalError(std::string(what));
}

}  // namespace orrery
