// A piece of a pass as one task, and what of it is what: work, calls, and the host that stands in between.
#include "program/block.hpp"

#include <doctest/doctest.h>

namespace orrery::program::block_test {

namespace {

TimedStep step(Category category, std::int64_t ps, std::int64_t before = 0) {
  TimedStep s;
  s.category = category, s.duration = {ps}, s.before = {before};
  if (category == Category::tensor_comm) s.lane = Lane::tensor;
  return s;
}

using Parts = std::vector<std::pair<std::int64_t, Category>>;
Parts parts(const std::vector<TimedStep>& steps) {
  const Block block = make_block(steps);
  Parts result;
  for (const Segment& s : block.segments) result.emplace_back(s.end.value, s.category);
  REQUIRE(!result.empty());
  CHECK(result.back().first == block.duration.value);
  return result;
}

}  // namespace

TEST_CASE("while the host launches and the device waits, the time is the host's") {
  CHECK(parts({step(Category::compute, 20, 10), step(Category::recompute, 5, 3)}) ==
        Parts{{10, Category::host}, {30, Category::compute}, {33, Category::host}, {38, Category::recompute}});
  CHECK(parts({step(Category::compute, 20)}) == Parts{{20, Category::compute}});
}

TEST_CASE("what takes effect at one time does so in the order of the steps") {
  TimedStep first = step(Category::compute, 0), second = step(Category::compute, 5);
  first.memory = {{false, MemoryClass::buffers, {1}, 0}, {true, MemoryClass::buffers, {-1}, 0}};
  second.memory = {{true, MemoryClass::buffers, {3}, 2}, {false, MemoryClass::buffers, {2}, 1}};
  TimedStep beside = step(Category::tensor_comm, 9);
  beside.beside = 2;
  beside.memory = {{true, MemoryClass::buffers, {-9}, 3}};  // at 9, behind what later steps do
  std::vector<std::int64_t> bytes;
  for (const MemoryEffect& e : make_block(std::vector<TimedStep>{beside, first, second}).effects)
    bytes.push_back(e.bytes);
  CHECK(bytes == std::vector<std::int64_t>{1, -1, 2, 3, -9});
}

TEST_CASE("steps of one kind are one part, and work comes before the call beside it") {
  CHECK(parts({step(Category::compute, 20), step(Category::compute, 7), step(Category::tensor_comm, 9)}) ==
        Parts{{27, Category::compute}, {36, Category::tensor_comm}});
  TimedStep beside = step(Category::tensor_comm, 30);
  beside.beside = 1;  // runs from 0 to 30 beside the 20 of step 1; step 2 waits
  CHECK(parts({beside, step(Category::compute, 20), step(Category::compute, 5)}) ==
        Parts{{20, Category::compute}, {30, Category::tensor_comm}, {35, Category::compute}});
}

}  // namespace orrery::program::block_test
