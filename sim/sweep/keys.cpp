#include "sweep/keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "scenario/tables.hpp"

namespace orrery::sweep {
namespace {

constexpr Section kSections[] = {Section::model,     Section::cluster,    Section::layout,  Section::training,
                                 Section::schedule,  Section::stack,      Section::network, Section::placement,
                                 Section::variation, Section::reliability};
constexpr std::string_view kNames[] = {"model", "cluster", "layout",    "training",  "schedule",
                                       "stack", "network", "placement", "variation", "reliability"};

void collect(Section section, const FieldTable& table, const std::string& path, std::vector<const Field*>& way,
             std::vector<Key>& keys) {
  for (const Field& f : table.fields()) {
    way.push_back(&f);
    if (f.type != FieldType::section)
      keys.push_back({path + "." + f.name, section, way});
    else if (!f.list)
      collect(section, *f.fields, path + "." + f.name, way, keys);
    way.pop_back();
  }
}

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

Diagnostic unknown(std::string_view name, std::string_view said_in) {
  std::vector<std::string> names;
  for (const Key& key : all_keys()) names.emplace_back(last_part(key.path));
  Diagnostic d;
  d.place.file = said_in;
  d.path = name;
  d.message = "is no key of a scenario";
  d.help = did_you_mean(name, names);
  if (d.help.empty()) d.help = "`orrery init` writes a scenario with every key explained";
  return d;
}

}  // namespace

const FieldTable& table_of(Section section) {
  switch (section) {
    case Section::model:
      return model::model_fields();
    case Section::cluster:
      return hardware::cluster_fields();
    case Section::layout:
      return scenario::layout_fields();
    case Section::training:
      return scenario::training_fields();
    case Section::schedule:
      return scenario::schedule_fields();
    case Section::stack:
      return cost::stack_fields();
    case Section::network:
      return scenario::network_fields();
    case Section::placement:
      return hardware::placement_fields();
    case Section::variation:
      return scenario::variation_fields();
    case Section::reliability:
      return reliability::reliability_fields();
  }
  internal_error("unknown section");
}

void* object_of(Section section, scenario::Scenario& s) {
  return const_cast<void*>(object_of(section, std::as_const(s)));
}

const void* object_of(Section section, const scenario::Scenario& s) {
  switch (section) {
    case Section::model:
      return &s.model;
    case Section::cluster:
      return &s.cluster;
    case Section::layout:
      return &s.layout;
    case Section::training:
      return &s.training;
    case Section::schedule:
      return &s.schedule;
    case Section::stack:
      return &s.stack;
    case Section::network:
      return &s.network;
    case Section::placement:
      return &s.placement;
    case Section::variation:
      return &s.variation;
    case Section::reliability:
      return &s.reliability;
  }
  internal_error("unknown section");
}

const std::vector<Key>& all_keys() {
  static const std::vector<Key> keys = [] {
    std::vector<Key> all;
    std::vector<const Field*> way;
    for (const Section section : kSections)
      collect(section, table_of(section), std::string(kNames[static_cast<std::size_t>(section)]), way, all);
    return all;
  }();
  return keys;
}

bool Key::direct() const {
  if (section == Section::model || section == Section::cluster || path == "stack.type" || path == "schedule.file" ||
      path == "training.routing.file")
    return false;
  return std::none_of(way.begin(), way.end(),
                      [](const Field* f) { return f->list || (f->optional && f->type == FieldType::section); });
}

Result<Key> find_key(std::string_view name, std::string_view said_in) {
  for (const Section section : kSections)
    if (const std::string& text = table_of(section).shorthand();
        name == kNames[static_cast<std::size_t>(section)] && !text.empty())
      return find_key(fmt::format("{}.{}", name, text), said_in);
  std::vector<const Key*> found;
  for (const Key& key : all_keys()) {
    if (key.path == name) return key;
    if (last_part(key.path) == name) found.push_back(&key);
  }
  if (found.size() == 1) return *found.front();
  if (found.empty()) return unknown(name, said_in);
  std::string paths;
  for (const Key* key : found) paths += (paths.empty() ? "" : ", ") + key->path;
  Diagnostic d;
  d.place.file = said_in;
  d.path = name;
  d.message = "is the end of several keys: " + paths;
  d.help = "say the whole key, such as " + found.front()->path;
  return d;
}

void store(const Key& key, const FieldValue& value, scenario::Scenario& s) {
  void* object = object_of(key.section, s);
  for (std::size_t i = 0; i + 1 < key.way.size(); ++i) object = key.way[i]->open(object);
  key.field().store(object, value);
}

std::optional<FieldValue> load(const Key& key, const scenario::Scenario& s) {
  const void* object = object_of(key.section, s);
  for (const Field* f : key.way) {
    if (f->count(object) == 0) return {};
    if (f == key.way.back()) return f->load(object, 0);
    object = f->view(object, 0);
  }
  internal_error("a key has no field");
}

}  // namespace orrery::sweep
