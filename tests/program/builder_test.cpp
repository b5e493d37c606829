// A Program built task by task: lanes, order, and the refusal of what can never run.
#include "orrery/program/builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace orrery::program::builder_test {

namespace {

Builder with_devices(int count) {
  Builder builder;
  for (std::int32_t d = 0; d < count; ++d) {
    Device device;
    device.ranks = {10 + d};
    builder.add_device(std::move(device));
  }
  return builder;
}

TemplateId template_on(Builder& builder, Lane lane, Lane partner = Lane::compute, const char* name = "work") {
  TaskTemplate t;
  t.duration = {1};
  t.lane = lane, t.partner_lane = partner;
  t.name = name;
  return builder.add_template(t);
}

using Tasks = std::vector<TaskId>;
Tasks before(const Program& program, TaskId task) {
  Tasks all(program.predecessors.begin() + program.predecessor_begin[task],
            program.predecessors.begin() + program.predecessor_begin[task + 1]);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("a task follows the one added before it on each lane of each of its participants") {
  Builder b = with_devices(2);
  const TemplateId compute = template_on(b, Lane::compute), message = template_on(b, Lane::data, Lane::tensor);
  CHECK(b.last_on(0, Lane::compute) == kNone);
  const TaskId first = b.add_task(compute, Participant{0, kNone}), other = b.add_task(compute, Participant{1, kNone});
  const TaskId second = b.add_task(compute, Participant{0, kNone});
  CHECK(b.last_on(0, Lane::compute) == second);
  CHECK(b.last_on(1, Lane::compute) == other);
  // The first participant is on the template's lane, the others on the partner's.
  const Participant both[2] = {{0, kNone}, {1, kNone}};
  const TaskId sent = b.add_task(message, both);
  CHECK(b.last_on(0, Lane::data) == sent);
  CHECK(b.last_on(1, Lane::tensor) == sent);
  CHECK(b.last_on(1, Lane::data) == kNone);
  const Participant turned[2] = {{1, kNone}, {0, kNone}};
  const TaskId back = b.add_task(message, turned);  // lanes of its own on both: nothing orders the two
  const TaskId after = b.add_task(message, both);
  (void)first, (void)back, (void)after;
  const auto program = b.finish();
  REQUIRE(program.ok());
  REQUIRE(program->tasks() == 6);
  std::size_t edges = 0;
  for (TaskId t = 0; t < 6; ++t) edges += before(*program, t).size();
  CHECK(edges == 3);  // first → second, and sent → after on two lanes
}

TEST_CASE("a task free of lanes waits for its edges alone, and no lane for it") {
  Builder b = with_devices(1);
  const TemplateId compute = template_on(b, Lane::compute);
  const TaskId first = b.add_task(compute, Participant{0, kNone});
  const TaskId free = b.add_task(compute, Participant{0, kNone}, Builder::Ordering::free);
  CHECK(b.last_on(0, Lane::compute) == first);
  const TaskId second = b.add_task(compute, Participant{0, kNone});
  b.add_edge(second, free);
  const auto program = b.finish();
  REQUIRE(program.ok());
  CHECK(before(*program, 0).empty());
  CHECK(before(*program, 1) == Tasks{0});
  CHECK(before(*program, 2) == Tasks{1});
}

TEST_CASE("tasks are numbered so that each comes behind all that it waits for") {
  // Added back to front: 4 tasks free of lanes, each waiting for the one added after it, and 0 for 3 as well.
  Builder b = with_devices(1);
  std::vector<TemplateId> kind;
  for (int i = 0; i < 4; ++i) {
    TaskTemplate t;
    t.duration = {100 + i};
    kind.push_back(b.add_template(t));
  }
  for (const TemplateId of : kind) b.add_task(of, Participant{0, kNone}, Builder::Ordering::free);
  for (TaskId i = 0; i + 1 < 4; ++i) b.add_edge(i + 1, i);
  b.add_edge(3, 0);
  const auto program = b.finish();
  REQUIRE(program.ok());
  for (TaskId t = 0; t < 4; ++t) CHECK(program->template_of(t).duration == Time{103 - static_cast<std::int64_t>(t)});
  CHECK(before(*program, 3) == Tasks{0, 2});
  for (TaskId t = 0; t < 4; ++t)
    for (const TaskId earlier : before(*program, t)) CHECK(earlier < t);
}

TEST_CASE("participants stay with their task when tasks are numbered anew") {
  Builder b = with_devices(3);
  const TemplateId group = template_on(b, Lane::data, Lane::data), alone = template_on(b, Lane::compute);
  const Participant all[3] = {{0, kNone}, {1, kNone}, {2, kNone}};
  const TaskId late = b.add_task(group, all);
  const TaskId early = b.add_task(alone, Participant{2, kNone});
  b.add_edge(early, late);
  const auto program = b.finish();
  REQUIRE(program.ok());
  REQUIRE(program->participant_begin == std::vector<std::uint32_t>{0, 1, 4});
  CHECK(program->participants[0].device == 2);
  for (std::uint32_t i = 0; i < 3; ++i) CHECK(program->participants[1 + i].device == i);
  CHECK(program->ranks() == 3);
}

TEST_CASE("what waits for itself is a deadlock, and the error says who waits for what") {
  Builder b = with_devices(2);
  const TemplateId compute = template_on(b, Lane::compute, Lane::compute, "norm");
  const OperationId f = b.add_operation({0, Activity::forward, 0, 0, 3}),
                    w = b.add_operation({1, Activity::weight_gradient, 0, 1, 5});
  const TaskId one = b.add_task(compute, Participant{0, f}), two = b.add_task(compute, Participant{1, w});
  const TaskId behind = b.add_task(compute, Participant{0, kNone});
  b.add_edge(one, two);
  b.add_edge(two, one);
  (void)behind;
  const auto program = b.finish();
  REQUIRE_FALSE(program.ok());
  CHECK(program.errors().front().path == "schedule");
  CHECK(program.errors().front().message ==
        "deadlock: rank 10 cannot start F3 (waits for W5); rank 11 cannot start W5 (waits for F3);");
}

TEST_CASE("a task without an operation is named by its template") {
  Builder b = with_devices(1);
  const TemplateId norm = template_on(b, Lane::compute, Lane::compute, "gradient norm");
  const TaskId one = b.add_task(norm, Participant{0, kNone}), two = b.add_task(norm, Participant{0, kNone});
  b.add_edge(two, one);
  const auto program = b.finish();
  REQUIRE_FALSE(program.ok());
  CHECK(program.errors().front().message == "deadlock: rank 10 cannot start gradient norm (waits for gradient norm);");
}

TEST_CASE("shared arrays are ranges, slowdown class 0 is none, and operations know their step") {
  Builder b = with_devices(1);
  const Segment parts[2] = {{{3}, Category::compute}, {{5}, Category::host}};
  const MemoryEffect effect{kNone, true, MemoryClass::buffers, {}, 8};
  const Call call{Category::data_comm, Collective::all_gather, {4}, {4}};
  const Range first = b.add_segments(parts), second = b.add_segments({parts, 1});
  CHECK((first.first == 0 && first.count == 2));
  CHECK((second.first == 2 && second.count == 1));
  CHECK(b.add_effects({}).count == 0);
  CHECK(b.add_effects({&effect, 1}).count == 1);
  CHECK(b.add_calls({&call, 1}).first == 0);
  CHECK(b.add_transfer({}) == 0);
  CHECK(b.add_transfer({}) == 1);
  CHECK(b.add_slowdown({3, 2}) == 1);
  CHECK(b.add_slowdown({5, 4}) == 2);
  b.add_operation({0, Activity::forward, 0, 0, 0});
  b.begin_step(1);
  b.add_operation({0, Activity::forward, 0, 0, 0});
  CHECK_THROWS_AS(b.begin_step(256), InternalError);
  CHECK_THROWS_AS(b.begin_step(-1), InternalError);
  const auto program = b.finish();
  REQUIRE(program.ok());
  CHECK(program->steps == 2);
  CHECK(program->operations[0].step == 0);
  CHECK(program->operations[1].step == 1);
  REQUIRE(program->slowdowns.size() == 3);
  CHECK(program->slowdowns[0].numerator == program->slowdowns[0].denominator);
  CHECK(program->slowdowns[2].numerator == 5);
  // The builder is new again: a Program has its own first task.
  CHECK(b.add_template({}) == 0);
}

TEST_CASE("at most 127 classes of slowdown have a number") {
  Builder b;
  for (int i = 1; i < 128; ++i) CHECK(b.add_slowdown({i, 1}) == i);
  CHECK_THROWS_AS(b.add_slowdown({}), InternalError);
}

TEST_CASE("each thing a device does has the name a person gives it") {
  const auto name = [](Activity activity, int micro_batch = 4, int pipe = 0) {
    return operation_name({0, activity, static_cast<std::uint8_t>(pipe), 2, micro_batch});
  };
  CHECK(name(Activity::forward) == "F4");
  CHECK(name(Activity::backward, 0) == "B0");
  CHECK(name(Activity::input_gradient, 1, 1) == "I1@1");
  CHECK(name(Activity::weight_gradient) == "W4");
  CHECK(name(Activity::send_forward) == "send activation 4");
  CHECK(name(Activity::send_backward, 2, 1) == "send gradient 2@1");
  CHECK(name(Activity::gradient_reduce, 7) == "reduce gradients 7");
  CHECK(name(Activity::optimizer, -1) == "optimizer");
  CHECK(name(Activity::gradient_norm, -1) == "gradient norm");
  CHECK(name(Activity::validation, -1) == "validate optimizer");
  // The place of a micro-batch is told of a joint operation that has no backward half as of any other.
  CHECK(name(Activity::overlapped) == "X4");
}

}  // namespace orrery::program::builder_test
