// Windows of a list's calls, worked out by hand.
#include "engine/call_windows.hpp"

#include <doctest/doctest.h>

#include "engine/effect_lists.hpp"

namespace orrery::engine::call_windows_test {

namespace {

constexpr std::int64_t kMiB = 1 << 20;

// Tensors 0, 1, 2 of 3, 5 and ½ MiB; a letter allocates, the same in capitals frees; `second` marks the other half.
CallWindows windows_of(const char* calls, char second = 0) {
  TensorKinds tensors;
  EffectList list;
  for (const std::int64_t bytes : {3 * kMiB, 5 * kMiB, kMiB / 2})
    list.tensors.push_back(tensors.of({program::MemoryClass::activations, bytes}));
  for (const char* c = calls; *c != 0; ++c) {
    const bool allocates = *c >= 'a';
    const auto tensor = static_cast<std::uint32_t>(*c - (allocates ? 'a' : 'A'));
    list.calls.push_back({tensor & EffectList::kMostTensors, allocates, *c == second});
  }
  return {list, tensors};
}

struct Found {
  std::uint32_t first, last, behind;
  friend bool operator==(const Found&, const Found&) = default;
};
std::vector<Found> found(const CallWindows& windows) {
  std::vector<Found> all;
  for (const CallWindows::Window& w : windows.all()) all.push_back({w.first, w.last, w.behind});
  return all;
}

}  // namespace

TEST_CASE("a window frees all that it allocates, and nothing else") {
  CHECK(found(windows_of("aA")) == std::vector<Found>{{0, 2, 1}});
  CHECK(found(windows_of("a")).empty());
  CHECK(found(windows_of("AaB")).empty());
  CHECK(found(windows_of("aBA")).empty());  // of what was there before
  CHECK(found(windows_of("aAbcCB")) == std::vector<Found>{{0, 2, 1}, {2, 6, 3}, {3, 5, 3}});  // one within another
  CHECK(found(windows_of("abAB")) == std::vector<Found>{{0, 4, 1}});                          // that overlap are one
  CHECK(found(windows_of("abcC")) == std::vector<Found>{{2, 4, 1}});                          // what stays is of none
  CHECK(found(windows_of("aaA")) == std::vector<Found>{{1, 3, 1}});                           // the last is freed
  CHECK(found(windows_of("abBA", 'b')).empty());                                              // the other half's
}

TEST_CASE("a window needs a free block more than it holds, for each of its calls, in their pools") {
  const CallWindows windows = windows_of("abBcacCAAC");  // 3, 3 + 5, then 3, ½ + 3 and twice ½
  REQUIRE(windows.all().front().last == 10);
  const std::span<const FreeNeed> needs = windows.needs(windows.all().front());
  REQUIRE(needs.size() == 2);
  CHECK(needs[0].bytes == 5 * kMiB);
  CHECK(needs[0].blocks == 2);  // which covers the second of 3 MiB
  CHECK(needs[1].bytes == kMiB / 2);
  CHECK(needs[1].blocks == 2);
}

}  // namespace orrery::engine::call_windows_test
