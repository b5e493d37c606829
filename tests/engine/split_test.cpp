// Where each picosecond of a device goes, on Programs small enough to be played by hand. Sums balance whatever the
// categories are: so each case says them all.
#include <doctest/doctest.h>

#include "by_hand.hpp"

namespace orrery::engine::split_test {

using namespace orrery::engine::testing;

namespace {

using enum Category;

std::vector<Breakdown> split_of(ByHand& hand) {
  const Program program = hand.program();
  return split_time(program, evaluate_one_pass(program));
}

}  // namespace

TEST_CASE("blocking launches are host, what they launch is work: in one block as kernel by kernel") {
  // 3 launch, 5 forward, 2 launch, 4 recompute, 1 launch, 6 tensor-parallel: 21.
  const Breakdown wanted = parts({{compute, 5}, {recompute, 4}, {tensor_comm, 6}, {host, 6}});
  ByHand fused(1);
  fused.block(0, {{3, host}, {5, compute}, {2, host}, {4, recompute}, {1, host}, {6, tensor_comm}});
  CHECK(split_of(fused)[0] == wanted);
  ByHand unfused(1);
  unfused.launch(0, 3);
  unfused.work(0, 5);
  unfused.launch(0, 2);
  unfused.work(0, 4, {}, recompute);
  const TaskId last = unfused.launch(0, 1);
  unfused.collective({0}, tensor_comm, Lane::tensor, 6, {last});
  CHECK(split_of(unfused)[0] == wanted);
}

TEST_CASE("a transfer beside a blocking launch moves bytes: in one block as kernel by kernel") {
  // The reduction runs in [4, 11), beside launch [4, 6), kernel [6, 9), launch [9, 10) and kernel [10, 15): of its 7
  // the device has nothing else for 2 + 1.
  const Breakdown wanted = parts({{compute, 4 + 3 + 5}, {data_comm, 3}});
  ByHand fused(2), unfused(2);
  for (const DeviceIndex d : {0, 1}) {
    const TaskId first[] = {fused.work(d, 4), unfused.work(d, 4)};
    fused.collective({d}, data_comm, Lane::data, 7, {first[0]});
    unfused.collective({d}, data_comm, Lane::data, 7, {first[1]});
    fused.block(d, {{2, host}, {3, compute}, {1, host}, {5, compute}});
    unfused.launch(d, 2);
    unfused.work(d, 3);
    unfused.launch(d, 1);
    unfused.work(d, 5);
  }
  CHECK(split_of(fused) == std::vector<Breakdown>{wanted, wanted});
  CHECK(split_of(unfused) == std::vector<Breakdown>{wanted, wanted});
}

TEST_CASE("a device that waits for one whose host blocks it waits for the host: in one block as kernel by kernel") {
  // Device 0: launch [0, 3), kernel [3, 8), launch [8, 10), kernel [10, 14). Message [14, 15). Device 1: [15, 21).
  // Device 1 waits for 5 of host and 9 of another's work. Device 0 sends for 1 and waits for the end of the step, 6.
  const Breakdown first = parts({{compute, 9}, {host, 5}, {pipeline_comm, 1}, {bubble, 6}});
  const Breakdown second = parts({{compute, 6}, {host, 5}, {pipeline_comm, 1}, {bubble, 9}});
  ByHand fused(2);
  const TaskId block = fused.block(0, {{3, host}, {5, compute}, {2, host}, {4, compute}});
  fused.work(1, 6, {fused.message(0, 1, 1, {block})});
  CHECK(split_of(fused) == std::vector<Breakdown>{first, second});
  ByHand unfused(2);
  unfused.launch(0, 3);
  unfused.work(0, 5);
  unfused.launch(0, 2);
  const TaskId last = unfused.work(0, 4);
  unfused.work(1, 6, {unfused.message(0, 1, 1, {last})});
  CHECK(split_of(unfused) == std::vector<Breakdown>{first, second});
}

TEST_CASE("host time before the first kernel is host on every device it holds") {
  // Both hosts prepare the step until 10, that of device 0 launches until 12; F on device 0 [12, 16), message [16, 17),
  // F on device 1 [17, 22). What device 1 waits for: hosts until 12 (its own till 10), work of device 0 until 16.
  ByHand hand(2);
  const TaskId ready0 = hand.host(0, 10), ready1 = hand.host(1, 10);
  const TaskId launch0 = hand.host(0, 2), launch1 = hand.host(1, 2);
  const TaskId f0 = hand.work(0, 4, {ready0, launch0});
  hand.work(1, 5, {ready1, launch1, hand.message(0, 1, 1, {f0})});
  CHECK(split_of(hand) == std::vector<Breakdown>{parts({{compute, 4}, {host, 12}, {pipeline_comm, 1}, {bubble, 5}}),
                                                 parts({{compute, 5}, {host, 12}, {pipeline_comm, 1}, {bubble, 4}})});
}

TEST_CASE("a run without a pipeline has no bubble but for stragglers") {
  // Host [0, 7), kernel [7, 10), reduction [10, 14), host [14, 16), optimizer [16, 18).
  const auto run = [](std::int64_t second_takes) {
    ByHand hand(2);
    std::vector<TaskId> backward;
    for (const DeviceIndex d : {0, 1}) backward.push_back(hand.work(d, d == 0 ? 3 : second_takes, {hand.host(d, 7)}));
    const TaskId reduced = hand.collective({0, 1}, data_comm, Lane::data, 4, {backward[0], backward[1]});
    for (const DeviceIndex d : {0, 1}) hand.work(d, 2, {hand.host(d, 2, {reduced})}, optimizer);
    return split_of(hand);
  };
  const Breakdown alike = parts({{compute, 3}, {optimizer, 2}, {data_comm, 4}, {host, 9}});
  CHECK(run(3) == std::vector<Breakdown>{alike, alike});
  // The second takes 8: the first waits for it for 5.
  CHECK(run(8) == std::vector<Breakdown>{parts({{compute, 3}, {optimizer, 2}, {data_comm, 4}, {host, 9}, {bubble, 5}}),
                                         parts({{compute, 8}, {optimizer, 2}, {data_comm, 4}, {host, 9}})});
}

TEST_CASE("a message that arrives early for a later operation is waited for by nobody") {
  // Device 0 computes [0, 1) and then F of what device 1 sends: device 1 works [0, 10), message [10, 11), F [11, 13).
  // For the operation after it, [13, 14), device 2 sends at 6 what its group of tensor ranks (2 and 3) was at in
  // [0, 6): message [6, 8). Device 0 waits in [1, 6) and [8, 10) for the work of device 1, not for device 2.
  ByHand hand(4);
  hand.work(0, 1);
  const TaskId early = hand.message(2, 0, 2, {hand.collective({2, 3}, tensor_comm, Lane::tensor, 6, {})});
  hand.work(0, 2, {hand.message(1, 0, 1, {hand.work(1, 10)})});
  hand.work(0, 1, {early});
  const std::vector<Breakdown> split = split_of(hand);
  CHECK(split[0] == parts({{compute, 1 + 2 + 1}, {pipeline_comm, 2 + 1}, {bubble, 5 + 2}}));
  // Behind its last task a device waits for what the step ends with, and so on: device 3 for work of device 0 (3),
  // message (1), work of device 1 until then (its own transfer took 6).
  CHECK(split[3] == parts({{tensor_comm, 6}, {pipeline_comm, 1}, {bubble, 4 + 3}}));
}

TEST_CASE("what a waiting device's blocker does counts piece by piece") {
  // Device 0 is a block of 4 compute, 3 tensor-parallel, 2 recompute; then message 1 and work of 5 on device 1.
  ByHand hand(2);
  const TaskId block = hand.block(0, {{4, compute}, {3, tensor_comm}, {2, recompute}});
  hand.work(1, 5, {hand.message(0, 1, 1, {block})});
  const std::vector<Breakdown> split = split_of(hand);
  CHECK(split[0] == parts({{compute, 4}, {recompute, 2}, {tensor_comm, 3}, {pipeline_comm, 1}, {bubble, 5}}));
  CHECK(split[1] == parts({{compute, 5}, {tensor_comm, 3}, {pipeline_comm, 1}, {bubble, 6}}));
}

namespace {

// The example of ARCHITECTURE.md: 1F1B on two ranks with two micro-batches, F = 100, B = 200, made longer in one way.
struct Longer {
  std::int64_t head = 0, message = 0, host = 0, optimizer = 0;
};
struct Bubbles {
  std::int64_t step = 0, waits = 0;
  ScheduleBubbles schedule;
};

Bubbles bubbles_of(const Longer& by) {
  ByHand hand(2);
  const auto pass = [&](DeviceIndex d, bool forward, std::int64_t ps) {
    const TaskId task = hand.work(d, ps);
    hand.name_last(forward ? Activity::forward : Activity::backward);
    return task;
  };
  const TaskId ready0 = hand.host(0, by.host), ready1 = hand.host(1, by.host);
  const TaskId f0 = pass(0, true, 100), f1 = pass(0, true, 100), b0 = pass(0, false, 200), b1 = pass(0, false, 200);
  const TaskId f0_ = pass(1, true, 100 + by.head), b0_ = pass(1, false, 200);
  const TaskId f1_ = pass(1, true, 100 + by.head), b1_ = pass(1, false, 200);
  hand.builder.add_edge(ready0, f0);
  hand.builder.add_edge(ready1, f0_);
  for (const auto& [from, to] : {std::pair{f0, f0_}, {f1, f1_}})
    hand.builder.add_edge(hand.message(0, 1, by.message, {from}), to);
  for (const auto& [from, to] : {std::pair{b0_, b0}, {b1_, b1}})
    hand.builder.add_edge(hand.message(1, 0, by.message, {from}), to);
  if (by.optimizer > 0)
    for (const DeviceIndex d : {0, 1}) {
      hand.work(d, by.optimizer, {b1, b1_}, optimizer);
      hand.name_last(Activity::optimizer);
    }
  const Program program = hand.program();
  const Timeline timeline = evaluate_one_pass(program);
  Bubbles result{timeline.step_time.value, 0, schedule_bubbles(program, timeline)};
  for (const Breakdown& b : split_time(program, timeline)) result.waits += b[static_cast<std::size_t>(bubble)];
  return result;
}

// Of both ranks together: `waits` of the split over the step; what is not F or B over the schedule, and over the span.
void check_bubbles(const Longer& by, std::int64_t step, std::int64_t waits, std::int64_t busy, std::int64_t schedule,
                   std::int64_t span) {
  const Bubbles b = bubbles_of(by);
  CHECK(b.step == step);
  CHECK(b.waits == waits);
  CHECK(b.schedule.busy == busy);
  CHECK(b.schedule.makespan == schedule);
  CHECK(b.schedule.longest_span == span);
}

}  // namespace

TEST_CASE("the three bubbles of the worked example") {
  // Rank 0: F0 [0, 100), F1 [100, 200), B0 [400, 600), B1 [700, 900). Rank 1: F0 [100, 200), B0 [200, 400),
  // F1 [400, 500), B1 [500, 700). Each of the two waits for 300 of 900: (p - 1) / (m + p - 1) = 1/3 in each.
  check_bubbles({}, 900, 600, 1200, 900, 900);
  const Bubbles plain = bubbles_of({});
  CHECK(plain.schedule.bubble() == doctest::Approx(1.0 / 3));
  CHECK(plain.schedule.span_bubble() == doctest::Approx(1.0 / 3));
  // A head of 30 on rank 1: its F0 ends at 230, B0 at 430, F1 at 560, B1 at 760; rank 0's B1 at 960. Busy 600 and 660.
  check_bubbles({.head = 30}, 960, 1920 - 1260, 1260, 960, 960);
  // Messages of 20: rank 1 F0 [120, 220), B0 [220, 420), F1 [420, 520), B1 [520, 720); rank 0 B0 [440, 640),
  // B1 [740, 940). Rank 0 has nothing but a message for 60 (F1's, B0's, B1's), rank 1 for 40 (F0's, B1's): so much is
  // pipeline_comm, not bubble. Neither is F or B.
  check_bubbles({.message = 20}, 940, 2 * 940 - 1200 - 100, 1200, 940, 940);
  // The host for 90 before anything, and an optimizer of 110 behind the last B: the step is longer, the schedule is
  // not.
  check_bubbles({.host = 90}, 990, 600, 1200, 900, 900);
  check_bubbles({.optimizer = 110}, 1010, 600, 1200, 900, 900);
}

}  // namespace orrery::engine::split_test
