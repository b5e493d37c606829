// Which collectives of the gradient groups go with which pass, per ZeRO stage: a model of two layers on four ranks.
#include "program/data_parallel.hpp"

#include <doctest/doctest.h>

#include <string>

#include "parts.hpp"

namespace orrery::program::data_parallel_test {

using layout::PassKind;
using layout::Zero;
using program::test::ByHand;
using program::test::Parts;
using schedule::OpKind;

namespace {

// Hidden 256: a layer, the tables of 1024 tokens and 2048 positions, and the final norm; the head is the token table.
constexpr std::int64_t kLayer = program::test::layer_parameters(256), kTables = (1024 + 2048) * 256, kNorm = 2 * 256;
constexpr std::int64_t kAll = 2 * kLayer + kTables + kNorm;

ByHand two_layers(Zero zero, bool overlap, int data = 4) {
  ByHand step("1f1b", 1, 1, 1, 2);
  step.model.layers = 2;
  step.layout.data = data, step.layout.zero = zero;
  step.stack.communication.overlap_data = overlap;
  step.put_on((data + 1) / 2);
  return step;
}

std::vector<DataCall> calls_of(Parts& parts, OpKind kind, bool first = false, bool last = false) {
  schedule::Operation op;
  op.kind = kind;
  return parts.data.calls(0, op, false, first, last);
}

// "gather 512 @3" the whole array of 512 bytes before step 3; "reduce 512 @3" behind the steps before 3. Of four ranks
// each sends three quarters of what it gathers or scatters, and twice that of what it sums.
std::string spelled(Parts& parts, const DataCall& call) {
  const TaskTemplate& t = parts.task(call.task);
  const bool sums = t.lane == parts.ranks.dense.replicas.lane && t.name == std::string_view("reduce gradients");
  const std::int64_t whole = t.bytes_sent.value * 4 / 3 / (sums && parts.input.layout.zero == Zero::none ? 2 : 1);
  return (call.gather ? "gather " : "reduce ") + std::to_string(whole) + " @" + std::to_string(call.position);
}
std::vector<std::string> spelled(Parts& parts, const std::vector<DataCall>& calls) {
  std::vector<std::string> all;
  for (const DataCall& call : calls) all.push_back(spelled(parts, call));
  return all;
}
std::string text(const char* what, std::int64_t bytes, std::uint32_t position) {
  return std::string(what) + " " + std::to_string(bytes) + " @" + std::to_string(position);
}

std::uint32_t steps_of(Parts& parts, PassKind kind) {
  return static_cast<std::uint32_t>(parts.stages.steps(0, kind).size());
}
// Behind the last step of a layer: -1 embedding, 2 head.
std::uint32_t end_of(Parts& parts, PassKind kind, std::int64_t layer) {
  for (const LayerRange& range : layer_ranges(parts.stages.steps(0, kind)))
    if (range.layer == layer) return range.end;
  FAIL("no such layer");
  return 0;
}

// What is left for the end of the step: "reduce" and "gather" with the bytes each rank sends, "+" among replicas.
std::vector<std::string> at_end(Parts& parts) {
  std::vector<std::string> all;
  for (const DataParallel::EndCall& call : parts.data.at_end(0))
    all.push_back(std::string(call.gather ? "gather" : "reduce") + (call.replicas ? "+ " : " ") +
                  std::to_string(parts.task(call.task).bytes_sent.value));
  return all;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("one rank has nobody to share with") {
  for (const Zero zero : {Zero::none, Zero::optimizer, Zero::gradients, Zero::parameters}) {
    Parts parts(two_layers(zero, true, 1));
    CHECK(calls_of(parts, OpKind::forward, true, true).empty());
    CHECK(calls_of(parts, OpKind::backward, true, true).empty());
    CHECK(parts.data.at_end(0).empty());
    CHECK(parts.data.observed().empty());
  }
}

TEST_CASE("ZeRO 0: gradients are summed once a step, behind it or beside its last backward pass") {
  Parts behind(two_layers(Zero::none, false));
  for (const OpKind kind : {OpKind::forward, OpKind::backward}) CHECK(calls_of(behind, kind, true, true).empty());
  CHECK(at_end(behind) == Texts{"reduce+ " + std::to_string(kAll * 4 * 2 * 3 / 4)});

  Parts beside(two_layers(Zero::none, true));
  CHECK(calls_of(beside, OpKind::forward, true, true).empty());
  CHECK(calls_of(beside, OpKind::backward, true, false).empty());
  CHECK(spelled(beside, calls_of(beside, OpKind::backward, false, true)) ==
        Texts{text("reduce", kAll * 4, steps_of(beside, PassKind::backward))});
  CHECK(beside.data.at_end(0).empty());
}

TEST_CASE("ZeRO 0: a bucket is reduced as soon as it is full") {
  ByHand step = two_layers(Zero::none, true);
  step.stack.communication.bucket = {1};  // each gradient by itself
  Parts parts(step);
  const auto& steps = parts.stages.steps(0, PassKind::backward);
  Texts expected;
  for (std::uint32_t i = 0; i < steps.size(); ++i)
    if (steps[i].gradients_ready > 0) expected.push_back(text("reduce", steps[i].gradients_ready * 4, i + 1));
  CHECK(expected.size() > 10);  // six matrices, norms and biases
  CHECK(spelled(parts, calls_of(parts, OpKind::backward, false, true)) == expected);
  // A layer has 3.2 MB of gradients. The final norm and most of layer 1 pass 2.5 MB before it ends; what remains of it
  // and most of layer 0 again; the rest of that and the tables are behind no full bucket but the end.
  step.stack.communication.bucket = {2'500'000};
  Parts large(step);
  const std::vector<DataCall> calls = calls_of(large, OpKind::backward, false, true);
  REQUIRE(calls.size() == 3);
  CHECK(calls[0].position <= end_of(large, PassKind::backward, 1));
  CHECK(calls[1].position <= end_of(large, PassKind::backward, 0));
  CHECK(calls[2].position == steps.size());
  std::int64_t sent = 0;
  for (const DataCall& call : calls) sent += large.task(call.task).bytes_sent.value;
  CHECK(sent == kAll * 4 * 2 * 3 / 4);
}

TEST_CASE("ZeRO 1: shards of gradients are summed, and the parameters gathered that the optimizer updated in parts") {
  const std::string scattered = "reduce " + std::to_string(kAll * 4 * 3 / 4),
                    gathered = "gather " + std::to_string(kAll * 2 * 3 / 4);
  Parts behind(two_layers(Zero::optimizer, false));
  CHECK(calls_of(behind, OpKind::forward, true, true).empty());
  CHECK(calls_of(behind, OpKind::backward, true, true).empty());
  CHECK(at_end(behind) == Texts{scattered, gathered});

  // Beside the passes the parameters are asked for before the first forward pass of the stage, ahead of all else.
  ByHand step = two_layers(Zero::optimizer, true);
  Parts beside(step);
  const std::vector<DataCall> first = calls_of(beside, OpKind::forward, true, false);
  CHECK(spelled(beside, first) == Texts{text("gather", kAll * 2, 0)});
  CHECK(first[0].prefetch > 1000);
  CHECK(calls_of(beside, OpKind::forward, false, true).empty());
  CHECK(spelled(beside, calls_of(beside, OpKind::backward, false, true)) ==
        Texts{text("reduce", kAll * 4, steps_of(beside, PassKind::backward))});
  CHECK(beside.data.at_end(0).empty());

  // A stack that gathers behind the update although it reduces beside the passes.
  step.stack.communication.overlap_gather = false;
  Parts mixed(step);
  CHECK(calls_of(mixed, OpKind::forward, true, true).empty());
  CHECK(calls_of(mixed, OpKind::backward, false, true).size() == 1);
  CHECK(at_end(mixed) == Texts{gathered});
}

TEST_CASE("ZeRO 1: parameters arrive in buckets of whole layers, in the order of use") {
  ByHand step = two_layers(Zero::optimizer, true);
  step.stack.communication.bucket = {2'000'000};  // the tables and layer 0 are 3.2 MB: 1.6, then full with the layer
  Parts parts(step);
  CHECK(spelled(parts, calls_of(parts, OpKind::forward, true, false)) ==
        Texts{text("gather", (kTables + kLayer) * 2, 0),
              text("gather", (kLayer + kNorm) * 2, end_of(parts, PassKind::forward, 0))});
}

TEST_CASE("ZeRO 2: each backward pass reduces each layer behind it, of whole parameters") {
  for (const bool overlap : {false, true}) {
    Parts parts(two_layers(Zero::gradients, overlap));
    CHECK(spelled(parts, calls_of(parts, OpKind::backward)) ==
          Texts{text("reduce", kNorm * 4, end_of(parts, PassKind::backward, 2)),
                text("reduce", kLayer * 4, end_of(parts, PassKind::backward, 1)),
                text("reduce", kLayer * 4, end_of(parts, PassKind::backward, 0)),
                text("reduce", kTables * 4, end_of(parts, PassKind::backward, -1))});
    // The parameters as under ZeRO 1.
    CHECK(calls_of(parts, OpKind::forward, true, false).size() == (overlap ? 1 : 0));
    CHECK(at_end(parts) == (overlap ? Texts{} : Texts{"gather " + std::to_string(kAll * 2 * 3 / 4)}));
  }
}

TEST_CASE("ZeRO 2: so many layers as fill a bucket go together") {
  ByHand step = two_layers(Zero::gradients, true);
  step.stack.optimizer.reduce_buffer_elements = 1'000'000;  // one layer with the final norm does not fill it, two do
  Parts parts(step);
  CHECK(spelled(parts, calls_of(parts, OpKind::backward)) ==
        Texts{text("reduce", (kNorm + 2 * kLayer) * 4, end_of(parts, PassKind::backward, 0)),
              text("reduce", kTables * 4, end_of(parts, PassKind::backward, -1))});
}

TEST_CASE("ZeRO 3: parameters of a layer are gathered before each use of it, and its gradients reduced behind it") {
  ByHand step = two_layers(Zero::parameters, true);
  step.stack.communication.prefetch = 3;
  Parts parts(step);
  const auto f = [&](std::int64_t layer) { return end_of(parts, PassKind::forward, layer); };
  const auto b = [&](std::int64_t layer) { return end_of(parts, PassKind::backward, layer); };
  const std::vector<DataCall> forward = calls_of(parts, OpKind::forward);
  CHECK(spelled(parts, forward) == Texts{text("gather", kTables * 2, 0), text("gather", kLayer * 2, f(-1)),
                                         text("gather", kLayer * 2, f(0)), text("gather", kNorm * 2, f(1))});
  for (const DataCall& call : forward) CHECK(call.prefetch == 3);
  CHECK(spelled(parts, calls_of(parts, OpKind::backward)) ==
        Texts{text("gather", kNorm * 2, 0), text("gather", kLayer * 2, b(2)), text("reduce", kNorm * 4, b(2)),
              text("gather", kLayer * 2, b(1)), text("reduce", kLayer * 4, b(1)), text("gather", kTables * 2, b(0)),
              text("reduce", kLayer * 4, b(0)), text("reduce", kTables * 4, b(-1))});
  CHECK(parts.data.at_end(0).empty());
  // Without overlap nothing is asked for ahead.
  step.stack.communication.overlap_data = false;
  Parts plain(step);
  for (const DataCall& call : calls_of(plain, OpKind::forward)) CHECK(call.prefetch == 0);
}

// Two layers run again together: 0 and 1 forward, then 1 and 0 backward, so that 0 is gathered twice and reduced once.
TEST_CASE("ZeRO 3: layers that are run again together") {
  ByHand step = two_layers(Zero::parameters, true);
  step.pass.recompute = layout::Recompute::full, step.pass.recompute_num_layers = 2;
  Parts parts(step);
  const std::vector<LayerRange> ranges = layer_ranges(parts.stages.steps(0, PassKind::backward));
  std::vector<std::int64_t> layers;
  for (const LayerRange& range : ranges) layers.push_back(range.layer);
  REQUIRE(layers == std::vector<std::int64_t>{2, 0, 1, 0, -1});
  CHECK(spelled(parts, calls_of(parts, OpKind::backward)) ==
        Texts{text("gather", kNorm * 2, 0), text("gather", kLayer * 2, ranges[0].end),
              text("reduce", kNorm * 4, ranges[0].end), text("gather", kLayer * 2, ranges[1].end),
              text("gather", kLayer * 2, ranges[2].end), text("reduce", kLayer * 4, ranges[2].end),
              text("gather", kTables * 2, ranges[3].end), text("reduce", kLayer * 4, ranges[3].end),
              text("reduce", kTables * 4, ranges[4].end)});
}

TEST_CASE("ZeRO 3 of a split backward pass: I needs the parameters, W makes the gradients") {
  Parts parts(two_layers(Zero::parameters, true));
  for (const DataCall& call : calls_of(parts, OpKind::input_gradient)) CHECK(call.gather);
  CHECK(calls_of(parts, OpKind::input_gradient).size() == 4);
  for (const DataCall& call : calls_of(parts, OpKind::weight_gradient)) CHECK_FALSE(call.gather);
  CHECK(calls_of(parts, OpKind::weight_gradient).size() == 4);
}

TEST_CASE("an overlapped operation has the calls of both halves") {
  Parts parts(two_layers(Zero::parameters, true));
  schedule::Operation both;
  both.kind = OpKind::overlapped, both.backward_stage = 0, both.backward_pipe = 0;
  CHECK(spelled(parts, parts.data.calls(0, both, true, false, false)) ==
        spelled(parts, calls_of(parts, OpKind::forward)));
  CHECK(spelled(parts, parts.data.calls(0, both, false, false, false)) ==
        spelled(parts, calls_of(parts, OpKind::backward)));
}

TEST_CASE("hybrid sharding: shards are reduced in their group, and summed among replicas behind it") {
  ByHand step = two_layers(Zero::optimizer, false);
  step.layout.shard_degree = 2;  // ranks 0 and 1 hold one copy of the shards, 2 and 3 the other
  Parts parts(step);
  CHECK(parts.data.group(0, false) == std::vector<DeviceIndex>{0, 1});
  CHECK(parts.data.group(3, false) == std::vector<DeviceIndex>{2, 3});
  CHECK(parts.data.group(0, true) == std::vector<DeviceIndex>{0, 2});
  // Of two ranks each sends half of what is scattered or gathered, and all of the half that is summed.
  CHECK(at_end(parts) == Texts{"reduce " + std::to_string(kAll * 4 / 2), "reduce+ " + std::to_string(kAll / 2 * 4),
                               "gather " + std::to_string(kAll * 2 / 2)});
  step.layout.zero = Zero::parameters;
  Parts three(step);
  const std::vector<DataCall> calls = calls_of(three, OpKind::backward);
  REQUIRE(calls.size() == 12);  // a gather, a scatter and a sum for each of the four parts
  int sums = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!calls[i].replicas) continue;
    ++sums;
    CHECK_FALSE(calls[i - 1].gather);  // right behind the scatter of the same gradients
    CHECK(calls[i - 1].position == calls[i].position);
    CHECK(three.task(calls[i].task).lane == Lane::replicas);
    CHECK(three.task(calls[i - 1].task).lane == Lane::data);
  }
  CHECK(sums == 4);
}

TEST_CASE("gathered layers and whole gradients are held from gather to use, from use to reduction") {
  Parts parts(two_layers(Zero::parameters, true));
  std::vector<std::pair<bool, Range>> effects;
  for (const DataCall& call : calls_of(parts, OpKind::backward))
    effects.emplace_back(call.gather, parts.task(call.task).effects);
  const Program program = parts.builder.finish().value();
  for (const auto& [gather, range] : effects) {
    REQUIRE(range.count == 1);
    const MemoryEffect& e = program.effects[range.first];
    CHECK(e.memory_class == MemoryClass::buffers);
    CHECK(e.at_end == !gather);  // 2 bytes a parameter come as the gather begins, 4 go as the reduction ends
    CHECK(e.bytes % (gather ? 2 * 256 : -4 * 256) == 0);
    CHECK((e.bytes > 0) == gather);
  }
}

TEST_CASE("gradients reduced behind the step go through a buffer of the stack's size") {
  ByHand step = two_layers(Zero::optimizer, false);
  step.stack.optimizer.reduce_buffer_elements = 1000;
  Parts parts(step);
  const Range range = parts.task(parts.data.at_end(0)[0].task).effects;
  const Program program = parts.builder.finish().value();
  REQUIRE(range.count == 2);
  CHECK(program.effects[range.first].bytes == 4000);
  CHECK(program.effects[range.first + 1].bytes == -4000);
  CHECK(program.effects[range.first + 1].at_end);
}

TEST_CASE("what the folding must find alike: each kind and size of call once, before a task is made") {
  const auto observed = [](Zero zero, bool overlap) {
    Parts parts(two_layers(zero, overlap));
    Texts all;
    for (const ObservedCall& call : parts.data.observed())
      all.push_back(std::string(name_of(call.kind)) + " " + std::to_string(call.bytes.value) +
                    (call.among == &parts.ranks.dense.replicas ? " +" : ""));
    std::sort(all.begin(), all.end());
    return all;
  };
  const auto kind = [](const char* name, std::int64_t bytes) { return name + (" " + std::to_string(bytes)); };
  CHECK(observed(Zero::none, false) == Texts{kind("all_reduce", kAll * 4) + " +"});
  CHECK(observed(Zero::none, true) == Texts{kind("all_reduce", kAll * 4) + " +"});
  CHECK(observed(Zero::optimizer, true) == Texts{kind("all_gather", kAll * 2), kind("reduce_scatter", kAll * 4)});
  Texts three{kind("all_gather", kLayer * 2),    kind("all_gather", kNorm * 2),
              kind("all_gather", kTables * 2),   kind("reduce_scatter", kLayer * 4),
              kind("reduce_scatter", kNorm * 4), kind("reduce_scatter", kTables * 4)};
  std::sort(three.begin(), three.end());
  CHECK(observed(Zero::parameters, true) == three);
}

}  // namespace orrery::program::data_parallel_test
