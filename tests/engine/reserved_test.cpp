// What the replay of a device says, against plain calls of the allocator, step by step to the end: it may leave out
// what changes nothing.
#include <doctest/doctest.h>

#include "orrery/core/random.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/program/builder.hpp"
#include "plain_reserved.hpp"

namespace orrery::engine::reserved_test {

namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::size_t kTensors = 6;

struct Call {
  std::size_t tensor;
  std::int32_t owner;
  bool allocates;
};

// Tensors of six sizes by four owners, each free that of the last of its size and owner; some stay to the end. Mostly
// what was made last is freed first. In `rounds` of a step the same is made and freed.
std::vector<Call> drawn(Random& random, int rounds) {
  std::vector<Call> calls;
  const auto draw = [&](std::size_t count) {
    std::vector<std::pair<std::size_t, std::int32_t>> live;
    std::int32_t owner = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (random.below(12) == 0) owner = static_cast<std::int32_t>(random.below(4));
      if (live.size() > 3 && random.below(2) == 0) {
        const std::size_t gone = random.below(3) == 0 ? random.below(live.size()) : live.size() - 1;
        calls.push_back({live[gone].first, live[gone].second, false});
        live.erase(live.begin() + static_cast<std::ptrdiff_t>(gone));
      } else {
        live.emplace_back(random.below(kTensors), owner);
        calls.push_back({live.back().first, live.back().second, true});
      }
    }
    return live;
  };
  draw(60);
  const std::size_t begin = calls.size();
  for (const auto& [tensor, owner] : draw(30)) calls.push_back({tensor, owner, false});
  const std::vector<Call> round(calls.begin() + static_cast<std::ptrdiff_t>(begin), calls.end());
  for (int again = 1; again < rounds; ++again) calls.insert(calls.end(), round.begin(), round.end());
  draw(60);
  return calls;
}

// One device that makes these calls in tasks one behind the other: those of one owner that follow each other are of one
// task, one an instant or, now and then, several.
program::Program program_of(const std::vector<Call>& calls, Random& random) {
  std::vector<std::int64_t> sizes;
  for (std::size_t t = 0; t < kTensors; ++t)
    sizes.push_back(kMiB / 4 * (1 + static_cast<std::int64_t>(random.below(t < 2 ? 4 : 100))));
  program::Builder b;
  const program::DeviceIndex device =
      b.add_device({.ranks = {0}, .at = {}, .resident = {kMiB * (1 + static_cast<std::int64_t>(random.below(30)))}});
  for (std::size_t i = 0; i < calls.size();) {
    std::vector<program::MemoryEffect> effects;
    std::int64_t at = 0;
    const std::int32_t owner = calls[i].owner;
    for (; i < calls.size() && calls[i].owner == owner; ++i) {
      if (random.below(8) > 0) ++at;
      const std::int64_t bytes = calls[i].allocates ? sizes[calls[i].tensor] : -sizes[calls[i].tensor];
      effects.push_back({program::kNone, false, program::MemoryClass::activations, {at}, bytes});
    }
    program::TaskTemplate t;
    t.duration = Time{at + static_cast<std::int64_t>(random.below(2))};  // the next one's first instant may be its last
    t.effects = b.add_effects(effects);
    const auto operation = b.add_operation({device, program::Activity::forward, 0, 0, owner});
    b.add_task(b.add_template(t), program::Participant{device, operation});
  }
  return b.finish().value();
}

}  // namespace

TEST_CASE("a replay says what plain calls say, in fixed and expandable segments, with and without room") {
  Random random(3);
  std::int64_t retries = 0;
  for (int round = 0; round < 150; ++round) {
    const program::Program program = program_of(drawn(random, round % 3 == 0 ? 20 : 1), random);
    const Timeline timeline = evaluate_one_pass(program);
    for (const Bytes capacity : {Bytes{std::int64_t{1} << 40}, Bytes{300 * kMiB}, Bytes{600 * kMiB}})
      for (const Segments segments : {Segments::fixed, Segments::expandable}) {
        const DeviceMemory memory = memory_of(program, timeline, capacity, segments)[0];
        const Reserved plain = plain_reserved(program, timeline, 0, capacity, segments);
        CHECK(memory.reserved == plain.bytes);
        CHECK(memory.retries == plain.retries);
        retries += plain.retries;
      }
  }
  CHECK(retries > 0);
}

}  // namespace orrery::engine::reserved_test
