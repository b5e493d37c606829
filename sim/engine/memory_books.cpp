// The books of memory: what is made, used and freed of each activation of each micro-batch, and the peaks.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "changes.hpp"

namespace orrery::engine {
namespace {

using namespace program;

enum class Deed : std::uint8_t { made, used, freed };  // in this order at one instant

struct Entry {
  std::uint32_t step_pipe = 0, stage = 0;  // whose tensor it is
  std::int32_t micro_batch = 0, tensor = 0;
  std::int64_t time = 0;
  Deed deed = Deed::made;
  auto key() const { return std::tuple(step_pipe, stage, micro_batch, tensor); }
  friend auto operator<=>(const Entry&, const Entry&) = default;
};

// Of a tensor that crosses passes: an overlapped operation's backward half is of another stage and micro-batch.
void add_entries(const Program& program, const Timeline& timeline, const Participation& at, std::vector<Entry>& out) {
  const Range effects = program.template_of(at.task).effects;
  for (std::uint32_t e = effects.first; e < effects.first + effects.count; ++e) {
    const MemoryEffect& effect = program.effects[e];
    if (effect.tensor < 0 || (effect.participant != kNone && effect.participant != at.participant)) continue;
    const OperationId id = program.participants[program.participant_begin[at.task] + at.participant].operation;
    if (id == kNone) continue;
    const Operation& op = program.operations[id];
    if (op.activity == Activity::overlapped) continue;
    const std::int64_t base = effect.at_end ? timeline.end[at.task] : timeline.start[at.task];
    out.push_back({op.step * 256u + op.pipe, static_cast<std::uint32_t>(op.stage), op.micro_batch, effect.tensor,
                   base + effect.offset.value,
                   effect.bytes > 0   ? Deed::made
                   : effect.bytes < 0 ? Deed::freed
                                      : Deed::used});
  }
}

}  // namespace

std::vector<std::string> audit_tensors(const Program& program, const Timeline& timeline) {
  std::vector<std::string> wrong;
  const bool overlapped =
      std::ranges::any_of(program.operations, [](const Operation& op) { return op.activity == Activity::overlapped; });
  if (overlapped) return wrong;
  const ByDevice by = participations(program);
  std::vector<Entry> entries, before;
  for (DeviceIndex d = 0; d < program.devices.size(); ++d) {
    entries.clear();
    for (std::uint32_t i = by.begin[d]; i < by.begin[d + 1]; ++i) add_entries(program, timeline, by.items[i], entries);
    if (d > 0 && entries == before) continue;  // neighbours mostly are alike
    before = entries;
    std::ranges::sort(entries);
    bool there = false;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Entry& e = entries[i];
      const bool first = i == 0 || entries[i - 1].key() != e.key();
      const bool last = i + 1 == entries.size() || entries[i + 1].key() != e.key();
      if (first) there = false;
      const char* what = e.deed == Deed::made && there     ? "is made twice"
                         : e.deed == Deed::used && !there  ? "is used while it is not there"
                         : e.deed == Deed::freed && !there ? "is freed while it is not there"
                                                           : nullptr;
      there = e.deed == Deed::made || (e.deed == Deed::used && there);
      if (what == nullptr && last && there) what = "is never freed";
      if (what != nullptr)
        wrong.push_back(fmt::format("device {}: activation {} of micro-batch {} in stage {} {} at {} ps", d, e.tensor,
                                    e.micro_batch, e.stage, what, e.time));
    }
  }
  return wrong;
}

std::vector<std::string> audit_peaks(const Program& program, const std::vector<DeviceMemory>& memory) {
  std::vector<std::string> wrong;
  for (DeviceIndex d = 0; d < memory.size(); ++d) {
    const DeviceMemory& m = memory[d];
    std::int64_t sum = 0, least = 0, resident = 0;
    for (std::size_t c = 0; c < kMemoryClasses; ++c) {
      sum += m.at_peak[c];
      least = std::min(least, m.at_peak[c]);
      resident += program.devices[d].resident[c];
    }
    if (sum != m.peak || least < 0 || m.peak < resident || m.reserved < m.peak)
      wrong.push_back(fmt::format(
          "memory of device {}: peak {} bytes, its classes sum to {} (the least {}), states are {}, reserved is {}", d,
          m.peak, sum, least, resident, m.reserved));
  }
  return wrong;
}

}  // namespace orrery::engine
