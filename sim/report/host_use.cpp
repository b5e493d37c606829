#include "host_use.hpp"

#include <fmt/format.h>

#include "format.hpp"

namespace orrery::report {

bool fits(const HostUse& use) {
  return use.fullest.bytes <= use.usable.value;
}

std::string host_use_text(const RunResult& run) {
  const HostUse& use = *run.hosts;
  const std::int64_t free = use.usable.value - use.fullest.bytes;
  std::string text = fmt::format(" {} of {} on the fullest node ({}), {} {}:", bytes_text(use.fullest.bytes),
                                 bytes_text(use.usable.value), use.fullest.number, bytes_text(std::abs(free)),
                                 free < 0 ? "too much" : "free");
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c)
    if (use.fullest.held[c] != 0)
      text += fmt::format(" {} {},", program::kMemoryClassNames[c], bytes_text(use.fullest.held[c]));
  const auto moved = [&](const std::map<std::string, double>& ways) {
    double sum = 0;
    for (const auto& [name, bytes] : ways) sum += bytes;
    return bytes_text(static_cast<std::int64_t>(sum / static_cast<double>(run.gpus)));
  };
  text.back() = ';';
  return text + fmt::format(" a GPU sends {} a step there and fetches {}.", moved(use.to_host), moved(use.from_host));
}

nlohmann::ordered_json host_use_json(const RunResult& run) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  if (!run.hosts) return object;
  const HostUse& use = *run.hosts;
  object["fits"] = fits(use);
  object["usable_bytes"] = use.usable.value;
  object["fullest_node"] = use.fullest.number;
  object["fullest_node_bytes"] = use.fullest.bytes;
  nlohmann::ordered_json& held = object["memory_bytes"] = nlohmann::ordered_json::object();
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c)
    held[std::string(program::kMemoryClassNames[c])] = use.fullest.held[c];
  for (const auto& [key, ways] : {std::pair{"to_host_bytes", &use.to_host}, {"from_host_bytes", &use.from_host}}) {
    nlohmann::ordered_json& of = object[key] = nlohmann::ordered_json::object();
    for (const auto& [name, bytes] : *ways) of[name] = bytes;
  }
  return object;
}

}  // namespace orrery::report
