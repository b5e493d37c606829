#include "questions.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

namespace orrery::cli {

bool was_said(const Arguments& arguments, const std::string& option) {
  return arguments.app().get_option(option)->count() > 0;
}

Diagnostics Questions::out_of_place(std::size_t question, const Arguments& arguments) const {
  Diagnostics errors;
  for (const auto& [option, of] : options_) {
    if (std::find(of.begin(), of.end(), question) != of.end() || !was_said(arguments, option)) continue;
    std::string where;
    for (const std::size_t other : of) where += (where.empty() ? "" : ", ") + names_[other];
    Diagnostic d;
    d.path = option;
    d.message = fmt::format("has no meaning with {}", names_[question]);
    d.help = where == option ? "each is a question of its own: leave one of the two out"
                             : fmt::format("it belongs to {}; leave one of the two out", where);
    errors.push_back(std::move(d));
  }
  return errors;
}

}  // namespace orrery::cli
