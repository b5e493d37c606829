// What is slow or down for a part of the step.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "orrery/core/random.hpp"
#include "simulated.hpp"

namespace orrery::scenario::passing_test {

namespace {

const std::string kBase =
    "model: {type: gpt3-125m, layers: 4}\ncluster: {type: selene, nodes: 2}\n"
    "layout: {tensor: 2, pipeline: 2, data: 4}\ntraining: {sequence_length: 1024, global_batch: 16}\n"
    "stack: megatron-2024\n";

std::string text_of(const std::string& mode, const std::string& perturb) {
  return kBase + "network: {mode: " + mode + "}\n" + (perturb.empty() ? "" : "perturb: [" + perturb + "]\n");
}

report::RunResult check_ways(const std::string& text) {
  report::RunResult run = simulated(text);
  for (const RunOptions& way : {RunOptions{.every_rank = true}, RunOptions{.fuse = false},
                                RunOptions{.force_events = true}, RunOptions{.every_rank = true, .force_events = true}})
    CHECK(simulated(text, way).timeline_hash == run.timeline_hash);
  return run;
}

}  // namespace

TEST_CASE("what lasts from the beginning of the step beyond its end is as what has no times") {
  for (const std::string mode : {"ideal", "steady", "flows"})
    for (const std::string what :
         {"device: 5, compute_factor: 0.5", "device: 5, bandwidth_factor: 0.2", "node: 1, compute_factor: 0.7",
          "link: node0.gpu3--node0.nvswitch, bandwidth_factor: 0.1"}) {
      CAPTURE(what);
      const auto all = simulated(text_of(mode, "{" + what + "}"));
      const auto until = check_ways(text_of(mode, "{" + what + ", until: 100 s}"));
      CHECK(until.timeline_hash == all.timeline_hash);
      CHECK(until.timeline.step_time == all.timeline.step_time);
      REQUIRE(until.faults.size() == 1);
      CHECK(until.faults[0].without == all.unperturbed);
      CHECK(simulated(text_of(mode, "{" + what + ", from: 0 s, until: 100 s}")).timeline_hash == all.timeline_hash);
    }
}

TEST_CASE("what passes before the step has ended costs a part of what it costs for good") {
  for (const char* mode : {"ideal", "steady", "flows"}) {
    const std::int64_t plain = simulated(text_of(mode, "")).timeline.step_time.value;
    const std::int64_t good = simulated(text_of(mode, "{device: 5, compute_factor: 0.5}")).timeline.step_time.value;
    const std::string half = fmt::format("{} us", plain / 2'000'000);
    const auto first = check_ways(text_of(mode, "{device: 5, compute_factor: 0.5, until: " + half + "}"));
    const auto second = check_ways(text_of(mode, "{device: 5, compute_factor: 0.5, from: " + half + "}"));
    CHECK(first.timeline.step_time.value > plain);
    CHECK(first.timeline.step_time.value < good);
    CHECK(second.timeline.step_time.value > plain);
    CHECK(second.timeline.step_time.value < good);
  }
}

// No task waits longer than what it waits for is down.
TEST_CASE("what is down for a while delays the step by no longer") {
  for (const char* mode : {"ideal", "steady"}) {
    const std::int64_t plain = simulated(text_of(mode, "")).timeline.step_time.value;
    for (const char* what : {"device: 5", "node: 1", "link: node1.gpu2--node1.nvswitch"})
      for (int tenth = 0; tenth < 10; tenth += 3) {
        const std::int64_t from = plain / 10 * tenth, length = plain / 8;
        const auto run = check_ways(
            text_of(mode, fmt::format("{{{}, down: true, from: {} ps, until: {} ps}}", what, from, from + length)));
        CHECK(run.timeline.step_time.value >= plain);
        CHECK(run.timeline.step_time.value <= plain + length);
        REQUIRE(run.faults.size() == 1);
        CHECK(run.faults[0].without.value == plain);
        CHECK(run.notes ==
              simulated(text_of(mode, fmt::format("{{{}, bandwidth_factor: 0.5, until: 1 ps}}", what))).notes);
      }
  }
}

// A transfer that stands has not ended: the counters of the links go on with its phase.
TEST_CASE("links whose transfers stand are in use again when they go on") {
  const std::string text = text_of("flows",
                                   "{node: 1, down: true, from: 2 ms, until: 12 ms}, "
                                   "{link: node0.gpu1--node0.nvswitch, down: true, from: 4 ms, until: 7 ms}");
  const auto run = simulated(text, {.record_links = true});
  CHECK(run.timeline_hash == simulated(text).timeline_hash);
  for (const report::LevelUse& use : run.link_use) {
    REQUIRE(!use.samples.empty());
    CHECK(use.samples.back().fraction == 0);
    for (const report::LevelUse::Sample& sample : use.samples) {
      CHECK(sample.fraction >= 0);
      CHECK(sample.fraction <= 1.000001);
    }
  }
}

TEST_CASE("who waits for what passes, and until when") {
  const auto plain = simulated(text_of("steady", ""));
  const auto run = check_ways(text_of("steady", "{device: 5, down: true, from: 2 ms, until: 5 ms}"));
  REQUIRE(run.faults.size() == 1);
  const report::Fault& fault = run.faults[0];
  CHECK(fault.what == "GPU 5 down");
  CHECK(fault.without == plain.timeline.step_time);
  const auto own = std::ranges::find_if(fault.late, [](const auto& late) { return late.itself; });
  REQUIRE(own != fault.late.end());
  CHECK(run.program.devices[own->device].ranks == std::vector<std::int32_t>{5});
  CHECK(own->most <= Time{3'000'000'000});
  CHECK(fault.late.size() > 1);
  for (const report::Fault::Late& late : fault.late) {
    CHECK(late.from >= fault.from);
    CHECK(late.until <= run.timeline.step_time);
    CHECK(late.most.value > 0);
  }
}

TEST_CASE("each of several that overlap is told apart") {
  const std::string slow = "{device: 5, compute_factor: 0.5, from: 1 ms, until: 9 ms}",
                    link = "{link: node1.gpu2--node1.nvswitch, bandwidth_factor: 0.1, from: 3 ms, until: 20 ms}",
                    down = "{node: 0, down: true, from: 4 ms, until: 5 ms}";
  for (const char* mode : {"ideal", "steady", "flows"}) {
    const auto run = check_ways(text_of(mode, slow + ", " + link + ", " + down));
    REQUIRE(run.faults.size() == 3);
    CHECK(run.faults[0].without == simulated(text_of(mode, link + ", " + down)).timeline.step_time);
    CHECK(run.faults[1].without == simulated(text_of(mode, slow + ", " + down)).timeline.step_time);
    CHECK(run.faults[2].without == simulated(text_of(mode, slow + ", " + link)).timeline.step_time);
    CHECK(run.perturbations[2] == "node 0 down from 4 ms until 5 ms");
  }
}

TEST_CASE("what begins after the step has ended changes nothing, and a note says so") {
  for (const char* mode : {"ideal", "steady", "flows"}) {
    const auto run = check_ways(text_of(mode, "{device: 5, down: true, from: 100 s, until: 101 s}"));
    CHECK(run.timeline.step_time == simulated(text_of(mode, "")).timeline.step_time);
    REQUIRE(run.faults.size() == 1);
    CHECK(run.faults[0].late.empty());
    const std::string link = "{link: node0.gpu3--node0.nvswitch, bandwidth_factor: 0.1, from: 100 s}";
    CHECK(check_ways(text_of(mode, link)).timeline.step_time == simulated(text_of(mode, "")).timeline.step_time);
    CHECK(report::to_text(run, {}).find("it begins after the step has ended") != std::string::npos);
  }
}

// The optimizer of the step before runs on while this one begins: times are after the end of that step.
TEST_CASE("times are after the start of the last step where several are played") {
  const std::string several =
      "model: {type: gpt3-125m, layers: 4}\ncluster: {type: selene, nodes: 1}\nlayout: {pipeline: 4, data: 2}\n"
      "training: {sequence_length: 1024, global_batch: 16}\nschedule: zb_h1\n"
      "stack: {type: megatron-2023, optimizer: {post_validation: split_backward}}\nnetwork: steady\n";
  const auto plain = simulated(several);
  REQUIRE(plain.program.steps > 1);
  const auto run = check_ways(several + "perturb: [{device: 2, down: true, from: 1 ms, until: 4 ms}]\n");
  CHECK(run.timeline.step_time > plain.timeline.step_time);
  CHECK(run.timeline.step_time.value <= plain.timeline.step_time.value + 3'000'000'000);
  CHECK(engine::begin_of_last_step(run.program, run.timeline) ==
        engine::begin_of_last_step(plain.program, plain.timeline));
  CHECK(run.faults.at(0).without == plain.timeline.step_time);
  CHECK(simulated(several + "perturb: [{device: 2, down: true, from: 100 s, until: 101 s}]\n").timeline_hash ==
        plain.timeline_hash);
}

// Found by drawn scenarios: a pass with a call that stands was taken for one whose calls take as long.
TEST_CASE("a call that stands in one part of the step goes on in the next") {
  for (const char* mode : {"ideal", "steady", "flows"}) {
    const std::string slow = "{device: 5, compute_factor: 0.5, from: 5 ms}";
    const auto run =
        check_ways(text_of(mode, "{link: node0.nvswitch->node0.gpu3, down: true, from: 4 ms, until: 6 ms}, " + slow));
    CHECK(run.faults.at(0).without == simulated(text_of(mode, slow)).timeline.step_time);
    CHECK(run.timeline.step_time >= run.faults.at(0).without);
  }
}

// Found by runs of drawn scenarios: ranks whose messages take as long but for a link that stands were played as one.
TEST_CASE("ranks are told apart by a link that is down for a part of the step") {
  for (const char* mode : {"ideal", "steady"})
    CHECK(check_ways("model: {type: gpt3-125m, layers: 8}\ncluster: {type: selene, nodes: 2}\n"
                     "layout: {pipeline: 4, data: 4}\ntraining: {sequence_length: 2048, global_batch: 32}\n"
                     "stack: megatron-2023\nnetwork: " +
                     std::string(mode) +
                     "\nperturb: [{link: node0.gpu3--node0.nvswitch, down: true, from: 14 ms, until: 34 ms}]\n")
              .faults.size() == 1);
}

}  // namespace orrery::scenario::passing_test
