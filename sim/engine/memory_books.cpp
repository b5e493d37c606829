// The books of memory: what is made, used and freed of each activation of each micro-batch, and the peaks.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <span>
#include <tuple>

#include "changes.hpp"
#include "orrery/core/random.hpp"
#include "orrery/engine/within.hpp"

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
  const Within inside(program, timeline, at.task);
  for (std::uint32_t e = effects.first; e < effects.first + effects.count; ++e) {
    const MemoryEffect& effect = program.effects[e];
    if (effect.tensor < 0 || (effect.participant != kNone && effect.participant != at.participant)) continue;
    const OperationId id = program.participant(at.task, at.participant).operation;
    if (id == kNone) continue;
    const Operation& op = program.operations[id];
    const bool backward = op.activity == Activity::overlapped && effect.backward;
    const auto stage = static_cast<std::uint32_t>(backward ? op.backward_stage : op.stage);
    out.push_back({{op.step * 256u + (backward ? op.backward_pipe : op.pipe), stage,
                    backward ? op.backward_micro_batch : op.micro_batch, effect.tensor},
                   effect.at_end ? timeline.end[at.task] + effect.offset.value : inside.at(effect.offset.value),
                   effect.bytes > 0   ? Deed::made
                   : effect.bytes < 0 ? Deed::freed
                                      : Deed::used});
  }
}

// The entries of a device, tensor by tensor, each in the order of time.
class ByTensor {
 public:
  void sort(const std::vector<Entry>& entries) {
    number(entries);
    begin_.assign(keys_.size() + 1, 0);
    for (const std::uint32_t of : of_entry_) ++begin_[of + 1];
    for (std::size_t k = 0; k < keys_.size(); ++k) begin_[k + 1] += begin_[k];
    next_.assign(begin_.begin(), begin_.end() - 1);
    sorted_.resize(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) sorted_[next_[of_entry_[i]]++] = entries[i];
    for (std::size_t k = 0; k < keys_.size(); ++k)
      std::sort(sorted_.begin() + begin_[k], sorted_.begin() + begin_[k + 1],
                [](const Entry& x, const Entry& y) { return std::tie(x.time, x.deed) < std::tie(y.time, y.deed); });
  }
  std::size_t tensors() const { return keys_.size(); }
  std::span<const Entry> entries_of(std::size_t tensor) const {
    return std::span(sorted_).subspan(begin_[tensor], begin_[tensor + 1] - begin_[tensor]);
  }

 private:
  static constexpr std::uint32_t kFree = 0xffffffff;

  // Numbers the keys by a table of open addressing, at most half full.
  void number(const std::vector<Entry>& entries) {
    keys_.clear(), of_entry_.clear();
    table_.assign(std::bit_ceil(2 * entries.size() + 1), kFree);
    for (const Entry& e : entries) {
      std::size_t at = static_cast<std::size_t>(hash_of(e.key)) & (table_.size() - 1);
      while (table_[at] != kFree && keys_[table_[at]] != e.key) at = (at + 1) & (table_.size() - 1);
      if (table_[at] == kFree) {
        table_[at] = static_cast<std::uint32_t>(keys_.size());
        keys_.push_back(e.key);
      }
      of_entry_.push_back(table_[at]);
    }
  }
  static std::uint64_t hash_of(const Key& k) {
    const std::uint64_t high = std::uint64_t{k.step_pipe} << 32 | k.stage;
    const std::uint64_t low =
        std::uint64_t{static_cast<std::uint32_t>(k.micro_batch)} << 32 | static_cast<std::uint32_t>(k.tensor);
    return mix64(high * 0x9E3779B97F4A7C15u + low);
  }

  std::vector<Key> keys_;
  std::vector<std::uint32_t> table_, of_entry_, begin_, next_;
  std::vector<Entry> sorted_;
};

// Of one tensor.
void follow(std::span<const Entry> entries, std::vector<Wrong>& wrong) {
  State state;
  const Key key = entries.front().key;
  for (const Entry& e : entries) {
    if (state.again >= 0 && (e.time > state.again || e.deed == Deed::made)) {
      wrong.push_back({key, state.again, "is made twice"});
      state.wrong = true, state.again = -1;
    }
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
    if (what != nullptr) wrong.push_back({key, e.time, what});
    if (e.deed == Deed::freed)
      state = {};
    else
      state = {e.deed == Deed::made || state.there, what != nullptr || (state.wrong && e.deed != Deed::made), e.time};
  }
  if (state.again >= 0)
    wrong.push_back({key, state.again, "is made twice"});
  else if (state.there && !state.wrong)
    wrong.push_back({key, state.time, "is never freed"});
}

// Of one device.
std::vector<Wrong> audit(const std::vector<Entry>& entries, ByTensor& by) {
  by.sort(entries);
  std::vector<Wrong> wrong;
  for (std::size_t tensor = 0; tensor < by.tensors(); ++tensor) follow(by.entries_of(tensor), wrong);
  std::stable_sort(wrong.begin(), wrong.end(),
                   [](const Wrong& a, const Wrong& b) { return std::tie(a.key, a.time) < std::tie(b.key, b.time); });
  return wrong;
}

}  // namespace

std::vector<std::string> audit_tensors(const Program& program, const Timeline& timeline) {
  std::vector<std::string> lines;
  const ByDevice by = participations(program);
  std::vector<Entry> entries, before;
  ByTensor by_tensor;
  for (DeviceIndex d = 0; d < program.devices.size(); ++d) {
    entries.clear();
    for (std::uint32_t i = by.begin[d]; i < by.begin[d + 1]; ++i) add_entries(program, timeline, by.items[i], entries);
    if (d > 0 && entries == before) continue;  // neighbours mostly are alike
    for (const Wrong& wrong : audit(entries, by_tensor))
      lines.push_back(fmt::format("device {}: activation {} of micro-batch {} in stage {} {} at {} ps", d,
                                  wrong.key.tensor, wrong.key.micro_batch, wrong.key.stage, wrong.what, wrong.time));
    before.swap(entries);
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
