// orrery diff A B: two scenarios side by side: what differs in what they say, in the step, in its split, in memory.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "json_text.hpp"
#include "orrery/scenario/simulate.hpp"
#include "scenario_options.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

struct DiffCommand {
  std::string a, b;
  std::vector<std::string> sets, sets_b;
  MemoryLimit memory_limit;
  bool json = false;
};

// A figure of both, with its unit.
struct Pair {
  std::string name;
  double a = 0, b = 0;
  const char* unit = "";  // s, B, or none
};

struct Side {
  report::RunResult run;
  report::Metrics metrics;
};

Result<Side> side_of(const std::string& path, std::vector<std::string> sets, const std::vector<std::string>& more,
                     const MemoryLimit& limit) {
  sets.insert(sets.end(), more.begin(), more.end());
  const Result<scenario::Run> ready = scenario::load_run(path, sets, Catalogue::shared(), {.memory_limit = limit});
  if (!ready.ok()) return ready.errors();
  scenario::RunOptions how;
  how.memory_limit = limit;
  how.what_if = false;
  Result<report::RunResult> played = scenario::simulate(*ready, how);
  if (!played.ok()) return played.errors();
  const report::Metrics metrics = report::metrics_of(*played);
  return Side{std::move(played).value(), metrics};
}

std::vector<Pair> figures_of(const Side& a, const Side& b) {
  std::vector<Pair> pairs{{"step time", a.metrics.step_time_s, b.metrics.step_time_s, "s"},
                          {"tokens/s/GPU", a.metrics.tokens_per_s_per_gpu, b.metrics.tokens_per_s_per_gpu, ""},
                          {"MFU", a.metrics.mfu, b.metrics.mfu, ""}};
  for (std::size_t c = 0; c < program::kCategories; ++c)
    if (a.metrics.mean_s[c] > 0 || b.metrics.mean_s[c] > 0)
      pairs.push_back({std::string(program::kCategoryNames[c]), a.metrics.mean_s[c], b.metrics.mean_s[c], "s"});
  const auto at_peak = [](const Side& side, std::size_t c) {
    return static_cast<double>(side.run.memory[static_cast<std::size_t>(side.metrics.worst_device)].at_peak[c]);
  };
  const auto taken = [](const Side& side) {
    return static_cast<double>(side.run.usable_memory.value - side.metrics.headroom);
  };
  pairs.push_back({"memory of the fullest GPU", taken(a), taken(b), "B"});
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c)
    if (at_peak(a, c) > 0 || at_peak(b, c) > 0)
      pairs.push_back({std::string(program::kMemoryClassNames[c]), at_peak(a, c), at_peak(b, c), "B"});
  return pairs;
}

// {key, a, b} of every key that differs.
struct Difference {
  std::string key, a, b;
};
std::vector<Difference> differences(const Side& a, const Side& b) {
  const auto flat = [](const Side& side) { return nlohmann::json::parse(side.run.scenario_json).flatten(); };
  const nlohmann::json x = flat(a), y = flat(b);
  const auto text = [](const nlohmann::json& from, const std::string& key) {
    return from.contains(key) ? from[key].is_string() ? from[key].get<std::string>() : from[key].dump() : "-";
  };
  std::vector<Difference> found;
  const auto add = [&](const std::string& pointer) {
    std::string key = pointer.substr(1);
    std::replace(key.begin(), key.end(), '/', '.');
    found.push_back({key, text(x, pointer), text(y, pointer)});
  };
  for (const auto& [pointer, value] : x.items())
    if (!y.contains(pointer) || y[pointer] != value) add(pointer);
  for (const auto& [pointer, value] : y.items())
    if (!x.contains(pointer)) add(pointer);
  return found;
}

std::string value_text(double value, const char* unit) {
  if (unit[0] == 'B') return report::bytes_text(static_cast<std::int64_t>(value));
  return fmt::format("{:.4g}{}{}", value, unit[0] ? " " : "", unit);
}

std::string to_text(const DiffCommand& options, const std::vector<Difference>& keys, const std::vector<Pair>& pairs) {
  std::string text;
  if (keys.empty()) {
    text += "they say the same\n";
  } else {
    Table said({{"key"}, {options.a}, {options.b}});
    for (const Difference& d : keys) said.add({d.key, d.a, d.b});
    text += said.text();
  }
  Table table({{"figure"}, {options.a, true}, {options.b, true}, {"change", true}});
  for (const Pair& p : pairs)
    table.add({p.name, value_text(p.a, p.unit), value_text(p.b, p.unit),
               p.a > 0 ? fmt::format("{:+.1f} %", 100 * (p.b / p.a - 1)) : "new"});
  return text + "\n" + table.text();
}

std::string to_json(const DiffCommand& options, const std::vector<Difference>& keys, const std::vector<Pair>& pairs) {
  Json json{{"schema", "orrery.diff/1"}, {"a", options.a}, {"b", options.b}};
  json["keys"] = Json::object();
  json["figures"] = Json::array();
  for (const Difference& d : keys) json["keys"][d.key] = {{"a", d.a}, {"b", d.b}};
  for (const Pair& p : pairs) json["figures"].push_back({{"name", p.name}, {"unit", p.unit}, {"a", p.a}, {"b", p.b}});
  return json_text(json);
}

int run(const DiffCommand& options, const Console& console) {
  if (options.a == "-" && options.b == "-") {
    console.complain("orrery diff: standard input can be one of the two only", "write one to a file");
    return kWrong;
  }
  const Result<Side> a = side_of(options.a, options.sets, {}, options.memory_limit);
  if (!a.ok()) return console.refuse(a.errors());
  const Result<Side> b = side_of(options.b, options.sets, options.sets_b, options.memory_limit);
  if (!b.ok()) return console.refuse(b.errors());
  const std::vector<Difference> keys = differences(*a, *b);
  const std::vector<Pair> pairs = figures_of(*a, *b);
  console.print(options.json ? to_json(options, keys, pairs) : to_text(options, keys, pairs));
  return kOk;
}

}  // namespace

Action add_diff(Arguments& app, const Console& console) {
  auto o = std::make_shared<DiffCommand>();
  app.add_option("A", o->a, "scenario (YAML file, - for standard input)").required();
  app.add_option("B", o->b, "the other").required();
  app.add_option("--set", o->sets, "change a value of both: KEY.PATH=VALUE, any number of times").repeated();
  app.add_option("--set-b", o->sets_b, "change a value of B alone, any number of times").repeated();
  app.add_flag("--json", o->json, "one JSON object instead of the tables");
  add_memory_limit(app, o->memory_limit);
  app.footer(
      "The split of the step is the mean over all ranks; the classes of memory are those of the fullest GPU at its "
      "peak.");
  return [o, &console] { return run(*o, console); };
}

}  // namespace orrery::cli
