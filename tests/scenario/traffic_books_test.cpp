// The books of bytes: they balance for whatever is played, and what is broken is found.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/scenario/simulate.hpp"
#include "resolved.hpp"

namespace orrery::scenario::traffic_books_test {

namespace {

struct Played {
  report::RunResult run;
  std::unique_ptr<hardware::Topology> topology;
  std::vector<hardware::Link> links;

  explicit Played(const char* mode, bool fuse = true) {
    const auto scenario = read_scenario_text(
        fmt::format("model: gpt3-125m\ncluster: {{type: dgx-h100, nodes: 2}}\nlayout: {{tensor: 2, pipeline: 4, data: "
                    "2}}\ntraining: {{sequence_length: 512, global_batch: 8}}\nstack: megatron-2024\nnetwork: {{mode: "
                    "{}}}\n",
                    mode),
        "test.yaml");
    REQUIRE(scenario.ok());
    auto played = resolve_and_simulate(*scenario, {.fuse = fuse});
    REQUIRE(played.ok());
    run = std::move(played).value();
    topology = std::move(hardware::build_topology(scenario->cluster, scenario->cluster.nodes)).value();
    links = topology->links();
  }
  std::vector<std::string> wrong() const {
    return engine::audit_traffic(run.program, run.timeline, links, topology->devices());
  }
  // The first thing found, or "".
  std::string found() const { return wrong().empty() ? "" : wrong().front(); }
  program::Call& call() {
    for (program::Call& each : run.program.calls)
      if (each.collective == Collective::all_reduce && each.traffic.sent.value > 0) return each;
    FAIL("no call");
    return run.program.calls.front();
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a call that receives more than was sent, or moves less than its collective must, is found") {
  for (const char* mode : {"ideal", "steady", "flows"})
    for (const bool fuse : {true, false}) {
      Played played(mode, fuse);
      CHECK(played.wrong().empty());
      program::Call& call = played.call();
      const network::Traffic right = call.traffic;
      CHECK(right.sent == right.must_send);
      call.traffic.received += Bytes{1};
      CHECK(contains(played.found(), fmt::format("all_reduce of template")));
      CHECK(contains(played.found(),
                     fmt::format("sends {} bytes and receives {}", right.sent.value, right.sent.value + 1)));
      call.traffic = right;
      call.traffic.sent = call.traffic.received = right.must_send - Bytes{1};
      CHECK(contains(played.found(), fmt::format("it must {} and {}", right.must_send.value, right.must_send.value)));
    }
}

TEST_CASE("a transfer faster than its links is found, planned or played") {
  for (const char* mode : {"steady", "flows"}) {
    Played played(mode);
    program::Call& call = played.call();
    call.alone = call.took = call.traffic.wire - Time{1};
    CHECK(contains(played.found(), "its links at full rate"));
    Played other(mode, false);
    for (program::TaskId task = 0; task < other.run.program.tasks(); ++task) {
      const program::TaskTemplate& t = other.run.program.template_of(task);
      if (t.calls.count == 0 || other.run.program.calls[t.calls.first].traffic.wire.value == 0) continue;
      other.run.timeline.end[task] =
          other.run.timeline.start[task] + other.run.program.calls[t.calls.first].traffic.wire.value - 1;
      CHECK(contains(other.found(), fmt::format("task {} takes", task)));
      break;
    }
  }
}

TEST_CASE("a link that carried other bytes than its transfers have, or more than it can, is found") {
  Played played("flows");
  std::size_t used = 0;
  while (played.run.timeline.carried[used].value == 0) ++used;
  played.run.timeline.carried[used] += Bytes{1};
  CHECK(contains(played.found(), fmt::format("link {} carried", used)));
  played.run.timeline.carried[used] -= Bytes{1};
  CHECK(played.wrong().empty());
  const BytesPerSecond bandwidth = played.links[used].bandwidth;
  played.links[used].bandwidth = {played.run.timeline.carried[used].value / 1000};
  CHECK(contains(played.found(), "more than it can"));
  played.links[used].bandwidth = bandwidth;
  // A phase that forgets one of its links, in the Program and as it was played: what enters a switch does not leave it.
  for (program::Transfer& transfer : played.run.program.transfers)
    for (network::Phase& phase : transfer.phases)
      std::erase_if(phase.links, [&](const network::LinkUse& use) { return use.link == static_cast<int>(used); });
  played.run.timeline.carried[used] = {};
  CHECK(contains(played.found(), "of the network receives"));
}

}  // namespace orrery::scenario::traffic_books_test
