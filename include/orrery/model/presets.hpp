// Models by name (scenarios/models/*.yaml), inline, or from a Hugging Face configuration.
#pragma once
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/fields.hpp"
#include "orrery/model/spec.hpp"

namespace orrery::model {

// What the `model` section of a scenario says: a preset by `type`, or a config.json by either, with any figure changed
// beside it; or every figure inline. A file in scenarios/models/ has the same keys.
struct ModelChoice : ModelSpec {
  std::string type;    // name of a preset, or path of a file like it or of a config.json
  std::string from;    // path of a config.json, relative to the file that names it
  std::string source;  // where the figures come from
};
const Fields<ModelChoice>& model_fields();

// The model of a scenario: `node` is a text or a map. Every figure of the result is filled in (kv_heads, head_dim, …).
Result<ModelChoice> read_model(const YamlTree& tree, NodeId node, const std::string& path = "model",
                               Catalogue& catalogue = Catalogue::shared());

// A preset by name, or a file by path: a config.json where it ends in .json, else YAML as in scenarios/models.
Result<ModelChoice> load_model(const std::string& name, Catalogue& catalogue = Catalogue::shared());
// Names of all presets, sorted.
std::vector<std::string> list_models();

// A config.json of a family that can be described (hugging_face_*.cpp); others are refused by name.
Result<ModelChoice> load_hugging_face(const std::string& file);

// The vocabulary padded for `tensor` ranks as `vocab_multiple` says: ⌈vocab / (multiple · tensor)⌉ · multiple · tensor.
// With a multiple of 1 it is left as it is.
ModelSpec pad_vocab(const ModelSpec& spec, std::int64_t tensor);

}  // namespace orrery::model
