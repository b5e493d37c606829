#include "hosts_used.hpp"

#include <map>

namespace orrery::scenario {

// The peaks of the ranks of a node are taken together, whenever each has its own.
std::optional<report::HostUse> host_use(const Run& run, const program::Program& program,
                                        const engine::Timeline& timeline) {
  const program::StepInput& input = run.input();
  if (!input.offload.any()) return std::nullopt;
  report::HostUse use;
  use.usable = input.host.usable();
  use.of_device = engine::host_memory_of(program, timeline);
  std::map<int, report::HostUse::Node> nodes;
  for (program::DeviceIndex d = 0; d < program.devices.size(); ++d)
    for (const std::int32_t rank : program.devices[d].ranks) {
      const int node = input.placement[static_cast<std::size_t>(rank)] / input.topology->devices_per_node();
      report::HostUse::Node& of = nodes[node];
      of.number = node;
      of.bytes = checked_add(of.bytes, use.of_device[d].peak);
      for (std::size_t c = 0; c < program::kMemoryClasses; ++c) of.held[c] += use.of_device[d].at_peak[c];
    }
  for (const auto& [number, node] : nodes)
    if (node.bytes > use.fullest.bytes) use.fullest = node;
  for (program::TaskId task = 0; task < program.tasks(); ++task) {
    const program::TaskTemplate& t = program.template_of(task);
    if (t.category != program::Category::offload_comm) continue;
    const auto ranks = static_cast<double>(program.devices[program.participant(task).device].ranks.size());
    (t.lane == program::Lane::to_host ? use.to_host : use.from_host)[t.name] +=
        ranks * static_cast<double>(t.bytes_sent.value);
  }
  return use;
}

}  // namespace orrery::scenario
