// The books of memory find what is wrong with a Program that is broken on purpose.
#include <doctest/doctest.h>

#include <functional>

#include "orrery/engine/account.hpp"
#include "orrery/program/builder.hpp"

namespace orrery::program::memory_books_test {

namespace {

// F and B of a micro-batch on one device: F makes two activations, B uses both and frees them one by one. Effects are
// numbered 0–1 made, 2 used in F, 3–4 used in B, 5–6 freed.
Program forward_and_backward(const std::function<void(std::vector<MemoryEffect>&)>& change) {
  std::vector<MemoryEffect> effects{
      {kNone, false, MemoryClass::activations, {0}, 4096, 0}, {kNone, false, MemoryClass::activations, {5}, 512, 1},
      {kNone, false, MemoryClass::activations, {10}, 0, 0},   {kNone, false, MemoryClass::activations, {4}, 0, 1},
      {kNone, false, MemoryClass::activations, {8}, 0, 0},    {kNone, false, MemoryClass::activations, {4}, -512, 1},
      {kNone, false, MemoryClass::activations, {8}, -4096, 0}};
  change(effects);
  Builder builder;
  builder.add_device({{0}, 0, 0, 0, 0, {}});
  const auto add = [&](Activity activity, std::span<const MemoryEffect> of) {
    TaskTemplate t;
    t.duration = {10};
    t.name = "pass";
    t.effects = builder.add_effects(of);
    builder.add_task(builder.add_template(t), Participant{0, builder.add_operation({0, activity, 0, 0, 0})});
  };
  add(Activity::forward, std::span(effects).first(3));
  add(Activity::backward, std::span(effects).subspan(3));
  auto program = builder.finish();
  REQUIRE(program.ok());
  return std::move(program).value();
}

// F of micro-batch 0, an operation that runs F of 1 beside B of 0, and B of 1; F makes an activation, B uses and frees
// it.
Program overlapped(const std::function<void(std::vector<MemoryEffect>&)>& change) {
  const MemoryEffect made{kNone, false, MemoryClass::activations, {0}, 4096, 0},
      used{kNone, false, MemoryClass::activations, {5}, 0, 0, true},
      freed{kNone, false, MemoryClass::activations, {8}, -4096, 0, true};
  std::vector<MemoryEffect> both{made, used, freed};
  change(both);
  Builder builder;
  builder.add_device({{0}, 0, 0, 0, 0, {}});
  const auto add = [&](const Operation& op, std::span<const MemoryEffect> of) {
    TaskTemplate t;
    t.duration = {10};
    t.name = "pass";
    t.effects = builder.add_effects(of);
    builder.add_task(builder.add_template(t), Participant{0, builder.add_operation(op)});
  };
  add({0, Activity::forward, 0, 0, 0}, std::span(&made, 1));
  add({0, Activity::overlapped, 0, 0, 1, 0, 0, 0, 0}, both);
  const MemoryEffect last[] = {used, freed};
  add({0, Activity::backward, 0, 0, 1}, last);
  auto program = builder.finish();
  REQUIRE(program.ok());
  return std::move(program).value();
}

std::vector<std::string> books(const Program& program,
                               const std::function<void(std::vector<engine::DeviceMemory>&)>& change = {}) {
  const engine::Timeline timeline = engine::evaluate_one_pass(program);
  std::vector<engine::DeviceMemory> memory = engine::memory_of(program, timeline);
  if (change) change(memory);
  return engine::audit(program, timeline, engine::split_time(program, timeline), memory);
}

bool says(const std::vector<std::string>& found, const char* what) {
  for (const std::string& line : found)
    if (line.find(what) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("memory books: a Program whose tensors are there for their readers balances") {
  CHECK(books(forward_and_backward([](auto&) {})).empty());
}

TEST_CASE("memory books: the halves of an overlapped operation are of two micro-batches") {
  CHECK(books(overlapped([](auto&) {})).empty());
  const auto early = books(overlapped([](auto& e) { e[1].offset = {9}; }));
  CHECK(says(early, "activation 0 of micro-batch 0 in stage 0 is used while it is not there at 19 ps"));
  CHECK(says(books(overlapped([](auto& e) { e[2].backward = false; })), "is never freed"));
}

TEST_CASE("memory books: a reader of freed memory is found") {
  const auto early = books(forward_and_backward([](auto& e) { e[6].offset = {7}; }));
  CHECK(says(early, "device 0: activation 0 of micro-batch 0 in stage 0 is used while it is not there at 18 ps"));
  CHECK(says(books(forward_and_backward([](auto& e) { e[4].tensor = 2; })), "activation 2"));
  CHECK(says(books(forward_and_backward([](auto& e) { e[1].tensor = 0; })), "is made twice"));
}

TEST_CASE("memory books: memory that does not end where it began is found") {
  const auto kept = books(forward_and_backward([](auto& e) { e[6].bytes = 0; }));
  CHECK(says(kept, "memory of device 0 (activations) ends at 4096 bytes, began at 0"));
  CHECK(says(kept, "is never freed"));
  CHECK(says(books(forward_and_backward([](auto& e) { e[5].tensor = 0; })), "is freed while it is not there"));
}

TEST_CASE("memory books: a peak that its parts do not make is found") {
  const Program program = forward_and_backward([](auto&) {});
  CHECK(says(books(program, [](auto& m) { m[0].peak += 1; }), "memory of device 0: peak 4609 bytes"));
  CHECK(says(books(program, [](auto& m) { m[0].reserved = 4607; }), "reserved is 4607"));
  CHECK(says(books(program, [](auto& m) { m[0].at_peak[0] = -1, m[0].at_peak[1] = 1; }), "the least -1"));
}

}  // namespace orrery::program::memory_books_test
