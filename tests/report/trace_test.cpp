#include <doctest/doctest.h>

#include <algorithm>

#include "example.hpp"
#include "orrery/core/random.hpp"
#include "trace_rules.hpp"

namespace orrery::report::trace_test {

using namespace orrery::report::testing;

namespace {

// Of the ranks, not of the critical path.
std::size_t slices_named(const Written& w, std::string_view name) {
  std::int64_t path = -1;
  for (const ordered_json& m : events_of(w.trace, "M"))
    if (m["name"] == "process_name" && m["args"]["name"] == "critical path") path = m["pid"].get<std::int64_t>();
  std::size_t count = 0;
  for (const ordered_json& e : events_of(w.trace, "X")) count += e["name"] == name && e["pid"] != path ? 1 : 0;
  return count;
}

std::vector<std::string> names(const Written& w, std::string_view kind) {
  std::vector<std::string> result;
  for (const ordered_json& e : events_of(w.trace, "M"))
    if (e["name"] == kind) result.push_back(e["args"]["name"].get<std::string>());
  return result;
}

}  // namespace

// The first event of each sort, to the letter.
TEST_CASE("trace events look as the viewers want them") {
  const Written w = written(run_example());
  const std::string begin = R"text({"displayTimeUnit":"ms",
"otherData":{"generator":"orrery","run":"toy model on 2 GPUs: pipeline 2, 1f1b","network_mode":"steady","detail":"stage","step_time_ps":15400000000},
"traceEvents": [
{"ph":"M","pid":0,"name":"process_name","args":{"name":"stage 0: rank 0"}},
{"ph":"M","pid":0,"name":"process_sort_index","args":{"sort_index":0}},
{"ph":"M","pid":0,"tid":1,"name":"thread_name","args":{"name":"passes"}},
)text";
  CHECK(w.text.substr(0, begin.size()) == begin);
  for (
      const char* line :
      {R"({"ph":"X","pid":0,"tid":1,"ts":0,"dur":1000,"name":"F","cat":"pass","cname":"thread_state_running","args":{"stage":0,"micro_batch":0,"work_us":1000,"other_us":0}})",
       // Leaves in the last nanoseconds of F0, arrives at the receive lane of rank 1 when the message does.
       R"({"ph":"s","id":1,"pid":0,"tid":1,"ts":999.998,"name":"activation","cat":"pipeline"})",
       R"({"ph":"f","bp":"e","id":1,"pid":1,"tid":3,"ts":1000,"name":"activation","cat":"pipeline"})",
       // 10 GiB of weights, 30 GiB of optimizer, one activation of 2 GiB from the start of F0.
       R"({"ph":"C","pid":0,"ts":0,"name":"memory weights","args":{"bytes":10737418240}})",
       R"({"ph":"C","pid":0,"ts":0,"name":"memory activations","args":{"bytes":2147483648}})",
       // Rank 1 has nothing to do until the first message is there: it waits for F, then for the message.
       R"({"ph":"X","pid":1,"tid":4,"ts":0,"dur":1000,"name":"bubble","cat":"bubble","cname":"grey","args":{"cause":"F","cause_rank":0,"cause_stage":0,"cause_micro_batch":0,"before":"F"}})",
       // The path begins with the same F.
       R"({"ph":"X","pid":3,"tid":1,"ts":0,"dur":1000,"name":"F","cat":"compute","cname":"good","args":{"stage":0,"micro_batch":0,"rank":0}})",
       R"({"ph":"i","s":"g","pid":0,"tid":1,"ts":15400,"name":"step ends"})"})
    CHECK(w.text.find(line) != std::string::npos);
  CHECK(w.text.substr(w.text.size() - 4) == "\n]}\n");
}

TEST_CASE("a trace keeps the rules of its viewers") {
  for (const char* name : {"gpipe", "1f1b", "interleaved_1f1b", "zb_h1", "dualpipe"}) {
    CAPTURE(name);
    const bool chunked = std::string_view(name) == "interleaved_1f1b";
    const RunResult run = run_example({.schedule = name, .ranks = 4, .chunks = chunked ? 2 : 1, .micro_batches = 8});
    const Written w = written(run);
    check_rules(w);
    for (const auto detail : {TraceDetail::step, TraceDetail::layer, TraceDetail::operators})
      check_rules(written(run, {.detail = detail}));
    CHECK(w.summary.ranks == std::vector<std::int32_t>{0, 1, 2, 3});
    CHECK(w.summary.devices_left_out == 0);
  }
}

// 4 ranks, 8 micro-batches: 32 F, 32 B, 3 · 8 messages each way.
TEST_CASE("every operation, message and arrow is there once") {
  const Written w = written(run_example({.ranks = 4, .micro_batches = 8}));
  CHECK(slices_named(w, "F") == 32);
  CHECK(slices_named(w, "B") == 32);
  CHECK(slices_named(w, "send activation") == 24);
  CHECK(slices_named(w, "receive activation") == 24);
  CHECK(slices_named(w, "receive gradient") == 24);
  CHECK(slices_named(w, "send gradient") == 24);
  CHECK(events_of(w.trace, "s").size() == 2 * 48);  // operation → message → operation

  const Written at_once = written(run_example({.ranks = 4, .micro_batches = 8, .message = {}}));
  check_rules(at_once);
  CHECK(slices_named(at_once, "send activation") == 0);  // they take no time
  CHECK(events_of(at_once.trace, "s").size() == 48);     // operation → operation
}

// Two copies in opposite directions, 4 micro-batches each: 3 · 4 messages each way and copy, whoever waits for them, an
// operation that runs a forward and a backward pass together too.
TEST_CASE("arrows lead to joint passes and from them") {
  const RunResult run = run_example({.schedule = "dualpipe", .ranks = 4, .micro_batches = 8});
  CHECK(std::ranges::count(run.program.operations, program::Activity::overlapped, &program::Operation::activity) > 0);
  const Written w = written(run);
  CHECK(slices_named(w, "receive activation") == 2 * 3 * 4);
  CHECK(events_of(w.trace, "s").size() == 2 * 2 * 2 * 3 * 4);
}

// An end may be a nanosecond early, where ts + dur in doubles would be late.
TEST_CASE("slices show the timeline to the nanosecond") {
  const RunResult run = run_example(
      {.forward = {1'234'567}, .input_gradient = {2'345'678}, .weight_gradient = {1'499}, .message = {54'321}});
  const engine::OperationTimes times = engine::operation_times(run.program, run.timeline);
  auto spans = spans_of(written(run).trace);
  std::size_t found = 0;
  for (std::size_t i = 0; i < run.program.operations.size(); ++i) {
    const program::Operation& op = run.program.operations[i];
    if (op.activity > program::Activity::overlapped) continue;
    for (const Span& span : spans.at({op.device, 1}))
      found += span.start == (times.start[i] + 500) / 1000 && (times.end[i] + 500) / 1000 - span.end <= 1 ? 1 : 0;
  }
  CHECK(found == 16);
}

// Times of some nanoseconds, where rounding matters most, or of milliseconds, where sums of doubles do; and messages
// that overlap each other on their lane.
TEST_CASE("the rules hold whatever the times") {
  Random random(7);
  const auto draw = [&](std::int64_t most) {
    return Time{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most)))};
  };
  std::size_t rows = 0;
  for (int i = 0; i < 40; ++i) {
    const RunResult run = run_example({.schedule = i % 2 == 0 ? "1f1b" : "zb_h1",
                                       .ranks = 3,
                                       .micro_batches = 6,
                                       .forward = draw(4000) + Time{i % 5 == 0 ? 21'477'011'000 : 1},
                                       .input_gradient = draw(4000),
                                       .weight_gradient = draw(3000),
                                       .message = draw(i % 4 < 2 ? 2000 : 20'000)});
    const Written w = written(run);
    check_rules(w);
    check_rules(written(run, {.detail = TraceDetail::operators}));
    const auto threads = names(w, "thread_name");
    rows += static_cast<std::size_t>(std::count(threads.begin(), threads.end(), "pipeline send 2"));
  }
  CHECK(rows > 0);
}

TEST_CASE("a process is named after the ranks it stands for") {
  RunResult run = run_example();
  run.program.devices[0].ranks = {0, 1, 2, 3, 4, 5, 6, 7};
  run.program.devices[1].ranks = {8, 10, 12, 14};
  const Written w = written(run);
  CHECK(names(w, "process_name") == std::vector<std::string>{"stage 0: rank 0 (alike: 1-7)",
                                                             "stage 1: rank 8 (alike: 10, 12, 14)", "critical path"});
  run.placement.devices = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  run.placement.per_node = 8;
  CHECK(names(written(run), "process_name").at(1) == "stage 1: rank 8, node 1 GPU 0 (alike: 10, 12, 14)");
  check_rules(w);
}

TEST_CASE("devices are left out, last first, where the events are too many") {
  const RunResult run = run_example({.ranks = 4, .micro_batches = 8});
  const Written whole = written(run);
  const Written part = written(run, {.most_events = whole.summary.events - 1});
  check_rules(part);
  CHECK(part.summary.ranks.size() == 3);
  CHECK(part.summary.devices_left_out == 1);
  CHECK(part.summary.events < whole.summary.events);
  CHECK(names(part, "process_name").at(2) == "stage 2: rank 2");
  const Written least = written(run, {.most_events = 1});
  check_rules(least);
  CHECK(least.summary.ranks.size() == 1);
  // All of it is written where all of it is allowed.
  CHECK(written(run, {.most_events = whole.summary.events}).text == whole.text);
}

TEST_CASE("a long trace comes in parts") {
  const Written w = written(run_example({.ranks = 4, .micro_batches = 400}));
  CHECK(w.text.size() > 1'000'000);
  CHECK(w.largest_part < 80'000);
}

// Ranks 0 and 1 are stage 0, 2 and 3 stage 1; device 1 stands for ranks 2 and 3.
TEST_CASE("ranks are chosen by number, by stage, or all") {
  RunResult run = run_example({.ranks = 3});
  run.gpus = 4;
  run.program.devices[0].ranks = {1};
  run.program.devices[1].ranks = {2, 3};
  run.program.devices[1].at[layout::Dimension::pipeline] = 1;
  run.program.devices[2].ranks = {0};
  run.program.devices[2].at[layout::Dimension::pipeline] = 0;
  using Devices = std::vector<program::DeviceIndex>;
  const auto chosen = [&](std::string_view ranks) {
    const auto devices = trace_devices(run, ranks);
    REQUIRE(devices.ok());
    return *devices;
  };
  CHECK(chosen("all") == Devices{2, 0, 1});
  CHECK(chosen("one-per-stage") == Devices{2, 1});
  CHECK(chosen("1") == Devices{0});
  CHECK(chosen("2,3") == Devices{1});
  CHECK(chosen("3,0-1") == Devices{2, 0, 1});
  const auto error = [&](std::string_view ranks) {
    const auto devices = trace_devices(run, ranks);
    REQUIRE(!devices.ok());
    return render(devices.errors());
  };
  const std::string help = "\n  help: ranks and ranges of them, one-per-stage or all: --trace-ranks 0,8-15\n";
  CHECK(error("99") == "--trace-ranks: there is no rank 99: the run has ranks 0 to 3" + help);
  CHECK(error("0-4") == "--trace-ranks: there is no rank 4: the run has ranks 0 to 3" + help);
  CHECK(error("3-1") == "--trace-ranks: '3-1' goes backwards" + help);
  CHECK(error("0,,1") == "--trace-ranks: expected a rank, got ''" + help);
  CHECK(error("first") == "--trace-ranks: expected a rank, got 'first'" + help);
  CHECK(error("") == "--trace-ranks: expected a rank, got ''" + help);
}

TEST_CASE("a trace of chosen devices has their arrows and no others") {
  const RunResult run = run_example({.ranks = 4, .micro_batches = 8});
  const Written two = written(run, {.devices = {1, 2}});
  check_rules(two);
  CHECK(two.summary.ranks == std::vector<std::int32_t>{1, 2});
  // 8 messages each way between them, from pass to message to pass; of those from outside the way from the message on.
  CHECK(events_of(two.trace, "s").size() == 2 * 16 + 16);
}

// Steps as wholes: rank 0 of 2 works from the start of its first F to the end of its last B, with its waits below.
TEST_CASE("by step, the passes of a rank are one slice") {
  const Written w = written(run_example(), {.detail = TraceDetail::step});
  check_rules(w);
  CHECK(slices_named(w, "passes") == 2);
  CHECK(slices_named(w, "F") == 0);
  CHECK(slices_named(w, "send activation") == 0);
  CHECK(events_of(w.trace, "s").empty());
  CHECK(slices_named(w, "bubble") > 0);
}

// What viewers sum: the work of the passes is that of the split, the waits are its bubble.
TEST_CASE("the arguments of a rank's slices sum to its split") {
  const RunResult run = run_example({.ranks = 4, .micro_batches = 8});
  const Written w = written(run);
  for (std::int64_t rank = 0; rank < 4; ++rank) {
    double work = 0, bubble = 0;
    for (const ordered_json& e : events_of(w.trace, "X")) {
      if (e["pid"] != rank) continue;
      if (e["cat"] == "pass") work += e["args"]["work_us"].get<double>();
      if (e["name"] == "bubble") bubble += e["dur"].get<double>();
    }
    const engine::Breakdown& split = run.split[static_cast<std::size_t>(rank)];
    CHECK(work == doctest::Approx(static_cast<double>(split[0]) / 1e6));
    CHECK(bubble ==
          doctest::Approx(static_cast<double>(split[static_cast<std::size_t>(program::Category::bubble)]) / 1e6));
  }
}

}  // namespace orrery::report::trace_test
