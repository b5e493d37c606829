#include <doctest/doctest.h>

#include "example.hpp"
#include "orrery/core/random.hpp"
#include "trace_rules.hpp"

using namespace orrery;
using namespace orrery::report;
using namespace orrery::report::testing;

namespace {

std::size_t slices_named(const Written& w, std::string_view beginning) {
  std::size_t count = 0;
  for (const ordered_json& e : events_of(w.trace, "X"))
    count += e["name"].get<std::string>().rfind(beginning, 0) == 0 ? 1 : 0;
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
"otherData":{"generator":"orrery","run":"toy model on 2 GPUs: pipeline 2, 1f1b","network_mode":"steady","step_time_ps":15400000000},
"traceEvents": [
{"ph":"M","pid":0,"name":"process_name","args":{"name":"rank 0 (stage 0)"}},
{"ph":"M","pid":0,"name":"process_sort_index","args":{"sort_index":0}},
{"ph":"M","pid":0,"tid":1,"name":"thread_name","args":{"name":"compute"}},
)text";
  CHECK(w.text.substr(0, begin.size()) == begin);
  for (
      const char* line :
      {R"({"ph":"X","pid":0,"tid":1,"ts":0,"dur":1000,"name":"F0","cat":"compute","cname":"thread_state_running","args":{"stage":"0","micro_batch":"0"}})",
       // Leaves in the last nanoseconds of F0, arrives at the receive lane of rank 1 when the message does.
       R"({"ph":"s","id":1,"pid":0,"tid":1,"ts":999.998,"name":"activation","cat":"pipeline"})",
       R"({"ph":"f","bp":"e","id":1,"pid":1,"tid":3,"ts":1000,"name":"activation","cat":"pipeline"})",
       // 10 GiB of weights, 30 GiB of optimizer, one activation of 2 GiB from the start of F0.
       R"({"ph":"C","pid":0,"ts":0,"name":"memory","args":{"weights":10737418240,"optimizer":32212254720,"activations":2147483648}})",
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
    check_rules(written(run, {.most_events = 1'000'000, .inner = true}));
    CHECK(w.summary.devices == 4);
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
  CHECK(events_of(w.trace, "X").size() == 32 + 32 + 4 * 24);
  CHECK(events_of(w.trace, "s").size() == 2 * 48);  // operation → message → operation

  const Written at_once = written(run_example({.ranks = 4, .micro_batches = 8, .message = {}}));
  check_rules(at_once);
  CHECK(slices_named(at_once, "send") == 0);          // they take no time
  CHECK(events_of(at_once.trace, "s").size() == 48);  // operation → operation
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
    check_rules(written(run, {.most_events = 100'000, .inner = true}));
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
  CHECK(names(w, "process_name") == std::vector<std::string>{"ranks 0-7 (stage 0)", "ranks 8, 10, 12, 14 (stage 1)"});
  check_rules(w);
}

TEST_CASE("devices are left out, last first, where the events are too many") {
  const RunResult run = run_example({.ranks = 4, .micro_batches = 8});
  const Written whole = written(run);
  const Written part = written(run, {.most_events = whole.summary.events - 1, .inner = false});
  check_rules(part);
  CHECK(part.summary.devices == 3);
  CHECK(part.summary.devices_left_out == 1);
  CHECK(part.summary.events < whole.summary.events);
  CHECK(names(part, "process_name").back() == "rank 2 (stage 2)");
  const Written least = written(run, {.most_events = 1, .inner = false});
  check_rules(least);
  CHECK(least.summary.devices == 1);
  // All of it is written where all of it is allowed.
  CHECK(written(run, {.most_events = whole.summary.events, .inner = false}).text == whole.text);
}

TEST_CASE("a long trace comes in parts") {
  const Written w = written(run_example({.ranks = 4, .micro_batches = 400}));
  CHECK(w.text.size() > 1'000'000);
  CHECK(w.largest_part < 80'000);
}
