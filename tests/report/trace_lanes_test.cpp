// Lanes beside compute, what is nested in an operation, and long memory curves: a Program made task by task.
#include <doctest/doctest.h>

#include <array>

#include "example.hpp"
#include "orrery/program/builder.hpp"
#include "trace_rules.hpp"

namespace orrery::report::trace_lanes_test {

using namespace orrery::report::testing;
using program::Activity;
using program::Category;
using program::kNone;
using program::Lane;

namespace {

RunResult run_of(program::Builder& builder) {
  auto program = builder.finish();
  REQUIRE(program.ok());
  RunResult run;
  run.title = "made by hand";
  run.scenario_json = "{}";
  run.network_mode = "ideal";
  run.program = std::move(program).value();
  run.gpus = run.program.ranks();
  play(run);
  return run;
}

program::TaskTemplate task(const char* name, std::int64_t microseconds, Category category, Lane lane) {
  program::TaskTemplate t;
  t.name = name;
  t.duration = {microseconds * 1'000'000};
  t.category = category;
  t.lane = t.partner_lane = lane;
  return t;
}

struct Seen {
  std::string thread, name;
  std::int64_t start, length;
  bool operator==(const Seen&) const = default;
};
// Slices of a process, µs, with the names of their threads.
std::vector<Seen> seen(const Written& w, std::int64_t pid) {
  std::map<Thread, std::string> thread;
  for (const ordered_json& m : events_of(w.trace, "M"))
    if (m["name"] == "thread_name") thread[thread_of(m)] = m["args"]["name"].get<std::string>();
  std::vector<Seen> result;
  for (const ordered_json& e : events_of(w.trace, "X"))
    if (e["pid"] == pid)
      result.push_back(
          {thread.at(thread_of(e)), e["name"].get<std::string>(), ns(e["ts"]) / 1000, ns(e["dur"]) / 1000});
  return result;
}

// Two ranks: 1 µs on the host; F0 = a kernel of 2 µs, a tensor-parallel call of 3 µs both take part in, a kernel of 1
// µs; then the gradients are reduced in 4 µs and the optimizer takes 2 µs.
RunResult unfused() {
  program::Builder b;
  const auto launch = b.add_template(task("launch", 1, Category::host, Lane::host));
  const auto qkv = b.add_template(task("qkv", 2, Category::compute, Lane::compute));
  auto call = task("all-reduce", 3, Category::tensor_comm, Lane::tensor);
  call.bytes_sent = {1024};
  const auto reduce = b.add_template(call);
  const auto mlp = b.add_template(task("mlp", 1, Category::compute, Lane::compute));
  const auto gradients = b.add_template(task("reduce gradients", 4, Category::data_comm, Lane::data));
  const auto adam = b.add_template(task("optimizer", 2, Category::optimizer, Lane::compute));
  std::vector<program::Participant> f, g;
  std::vector<program::TaskId> first;
  for (std::int32_t r = 0; r < 2; ++r) {
    program::Device device;
    device.ranks = {r};
    device.at[layout::Dimension::tensor] = r;
    const auto d = b.add_device(device);
    f.push_back({d, b.add_operation({d, Activity::forward, 0, 0, 0})});
    g.push_back({d, b.add_operation({d, Activity::gradient_reduce, 0, -1, 5})});
    const auto host = b.add_task(launch, program::Participant{d, kNone});
    first.push_back(b.add_task(qkv, f.back()));
    b.add_edge(host, first.back());
  }
  const auto called = b.add_task(reduce, f), reduced = b.add_task(gradients, g);
  for (std::size_t d = 0; d < 2; ++d) {
    b.add_edge(first[d], called);
    const auto second = b.add_task(mlp, f[d]);
    b.add_edge(called, second);
    b.add_edge(second, reduced);
    const auto device = static_cast<program::DeviceIndex>(d);
    const auto step =
        b.add_task(adam, program::Participant{device, b.add_operation({device, Activity::optimizer, 0, -1, -1})});
    b.add_edge(reduced, step);
  }
  return run_of(b);
}

}  // namespace

TEST_CASE("every lane in use is a thread, in order, and an operation spans its tasks") {
  const Written w = written(unfused(), {.devices = {0, 1}});  // both of one stage
  check_rules(w);
  for (const std::int64_t pid : {0, 1})
    CHECK(seen(w, pid) == std::vector<Seen>{{"passes", "F", 1, 6},
                                            {"passes", "optimizer", 11, 2},
                                            {"data", "reduce gradients", 7, 4},
                                            {"host", "launch", 0, 1},
                                            {"waits", "wait for host", 0, 1}});
  CHECK(events_of(w.trace, "C").empty());  // no memory, no counter
}

// F0 as one task: a kernel of 2 us, a tensor-parallel call of 3, a kernel of 2; gradients are reduced from 0 to 4,
// which doubles the time of the kernels: 4 + 3 + 2.
TEST_CASE("what is in a task that traffic slowed stands where it ran") {
  program::Builder b;
  program::Device device;
  device.ranks = {0};
  const auto d = b.add_device(device);
  constexpr std::int64_t us = 1'000'000;
  auto pass = task("pass", 7, Category::compute, Lane::compute);
  pass.slowdown_class = b.add_slowdown({2, 1});
  pass.segments = b.add_segments(std::array{program::Segment{{2 * us}, Category::compute},
                                            program::Segment{{5 * us}, Category::tensor_comm},
                                            program::Segment{{7 * us}, Category::compute}});
  pass.steps = b.add_kernel_ends(std::array{program::KernelEnd{2 * us, 4 * us}, program::KernelEnd{5 * us, 7 * us},
                                            program::KernelEnd{7 * us, 11 * us}});
  std::array<program::PassPart, 3> parts{};
  parts[0] = {{}, {2 * us}, "qkv"};
  parts[1] = {{2 * us}, {5 * us}, "call", Category::tensor_comm, Lane::tensor};
  parts[2] = {{5 * us}, {7 * us}, "mlp"};
  pass.inside = b.add_inside(parts);
  const auto f = b.add_operation({d, Activity::forward, 0, 0, 0});
  const auto g = b.add_operation({d, Activity::gradient_reduce, 0, -1, 0});
  b.add_task(b.add_template(task("reduce gradients", 4, Category::data_comm, Lane::data)), program::Participant{d, g});
  b.add_task(b.add_template(pass), program::Participant{d, f});
  const Written w = written(run_of(b), {.detail = TraceDetail::operators});
  check_rules(w);
  CHECK(seen(w, 0) == std::vector<Seen>{{"passes", "F", 0, 9},
                                        {"compute", "qkv", 0, 4},
                                        {"compute", "mlp", 7, 2},
                                        {"tensor", "all-reduce", 4, 3},
                                        {"data", "reduce gradients", 0, 4}});
}

// 1024 bytes in 3 us: 0.3413 GB/s.
TEST_CASE("by operator, kernels and calls stand on their own rows") {
  const Written w = written(unfused(), {.detail = TraceDetail::operators});
  check_rules(w);
  CHECK(seen(w, 0) == std::vector<Seen>{{"passes", "F", 1, 6},
                                        {"passes", "optimizer", 11, 2},
                                        {"compute", "qkv", 1, 2},
                                        {"compute", "mlp", 6, 1},
                                        {"compute", "optimizer", 11, 2},
                                        {"tensor", "all-reduce", 3, 3},
                                        {"data", "reduce gradients", 7, 4},
                                        {"host", "launch", 0, 1},
                                        {"waits", "wait for host", 0, 1}});
  CHECK(
      w.text.find(
          R"("name":"all-reduce","cat":"tensor_comm","cname":"yellow","args":{"stage":0,"micro_batch":0,"bytes":1024,"GB_per_s":0.3413,"waited_for":"F")") !=
      std::string::npos);
}

// A backward pass of 6 us in a block of 2 us recomputation, a call of 3 us and 1 us of compute on layer 7 of the model,
// twice: by layer and kernel as they lie in it.
TEST_CASE("the parts of a fused block are on the rows of what they are") {
  program::Builder b;
  auto block = task("pass", 6, Category::compute, Lane::compute);
  const program::Segment segments[] = {
      {{2'000'000}, Category::recompute}, {{5'000'000}, Category::tensor_comm}, {{6'000'000}, Category::compute}};
  block.segments = b.add_segments(segments);
  const auto part = [](std::int64_t from, std::int64_t to, const char* name, Category category, Lane lane) {
    program::PassPart p;
    p.start = {from * 1'000'000}, p.end = {to * 1'000'000};
    p.name = name, p.category = category, p.lane = lane, p.backward = true, p.layer = 3;
    return p;
  };
  program::PassPart parts[] = {
      part(0, 1, "norm", Category::recompute, Lane::compute), part(1, 2, "qkv", Category::recompute, Lane::compute),
      part(2, 5, "qkv", Category::tensor_comm, Lane::tensor), part(5, 6, "qkv", Category::compute, Lane::compute)};
  parts[2].collective = Collective::dispatch;  // the last of its kind
  block.inside = b.add_inside(parts);
  const auto pass = b.add_template(block);
  program::Device device;
  device.ranks = {0};
  const auto d = b.add_device(device);
  const program::Participant backward{d, b.add_operation({d, Activity::backward, 0, 0, 3})};
  b.add_task(pass, backward);
  b.add_task(pass, backward);  // a pass in two pieces
  RunResult run = run_of(b);
  run.stages.push_back({{4, 4, false, false}, 0, {}, {}});
  CHECK(seen(written(run), 0) == std::vector<Seen>{{"passes", "B", 0, 12}});
  const Written layers = written(run, {.detail = TraceDetail::layer});
  check_rules(layers);
  CHECK(seen(layers, 0) == std::vector<Seen>{{"passes", "B", 0, 12},
                                             {"compute", "recompute", 0, 2},
                                             {"compute", "B", 5, 1},
                                             {"compute", "recompute", 6, 2},
                                             {"compute", "B", 11, 1},
                                             {"tensor", "dispatch", 2, 3},
                                             {"tensor", "dispatch", 8, 3}});
  CHECK(layers.text.find(
            R"("name":"recompute","cat":"recompute","cname":"olive","args":{"stage":0,"micro_batch":3,"layer":7})") !=
        std::string::npos);
  const Written kernels = written(run, {.detail = TraceDetail::operators});
  check_rules(kernels);
  CHECK(seen(kernels, 0).at(1) == Seen{"compute", "norm", 0, 1});
  CHECK(seen(kernels, 0).at(2) == Seen{"compute", "qkv", 1, 1});
}

// 60 000 tasks take 1000 bytes each and give them back; one takes 10^6. Thinned to 7500 samples, the peak stays.
TEST_CASE("a long memory curve is thinned and keeps its peak") {
  program::Builder b;
  program::Device device;
  device.ranks = {0};
  const auto d = b.add_device(device);
  const auto holding = [&](std::int64_t bytes) {
    auto t = task("kernel", 1, Category::compute, Lane::compute);
    const program::MemoryEffect effects[] = {{kNone, false, program::MemoryClass::activations, {100'000}, bytes},
                                             {kNone, false, program::MemoryClass::activations, {900'000}, -bytes}};
    t.effects = b.add_effects(effects);
    return b.add_template(t);
  };
  const auto little = holding(1000), much = holding(1'000'000);
  for (int i = 0; i < 60'000; ++i) b.add_task(i == 41'234 ? much : little, program::Participant{d, kNone});
  const Written w = written(run_of(b));
  std::int64_t peak = 0;
  const std::vector<ordered_json> samples = events_of(w.trace, "C");
  for (const ordered_json& c : samples) {
    CHECK(c["name"] == "memory activations");
    peak = std::max(peak, c["args"]["bytes"].get<std::int64_t>());
  }
  CHECK(samples.size() <= 7'503);  // an eighth of the slices
  CHECK(samples.size() > 5'000);
  CHECK(peak == 1'000'000);
  CHECK(ns(samples.back()["ts"]) == 60'000'000);
  CHECK(samples.back()["args"]["bytes"] == 0);
  check_counters(w.trace);
}

}  // namespace orrery::report::trace_lanes_test
