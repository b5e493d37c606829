// Scenarios drawn over all that one can say (tests/drawn holds what they have in common to be the same in every way of
// playing them), a line each in drawn.txt: what a change of a knob's mechanism changes, wherever it meets another.
#include "drawn/drawn.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "golden.hpp"
#include "orrery/core/random.hpp"
#include "resolved.hpp"
#include "sweep/bounds.hpp"

namespace orrery::scenario::drawn_test {

namespace {

constexpr int kLines = 160;
constexpr std::uint64_t kSeed = 9;

// The split of each GPU, and what each holds at its peak, each as one number.
std::uint64_t hash_of(const std::vector<std::int64_t>& values) {
  std::uint64_t hash = 0;
  for (const std::int64_t value : values) hash = mix64(hash + mix64(static_cast<std::uint64_t>(value) + 1));
  return hash & 0xffffffff;
}

// What is told without playing it: the size of its Program, and what no layout like it can be better than.
std::string told(const Scenario& s) {
  RunOptions every, unfused;
  every.every_rank = true, unfused.fuse = false;
  std::string text;
  for (const RunOptions& options : {RunOptions(), every, unfused}) {
    const program::Footprint f = footprint(s, options);
    text += fmt::format("{:.6g} tasks {:.9g} bytes, ", f.tasks, f.bytes);
  }
  const sweep::Bounds bounds = sweep::bounds_of(s);
  return text + fmt::format("at least {:.9g} ps {:.12g} bytes", bounds.step_time_ps, bounds.memory_bytes);
}

std::string line_of(int i, const testing::Drawn& drawn, const report::RunResult& run) {
  std::vector<std::int64_t> split, held, reserved(run.reserved.begin(), run.reserved.end());
  for (const engine::Breakdown& device : run.split)
    for (std::size_t c = 0; c < program::kCategories; ++c)  // of hosts only where one has something to do
      if (const auto of = static_cast<program::Category>(c);
          device[c] != 0 || (of != program::Category::offload_comm && of != program::Category::cpu_optimizer))
        split.push_back(device[c]);
  std::int64_t peak = 0;
  for (const engine::DeviceMemory& m : run.memory) {
    held.insert(held.end(), m.at_peak.begin(), m.at_peak.end());
    peak = std::max(peak, m.peak);
  }
  return fmt::format(
      "{} {} {} {}: {} ps {} FLOP run {} bytes, split {:08x} held {:08x} reserved {:08x} times {:016x}; {}\n", i,
      drawn.choices.at("stack"), drawn.choices.at("schedule"), drawn.choices.at("network"),
      run.timeline.step_time.value, run.flops.executed.total(), peak, hash_of(split), hash_of(held), hash_of(reserved),
      run.timeline_hash, told(drawn.scenario));
}

// The lines that differ, each of which begins with its number, and what the scenario of the first of them is.
std::string changes(const std::string& was, const std::string& is) {
  std::string text;
  std::istringstream before(was), after(is);
  for (std::string a, b; std::getline(after, b);) {
    if (!std::getline(before, a)) a = "nothing";
    if (a == b) continue;
    if (text.empty()) text = testing::draw_scenario(kSeed, std::atoi(b.c_str())).text;
    text += fmt::format("  was {}\n  is  {}\n", a, b);
  }
  return text;
}

}  // namespace

TEST_CASE("drawn scenarios give the steps of drawn.txt") {
  RunOptions options;
  options.what_if = false;
  std::string text;
  for (int i = 0; i < kLines; ++i) {
    const testing::Drawn drawn = testing::draw_scenario(kSeed, i);
    const auto run = resolve_and_simulate(drawn.scenario, options);
    REQUIRE_MESSAGE(run.ok(), drawn.text << render(run.errors()));
    text += line_of(i, drawn, *run);
  }
  testing::check_golden("tests/shipped/drawn.txt", text, changes);
}

}  // namespace orrery::scenario::drawn_test
