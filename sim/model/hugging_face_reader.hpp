// Reads the keys of a config.json and remembers which: what is left over and not known to be harmless is refused.
#pragma once
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "orrery/model/presets.hpp"

namespace orrery::model {

class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& config, std::string file);

  Result<ModelChoice> read();

  ModelChoice m;
  const std::string& family() const { return family_; }

  void wrong(const std::string& key, std::string message, std::string help = {});
  // Of the configuration, or "section.key" of a map in it; nullptr where it is absent or null.
  const nlohmann::json* value(const std::string& key);
  // A positive integer; the first of two names, as some families changed theirs. 0 where it is needed and missing.
  static constexpr std::int64_t kNeeded = -1;
  std::int64_t count(const char* key, const char* other = nullptr, std::int64_t absent = kNeeded);
  std::int64_t count_or_none(const char* key);  // 0 where it is absent, null or 0
  bool flag(const char* key, bool absent);
  bool any_positive(std::initializer_list<const char*> keys);  // dropout rates, caps
  double share(const char* key, double absent);                // above 0, at most 1
  std::optional<std::string> text(const char* key);
  // Refuses what is said and is none of the names that mean what we describe.
  void must_be(const char* key, std::initializer_list<const char*> names);
  void must_be(const char* key, std::int64_t only);
  void harmless(std::initializer_list<const char*> keys);  // read, and without effect in this family

 private:
  Diagnostic diagnostic(const std::string& key, std::string message, std::string help) const;
  bool is_harmless(const std::string& key, const nlohmann::json& said) const;
  void refuse_foreign();
  void refuse_unused(const nlohmann::json& map, const std::string& prefix);
  void complete();

  const nlohmann::json& whole_;
  const nlohmann::json* config_;  // the part of it that describes the text model
  std::string file_, family_, section_;
  std::set<std::string> used_, sections_;  // keys that were looked for, maps in which
  Diagnostics errors_;
};

// How the families are described (hugging_face_*.cpp): a name is `model_type`.
struct ConfigFamily {
  const char* name;
  void (*read)(ConfigReader& c);
};
extern const std::initializer_list<ConfigFamily> kGptFamilies, kLlamaFamilies, kExpertFamilies, kEncoderFamilies;

// What many share: widths, heads, vocabulary and gated MLP as Llama names them, root-mean-square norms, rotation.
void read_like_llama(ConfigReader& c);
// Whose layers of `layer_types` see all positions and which a window, as each so manyth (ModelSpec::global_every).
void read_layer_types(ConfigReader& c);
void read_window(ConfigReader& c, const char* key, const char* other = nullptr);

}  // namespace orrery::model
