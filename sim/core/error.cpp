#include "orrery/core/error.hpp"

#include <fmt/format.h>

namespace orrery {

std::string render(const Diagnostic& d) {
  std::string text = d.place.file;
  if (d.place.line > 0) text += fmt::format(":{}:{}", d.place.line, d.place.column);
  text += ": ";
  if (!d.path.empty()) text += d.path + ": ";
  text += d.message + "\n";
  if (!d.source_line.empty()) {
    const int column = d.place.column > 0 ? d.place.column : 1;
    text += fmt::format("{:5} | {}\n{:5} | {:>{}}{}\n", d.place.line, d.source_line, "", "", column - 1,
                        std::string(static_cast<std::size_t>(d.length > 0 ? d.length : 1), '^'));
  }
  if (!d.help.empty()) text += "  help: " + d.help + "\n";
  return text;
}

std::string render(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& d : diagnostics) text += render(d);
  return text;
}

void internal_error(std::string_view what) { throw InternalError(std::string(what)); }

}  // namespace orrery
