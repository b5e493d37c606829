// The end of a step: what each rank does behind its last pass, in which order, and how long the optimizer takes.
#include "program/step_end.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "by_hand.hpp"
#include "orrery/cost/kernel_cost.hpp"
#include "parts.hpp"

namespace orrery::program::step_end_test {

using layout::Zero;
using program::test::ByHand;

namespace {

ByHand small(int tensor, int pipeline, int data, Zero zero = Zero::none) {
  ByHand step("1f1b", tensor, pipeline, 1, 2);
  step.model.layers = 2 * pipeline;
  step.layout.data = data, step.layout.zero = zero;
  step.options.fold = false;
  step.put_on((step.layout.ranks() + 1) / 2);
  return step;
}

Program program_of(const ByHand& step) {
  auto lowered = lower_step(step.input(), step.options);
  REQUIRE_MESSAGE(lowered.ok(), render(lowered.errors()));
  return std::move(lowered.value().program);
}

using Names = std::vector<std::string>;
// Names of the tasks of a rank that are of no pass and no message between stages, in the order in which they must run.
Names end_of(const Program& program, std::int32_t rank, int step = 0) {
  Names names;
  for (TaskId task = 0; task < program.tasks(); ++task)
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i) {
      const Participant& p = program.participants[i];
      if (program.devices[p.device].ranks[0] != rank || p.operation == kNone) continue;
      const Operation& op = program.operations[p.operation];
      if (op.micro_batch >= 0 || op.step != step) continue;
      const char* place = op.activity == Activity::validation ? " (validation)" : "";
      names.push_back(program.template_of(task).name + std::string(place));
    }
  return names;
}
const TaskTemplate& named(const Program& program, std::string_view name) {
  const auto found = std::ranges::find_if(program.templates, [&](const TaskTemplate& t) { return t.name == name; });
  REQUIRE(found != program.templates.end());
  return *found;
}
std::size_t participants_of(const Program& program, std::string_view name) {
  for (TaskId task = 0; task < program.tasks(); ++task)
    if (program.template_of(task).name == name)
      return program.participant_begin[task + 1] - program.participant_begin[task];
  return 0;
}

constexpr std::int64_t kLayer = program::test::layer_parameters(256);
// One stage that has all: two layers, tables of 1024 tokens and 2048 positions, the final norm.
constexpr std::int64_t kAll = 2 * kLayer + (1024 + 2048) * 256 + 512;

}  // namespace

TEST_CASE("one rank updates its parameters, and has no norm to sum") {
  CHECK(end_of(program_of(small(1, 1, 1)), 0) == Names{"optimizer"});
}

TEST_CASE("replicas sum gradients, then the norm is known, then all update") {
  const Program program = program_of(small(1, 1, 2));
  for (const int rank : {0, 1}) CHECK(end_of(program, rank) == Names{"reduce gradients", "gradient norm", "optimizer"});
  CHECK(participants_of(program, "gradient norm") == 2);
  CHECK(program.calls[named(program, "gradient norm").calls.first].collective == Collective::all_reduce);
  CHECK(named(program, "reduce gradients").bytes_sent == Bytes{kAll * 4});  // 2 (n − 1) / n of it, n = 2
}

TEST_CASE("a sharded optimizer gathers behind its update what each rank has updated") {
  for (const Zero zero : {Zero::optimizer, Zero::gradients}) {
    const Program program = program_of(small(1, 1, 2, zero));
    Names end{"gradient norm", "optimizer", "gather parameters"};
    if (zero == Zero::optimizer) end.insert(end.begin(), "reduce gradients");  // else each pass has reduced them
    CHECK(end_of(program, 1) == end);
    CHECK(named(program, "gather parameters").bytes_sent == Bytes{kAll * 2 / 2});
  }
  CHECK(end_of(program_of(small(1, 1, 2, Zero::parameters)), 0) == Names{"gradient norm", "optimizer"});
}

TEST_CASE("the ends of the model sum the table they share, the others wait for the norm alone") {
  const Program program = program_of(small(1, 3, 1));
  const Names shares{"reduce embedding gradients", "gradient norm", "optimizer"};
  CHECK(end_of(program, 0) == shares);
  CHECK(end_of(program, 1) == Names{"gradient norm", "optimizer"});
  CHECK(end_of(program, 2) == shares);
  CHECK(participants_of(program, "reduce embedding gradients") == 2);
  CHECK(participants_of(program, "gradient norm") == 3);
  CHECK(named(program, "reduce embedding gradients").bytes_sent == Bytes{1024 * 256 * 4});
}

TEST_CASE("under sequence parallelism each tensor rank has seen a part of what norms and biases learn from") {
  ByHand step = small(2, 1, 1);
  CHECK(end_of(program_of(step), 0) == Names{"gradient norm", "optimizer"});
  step.layout.sequence_parallel = true;
  const Program program = program_of(step);
  CHECK(end_of(program, 1) == Names{"reduce replicated gradients", "gradient norm", "optimizer"});
  // Of each layer two norms of 2 h and the biases behind the sums of projection and fc2, h each; the final norm 2 h.
  const std::int64_t replicated = 2 * 6 * 256 + 2 * 256;
  CHECK(named(program, "reduce replicated gradients").bytes_sent == Bytes{replicated * 4});
  CHECK(named(program, "reduce replicated gradients").lane == Lane::tensor);
}

TEST_CASE("the optimizer moves the states it updates and the gradients it holds, once") {
  ByHand step = small(1, 1, 2, Zero::optimizer);
  step.stack.optimizer.traffic = 28, step.stack.optimizer.gradient_traffic = 6;
  model::Kernel kernel;
  kernel.bytes = {kAll / 2 * 28 + kAll * 6};
  const Time moved = cost::kernel_time(step.gpu, step.kernels, kernel);
  CHECK(named(program_of(step), "optimizer").duration == moved);
  // Whole: all of the states.
  step.layout.zero = Zero::none;
  kernel.bytes = {kAll * (28 + 6)};
  CHECK(named(program_of(step), "optimizer").duration == cost::kernel_time(step.gpu, step.kernels, kernel));
}

TEST_CASE("the optimizer is no faster than its launches, and as slow as its GPU") {
  ByHand step = small(1, 1, 2);
  step.stack.optimizer.traffic = 28;
  const Time moved = named(program_of(step), "optimizer").duration;
  step.stack.optimizer.kernels = 100;
  step.stack.launch.per_kernel = {1000};
  CHECK(named(program_of(step), "optimizer").duration == moved);
  step.stack.launch.per_kernel = moved;
  CHECK(named(program_of(step), "optimizer").duration == moved * 100);
  step.stack.launch.per_kernel = {};
  step.speed = {1, 0.25};
  std::vector<std::int64_t> durations;
  const Program slow = program_of(step);
  for (TaskId task = 0; task < slow.tasks(); ++task)
    if (slow.template_of(task).category == Category::optimizer)
      durations.push_back(slow.template_of(task).duration.value);
  std::sort(durations.begin(), durations.end());
  CHECK(durations == std::vector{moved.value, moved.value * 4});
}

TEST_CASE("copies of 16-bit gradients are held while the optimizer runs, of wider ones there are none") {
  ByHand step = small(1, 1, 2, Zero::optimizer);
  step.stack.optimizer.gradient_copy_bytes = 6;
  CHECK(named(program_of(step), "optimizer").effects.count == 0);
  step.stack.optimizer.gradient_bytes = 2;
  const Program program = program_of(step);
  const Range held = named(program, "optimizer").effects;
  REQUIRE(held.count == 2);
  CHECK(program.effects[held.first].bytes == kAll / 2 * 6);
  CHECK(program.effects[held.first + 1].bytes == -kAll / 2 * 6);
  CHECK(program.effects[held.first + 1].at_end);
  CHECK(program.effects[held.first].memory_class == MemoryClass::buffers);
}

TEST_CASE("post-validation: a partial norm goes from stage to stage, the whole one comes back in the next step") {
  ByHand step = small(1, 3, 1);
  step.model.tied_embeddings = false;
  step.stack.optimizer.post_validation = cost::PostValidation::always;
  step.options.steps = 2;
  const Program program = program_of(step);
  CHECK(program.steps == 2);
  // Each stage adds its part to what came and updates at once; nobody meets anybody.
  CHECK(end_of(program, 0, 0) == Names{"send partial norm", "optimizer"});
  CHECK(end_of(program, 1, 0) == Names{"send partial norm", "send partial norm", "optimizer"});
  CHECK(end_of(program, 2, 0) == Names{"send partial norm", "optimizer"});
  CHECK(participants_of(program, "send partial norm") == 2);
  CHECK(participants_of(program, "gradient norm") == 0);
  // The second step validates what the first updated, from the last stage to the first.
  const Names second = end_of(program, 1, 1);
  CHECK(std::ranges::count(second, "send full norm (validation)") == 2);
  const Names first = end_of(program, 0, 1);
  CHECK(std::ranges::count(first, "send full norm (validation)") == 1);
  const Names before = end_of(program, 0, 0);
  CHECK(std::ranges::count(before, "send full norm (validation)") == 0);
}

TEST_CASE("post-validation: ranks that share the parameters of a stage sum their part of the norm first") {
  ByHand step = small(2, 2, 2, Zero::optimizer);
  step.model.tied_embeddings = false;
  step.stack.optimizer.post_validation = cost::PostValidation::always;
  step.options.steps = 1;
  // Gradients; the norm over two tensor ranks and two shards; to the next stage; update; gather.
  CHECK(end_of(program_of(step), 0) == Names{"reduce gradients", "gradient norm", "gradient norm", "send partial norm",
                                             "optimizer", "gather parameters"});
  step.layout.zero = Zero::none;  // the gradients of both replicas are the same sum
  CHECK(end_of(program_of(step), 0) == Names{"reduce gradients", "gradient norm", "send partial norm", "optimizer"});
}

}  // namespace orrery::program::step_end_test
