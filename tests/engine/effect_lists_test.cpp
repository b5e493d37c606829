// The most that is allocated, from lists of effects: what begins or ends within another list is seen at its instant.
#include "engine/effect_lists.hpp"

#include <doctest/doctest.h>

#include "orrery/engine/account.hpp"
#include "orrery/engine/memory_verdict.hpp"
#include "orrery/program/builder.hpp"

namespace orrery::engine::effect_lists_test {

using namespace orrery::program;

namespace {

// One device with a pass of 100 ps, which holds 5 from its start, 9 more from 40 to 60 ps, and nothing at its end; a
// message that arrives on it `at` brings 8, which a second pass, right behind the first, frees 10 ps after its start.
struct Step {
  Program program;
  Timeline timeline;
};
Step step(std::int64_t at) {
  Builder b;
  b.add_device({{0}, {}, {}});
  b.add_device({{1}, {}, {}});
  const auto effect = [](std::uint32_t who, std::int64_t when, std::int64_t bytes) {
    return MemoryEffect{who, false, MemoryClass::buffers, {when}, bytes};
  };
  const auto add = [&](std::int64_t duration, Lane lane, const std::vector<MemoryEffect>& effects) {
    TaskTemplate t;
    t.duration = {duration};
    t.lane = lane, t.partner_lane = lane;
    t.effects = b.add_effects(effects);
    return b.add_template(t);
  };
  const TemplateId pass = add(
      100, Lane::compute, {effect(kNone, 0, 5), effect(kNone, 40, 9), effect(kNone, 60, -9), effect(kNone, 100, -5)});
  const TemplateId next = add(20, Lane::compute, {effect(kNone, 10, -8)});
  const TemplateId wait = add(at, Lane::host, {});
  const TemplateId message = add(7, Lane::pipeline_send, {effect(1, 0, 8)});
  b.add_task(pass, Participant{0, kNone});
  b.add_task(next, Participant{0, kNone});
  const TaskId before = b.add_task(wait, Participant{1, kNone});
  const Participant ends[2] = {{1, kNone}, {0, kNone}};
  b.add_edge(before, b.add_task(message, ends));
  Program program = b.finish().value();
  Timeline timeline = evaluate_one_pass(program);
  return {std::move(program), std::move(timeline)};
}

std::int64_t peak(std::int64_t at) {
  const Step s = step(at);
  Replays replays;
  const std::int64_t quick = memory_verdict(s.program, s.timeline, {1 << 30}, Segments::fixed, replays).peak;
  CHECK(quick == memory_of(s.program, s.timeline)[0].peak);  // of device 1 nothing is held
  return quick;
}

}  // namespace

TEST_CASE("a message within a pass counts from its instant on") {
  CHECK(peak(30) == 22);  // 5 + 8 + 9, from 40 to 60
  CHECK(peak(40) == 22);  // arrives as the 9 are made
  CHECK(peak(50) == 22);  // while they are there
  CHECK(peak(60) == 14);  // as they are freed: 5 + 9 before it, 5 + 8 behind
  CHECK(peak(99) == 14);
  CHECK(peak(100) == 14);  // behind the pass, whose 5 are freed first: 8
}

TEST_CASE("the allocator is followed once for changes in one order, whatever the times") {
  Replays replays;
  const auto replayed = [&](std::int64_t at, std::int64_t capacity = 1 << 30) {
    const Step s = step(at);
    return memory_verdict(s.program, s.timeline, {capacity}, Segments::fixed, replays).replayed;
  };
  CHECK(replayed(10) == 2);  // two devices
  CHECK(replayed(30) == 0);
  CHECK(replayed(45) == 1);  // the message arrives between other changes of the pass
  CHECK(replayed(55) == 0);
  CHECK(replayed(60) == 1);           // with one of them
  CHECK(replayed(80) == 0);           // likewise behind what is freed at 60
  CHECK(replayed(100) == 1);          // with the end of the one and the start of the other
  CHECK(replayed(30, 1 << 29) == 2);  // of another GPU
  CHECK(replayed(30, 10) == 0);       // the peak says that it does not fit
}

TEST_CASE("participants that no effect names have those of all alone") {
  Builder b;
  for (std::int32_t rank = 0; rank < 3; ++rank) b.add_device({{rank}, {}, {}});
  TaskTemplate t;
  t.duration = {10};
  t.lane = t.partner_lane = Lane::expert;
  const MemoryEffect of_all{kNone, false, MemoryClass::buffers, {0}, 3},
      of_first{0, false, MemoryClass::buffers, {5}, 4};
  t.effects = b.add_effects(std::vector{of_all, of_first});
  const Participant all[3] = {{0, kNone}, {1, kNone}, {2, kNone}};
  b.add_task(b.add_template(t), all);
  const Program program = b.finish().value();
  const Timeline timeline = evaluate_one_pass(program);
  Replays replays;
  CHECK(memory_verdict(program, timeline, {1 << 30}, Segments::fixed, replays).peak == 7);
  const std::vector<DeviceMemory> memory = memory_of(program, timeline);
  CHECK(memory[0].peak == 7);
  CHECK(memory[2].peak == 3);
  CHECK(memory[2].reserved == 2 << 20);
}

}  // namespace orrery::engine::effect_lists_test
