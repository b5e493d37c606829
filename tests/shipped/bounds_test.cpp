// What the numbers of the files that come with Orrery may be: bounds.txt has what the schemas of kernels and tuning say
// (that of scenarios is scenario.schema.json), and what is said of each number of the other files where it is −10³⁰.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "golden.hpp"
#include "orrery/cost/kernel_model.hpp"
#include "orrery/network/tuning.hpp"
#include "orrery/planning/rule_of_thumb.hpp"
#include "orrery/planning/scaling.hpp"
#include "orrery/scenario/run.hpp"
#include "orrery/validation/measured.hpp"

namespace orrery::bounds_test {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A line a key: what the schema says of it but for its description.
void list_bounds(const Json& schema, const std::string& path, std::string& text) {
  if (schema.contains("anyOf"))
    for (const Json& form : schema["anyOf"]) list_bounds(form, path, text);
  if (schema.contains("properties")) {
    static const std::regex repeated("\\.[a-z_]+\\.(ll|ll128|simple)$");  // of each algorithm alike
    for (const auto& [key, inner] : schema["properties"].items())
      list_bounds(inner, std::regex_replace(path, repeated, ".ALGORITHM.PROTOCOL") + "." + key, text);
    return;
  }
  if (schema.contains("items")) list_bounds(schema["items"], path + "[]", text);
  Json rest = schema;
  for (const char* key : {"description", "anyOf", "items", "examples", "pattern"}) rest.erase(key);
  const std::string line = path + " " + rest.dump() + "\n";
  if (text.find(line) == std::string::npos) text += line;
}

// What `load` says of the file with each of its numbers in turn replaced, each thing once.
template <class Load>
std::set<std::string> refusals(const std::string& file, const Load& load) {
  const fs::path folder = fs::temp_directory_path() / ("orrery_bounds_" + std::to_string(::getpid()));
  const std::string text = testing::read_text(testing::source_dir() + "/scenarios/" + file);
  fs::create_directories((folder / file).parent_path());
  ::setenv("ORRERY_SCENARIOS", folder.c_str(), 1);
  std::set<std::string> said;
  const std::regex number("[a-z_]+: (-?[0-9][0-9.e+-]*)(?=[,}\n])"), index("[0-9]+\\]");
  for (std::sregex_iterator at(text.begin(), text.end(), number), end; at != end; ++at) {
    std::string changed = text;
    changed.replace(static_cast<std::size_t>(at->position(1)), static_cast<std::size_t>(at->length(1)), "-1e30");
    std::ofstream(folder / file) << changed;
    Catalogue catalogue;
    for (const Diagnostic& error : load(catalogue))
      said.insert(std::regex_replace(error.path, index, "]") + ": " + error.message);
  }
  ::unsetenv("ORRERY_SCENARIOS");
  fs::remove_all(folder);
  return said;
}

template <class T>
Diagnostics errors_of(const Result<T>& result) {
  return result.ok() ? Diagnostics() : result.errors();
}

}  // namespace

TEST_CASE("the numbers of shipped files have the bounds of bounds.txt") {
  std::string text;
  list_bounds(Json::parse(json_schema(cost::kernel_model_fields(), "kernels")), "kernels", text);
  list_bounds(Json::parse(json_schema(network::tuning_fields(), "tuning")), "tuning", text);
  const auto add = [&](const std::string& file, const auto& load) {
    text += file + "\n";
    for (const std::string& line : refusals(file, load)) text += "  " + line + "\n";
  };
  add("planning/rule_of_thumb.yaml", [](Catalogue& c) { return errors_of(planning::load_thumb_table(c)); });
  add("planning/scaling_laws.yaml", [](Catalogue& c) { return errors_of(planning::load_scaling(c)); });
  add("planning/published.yaml", [](Catalogue& c) { return errors_of(planning::load_published(c)); });
  const auto scenario = scenario::load_scenario(testing::source_dir() + "/scenarios/quickstart-8gpu.yaml", {});
  REQUIRE(scenario.ok());
  add("validation/measured.yaml",
      [&](Catalogue& c) { return errors_of(validation::measured_runs_like(*scenario, c)); });
  testing::check_golden("tests/shipped/bounds.txt", text,
                        [](const std::string& was, const std::string& is) { return "was:\n" + was + "is:\n" + is; });
}

}  // namespace orrery::bounds_test
