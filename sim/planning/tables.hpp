// The data files of the planning room: scenarios/planning/NAME.yaml, $ORRERY_SCENARIOS/planning first.
#pragma once
#include "orrery/core/catalogue.hpp"
#include "orrery/core/data_files.hpp"
#include "orrery/core/fields.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery::planning {

inline constexpr DataCollection kTables{"ORRERY_SCENARIOS", "scenarios", "planning", "planning table"};

template <class T>
Result<T> load_table(const std::string& name, const Fields<T>& fields, Catalogue& catalogue) {
  const auto file = find_data_file(kTables, name);
  if (!file) return file.errors();
  return catalogue.once<T>(*file, [&]() -> Result<T> {
    const auto tree = read_yaml_file(*file);
    if (!tree) return tree.errors();
    return read(fields, *tree, tree->root());
  });
}

}  // namespace orrery::planning
