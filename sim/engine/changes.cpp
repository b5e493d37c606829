#include "changes.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "orrery/core/random.hpp"
#include "orrery/engine/within.hpp"
#include "sort_runs.hpp"

namespace orrery::engine {

static_assert(sizeof(Change) == 32, "sorted for each device, one for each effect of each of its tasks");

using namespace program;

namespace {

using TensorKey = std::pair<MemoryClass, std::int64_t>;

struct HashOfTensor {
  std::size_t operator()(const TensorKey& key) const {
    return static_cast<std::size_t>(mix64(static_cast<std::uint64_t>(key.second)) +
                                    static_cast<std::uint64_t>(key.first));
  }
};

TensorKey key_of(const MemoryEffect& e) {
  return {e.memory_class, e.bytes < 0 ? -e.bytes : e.bytes};
}

}  // namespace

// An overlapped operation's backward half is of another stage and micro-batch.
std::int64_t owner_of(const Program& program, OperationId operation, bool backward) {
  if (operation == kNone) return -1;
  const Operation& op = program.operations[operation];
  if (op.activity == Activity::overlapped && backward)
    return ((std::int64_t{op.backward_micro_batch} << 24) + op.backward_stage) * 256 + op.backward_pipe;
  if (op.stage < 0 || op.micro_batch < 0) return -1;
  return ((std::int64_t{op.micro_batch} << 24) + op.stage) * 256 + op.pipe;
}

// They are few where effects are many: found by a hash first, and numbered in order then.
Tensors::Tensors(const Program& program) {
  std::unordered_map<TensorKey, std::uint32_t, HashOfTensor> found;
  of_effect_.reserve(program.effects.size());
  for (const MemoryEffect& e : program.effects) {
    const auto [it, fresh] = found.try_emplace(key_of(e), static_cast<std::uint32_t>(all_.size()));
    if (fresh) all_.push_back(it->first);
    of_effect_.push_back(it->second);
  }
  const std::vector<TensorKey> first_seen = all_;
  std::sort(all_.begin(), all_.end());
  std::vector<std::uint32_t> number;
  for (const TensorKey& key : first_seen)
    number.push_back(static_cast<std::uint32_t>(std::lower_bound(all_.begin(), all_.end(), key) - all_.begin()));
  for (std::uint32_t& of : of_effect_) of = number[of];
}

void collect_changes(const Program& program, const Timeline& timeline, const ByDevice& by, const Tensors& tensors,
                     DeviceIndex device, std::vector<Change>& out) {
  out.clear();
  for (std::uint32_t i = by.begin[device]; i < by.begin[device + 1]; ++i) {
    const auto [task, participant] = by.items[i];
    const Range effects = program.template_of(task).effects;
    if (effects.count == 0) continue;
    const OperationId operation = program.participant(task, participant).operation;
    const std::int64_t owners[2] = {owner_of(program, operation, false), owner_of(program, operation, true)};
    const Within inside(program, timeline, task);
    for (std::uint32_t e = effects.first; e < effects.first + effects.count; ++e) {
      const MemoryEffect& effect = program.effects[e];
      if (effect.bytes == 0) continue;
      if (effect.participant != kNone && effect.participant != participant) continue;
      const std::int64_t offset = effect.offset.value;
      const std::int64_t time = effect.at_end ? timeline.end[task] + offset : inside.at(offset);
      const std::int64_t owner = owners[effect.backward ? 1 : 0];
      out.push_back({time, effect.bytes, owner, tensors.of_effect(e), effect.memory_class});
    }
  }
}

namespace {

bool before(const Change& a, const Change& b) {
  if (a.time != b.time) return a.time < b.time;
  return std::tuple(a.bytes > 0, a.tensor, a.owner) < std::tuple(b.bytes > 0, b.tensor, b.owner);
}

}  // namespace

void sort_changes(std::vector<Change>& changes) {
  sort_runs(changes, before);
}

}  // namespace orrery::engine
