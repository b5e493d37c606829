// Every number of every scenario that comes with Orrery, in each network mode: what a change of the program changes.
// numbers.txt has a block per scenario and mode; flows only where every rank is played in about a second.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "golden.hpp"
#include "orrery/core/random.hpp"
#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::numbers_test {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kMostRanksUnderFlows = 128;

std::vector<fs::path> shipped() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(testing::source_dir() + "/scenarios"))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// What each rank does and holds, whoever stands for it, as one number.
std::uint64_t hash_of_ranks(const report::RunResult& run) {
  std::uint64_t sum = 0;
  for (std::size_t d = 0; d < run.program.devices.size(); ++d)
    for (const std::int32_t rank : run.program.devices[d].ranks) {
      std::uint64_t hash = static_cast<std::uint64_t>(rank);
      const auto add = [&](std::int64_t value) { hash = mix64(hash + mix64(static_cast<std::uint64_t>(value) + 1)); };
      for (std::size_t c = 0; c < program::kCategories; ++c)  // of hosts only where one has something to do
        if (const auto of = static_cast<program::Category>(c);
            run.split[d][c] != 0 || (of != program::Category::offload_comm && of != program::Category::cpu_optimizer))
          add(run.split[d][c]);
      for (const std::int64_t bytes : run.memory[d].at_peak) add(bytes);
      add(run.memory[d].peak);
      add(run.reserved[d]);
      sum += hash;
    }
  return sum;
}

std::string block_of(const std::string& name, const report::RunResult& run) {
  const report::Metrics metrics = report::metrics_of(run);
  std::string text = fmt::format("{} {}\n", name, run.network_mode);
  const auto add = [&](std::string_view field, const auto& value) {
    text += fmt::format("  {:<22} {}\n", field, value);
  };
  add("step_time_ps", run.timeline.step_time.value);
  add("bubble", metrics.bubble_fraction);
  add("schedule_bubble", run.schedule_bubbles.bubble());
  add("span_bubble", run.schedule_bubbles.span_bubble());
  for (std::size_t c = 0; c < program::kCategories; ++c)  // summed over all ranks
    if (metrics.total[c] != 0) add(fmt::format("{}_ps", program::kCategoryNames[c]), metrics.total[c]);
  add("model_flops", run.flops.model.total());
  add("hardware_flops", run.flops.executed.total());
  const auto fullest = std::max_element(run.memory.begin(), run.memory.end(),
                                        [](const auto& a, const auto& b) { return a.peak < b.peak; });
  add("peak_bytes", fullest->peak);
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c)  // of the rank that allocates most
    if (fullest->at_peak[c] != 0) add(fmt::format("peak.{}", program::kMemoryClassNames[c]), fullest->at_peak[c]);
  add("reserved_bytes", *std::max_element(run.reserved.begin(), run.reserved.end()));
  add("every_rank", fmt::format("{:016x}", hash_of_ranks(run)));
  add("timeline_hash", fmt::format("{:016x}", run.timeline_hash));
  return text;
}

using Numbers = std::map<std::string, std::string>;  // "scenario mode  field" -> value

Numbers numbers_of(const std::string& text) {
  Numbers numbers;
  std::istringstream lines(text);
  std::string block;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string field, value;
    words >> field >> value;
    if (line.starts_with("  ")) numbers[fmt::format("{}: {}", block, field)] = value;
    if (!line.starts_with(" ")) block = line;
  }
  return numbers;
}

std::string changes_of(const std::string& before, const std::string& after) {
  const Numbers was = numbers_of(before), is = numbers_of(after);
  Numbers all = was;
  all.insert(is.begin(), is.end());
  const auto value = [](const Numbers& numbers, const std::string& key) {
    const auto found = numbers.find(key);
    return found == numbers.end() ? std::string("none") : found->second;
  };
  std::string text;
  for (const auto& [key, any] : all)
    if (value(was, key) != value(is, key))
      text += fmt::format("  {}: {} -> {}\n", key, value(was, key), value(is, key));
  return text;
}

}  // namespace

TEST_CASE("every number of every shipped scenario is the one in numbers.txt") {
  std::string text;
  for (const fs::path& file : shipped())
    for (const char* mode : {"ideal", "steady", "flows"}) {
      const auto scenario = load_scenario(file.string(), {fmt::format("network.mode={}", mode)}, kNoLimit);
      REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
      if (std::string_view(mode) == "flows" && scenario->gpus() > kMostRanksUnderFlows) continue;
      const auto run = resolve_and_simulate(*scenario);
      REQUIRE_MESSAGE(run.ok(), render(run.errors()));
      text += block_of(file.stem().string(), *run);
    }
  testing::check_golden("tests/shipped/numbers.txt", text, changes_of);
}

TEST_CASE("a change of numbers is told by scenario, mode and field") {
  CHECK(changes_of("a ideal\n  x 1\n  y 2\nb steady\n  x 3\n", "a ideal\n  x 1\n  y 4\nb steady\n  z 3\n") ==
        "  a ideal: y: 2 -> 4\n  b steady: x: 3 -> none\n  b steady: z: none -> 3\n");
}

}  // namespace orrery::scenario::numbers_test
