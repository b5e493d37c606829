#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "tables.hpp"

namespace orrery::scenario {
namespace {

using Json = nlohmann::ordered_json;

template <class S>
Json section(const Fields<S>& table, const S& value) {
  return Json::parse(dump_json(table, &value));
}

Json schema_of(const FieldTable& table) {
  Json schema = Json::parse(json_schema(table, ""));
  schema.erase("$schema");
  schema.erase("$id");
  return schema;
}

// Of a section that changes a named preset: what the preset says need not be said again.
Json preset_schema_of(const FieldTable& table) {
  Json schema = schema_of(table);
  schema.erase("required");
  if (schema.contains("anyOf"))
    for (Json& way : schema["anyOf"]) way.erase("required");
  return schema;
}

// Of a sweep: any key, or the last part of one, with its values; which there are is for the sweep to say.
Json sweep_schema() {
  const Json values{{"type", {"string", "number", "boolean"}}};
  Json schema;
  schema["type"] = "object";
  schema["description"] =
      "What orrery sweep goes over: KEY: VALUES, a list, or a text with ranges (1..8, 8..64*2), all or auto; where: "
      "conditions that each layout must hold, such as memory <= 76 GiB.";
  schema["additionalProperties"] = {
      {"anyOf", Json::array({values, {{"type", "array"}, {"minItems", 1}, {"items", values}}})}};
  return schema;
}

// Names an editor offers where a file of the user's is allowed too.
void offer(Json& schema, const char* key, const std::vector<std::string>& names) {
  Json& map = schema.contains("anyOf") ? schema["anyOf"][0] : schema;
  map["properties"][key]["examples"] = names;
  if (schema.contains("anyOf")) schema["anyOf"][1]["examples"] = names;
}

}  // namespace

std::string to_json(const Scenario& s) {
  Json json;
  json["model"] = section(model::model_fields(), s.model);
  json["cluster"] = section(hardware::cluster_fields(), s.cluster);
  json["layout"] = section(layout_fields(), s.layout);
  json["training"] = section(training_fields(), s.training);
  json["schedule"] = section(schedule_fields(), s.schedule);
  json["stack"] = section(cost::stack_fields(), s.stack);
  json["network"] = section(network_fields(), s.network);
  json["placement"] = section(hardware::placement_fields(), s.placement);
  json["perturb"] = Json::array();
  for (const hardware::Perturbation& p : s.cluster.perturb)
    json["perturb"].push_back(section(hardware::perturbation_fields(), p));
  if (s.variation.given()) json["variation"] = section(variation_fields(), s.variation);
  if (s.reliability.given()) json["reliability"] = section(reliability::reliability_fields(), s.reliability);
  return dump(json, 2) + "\n";
}

std::string json_schema() {
  Json properties;
  properties["model"] = preset_schema_of(model::model_fields());
  properties["cluster"] = preset_schema_of(hardware::cluster_fields());
  properties["layout"] = schema_of(layout_fields());
  properties["training"] = schema_of(training_fields());
  properties["schedule"] = schema_of(schedule_fields());
  properties["stack"] = preset_schema_of(cost::stack_fields());
  properties["network"] = schema_of(network_fields());
  properties["placement"] = schema_of(hardware::placement_fields());
  properties["perturb"] = {{"type", "array"},
                           {"description", "What is slow or down."},
                           {"items", schema_of(hardware::perturbation_fields())}};
  properties["variation"] = schema_of(variation_fields());
  properties["reliability"] = preset_schema_of(reliability::reliability_fields());
  properties["sweep"] = sweep_schema();
  offer(properties["model"], "type", model::list_models());
  offer(properties["cluster"], "type", hardware::cluster_names());
  offer(properties["stack"], "type", cost::stack_names());
  offer(properties["reliability"], "type", reliability::reliability_names());
  std::vector<std::string> schedules;
  for (const schedule::ScheduleKind& kind : schedule::schedule_kinds()) schedules.emplace_back(kind.name);
  offer(properties["schedule"], "type", schedules);
  Json schema;
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["title"] = "Orrery scenario";
  schema["type"] = "object";
  schema["additionalProperties"] = false;
  schema["required"] = {"model", "cluster", "training"};
  schema["properties"] = properties;
  return dump(schema, 2) + "\n";
}

}  // namespace orrery::scenario
