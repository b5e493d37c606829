// The keys that a scenario may have, out of its field tables: to find one by its short name, to read its values, and to
// set it in a scenario without a text between.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/field_table.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::sweep {

enum class Section : std::uint8_t {
  model,
  cluster,
  layout,
  training,
  schedule,
  stack,
  network,
  placement,
  variation,
  reliability
};

struct Key {
  std::string path;  // layout.tensor
  Section section{};
  std::vector<const Field*> way;  // sections below the first, then the field
  const Field& field() const { return *way.back(); }
  // Set in the scenario as it was read. Others choose what is read: they need a tree.
  bool direct() const;
};

const std::vector<Key>& all_keys();
// By its path, by its last part where that is unique, or a section for the key that a text stands for.
Result<Key> find_key(std::string_view name, std::string_view said_in);

const FieldTable& table_of(Section section);
void* object_of(Section section, scenario::Scenario& scenario);
const void* object_of(Section section, const scenario::Scenario& scenario);

void store(const Key& key, const FieldValue& value, scenario::Scenario& scenario);
// Not set (an optional key): nothing.
std::optional<FieldValue> load(const Key& key, const scenario::Scenario& scenario);

}  // namespace orrery::sweep
