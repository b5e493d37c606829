#include "orrery/planning/mix.hpp"

#include <fmt/format.h>

#include <cmath>
#include <sstream>

#include "orrery/core/field_table.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/planning/amounts.hpp"

namespace orrery::planning {

Result<AnswerPart> mix_of(const std::string& text, double tokens) {
  AnswerTable table{"mix", "", {{"part", "part"}, {"percent", "percent"}, {"tokens", "tokens"}}};
  double sum = 0;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, '/');) {
    double percent = 0;
    if (!parse_number(part, percent).empty() || !(percent > 0) || percent > 100)
      return wrong_option("--mix", fmt::format("'{}' is no percentage", part), "such as --mix 51/49");
    sum += percent;
    table.rows.push_back({{static_cast<std::int64_t>(table.rows.size() + 1), std::to_string(table.rows.size() + 1)},
                          {percent, fmt::format("{:g} %", percent)},
                          {tokens * percent / 100, count_text(tokens * percent / 100)}});
  }
  if (text.ends_with("/"))
    return wrong_option("--mix", fmt::format("'{}' ends with no part", text), "such as --mix 51/49");
  if (std::abs(sum - 100) > 1e-6)
    return wrong_option("--mix", fmt::format("{} makes {:g} %, not 100", text, sum), "such as --mix 51/49");
  return AnswerPart{"", "", {}, {std::move(table)}};
}

Result<double> size_of_model(const std::string& name, Catalogue& catalogue) {
  const auto model = model::load_model(name, catalogue);
  if (model.ok()) return static_cast<double>(model::parameter_count(*model));
  Diagnostics errors = model.errors();
  for (Diagnostic& e : errors)
    if (e.place.file.empty()) e.path = "--model";
  return errors;
}

}  // namespace orrery::planning
