#include "orrery/report/json_document.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "example.hpp"

namespace orrery::report::json_document_test {

using nlohmann::ordered_json;

namespace {

const JsonField* field(const std::string& path) {
  for (const JsonField& f : json_fields())
    if (f.path == path) return &f;
  return nullptr;
}

std::string_view type_of(const ordered_json& value) {
  return value.is_string()           ? "string"
         : value.is_boolean()        ? "boolean"
         : value.is_number_integer() ? "integer"
         : value.is_number()         ? "number"
         : value.is_array()          ? "array"
         : value.is_object()         ? "object"
                                     : "null";
}

// Each value of the output has its row, by its name or by the * of where it stands; `seen` are the rows that were used.
void walk(const ordered_json& value, const std::string& path, std::set<std::string>& seen) {
  if (path == "scenario.*" || path.starts_with("scenario.")) return;  // has a schema of its own
  if (!path.empty()) {
    const std::string any = path.substr(0, path.find_last_of('.') + 1) + "*";
    const JsonField* const f = field(path) ? field(path) : field(any);
    CAPTURE(path);
    REQUIRE(f != nullptr);
    CHECK((f->type == type_of(value) || (f->type == "number" && type_of(value) == "integer")));
    seen.insert(std::string(f->path));
  }
  if (value.is_object())
    for (const auto& item : value.items())
      walk(item.value(), path.empty() ? item.key() : path + "." + item.key(), seen);
  if (value.is_array())
    for (const ordered_json& item : value)
      if (item.is_object())
        for (const auto& member : item.items()) walk(member.value(), path + "[]." + member.key(), seen);
}

}  // namespace

TEST_CASE("each field that is written stands in the table, and each row of the table is written") {
  RunResult run = testing::run_example();
  run.scenario_json = "{}";
  run.shared.push_back({program::Category::data_comm, Collective::all_reduce, 2, 1, hardware::LinkLevel::leaf, "l", 4});
  run.link_use.push_back({hardware::LinkLevel::nic, 0.5, {}});
  run.hosts = HostUse{{0, 1, {}}, {2}, {}, {{"offload gradients", 1}}, {{"fetch weights", 1}}};
  run.varied = VariedSteps{2, 0.01, 0.01, 1, {1}, {1}, {1}, {1}, {{0, 1}}};
  run.long_run = reliability::Plan{{{{1e-5, 600, true}}, 1000, 10, 0, 1, 3600}, 10, false, false, 10};
  run.experts = {1.5, 0.1, Time{1}, Bytes{2}, true};
  run.pools.push_back({"new", "h100-sxm-80gb", 8, {0, 1}, 0.1, 0.8, 1 << 30});
  run.faults.push_back({"GPU 1 down", Time{2}, Time{3}, Time{4}, {{0, false, Time{1}, Time{2}, Time{5}}}});
  std::set<std::string> seen;
  walk(ordered_json::parse(to_json(run)), "", seen);
  for (const JsonField& f : json_fields()) {
    CAPTURE(std::string(f.path));
    CHECK(seen.contains(std::string(f.path)));
    CHECK(!f.meaning.empty());
  }
  // What adds up is named as such.
  for (const char* path : {"breakdown_ps.*", "model_flops", "waterfall_gpu_ps"})
    CHECK(field(path)->meaning.find("sum") != std::string_view::npos);
  CHECK(field("breakdown_s.*")->meaning.find("mean") != std::string_view::npos);
}

TEST_CASE("the schema and the document are made from the table") {
  const auto schema = ordered_json::parse(run_json_schema());
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  CHECK(schema["properties"]["step_time_s"] ==
        ordered_json{{"type", "number"}, {"description", "s: of one training step"}});
  CHECK(schema["properties"]["devices"]["items"]["properties"]["memory_bytes"]["additionalProperties"]["type"] ==
        "integer");
  CHECK(schema["properties"]["devices"]["type"] == "array");
  CHECK(schema["required"].size() == ordered_json::parse(to_json(testing::run_example())).size());
  CHECK(run_json_document().find("step_time_s                        number   s       of one training step\n") !=
        std::string::npos);
}

}  // namespace orrery::report::json_document_test
