// The table of other tools' words (sim/core/synonyms.cpp): what each entry leads to must exist.
#include "core/synonyms.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "orrery/cost/stack.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::synonyms_test {

using nlohmann::json;

namespace {

// The schema of a key "layout.tensor"; null where there is none.
json at(const json& schema, const std::string& path) {
  json here = schema;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string step = path.substr(begin, end - begin);
    json properties = here.value("properties", json::object());
    if (here.contains("anyOf")) properties = here["anyOf"][0].value("properties", json::object());
    if (!properties.contains(step)) return nullptr;
    here = properties[step];
    begin = end + 1;
  }
  return here;
}

// Every enumeration of the schema that a key of this name has, at any depth.
void values_of(const json& schema, const std::string& key, std::vector<std::string>& values) {
  if (schema.is_object() && schema.contains("properties") && schema["properties"].contains(key)) {
    const json& found = schema["properties"][key];
    if (found.contains("enum"))
      for (const json& value : found["enum"]) values.push_back(value);
  }
  for (const json& item : schema)
    if (item.is_structured()) values_of(item, key, values);
}

}  // namespace

TEST_CASE("every synonym of a key leads to a key of the schema") {
  const json schema = json::parse(scenario::json_schema());
  const std::vector<std::string> keys = synonym_keys();
  CHECK(keys.size() > 100);
  for (const std::string& key : keys) {
    CAPTURE(key);
    CHECK(!at(schema, key).is_null());
  }
}

TEST_CASE("every synonym of a value is a value of its key, or a name of the catalogue") {
  const json schema = json::parse(scenario::json_schema());
  for (const auto& [key, word] : synonym_words()) {
    CAPTURE(key + " " + word);
    std::vector<std::string> known;
    values_of(schema, key, known);
    if (key == "model") known = model::list_models();
    if (key == "GPU") known = hardware::gpu_names();
    if (key == "cluster") known = hardware::cluster_names();
    if (key == "stack") known = cost::stack_names();
    if (key == "schedule")
      for (const schedule::ScheduleKind& kind : schedule::schedule_kinds()) known.emplace_back(kind.name);
    CHECK(std::find(known.begin(), known.end(), word) != known.end());
  }
}

TEST_CASE("remedies: keys elsewhere, words of others, numbers with the unit or the k of others") {
  const std::vector<std::string> layout{"tensor", "pipeline"}, sections{"model", "layout", "stack"};
  CHECK(remedy_for_key("layout", "tp", layout) == "did you mean 'tensor'?");
  CHECK(remedy_for_key("layout", "TP", layout) == "did you mean 'tensor'?");
  CHECK(remedy_for_key("layout", "tensr", layout) == "did you mean 'tensor'?");
  CHECK(remedy_for_key("layout", "Tensor", layout) == "did you mean 'tensor'?");
  CHECK(remedy_for_key("", "tensor", sections) == "`tensor` belongs in layout: layout.tensor");
  CHECK(remedy_for_key("", "tensor-model-parallel-size", sections) == "write layout.tensor");
  CHECK(remedy_for_key("", "framework", sections) == "did you mean 'stack'?");
  CHECK(remedy_for_key("training", "nodes", {"precision"}) == "`nodes` belongs in cluster: cluster.nodes");
  CHECK(remedy_for_key("", "ep", sections) == "write layout.expert");
  CHECK(remedy_for_key("", "num_experts", sections) == "write model.experts");
  CHECK(remedy_for_key("layout", "xyzzy", layout).empty());
  CHECK(remedy_for_word("zero", "3", {"none", "parameters"}) == "3 is `parameters` here");
  CHECK(remedy_for_word("precision", "BF16", {"bf16"}) == "write bf16");
  CHECK(remedy_for_word("model", "Llama-3.1-70B", {"llama3.1-70b"}) == "write llama3.1-70b");
  CHECK(remedy_for_number(FieldType::bandwidth, "400Gbps") == "write 400 Gb/s");
  CHECK(remedy_for_number(FieldType::bandwidth, "1.5 TFLOPS").empty());  // no bandwidth
  CHECK(remedy_for_number(FieldType::rate, "1.5 TFLOPS") == "write 1.5 TFLOP/s");
  CHECK(remedy_for_number(FieldType::bytes, "80G") == "write 80 GiB");
  CHECK(remedy_for_number(FieldType::integer, "8k") == "write 8192");
  CHECK(remedy_for_number(FieldType::integer, "2_048") == "write 2048");
  for (const char* odd : {"", "k", "-8k", "8kk", "99999999999999999999k", "8q", "0x10", "1e3"}) {
    CAPTURE(odd);
    CHECK(remedy_for_number(FieldType::integer, odd).empty());
  }
}

}  // namespace orrery::synonyms_test
