// --memory-limit SIZE: what a run may be expected to need; beyond, it is refused before the memory is taken.
#pragma once
#include <optional>
#include <string>

#include "cli.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/core/units.hpp"

namespace orrery::cli {

using MemoryLimit = std::optional<Bytes>;

inline void add_memory_limit(Arguments& app, MemoryLimit& limit) {
  const auto read = [&limit](const std::string& text) {
    std::int64_t bytes = 0;
    const std::string wrong = parse_quantity(FieldType::bytes, text, bytes);
    if (!wrong.empty()) return wrong + "; for example --memory-limit 8GiB";
    limit = Bytes{bytes};
    return std::string();
  };
  app.add_reader("--memory-limit", read,
                 "refuse a run that is expected to need more memory, such as 8GiB; default: 60 % "
                 "of what the machine, its cgroup and ulimit leave")
      .type_name("SIZE");
}

}  // namespace orrery::cli
