#include "core/json.hpp"

#include "orrery/validation/validate.hpp"

namespace orrery::validation {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKinds[] = {"runs",  "schedules",     "collectives",     "kernels", "flows",
                                  "plans", "expert_layers", "expert_exchange", "goodput"};

Json value_json(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* list = std::get_if<std::vector<double>>(&value)) return *list;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return nullptr;
}

Json row_json(const Row& row) {
  Json json{{"id", row.id}};
  for (const Figure& f : row.figures) {
    if (f.reference.index() != 0)
      json[std::string(f.exact ? "expected_" : "measured_") + f.name] = value_json(f.reference);
    if (f.predicted.index() != 0) json[std::string("predicted_") + f.name] = value_json(f.predicted);
  }
  for (const auto& [name, value] : row.split_s) json["split_s"][std::string(name)] = value;
  for (const auto& [name, value] : row.memory_gib) json["memory_gib"][std::string(name)] = value;
  if (row.equal) json["equal"] = *row.equal;
  return json;
}

void add_statistics(Json& json, const Statistics& s) {
  json["rows"] = s.rows;
  const bool some = s.rows > 0;
  json["mape"] = some ? Json(s.mape) : Json();
  json["median_abs_error"] = some ? Json(s.median_abs_error) : Json();
  json["p90_abs_error"] = some ? Json(s.p90_abs_error) : Json();
  json["bias"] = some ? Json(s.bias) : Json();
  json["concordance"] = s.concordance ? Json(*s.concordance) : Json();
  if (!s.schedule_concordance) return;
  json["schedule_concordance"] = *s.schedule_concordance;
  json["schedule_pairs"] = s.schedule_pairs;
}

Json figure_json(const Group::OfFigure& figure, const char* subset) {
  Json json;
  add_statistics(json, figure.all);
  if (*subset != '\0') add_statistics(json[subset], figure.subset);
  return json;
}

// The first figure stands in the group itself, the others under their names.
Json group_json(const Group& group, const char* subset) {
  Json json{{"by", group.by}, {"name", group.name}};
  for (std::size_t f = 0; f < group.figures.size(); ++f) {
    if (f == 0) json["figure"] = group.figures[f].name;
    if (f == 0)
      json.update(figure_json(group.figures[f], subset));
    else
      json[group.figures[f].name] = figure_json(group.figures[f], subset);
  }
  return json;
}

}  // namespace

std::string to_json(const Report& report) {
  Json json{{"schema", "orrery.validate/1"}, {"kind", kKinds[static_cast<std::size_t>(report.kind)]}};
  json["rows"] = Json::array();
  json["refused"] = Json::array();
  std::int64_t equal = 0;
  for (const Row& row : report.rows) {
    json["rows"].push_back(row_json(row));
    if (!row.why.empty()) json["refused"].push_back({{"id", row.id}, {"why", row.why}});
    if (row.equal && *row.equal) ++equal;
  }
  json["refused_by_reason"] = Json::array();
  for (const Refusal& each : refusals_of(report))
    json["refused_by_reason"].push_back({{"why", each.why}, {"rows", each.ids.size()}});
  json["groups"] = Json::array();
  for (const Group& group : report.groups)
    if (!group.figures.empty()) json["groups"].push_back(group_json(group, report.subset));
  const auto rows = static_cast<std::int64_t>(report.rows.size());
  json["counts"] = {{"rows", rows},
                    {"predicted", rows - report.refused()},
                    {"refused", report.refused()},
                    {"equal", equal},
                    {"unequal", report.unequal()}};
  return dump(json, 1) + "\n";
}

}  // namespace orrery::validation
