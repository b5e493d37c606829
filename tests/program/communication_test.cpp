// What calls cost the groups that make them, by the formulas of the network room without a library's constants.
#include "program/communication.hpp"

#include <doctest/doctest.h>

#include "by_hand.hpp"

namespace orrery::program::communication_test {

using program::test::ByHand;

namespace {

// Four GPUs on two nodes: 0 and 1, 2 and 3.
ByHand four(NetworkMode mode, int nics = 2) {
  ByHand step("1f1b", 1, 4, 1, 4);
  step.mode = mode;
  step.protocol = "ideal", step.algorithm = "ring";
  step.cluster.scale_out.nics_per_node = step.cluster.scale_out.fat_tree.leaves_per_unit = nics;
  step.put_on(2);
  return step;
}

ProcessGroups groups_of(std::vector<std::vector<std::int32_t>> groups, bool in_pass = false) {
  ProcessGroups among;
  among.lane = Lane::tensor, among.category = Category::tensor_comm, among.in_pass = in_pass;
  among.groups = std::move(groups);
  return among;
}

std::vector<std::int64_t> durations(const CallCosts& costs) {
  std::vector<std::int64_t> result;
  for (std::size_t g = 0; g < costs.size(); ++g) result.push_back(costs[g].duration.value);
  return result;
}

constexpr std::int64_t kMillisecond = 1'000'000'000;  // ps
constexpr Bytes kSize{450'000'000};                   // a millisecond of NVLink, 9 of a NIC

}  // namespace

TEST_CASE("bytes that each member sends, of the whole array") {
  CHECK(bytes_sent(Collective::all_reduce, {1000}, 4) == Bytes{1500});
  CHECK(bytes_sent(Collective::reduce_scatter, {1000}, 4) == Bytes{750});
  CHECK(bytes_sent(Collective::all_gather, {1000}, 4) == Bytes{750});
  CHECK(bytes_sent(Collective::all_to_all, {1000}, 8) == Bytes{875});
  CHECK(bytes_sent(Collective::dispatch, {1000}, 8) == Bytes{875});
  CHECK(bytes_sent(Collective::send_receive, {1000}, 2) == Bytes{1000});
  CHECK(bytes_sent(Collective::broadcast, {1000}, 4) == Bytes{1000});
  CHECK(bytes_sent(Collective::all_gather, {10}, 3) == Bytes{7});  // 6.67, and no byte is cut
  for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::broadcast})
    CHECK(bytes_sent(kind, {1000}, 1) == Bytes{});
  CHECK_THROWS_AS(bytes_sent(Collective::all_reduce, {INT64_MAX / 2}, 4), OverflowError);
}

TEST_CASE("each group takes the time of its own links") {
  const ByHand step = four(NetworkMode::ideal);
  const StepInput input = step.input();
  Communication communication(input);
  // All-reduce of two over a ring: 2 α + S / B. Inside a node B is 450 GB/s; between nodes it is a NIC of 50 GB/s on
  // each side, and the ring goes there and back through it in both halves.
  const ProcessGroups pairs = groups_of({{0, 1}, {0, 2}});
  const std::int64_t inside = 2 * hardware::testing::latency(*step.topology, 0, 1).value,
                     across = 2 * hardware::testing::latency(*step.topology, 0, 2).value;
  CHECK(durations(communication.costs(pairs, Collective::all_reduce, kSize)) ==
        std::vector{kMillisecond + inside, 9 * kMillisecond + across});
  // Gathering is half of it.
  CHECK(durations(communication.costs(pairs, Collective::all_gather, kSize)) ==
        std::vector{(kMillisecond + inside) / 2, (9 * kMillisecond + across) / 2});
}

// NCCL before 2.12. All-reduce of four: 3/2 S = 675 MB, over one NIC of 50 GB/s 13.5 ms, over two at once 6.75 ms. GPUs
// 0 and 1 are behind one PCIe switch, so their ring may use the NICs of both; of 0 and 2 it comes and goes by one. A
// GPU alone in its node has its own NIC either way. To 20 us: leaves of the fabric differ.
TEST_CASE("older libraries leave a node by the NIC through which they came") {
  ByHand step("1f1b", 1, 8, 1, 8);
  step.mode = NetworkMode::ideal, step.protocol = "ideal", step.algorithm = "ring";
  step.cluster.gpus_per_node = step.cluster.scale_out.nics_per_node = step.cluster.scale_out.fat_tree.leaves_per_unit =
      4;
  step.put_on(2);
  const ProcessGroups groups = groups_of({{0, 2, 4, 6}, {0, 1, 4, 5}, {0, 4}, {0, 1, 2, 3, 4, 5, 6, 7}});
  const auto take = [&](bool near) {
    step.stack.communication.near_nics = near;
    const StepInput input = step.input();
    Communication communication(input);
    return durations(communication.costs(groups, Collective::all_reduce, kSize));
  };
  const std::vector<std::int64_t> with = take(true), without = take(false);
  CHECK(std::abs(without[0] - kMillisecond * 27 / 4) < 20'000'000);
  CHECK(std::abs(with[0] - kMillisecond * 27 / 2) < 20'000'000);
  for (std::size_t i = 1; i < groups.groups.size(); ++i) CHECK(with[i] == without[i]);
}

// The GPUs 0 of two nodes: 450 MB through a NIC of 50 GB/s take 9 ms. Evenly sharded half of them go each way. A bucket
// goes to one rank, all of it; two broadcasts in turn pass half of it each.
TEST_CASE("shards that are runs of parameters are broadcast in turn, and buckets go to one rank") {
  ByHand step = four(NetworkMode::ideal);
  step.algorithm.clear();
  ProcessGroups pair = groups_of({{0, 2}});
  const auto take = [&](bool contiguous, Lane lane, Collective kind) {
    step.stack.communication.contiguous_shards = contiguous;
    pair.lane = lane;
    const StepInput input = step.input();
    Communication communication(input);
    return communication.costs(pair, kind, kSize)[0].duration.value;
  };
  const std::int64_t hop = hardware::testing::latency(*step.topology, 0, 2).value;
  for (const Collective kind : {Collective::reduce_scatter, Collective::all_gather}) {
    CHECK(take(false, Lane::data, kind) == 9 * kMillisecond / 2 + hop);
    CHECK(take(true, Lane::tensor, kind) == 9 * kMillisecond / 2 + hop);
  }
  CHECK(std::abs(take(true, Lane::data, Collective::reduce_scatter) - 9 * kMillisecond - hop) <= 1);
  CHECK(std::abs(take(true, Lane::data, Collective::all_gather) - 9 * kMillisecond - 2 * hop) <= 1);
}

TEST_CASE("nobody to talk to and nothing to say take no time") {
  const ByHand step = four(NetworkMode::steady);
  const StepInput input = step.input();
  Communication communication(input);
  const ProcessGroups groups = groups_of({{0}, {1, 2}});
  const auto& costs = communication.costs(groups, Collective::all_reduce, kSize);
  CHECK(costs[0].duration == Time{});
  CHECK(costs[0].call.took == Time{});
  CHECK(costs[0].call.traffic.sent == Bytes{});
  CHECK(costs[1].duration > Time{});
  CHECK(durations(communication.costs(groups, Collective::all_reduce, {})) == std::vector<std::int64_t>{0, 0});
}

TEST_CASE("a call is planned once for its groups, kind and size") {
  const ByHand step = four(NetworkMode::ideal);
  const StepInput input = step.input();
  Communication communication(input);
  const ProcessGroups one = groups_of({{0, 1}}), other = groups_of({{0, 2}});
  const auto* first = &communication.costs(one, Collective::all_reduce, kSize);
  CHECK(&communication.costs(one, Collective::all_reduce, kSize) == first);
  CHECK(&communication.costs(one, Collective::all_gather, kSize) != first);
  CHECK(&communication.costs(one, Collective::all_reduce, kSize * 2) != first);
  CHECK(&communication.costs(other, Collective::all_reduce, kSize) != first);
  CHECK(communication.costs(one, Collective::all_reduce, kSize)[0].duration == (*first)[0].duration);
}

TEST_CASE("groups that share a link at once halve it in steady mode, and the call says what that cost and where") {
  // One NIC a node: the messages 0 → 2 and 1 → 3 both pass it. 9 ms alone, 18 together.
  const ProcessGroups pairs = groups_of({{0, 2}, {1, 3}});
  const auto costs = [&](NetworkMode mode) {
    ByHand step = four(mode, 1);
    step.algorithm = "direct";
    const StepInput input = step.input();
    Communication communication(input);
    return std::pair(communication.costs(pairs, Collective::send_receive, kSize), step.topology);
  };
  const auto [ideal, topology] = costs(NetworkMode::ideal);
  const std::int64_t alpha = hardware::testing::latency(*topology, 0, 2).value;
  CHECK(durations(ideal) == std::vector{9 * kMillisecond + alpha, 9 * kMillisecond + alpha});
  CHECK(ideal[0].call.took == ideal[0].call.alone);
  CHECK(ideal[0].call.link == -1);
  CHECK(ideal[0].transfer.phases.empty());
  const auto [steady, same] = costs(NetworkMode::steady);
  for (const CallCost& cost : steady.kinds) {
    CHECK(cost.duration == Time{18 * kMillisecond + alpha});
    CHECK(cost.call.took == cost.duration);
    CHECK(cost.call.alone == ideal[0].duration);
    REQUIRE(cost.call.link >= 0);
    CHECK(same->links()[static_cast<std::size_t>(cost.call.link)].level == hardware::LinkLevel::nic);
    CHECK(cost.transfer.phases.empty());
  }
  // Where whatever is in flight shares, the time is that alone, and the phases go along to be played.
  const auto [flows, again] = costs(NetworkMode::flows);
  CHECK(durations(flows) == durations(ideal));
  REQUIRE(flows[0].transfer.phases.size() == 1);
  CHECK(flows[0].transfer.phases[0].bytes == kSize);
  CHECK(flows[0].call.link == -1);
}

TEST_CASE("groups of one shape are planned once, and cost what each would by itself") {
  // Four nodes of four GPUs, two leaves of two nodes: pairs and fours within a node, across leaves, both ways, a slow
  // GPU, a NIC for two. Of the groups listed a third are like another.
  ByHand step("1f1b", 1, 16, 1, 16);
  step.cluster.gpus_per_node = 4;
  step.cluster.scale_out.nics_per_node = step.cluster.scale_out.fat_tree.leaves_per_unit = 2;
  step.cluster.scale_out.fat_tree.nodes_per_unit = 2;
  hardware::Perturbation p;
  p.link = "node2.gpu1--node2.nic0", p.bandwidth_factor = 0.5;
  step.cluster.perturb.push_back(p);
  step.put_on(4);
  const ProcessGroups groups = groups_of({{0, 1},
                                          {1, 0},
                                          {2, 3},
                                          {5, 4},
                                          {0, 4},
                                          {4, 0},
                                          {0, 5},
                                          {0, 8},
                                          {1, 9},
                                          {8, 12},
                                          {9, 13},
                                          {0, 1, 2, 3},
                                          {4, 5, 6, 7},
                                          {8, 9, 10, 11},
                                          {3, 2, 1, 0},
                                          {0, 1, 4, 5},
                                          {4, 5, 8, 9},
                                          {8, 9, 12, 13},
                                          {2, 3, 6, 7},
                                          {12},
                                          {0, 1, 2, 3, 4, 5, 6, 7},
                                          {8, 9, 10, 11, 12, 13, 14, 15}});
  int compared = 0;
  for (const NetworkMode mode : {NetworkMode::ideal, NetworkMode::flows})
    for (const bool near : {false, true})
      for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::all_to_all}) {
        step.mode = mode, step.stack.communication.near_nics = near;
        step.stack.communication.network_step = {7'000'000};
        const StepInput input = step.input();
        Communication communication(input);
        const CallCosts& together = communication.costs(groups, kind, kSize);
        for (std::size_t g = 0; g < groups.groups.size(); ++g) {
          const ProcessGroups one = groups_of({groups.groups[g]});
          Communication alone(input);
          const CallCost& own = alone.costs(one, kind, kSize)[0];
          REQUIRE(together[g].duration == own.duration);
          REQUIRE(together[g].call.alone == own.call.alone);
          REQUIRE(together[g].call.traffic.wire == own.call.traffic.wire);
          REQUIRE(together[g].transfer.phases == own.transfer.phases);
          ++compared;
        }
        if (mode == NetworkMode::ideal) CHECK(together.kinds.size() < groups.groups.size() - 6);
      }
  CHECK(compared == 2 * 2 * 3 * 22);
}

TEST_CASE("calls inside the passes wait for the network once for each step of their ring between nodes") {
  ByHand step = four(NetworkMode::ideal);
  const StepInput plain = step.input();
  step.stack.communication.network_step = {7'000'000};
  const StepInput waits = step.input();
  Communication without(plain), with(waits);
  // In rank order: 0 → 1 → 0; 0 → 2 → 0; 0 → 1 → 2 → 3 → 0, of which 1 → 2 and 3 → 0 leave their node.
  const std::vector<std::vector<std::int32_t>> groups{{0, 1}, {0, 2}, {0, 1, 2, 3}, {0, 2, 1, 3}};
  const ProcessGroups in_pass = groups_of(groups, true), beside = groups_of(groups, false);
  const auto more = [&](const ProcessGroups& of) {
    std::vector<std::int64_t> result = durations(with.costs(of, Collective::all_reduce, kSize));
    const auto least = durations(without.costs(of, Collective::all_reduce, kSize));
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = (result[i] - least[i]) / 1'000'000;
    return result;
  };
  CHECK(more(in_pass) == std::vector<std::int64_t>{0, 14, 14, 28});
  CHECK(more(beside) == std::vector<std::int64_t>{0, 0, 0, 0});
  CHECK(with.costs(in_pass, Collective::all_reduce, kSize)[1].call.alone ==
        with.costs(in_pass, Collective::all_reduce, kSize)[1].duration);  // nothing shared
}

TEST_CASE("the algorithm that the run names serves the calls it can, the others choose") {
  ByHand step = four(NetworkMode::ideal);
  const ProcessGroups pair = groups_of({{0, 2}});
  const auto time_by = [&](const char* algorithm, Collective kind) {
    step.algorithm = algorithm;
    const StepInput input = step.input();
    Communication communication(input);
    return communication.costs(pair, kind, kSize)[0].duration;
  };
  // A ring sends nothing from one to another; the call goes direct.
  CHECK(time_by("ring", Collective::send_receive) == time_by("direct", Collective::send_receive));
  CHECK(time_by("ring", Collective::all_reduce) == time_by("", Collective::all_reduce));  // ideal: a ring
}

TEST_CASE("what a call moves is in its books: a ring of two sends and receives S for an all-reduce of S") {
  const ByHand step = four(NetworkMode::ideal);
  const StepInput input = step.input();
  Communication communication(input);
  const ProcessGroups pair = groups_of({{0, 1}});
  const Call& call = communication.costs(pair, Collective::all_reduce, kSize)[0].call;
  CHECK(call.category == Category::tensor_comm);
  CHECK(call.collective == Collective::all_reduce);
  // Of both: 2 (n − 1) S.
  CHECK(call.traffic.must_send == kSize * 2);
  CHECK(call.traffic.sent == kSize * 2);
  CHECK(call.traffic.received == kSize * 2);
}

TEST_CASE("the task of a call stands on the lane of its groups") {
  const ByHand step = four(NetworkMode::flows);
  const StepInput input = step.input();
  Communication communication(input);
  Builder builder;
  ProcessGroups pairs = groups_of({{0, 1}, {0, 2}});
  pairs.lane = Lane::replicas, pairs.category = Category::data_comm;
  const TaskTemplate t =
      collective_task(communication, builder, pairs, 1, Collective::reduce_scatter, kSize, "reduce gradients");
  CHECK(t.duration == communication.costs(pairs, Collective::reduce_scatter, kSize)[1].duration);
  CHECK(t.lane == Lane::replicas);
  CHECK(t.partner_lane == Lane::replicas);
  CHECK(t.category == Category::data_comm);
  CHECK(t.bytes_sent == Bytes{kSize.value / 2});
  CHECK(t.transfer == 0);
  CHECK(t.calls.count == 1);
  CHECK(std::string_view(t.name) == "reduce gradients");
  CHECK(collective_task(communication, builder, pairs, 0, Collective::all_gather, kSize, "").transfer == 1);
}

}  // namespace orrery::program::communication_test
