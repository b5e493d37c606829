// Keys that can change nothing are named, and truly change nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "orrery/scenario/simulate.hpp"
#include "paths.hpp"
#include "resolved.hpp"

namespace orrery::scenario::idle_keys_test {

namespace {

const std::string kFolder = orrery::testing::source_dir() + "/scenarios/";

Scenario loaded(const std::string& file, const std::vector<std::string>& sets) {
  Result<Scenario> s = load_scenario(kFolder + file, sets);
  REQUIRE_MESSAGE(s.ok(), render(s.errors()));
  return *s;
}

struct Case {
  std::vector<std::string> before;  // the scenario
  std::string key, value, why;      // and what is said in vain
};

}  // namespace

TEST_CASE("a key that can have no effect is named, and has none") {
  const std::string one = "layout={pipeline: 1, data: 8}", graph = "stack.launch.mode=graph";
  const Case cases[] = {
      {{one, "schedule=interleaved_1f1b"}, "layout.virtual", "1", ""},
      {{one, "schedule=interleaved_1f1b"}, "layout.virtual", "2", ""},  // chunks are passes and buckets of their own
      {{one}, "stack.communication.messages", "serialised", "there is one pipeline rank"},
      {{one}, "stack.optimizer.post_validation", "always", "there is one pipeline rank"},
      {{"layout={pipeline: 8, data: 1}"},
       "layout.zero",
       "optimizer",
       "no other rank shares the gradients (data and context are 1)"},
      {{"layout={pipeline: 8, data: 1}"},
       "training.overlap_data",
       "true",
       "no other rank shares the gradients (data and context are 1)"},
      {{}, "training.overlap_tensor", "true", "there is one tensor rank"},
      {{}, "training.overlap_context", "true", "there is one context rank"},
      {{}, "training.recompute_every", "2", "training.recompute is not full"},
      {{"training.recompute=selective"}, "training.recompute_every", "2", "training.recompute is not full"},
      {{"training.recompute=full"}, "training.recompute_every", "2", ""},
      {{}, "training.recompute_method", "block", "training.recompute is not full"},
      {{}, "training.recompute_num_layers", "2", "training.recompute is not full"},
      {{"training.recompute=full"}, "training.recompute_num_layers", "2", ""},
      {{"schedule={type: 1f1b}"}, "schedule.group", "4", "the schedule is not interleaved"},
      {{"schedule={type: zb_h1}"}, "schedule.memory_cap", "4", "the schedule is not zb_auto"},
      {{}, "layout.layers_per_stage", "[8, 8, 8, 8]", "layout.partition is not explicit"},
      {{graph}, "stack.launch.per_kernel", "9 us", "with stack.launch.mode graph launches cost nothing"},
      {{}, "cluster.scale_out.dragonfly.routers_per_group", "3", "cluster.scale_out.fabric is not dragonfly"},
      {{}, "cluster.scale_out.torus.wrap", "false", "cluster.scale_out.fabric is not torus"},
      {{}, "network", "steady", ""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.key);
    std::vector<std::string> sets = c.before;
    const Result<report::RunResult> without = resolve_and_simulate(loaded("quickstart-8gpu.yaml", sets));
    sets.push_back(c.key + "=" + c.value);
    const Scenario said = loaded("quickstart-8gpu.yaml", sets);
    const Diagnostics notes = idle_keys(said);
    CHECK(notes.size() == (c.why.empty() ? 0 : 1));
    if (notes.empty()) continue;
    CHECK(notes.front().path == c.key);
    CHECK(notes.front().message == "has no effect: " + c.why);
    CHECK(notes.front().place.file == "--set");
    const Result<report::RunResult> with = resolve_and_simulate(said);
    REQUIRE(with.ok());
    CHECK(with->notes.back() == c.key + " has no effect: " + c.why + ".");
    CHECK(with->timeline_hash == without->timeline_hash);
    CHECK(with->reserved == without->reserved);
  }
}

TEST_CASE("an order of blocking exchanges that no framework has is named an assumption") {
  const auto assumed = [](const std::vector<std::string>& sets) {
    const Result<report::RunResult> run = resolve_and_simulate(loaded("quickstart-8gpu.yaml", sets));
    REQUIRE(run.ok());
    return std::ranges::any_of(run->notes, [](const std::string& note) {
      return note.find("are an assumption; stack.communication.messages: asynchronous waits for none") != note.npos;
    });
  };
  const std::string stack = "stack=megatron-2022", asynchronous = "stack.communication.messages=asynchronous";
  CHECK(!assumed({stack}));
  CHECK(!assumed({stack, "schedule=gpipe"}));
  CHECK(assumed({stack, "schedule=interleaved_1f1b"}));
  CHECK(!assumed({stack, "schedule=interleaved_1f1b", "layout.virtual=2"}));
  CHECK(assumed({stack, "schedule=zb_h1"}));
  CHECK(!assumed({stack, asynchronous, "schedule=zb_h1"}));
}

TEST_CASE("several keys in vain for one reason are one note") {
  const Diagnostics notes = idle_keys(
      loaded("quickstart-8gpu.yaml", {"layout={pipeline: 8, zero: gradients}", "stack.communication.bucket=1MB"}));
  REQUIRE(notes.size() == 1);
  CHECK(render(notes.front()).starts_with("--set: layout.zero: has no effect, nor have stack.communication.bucket: "));
}

TEST_CASE("shipped scenarios and dumps of them say nothing in vain") {
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".yaml") continue;
    const Scenario s = loaded(entry.path().filename().string(), {});
    CAPTURE(s.name);
    CHECK(idle_keys(s).empty());
  }
}

}  // namespace orrery::scenario::idle_keys_test
