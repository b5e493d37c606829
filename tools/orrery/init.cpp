// orrery init: writes a scenario with every key of it explained. Keys, defaults and explanations are those of the
// schema, so they cannot lag behind the parser; what is written is read again before it is handed out.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli.hpp"
#include "orrery/core/data_files.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/core/file.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InitCommand {
  std::string model, cluster, nodes, gpus, schedule, stack, network, output = "-";
  bool force = false;
  std::map<std::string, std::string> said;  // "layout.tensor" → "8"
};

constexpr const char* kSections[] = {"layout", "training"};

// The keys of a section, whether it is a map or a map with a shorthand.
const Json& keys_of(const Json& schema, const std::string& section) {
  const Json& s = schema["properties"][section];
  return s.contains("anyOf") ? s["anyOf"][0]["properties"] : s["properties"];
}

// A value of the command line as YAML; lists are taken as they are.
std::string yaml_of(const std::string& value) {
  const bool plain = !value.empty() && value.find_first_of("{}#&*!|>'\"%@`:\n\\") == std::string::npos &&
                     value.front() != '-' && value.front() != ' ';
  return plain ? value : Json(value).dump();
}

std::string default_of(const Json& key) {
  if (!key.contains("default")) return {};
  const Json& value = key["default"];
  return value.is_string() ? yaml_of(value.get<std::string>()) : value.dump();
}

std::string comment_of(const Json& key) {
  std::string text = key["description"];
  if (key.contains("enum")) {
    std::string words;
    for (const Json& word : key["enum"]) words += (words.empty() ? "" : " | ") + word.get<std::string>();
    text += " (" + words + ")";
  }
  return text;
}

// "  tensor: 8                 # tensor-parallel degree …"
std::string line_of(const std::string& start, const std::string& comment) {
  return fmt::format("{:<34} # {}\n", start, comment);
}

// A degree or size that was said, or 1 (also where it is wrong: reading the scenario says so).
std::int64_t number_of(const InitCommand& options, const std::string& key) {
  const auto said = options.said.find(key);
  std::int64_t value = 1;
  return said != options.said.end() && parse_integer(said->second, value).empty() && value >= 1 && value <= 1 << 20
             ? value
             : 1;
}

// As many tokens as the model has positions for, at most 2048, in powers of two; T5 was trained on 512 before (Raffel
// et al. 2020, section 3.1.2), and 128 hold what is written behind (section 3.1.4: 114).
void add_lengths(InitCommand& options) {
  std::int64_t length = 2048;
  const Result<model::ModelChoice> model = model::load_model(options.model);
  const std::int64_t positions = model.ok() ? model->max_positions : 0;
  while (positions > 0 && length > positions) length /= 2;
  if (model.ok() && model->has_two_stacks()) {
    options.said.emplace("training.decoder_sequence_length", "128");
    if (positions == 0) length = 512;
  }
  options.said.emplace("training.sequence_length", std::to_string(length));
}

// Fills what follows from the rest: data from the GPUs; and a batch of four micro-batches per pipeline rank, which
// keeps the bubble below a fifth: (p - 1) / (m + p - 1) at m = 4 p.
void complete(InitCommand& options) {
  add_lengths(options);
  const std::int64_t pipeline = number_of(options, "layout.pipeline");
  std::int64_t others = 1;
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (d.dimension != layout::Dimension::data && !d.folded)
      others *= number_of(options, "layout." + std::string(d.name));
  const Result<hardware::ClusterSpec> cluster = hardware::load_cluster(options.cluster);
  std::int64_t nodes = 1, gpus = 0;
  const bool numbers = (options.nodes.empty() || parse_integer(options.nodes, nodes).empty()) &&
                       (options.gpus.empty() || parse_integer(options.gpus, gpus).empty());
  if (cluster.ok() && !options.said.contains("layout.data") && numbers) {
    if (gpus == 0) gpus = nodes * cluster->gpus_per_node;
    if (nodes <= 1 << 20 && gpus % others == 0) options.said["layout.data"] = std::to_string(gpus / others);
  }
  const std::int64_t at_once = number_of(options, "layout.data") * number_of(options, "training.micro_batch");
  options.said.emplace("training.global_batch", std::to_string(at_once * (pipeline > 1 ? 4 * pipeline : 1)));
}

std::string text_of(const InitCommand& options, const Json& schema, bool explained) {
  const auto top = [&](const char* key, const std::string& value, const char* list) {
    return explained ? line_of(std::string(key) + ": " + value, list) : std::string(key) + ": " + value + "\n";
  };
  const bool counted = options.nodes.empty() && !options.gpus.empty();  // the first GPUs of the whole cluster
  const std::string nodes = counted ? "" : ", nodes: " + (options.nodes.empty() ? "1" : options.nodes);
  std::string text = top("model", yaml_of(options.model), "orrery list models; or the figures of your own");
  text += top("cluster",
              fmt::format("{{type: {}{}{}}}", yaml_of(options.cluster), nodes,
                          options.gpus.empty() ? "" : ", gpus: " + options.gpus),
              "orrery list clusters; anything in it can be changed here");
  for (const char* section : kSections) {
    const auto of_section = [&](const auto& entry) { return entry.first.starts_with(section); };
    if (!explained && std::none_of(options.said.begin(), options.said.end(), of_section)) continue;
    text += explained ? "\n" + line_of(std::string(section) + ":", schema["properties"][section]["description"])
                      : std::string(section) + ":\n";
    for (const auto& [key, about] : keys_of(schema, section).items()) {
      const auto said = options.said.find(std::string(section) + "." + key);
      const bool is_said = said != options.said.end();
      if (is_said && !explained) text += fmt::format("  {}: {}\n", key, yaml_of(said->second));
      if (explained)
        text += line_of(
            fmt::format("  {}{}: {}", is_said ? "" : "# ", key, is_said ? yaml_of(said->second) : default_of(about)),
            comment_of(about));
    }
  }
  if (explained) text += "\n";
  if (!options.schedule.empty() || explained)
    text += top("schedule", yaml_of(options.schedule), "orrery list schedules; orrery compare ranks them");
  if (!options.stack.empty() || explained) text += top("stack", yaml_of(options.stack), "orrery list stacks");
  if (!options.network.empty()) text += top("network", yaml_of(options.network), "what happens between transfers");
  if (!explained) return text;
  constexpr std::pair<const char*, const char*> kMore[] = {
      {"placement: packed", "where the ranks run: packed, by_rail, round_robin, random or explicit"},
      {"perturb: [{device: 3, compute_factor: 0.8}]", "GPUs, nodes and links that are slow or down"},
      {"perturb: [{device: 3, down: true, from: 200 ms, until: 300 ms}]", "the same for a part of the step"},
      {"variation: {gpus: 0.015, steps: 0.01}", "how unlike GPUs and steps are: the step as a distribution"},
      {"reliability: llama3-2024", "orrery list reliability; what failures leave of a long run"}};
  for (const auto& [example, about] : kMore) text += line_of(std::string("# ") + example, about);
  return text;
}

// Paths in a scenario are relative to its file: one that stands in another folder than this names it whole.
void settle_paths(InitCommand& options) {
  const std::filesystem::path folder = std::filesystem::path(options.output).parent_path();
  if (options.output == "-" || folder.empty()) return;
  for (std::string* named : {&options.model, &options.cluster})
    if (names_a_file(*named)) *named = std::filesystem::absolute(*named).lexically_normal().string();
}

// All values, but for whether the stack was named.
std::string resolved(const scenario::Scenario& scenario) {
  scenario::Scenario copy = scenario;
  copy.stack.type.clear();
  return scenario::to_json(copy);
}

// Read as it was said first, so that errors show what was said; then with everything explained, which must be the same
// scenario.
Result<std::string> scenario_text(InitCommand options) {
  const Json schema = Json::parse(scenario::json_schema());
  const char* kName = "orrery init";
  complete(options);
  settle_paths(options);
  const Result<scenario::Scenario> plain = scenario::read_scenario_text(text_of(options, schema, false), kName);
  if (!plain.ok()) return plain.errors();
  options.schedule = plain->schedule.type;
  options.stack = plain->stack.name;
  std::string text =
      "# yaml-language-server: $schema=scenario.schema.json\n# `orrery schema > scenario.schema.json` gives an editor "
      "completion and hover.\n\n" +
      text_of(options, schema, true);
  const Result<scenario::Scenario> again = scenario::read_scenario_text(text, kName);
  check(again.ok() && resolved(*again) == resolved(*plain), "orrery init wrote another scenario than it was asked for");
  return text;
}

void add_keys(Arguments& app, const Json& schema, const std::shared_ptr<InitCommand>& options) {
  for (const char* section : kSections)
    for (const auto& [key, about] : keys_of(schema, section).items()) {
      std::string flag = "--" + key;
      std::replace(flag.begin(), flag.end(), '_', '-');
      const std::string path = std::string(section) + "." + key;
      const bool is_boolean = about.contains("type") && about["type"] == "boolean";
      const auto keep = [options, path](const std::string& value) {
        options->said[path] = value;
        return std::string();
      };
      Argument option = app.add_reader(flag, keep, about["description"].get<std::string>());
      if (is_boolean) option.value_optional("true");
      option.group(section);
      if (!about.contains("enum")) continue;
      std::string words;
      for (const Json& word : about["enum"]) words += (words.empty() ? "" : ",") + word.get<std::string>();
      option.type_name("{" + words + "}");
    }
}

}  // namespace

Action add_init(Arguments& app, const Console& console) {
  auto o = std::make_shared<InitCommand>();
  app.add_option("--model", o->model, "model (orrery list models), or path of a config.json").required();
  app.add_option("--cluster", o->cluster, "cluster (orrery list clusters)").required();
  app.add_option("--nodes", o->nodes, "nodes of the cluster; default 1, with --gpus all of it");
  app.add_option("--gpus", o->gpus, "GPUs of them that are used; default all");
  add_keys(app, Json::parse(scenario::json_schema()), o);
  app.add_option("--schedule", o->schedule, "pipeline schedule (orrery list schedules)");
  app.add_option("--stack", o->stack, "software stack (orrery list stacks)");
  app.add_option("--network", o->network, "what happens between transfers: ideal, steady, flows");
  app.add_option("--output,-o", o->output, "file to write; default standard output");
  app.add_flag("--force", o->force, "replace an existing file");
  return [o, &console] {
    const Result<std::string> text = scenario_text(*o);
    if (!text.ok()) return console.refuse(text.errors());
    if (o->output == "-") {
      console.print(*text);
      return kOk;
    }
    const Diagnostics errors = write_file(o->output, *text, o->force);
    return errors.empty() ? kOk : console.refuse(errors);
  };
}

}  // namespace orrery::cli
