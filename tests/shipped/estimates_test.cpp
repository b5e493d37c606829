// What is told of every shipped scenario without playing it: how large its Program will be, what no layout like it can
// be better than, and the measured runs that are most like it. estimates.txt has a line for each.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "golden.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/validation/measured.hpp"
#include "resolved.hpp"
#include "sweep/bounds.hpp"

namespace orrery::scenario::estimates_test {

namespace {

std::string size_text(const Scenario& s, const RunOptions& options) {
  const program::Footprint f = footprint(s, options);
  return fmt::format("{:.6g} tasks {:.6g} bytes", f.tasks, f.bytes);
}

std::string line_of(const std::string& name, const Scenario& s) {
  RunOptions every, unfused;
  every.every_rank = true, unfused.fuse = false;
  const sweep::Bounds bounds = sweep::bounds_of(s);
  std::string text = fmt::format(
      "{}\n  folded   {}\n  every    {}\n  unfused  {}\n  at least {:.9g} ps, {:.12g} bytes\n", name, size_text(s, {}),
      size_text(s, every), size_text(s, unfused), bounds.step_time_ps, bounds.memory_bytes);
  const auto like = validation::measured_runs_like(s, Catalogue::shared());
  REQUIRE(like.ok());
  for (const report::HeldAgainst& run : *like) text += "  like     " + run.id + "\n";
  return text;
}

std::string changes(const std::string& was, const std::string& is) {
  return "was:\n" + was + "is:\n" + is;
}

}  // namespace

TEST_CASE("estimates of every shipped scenario are those in estimates.txt") {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(testing::source_dir() + "/scenarios"))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::string text;
  for (const fs::path& file : files)
    for (const char* mode : {"steady", "flows"}) {
      const auto scenario = load_scenario(file.string(), {fmt::format("network.mode={}", mode)}, kNoLimit);
      REQUIRE_MESSAGE(scenario.ok(), render(scenario.errors()));
      text += line_of(fmt::format("{} {}", file.stem().string(), mode), *scenario);
    }
  testing::check_golden("tests/shipped/estimates.txt", text, changes);
}

}  // namespace orrery::scenario::estimates_test
