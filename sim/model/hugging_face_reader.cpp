// config.json of Hugging Face transformers for the families that can be described exactly; others are refused by name.
#include "hugging_face_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hugging_face_keys.hpp"
#include "orrery/core/show.hpp"

namespace orrery::model {

using nlohmann::json;

namespace {

constexpr std::int64_t kMostInConfig = std::int64_t{1} << 24;

const ConfigFamily* family_named(const std::string& name) {
  for (const auto* list : {&kGptFamilies, &kLlamaFamilies, &kExpertFamilies, &kEncoderFamilies})
    for (const ConfigFamily& family : *list)
      if (name == family.name) return &family;
  return nullptr;
}

std::string known_families() {
  std::vector<std::string> names;
  for (const auto* list : {&kGptFamilies, &kLlamaFamilies, &kExpertFamilies, &kEncoderFamilies})
    for (const ConfigFamily& family : *list) names.emplace_back(family.name);
  std::sort(names.begin(), names.end());
  return fmt::format("{}", fmt::join(names, ", "));
}

bool says_nothing(const json& said) {
  return said.is_null() || said == json(false);
}

}  // namespace

ConfigReader::ConfigReader(const json& config, std::string file)
    : whole_(config), config_(&config), file_(std::move(file)) {}

Result<ModelChoice> ConfigReader::read() {
  if (!whole_.is_object()) return Diagnostics{diagnostic("", "is not a JSON object", {})};
  const auto type = whole_.find("model_type");
  if (type == whole_.end() || !type->is_string())
    return Diagnostics{diagnostic("model_type", "is missing: this is no config.json of a model", {})};
  family_ = type->get<std::string>();
  if (const auto nested = whole_.find("text_config"); nested != whole_.end() && nested->is_object())
    config_ = &*nested, section_ = "text_config.";
  refuse_foreign();
  const ConfigFamily* family = family_named(family_);
  if (errors_.empty() && family == nullptr)
    wrong("model_type", fmt::format("'{}' is not a family that can be described; known: {}", family_, known_families()),
          "give the figures of the model inline");
  if (!errors_.empty()) return errors_;
  family->read(*this);
  if (errors_.empty()) refuse_unused(*config_, "");
  if (errors_.empty() && !section_.empty()) refuse_unused(whole_, "");
  if (errors_.empty()) complete();
  if (!errors_.empty()) return errors_;
  m.name = safe_to_show(text("_name_or_path").value_or(family_), Shown::one_line);
  m.source = file_;
  return m;
}

void ConfigReader::complete() {
  if (m.latent()) m.head_dim = m.dim_per_head();
  if (m.head_dim > 0) return;
  if (m.hidden % m.heads != 0) wrong("hidden_size", fmt::format("{} is no multiple of {} heads", m.hidden, m.heads));
  m.head_dim = m.hidden / m.heads;
}

Diagnostic ConfigReader::diagnostic(const std::string& key, std::string message, std::string help) const {
  Diagnostic d;
  d.place.file = file_, d.path = key, d.message = std::move(message), d.help = std::move(help);
  return d;
}

void ConfigReader::wrong(const std::string& key, std::string message, std::string help) {
  errors_.push_back(diagnostic(key, std::move(message), std::move(help)));
}

const json* ConfigReader::value(const std::string& key) {
  used_.insert(key);
  const json* in = config_;
  std::string name = key;
  if (const std::size_t dot = key.find('.'); dot != std::string::npos) {
    const std::string section = key.substr(0, dot);
    sections_.insert(section);
    in = value(section);
    name = key.substr(dot + 1);
  }
  if (in == nullptr || !in->is_object()) return nullptr;
  const auto found = in->find(name);
  return found == in->end() || found->is_null() ? nullptr : &*found;
}

bool ConfigReader::is_harmless(const std::string& key, const json& said) const {
  if (says_nothing(said) || used_.contains(key)) return true;
  for (const char* each : kHarmless)
    if (key == each) return true;
  for (const Harmless& each : kHarmlessIn) {
    if ((each.family != nullptr && family_ != each.family) || key != each.key) continue;
    if (each.only == nullptr || said == json::parse(each.only)) return true;
  }
  return false;
}

// Architectures of which a key is the sign, whatever the family is called.
void ConfigReader::refuse_foreign() {
  for (const auto* map : {&whole_, config_}) {
    for (const Foreign& each : kForeign) {
      const auto said = map->find(each.key);
      if (said == map->end() || says_nothing(*said)) continue;
      wrong((map == config_ ? section_ : "") + each.key, fmt::format("{} cannot be described", each.what), each.help);
    }
    if (section_.empty()) break;
  }
}

// A key that nothing here reads may be half of the model: experts, windows, norms of queries.
void ConfigReader::refuse_unused(const json& map, const std::string& prefix) {
  for (const auto& [name, said] : map.items()) {
    const std::string key = prefix + name;
    if (sections_.contains(key) && said.is_object()) {
      refuse_unused(said, key + ".");
      continue;
    }
    if ((&map == &whole_ && !section_.empty() && name == "text_config") || is_harmless(key, said)) continue;
    std::string shown = said.dump(-1, ' ', true);
    if (shown.size() > 40) shown = shown.substr(0, 40) + "...";
    wrong(key, fmt::format("{} is not described here: the model would be another one", shown),
          "give the figures of the model inline, or leave the key out where it changes nothing");
  }
}

std::int64_t ConfigReader::count(const char* key, const char* other, std::int64_t absent) {
  const json* v = value(key);
  const json* same = other == nullptr ? nullptr : value(other);
  if (v != nullptr && same != nullptr && *v != *same) wrong(other, fmt::format("is not what {} says", key));
  if (v == nullptr) v = same;
  if (v == nullptr && absent == kNeeded) wrong(key, "is missing");
  if (v == nullptr) return std::max<std::int64_t>(absent, 0);
  if (!v->is_number_integer() || (v->is_number_unsigned() && v->get<std::uint64_t>() > kMostInConfig) ||
      v->get<std::int64_t>() < 1 || v->get<std::int64_t>() > kMostInConfig) {
    wrong(key, fmt::format("must be an integer from 1 to {}", kMostInConfig));
    return 1;
  }
  return v->get<std::int64_t>();
}

std::int64_t ConfigReader::count_or_none(const char* key) {
  const json* v = value(key);
  return v == nullptr || *v == json(0) ? 0 : count(key);
}

bool ConfigReader::flag(const char* key, bool absent) {
  const json* v = value(key);
  if (v != nullptr && !v->is_boolean()) wrong(key, "must be true or false");
  return v != nullptr && v->is_boolean() ? v->get<bool>() : absent;
}

bool ConfigReader::any_positive(std::initializer_list<const char*> keys) {
  bool any = false;
  for (const char* key : keys) {
    const json* v = value(key);
    if (v != nullptr && !v->is_number()) wrong(key, "must be a number");
    any = any || (v != nullptr && v->is_number() && v->get<double>() > 0);
  }
  return any;
}

double ConfigReader::share(const char* key, double absent) {
  const json* v = value(key);
  if (v == nullptr) return absent;
  const double said = v->is_number() ? v->get<double>() : 0;
  if (said > 0 && said <= 1) return said;
  wrong(key, "must be a number above 0, at most 1");
  return 1;
}

std::optional<std::string> ConfigReader::text(const char* key) {
  const json* v = value(key);
  return v != nullptr && v->is_string() ? std::optional(v->get<std::string>()) : std::nullopt;
}

void ConfigReader::must_be(const char* key, std::initializer_list<const char*> names) {
  const auto said = text(key);
  if (!said && value(key) != nullptr) wrong(key, "must be a text");
  if (!said) return;
  for (const char* name : names)
    if (*said == name) return;
  wrong(key, fmt::format("'{}' is not how {} models are described here; known: {}", *said, family_, *names.begin()));
}

void ConfigReader::must_be(const char* key, std::int64_t only) {
  if (const json* v = value(key); v != nullptr && *v != json(only))
    wrong(key, fmt::format("{} is not described; known: {}", v->dump(), only));
}

void ConfigReader::harmless(std::initializer_list<const char*> keys) {
  used_.insert(keys.begin(), keys.end());
}

}  // namespace orrery::model
