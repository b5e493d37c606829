// The books of memory: what is made, used and freed of each activation of each micro-batch, and the peaks.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "changes.hpp"
#include "orrery/core/random.hpp"
#include "sort_runs.hpp"

namespace orrery::engine {
namespace {

using namespace program;

enum class Deed : std::uint8_t { made, used, freed };  // in this order at one instant

// Whose tensor it is.
struct Key {
  std::uint32_t step_pipe = 0, stage = 0;
  std::int32_t micro_batch = 0, tensor = 0;
  friend auto operator<=>(const Key&, const Key&) = default;
};
struct HashOfKey {
  std::size_t operator()(const Key& k) const {
    const std::uint64_t high = std::uint64_t{k.step_pipe} << 32 | k.stage;
    const std::uint64_t low =
        std::uint64_t{static_cast<std::uint32_t>(k.micro_batch)} << 32 | static_cast<std::uint32_t>(k.tensor);
    return mix64(high * 0x9E3779B97F4A7C15u + low);
  }
};

struct Entry {
  Key key;
  std::int64_t time = 0;
  Deed deed = Deed::made;
  friend bool operator==(const Entry&, const Entry&) = default;
};

// What is known of a tensor after its last entry.
struct State {
  bool there = false, wrong = false;
  std::int64_t time = 0;
  // When it was made while it was there: right where it is freed at that instant, as a tensor that comes back from the
  // host the moment that its copy there has ended.
  std::int64_t again = -1;
};

struct Wrong {
  Key key;
  std::int64_t time;
  const char* what;
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
    const bool backward = op.activity == Activity::overlapped && effect.backward;
    const auto stage = static_cast<std::uint32_t>(backward ? op.backward_stage : op.stage);
    const std::int64_t base = effect.at_end ? timeline.end[at.task] : timeline.start[at.task];
    out.push_back({{op.step * 256u + (backward ? op.backward_pipe : op.pipe), stage,
                    backward ? op.backward_micro_batch : op.micro_batch, effect.tensor},
                   base + effect.offset.value,
                   effect.bytes > 0   ? Deed::made
                   : effect.bytes < 0 ? Deed::freed
                                      : Deed::used});
  }
}

// Of one device, tensor by tensor.
std::vector<Wrong> audit(std::vector<Entry>& entries) {
  sort_runs(entries, [](const Entry& a, const Entry& b) {
    return a.time != b.time ? a.time < b.time : std::tie(a.deed, a.key) < std::tie(b.deed, b.key);
  });
  std::unordered_map<Key, State, HashOfKey> states;
  std::vector<Wrong> wrong;
  for (const Entry& e : entries) {
    State& state = states[e.key];
    const auto twice = [&, &key = e.key] {
      wrong.push_back({key, state.again, "is made twice"});
      state.wrong = true, state.again = -1;
    };
    if (state.again >= 0 && (e.time > state.again || e.deed == Deed::made)) twice();
    if (e.deed == Deed::made && state.there) {
      state.again = e.time;
      continue;
    }
    if (e.deed == Deed::freed && state.again >= 0) {
      state = {true, false, e.time};
      continue;
    }
    const char* what = e.deed == Deed::used && !state.there    ? "is used while it is not there"
                       : e.deed == Deed::freed && !state.there ? "is freed while it is not there"
                                                               : nullptr;
    if (what != nullptr) wrong.push_back({e.key, e.time, what});
    if (e.deed == Deed::freed) {
      states.erase(e.key);
    } else {
      state = {e.deed == Deed::made || state.there, what != nullptr || (state.wrong && e.deed != Deed::made), e.time};
    }
  }
  for (const auto& [key, state] : states)
    if (state.again >= 0) {
      wrong.push_back({key, state.again, "is made twice"});
    } else if (state.there && !state.wrong) {
      wrong.push_back({key, state.time, "is never freed"});
    }
  std::stable_sort(wrong.begin(), wrong.end(),
                   [](const Wrong& a, const Wrong& b) { return std::tie(a.key, a.time) < std::tie(b.key, b.time); });
  return wrong;
}

}  // namespace

std::vector<std::string> audit_tensors(const Program& program, const Timeline& timeline) {
  std::vector<std::string> lines;
  const ByDevice by = participations(program);
  std::vector<Entry> entries, before;
  for (DeviceIndex d = 0; d < program.devices.size(); ++d) {
    entries.clear();
    for (std::uint32_t i = by.begin[d]; i < by.begin[d + 1]; ++i) add_entries(program, timeline, by.items[i], entries);
    if (d > 0 && entries == before) continue;  // neighbours mostly are alike
    before = entries;
    for (const Wrong& wrong : audit(entries))
      lines.push_back(fmt::format("device {}: activation {} of micro-batch {} in stage {} {} at {} ps", d,
                                  wrong.key.tensor, wrong.key.micro_batch, wrong.key.stage, wrong.what, wrong.time));
  }
  return lines;
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
