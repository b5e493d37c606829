// Work that gradient traffic slows: as one task of many kernels it is what its kernels are one by one, to the
// picosecond and the byte; and a timeline in which it is not what the traffic makes of it is found.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "by_hand.hpp"
#include "orrery/core/random.hpp"
#include "orrery/engine/within.hpp"

namespace orrery::engine::slowed_work_test {

using namespace engine::testing;

namespace {

struct Kernel {
  std::int64_t takes;
  Category category;
  std::int64_t bytes;  // held until the one behind it ends
};
struct Traffic {
  std::int64_t start, takes;
};

// A piece of these kernels on device 0 beside traffic of its own, and device 1 that waits for it.
struct Case {
  Slowdown slowdown{3, 2};
  std::vector<Kernel> kernels;
  std::vector<std::vector<Traffic>> traffic;  // [lane]
  std::int64_t begins = 0;
};

std::int64_t slowed(const Case& c, const Kernel& k) {
  return is_work(k.category) ? c.slowdown.slowed(k.takes) : k.takes;
}

MemoryEffect effect(std::int64_t bytes, std::int64_t offset, bool at_end) {
  return {kNone, at_end, MemoryClass::activations, Time{offset}, bytes};
}

TaskId add(Builder& b, const TaskTemplate& t, DeviceIndex device, OperationId operation) {
  return b.add_task(b.add_template(t), Participant{device, operation});
}

void add_piece(Builder& b, const Case& c, std::uint8_t slows) {
  TaskTemplate t;
  t.category = c.kernels.front().category;
  t.slowdown_class = slows;
  std::vector<Segment> segments;
  std::vector<KernelEnd> ends;
  std::vector<MemoryEffect> effects;
  KernelEnd at;
  for (std::size_t i = 0; i < c.kernels.size(); ++i) {
    const Kernel& k = c.kernels[i];
    effects.push_back(effect(k.bytes, at.alone, false));
    at = {at.alone + k.takes, at.slowed + slowed(c, k)};
    segments.push_back({Time{at.alone}, k.category});
    ends.push_back(at);
    if (i > 0) effects.push_back(effect(-c.kernels[i - 1].bytes, at.alone, false));
  }
  effects.push_back(effect(-c.kernels.back().bytes, at.alone, false));
  t.duration = {at.alone};
  t.segments = b.add_segments(segments);
  t.steps = b.add_kernel_ends(ends);
  t.effects = b.add_effects(effects);
  add(b, t, 0, b.add_operation({0, Activity::backward, 0, 0, 0}));
}

void add_kernels(Builder& b, const Case& c, std::uint8_t slows) {
  const OperationId operation = b.add_operation({0, Activity::backward, 0, 0, 0});
  for (std::size_t i = 0; i < c.kernels.size(); ++i) {
    const Kernel& k = c.kernels[i];
    TaskTemplate t;
    t.duration = {k.takes};
    t.category = k.category;
    std::vector<MemoryEffect> effects{effect(k.bytes, 0, false)};
    if (i > 0) effects.push_back(effect(-c.kernels[i - 1].bytes, 0, true));
    if (i + 1 == c.kernels.size()) effects.push_back(effect(-k.bytes, 0, true));
    t.effects = b.add_effects(effects);
    if (is_work(k.category)) {
      t.slowdown_class = slows;
      t.steps = b.add_kernel_ends(std::array{KernelEnd{k.takes, slowed(c, k)}});
    }
    add(b, t, 0, operation);
  }
}

// Traffic that takes memory from where it begins to where it ends.
void add_traffic(Builder& b, const Case& c) {
  for (std::size_t lane = 0; lane < c.traffic.size(); ++lane)
    for (const Traffic& traffic : c.traffic[lane]) {
      TaskTemplate wait, t;
      wait.duration = {traffic.start};
      wait.category = Category::host;
      wait.lane = Lane::pipeline_send;  // several at once
      t.duration = {traffic.takes};
      t.category = Category::data_comm;
      t.lane = lane == 0 ? Lane::data : Lane::replicas;
      t.effects = b.add_effects(std::array{effect(1000, 0, false), effect(-1000, 0, true)});
      const TaskId before = b.add_task(b.add_template(wait), Participant{1, kNone}, Builder::Ordering::free);
      b.add_edge(before, add(b, t, 0, b.add_operation({0, Activity::gradient_reduce, 0, -1, -1})));
    }
}

Program program_of(const Case& c, bool one_task) {
  Builder b;
  for (std::int32_t d = 0; d < 2; ++d) {
    Device device;
    device.ranks = {d};
    device.at[layout::Dimension::pipeline] = d;
    b.add_device(std::move(device));
  }
  const std::uint8_t slows = b.add_slowdown(c.slowdown);
  TaskTemplate work;
  work.duration = {c.begins};
  add(b, work, 0, b.add_operation({0, Activity::forward, 0, 0, 0}));
  one_task ? add_piece(b, c, slows) : add_kernels(b, c, slows);
  const TaskId last = b.last_on(0, Lane::compute);
  work.duration = {7};
  b.add_edge(last, add(b, work, 1, b.add_operation({1, Activity::backward, 0, 0, 0})));
  add_traffic(b, c);
  return std::move(b.finish()).value();
}

struct Played {
  explicit Played(Program made)
      : program(std::move(made)),
        timeline(play_events(program)),
        split(split_time(program, timeline)),
        memory(memory_of(program, timeline)) {}
  std::vector<std::string> books() const { return audit(program, timeline, split, memory); }

  Program program;
  Timeline timeline;
  std::vector<Breakdown> split;
  std::vector<DeviceMemory> memory;
};

// [change] of the memory of the first device: (time, bytes in use).
std::vector<std::pair<std::int64_t, std::int64_t>> curve(const Played& played) {
  std::vector<std::pair<std::int64_t, std::int64_t>> all;
  for (const MemorySample& s : memory_curve(played.program, played.timeline, 0))
    all.emplace_back(s.time, s.bytes[static_cast<std::size_t>(MemoryClass::activations)]);
  return all;
}

Case draw(Random& random) {
  Case c;
  const std::array<Slowdown, 4> speeds{{{3, 2}, {105, 100}, {7, 3}, {1000, 100}}};
  c.slowdown = speeds[random.below(speeds.size())];
  c.begins = random.between(0, 20);
  const std::array<Category, 4> kinds{Category::compute, Category::recompute, Category::tensor_comm, Category::host};
  for (std::int64_t n = random.between(1, 30); n > 0; --n)
    c.kernels.push_back({random.between(1, 60), kinds[random.below(kinds.size())], random.between(1, 9) * 100});
  for (std::int64_t lanes = random.between(1, 2); lanes > 0; --lanes) {
    c.traffic.emplace_back();
    std::int64_t at = 0;
    for (std::int64_t n = random.between(0, 12); n > 0; --n) {
      at += random.between(0, 90);
      c.traffic.back().push_back({at, random.between(0, 90)});
    }
  }
  return c;
}

}  // namespace

TEST_CASE("kernels beside traffic, by hand") {
  // From 10 on kernels of 20, a call of 6 and 20; traffic at 0..25 and 40..50, which slows kernels by a half.
  // 10 of the first are done by 25, 10 more by 35; the call until 41; 6 of the last by 50, 14 more by 64.
  Case c;
  c.begins = 10;
  c.kernels = {{20, Category::compute, 100}, {6, Category::tensor_comm, 10}, {20, Category::compute, 1}};
  c.traffic = {{{0, 25}, {40, 10}}};
  const Played played(program_of(c, true));
  const TaskId piece = 1;
  const Within inside(played.program, played.timeline, piece);
  CHECK(played.timeline.end[piece] == 64);
  CHECK(inside.at(0) == 10);
  CHECK(inside.at(20) == 35);
  CHECK(inside.at(26) == 41);
  CHECK(inside.at(46) == 64);
  CHECK(played.split[0] ==
        parts({{Category::compute, 10 + 25 + 23}, {Category::tensor_comm, 6}, {Category::bubble, 7}}));
  CHECK(played.timeline.events == 2 + 1 + 2 * 2);
  CHECK(played.books().empty());
}

TEST_CASE("a piece of kernels that traffic slows is what they are one by one") {
  Random random(11);
  int slowed = 0;
  for (int i = 0; i < 2000; ++i) {
    const Case c = draw(random);
    CAPTURE(i);
    const Played one(program_of(c, true)), each(program_of(c, false));
    REQUIRE(one.timeline.step_time == each.timeline.step_time);
    CHECK(one.split == each.split);
    CHECK(curve(one) == curve(each));
    CHECK(one.memory[0].peak == each.memory[0].peak);
    CHECK(one.memory[0].reserved == each.memory[0].reserved);
    CHECK(one.books() == std::vector<std::string>());
    CHECK(each.books() == std::vector<std::string>());
    slowed += one.timeline.legs.size() > 1 ? 1 : 0;
  }
  CHECK(slowed > 500);
}

TEST_CASE("a piece that ends when its traffic would not have it, or a kernel of it, is found") {
  Case c;
  c.kernels = {{200, Category::compute, 100}, {60, Category::tensor_comm, 10}, {200, Category::compute, 1}};
  c.traffic = {{{50, 100}, {300, 90}}};
  const Played whole(program_of(c, true));
  REQUIRE(whole.books().empty());
  const auto found = [&](const auto& falsify) {
    Played bad = whole;
    falsify(bad.timeline);
    const auto books = bad.books();
    return std::ranges::any_of(books, [](const std::string& line) { return line.starts_with("kernel "); });
  };
  const TaskId piece = 1;
  for (const std::int64_t off : {-20, 20}) {
    CHECK(found([&](Timeline& t) { t.end[piece] += off; }));
    for (std::size_t leg = 0; leg < whole.timeline.legs.size(); ++leg)
      CHECK(found([&](Timeline& t) { t.legs[leg].base += off; }));
  }
  CHECK(found([](Timeline& t) { t.first_leg.clear(); }));
}

}  // namespace orrery::engine::slowed_work_test
