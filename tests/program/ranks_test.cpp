// Who communicates with whom, for stages on hand-made places.
#include "program/ranks.hpp"

#include <doctest/doctest.h>

#include "by_hand.hpp"
#include "program/team_messages.hpp"

namespace orrery::program::ranks_test {

using program::test::ByHand;

namespace {

using Groups = std::vector<std::vector<std::int32_t>>;

Ranks ranks_of(const ByHand& step) {
  return Ranks(step.input(), step.stages());
}

void at_half_rate(const std::vector<const char*>& links, ByHand& step) {
  for (const char* link : links) {
    hardware::Perturbation p;
    p.link = link, p.bandwidth_factor = 0.5;
    step.cluster.perturb.push_back(p);
  }
}

}  // namespace

TEST_CASE("ranks in a row send forward on pairs of one kind and backward on those of another") {
  const ByHand step("1f1b", 2, 3, 1, 6);
  const Ranks ranks = ranks_of(step);
  CHECK(ranks.along_model == std::vector{0, 1, 2});
  REQUIRE(ranks.pipeline.size() == 3);
  CHECK(ranks.pipeline[0].groups.empty());
  CHECK(ranks.pipeline[1].groups == Groups{{0, 2}, {1, 3}, {2, 4}, {3, 5}});
  CHECK(ranks.pipeline[2].groups == Groups{{2, 0}, {3, 1}, {4, 2}, {5, 3}});
  CHECK(&ranks.pairs(0, 1) == &ranks.pipeline[1]);
  CHECK(&ranks.pairs(2, 1) == &ranks.pipeline[2]);
  CHECK(ranks.pair_of(3, 2) == 3);
  CHECK(ranks.pair_of(4, 0) == -1);  // the last rank sends the first nothing
  CHECK(ranks.pipeline[1].lane == Lane::pipeline_send);
  CHECK(ranks.at_pipeline(3, 2) == 5);
}

TEST_CASE("where stages go round, the last rank sends to the first") {
  const Ranks ranks = ranks_of(ByHand("interleaved_1f1b", 1, 3, 2, 6));
  CHECK(ranks.pipeline[1].groups == Groups{{0, 1}, {1, 2}, {2, 0}});
  CHECK(ranks.pipeline[2].groups == Groups{{0, 2}, {1, 0}, {2, 1}});
  // Two ranks: the one after is the one before.
  const Ranks two = ranks_of(ByHand("1f1b", 1, 2, 1, 6));
  CHECK(two.pipeline[1].groups == Groups{{0, 1}, {1, 0}});
  CHECK(ranks_of(ByHand("1f1b", 2, 1, 1, 6)).pipeline.size() == 1);
}

TEST_CASE("pairs follow the model, not the numbers of the ranks") {
  ByHand step("1f1b", 1, 4, 1, 8);
  step.move({2, 0, 3, 1});  // stages 0, 1, 2, 3 on ranks 2, 0, 3, 1
  const Ranks ranks = ranks_of(step);
  CHECK(ranks.along_model == std::vector{2, 0, 3, 1});
  CHECK(ranks.pipeline[1].groups == Groups{{0, 3}, {2, 0}, {3, 1}});
  CHECK(ranks.pipeline[2].groups.empty());
  CHECK(ranks.pipeline[3].groups == Groups{{0, 2}, {1, 3}, {3, 0}});
  CHECK(&ranks.pairs(2, 0) == &ranks.pipeline[1]);
  CHECK(ranks.pair_of(2, 0) == 1);
  // The tied table of stages 0 and 3 is summed between ranks 2 and 1.
  REQUIRE(ranks.shared.size() == 1);
  CHECK(ranks.shared[0].groups == Groups{{2, 1}});
}

TEST_CASE("chunks in any order send between the ranks that they stand on") {
  ByHand step("looped_bfs", 1, 4, 2, 8);
  // The second chunk on ranks 0, 2, 1, 3: 4 → 5 is 0 → 2, 5 → 6 is 2 → 1, 6 → 7 is 1 → 3.
  std::swap(step.schedule.placement.rank[5], step.schedule.placement.rank[6]);
  const Ranks ranks = ranks_of(step);
  CHECK(ranks.pipeline[1].groups == Groups{{0, 1}, {1, 2}, {2, 3}, {3, 0}});
  CHECK(ranks.pipeline[2].groups == Groups{{0, 2}, {1, 3}, {2, 0}, {3, 1}});
  CHECK(ranks.pipeline[3].groups == Groups{{0, 3}, {1, 0}, {2, 1}, {3, 2}});
}

TEST_CASE("stages of one rank send nothing, and one rank that holds both ends shares nothing") {
  ByHand step("looped_bfs", 2, 2, 2, 4);
  step.schedule.placement.rank = {0, 1, 1, 0};
  CHECK(ranks_of(step).pipeline[1].groups == Groups{{0, 2}, {1, 3}, {2, 0}, {3, 1}});
  CHECK(ranks_of(step).shared[0].groups.empty());
  step.schedule.placement.rank = {0, 0, 0, 0};
  CHECK(ranks_of(step).pipeline[1].groups.empty());
  CHECK(ranks_of(step).along_model == std::vector{0, 1});  // rank 1 holds nothing
  step.model.tied_embeddings = false;
  CHECK(ranks_of(step).shared.empty());
}

TEST_CASE("the norm goes along the model where stages do not") {
  // Stages 0, 1, 2, 3 on ranks 0, 1, 0, 2: the model reaches ranks 0, 1, 2, and no message joins 1 and 2.
  ByHand step("looped_bfs", 1, 4, 1, 4);
  step.layout.pipeline = step.schedule.placement.ranks = 3;
  step.schedule.placement.rank = {0, 1, 0, 2};
  const layout::StageGraph chain = layout::stage_chain(4);
  CHECK(Ranks(step.input(), chain).pipeline[1].groups == Groups{{0, 1}, {2, 0}});
  step.stack.optimizer.post_validation = cost::PostValidation::always;
  CHECK(post_validates(step.input()));
  CHECK(Ranks(step.input(), chain).pipeline[1].groups == Groups{{0, 1}, {1, 2}, {2, 0}});
  step.stack.optimizer.post_validation = cost::PostValidation::split_backward;
  CHECK_FALSE(post_validates(step.input()));
}

TEST_CASE("an edge that skips stages is a pair of its own") {
  const ByHand step("1f1b", 1, 4, 1, 8);
  const layout::StageGraph skip(4, {{0, 1, {}, ""}, {1, 2, {}, ""}, {2, 3, {}, ""}, {0, 2, {}, ""}});
  const Ranks ranks(step.input(), skip);
  CHECK(ranks.pipeline[1].groups.size() == 3);
  CHECK(ranks.pipeline[2].groups == Groups{{0, 2}, {2, 0}});
  CHECK(check_routes(ranks, *step.topology, step.placement).empty());
}

TEST_CASE("ranks fold only where their messages cost alike") {
  // Two replicas of two stages on nodes of two GPUs, one rank a GPU: (stage, replica) = (0,0) (0,1) | (1,0) (1,1), so
  // every message crosses; placed (0,0) (1,0) | (0,1) (1,1) none does; one of each: the replicas differ.
  ByHand step("1f1b", 1, 2, 1, 4);
  step.layout.data = 2;
  step.put_on(3);
  const auto classes = [&](std::vector<hardware::DeviceId> placement) {
    step.placement = std::move(placement);
    const Ranks ranks = ranks_of(step);
    Communication communication(step.input());
    return fold_ranks(ranks, {{&ranks.pipeline[1], Collective::send_receive, Bytes{1 << 20}}}, communication);
  };
  CHECK(classes({0, 1, 2, 3}).fold_class == std::vector<std::int32_t>{0, 0, 1, 1});
  CHECK(classes({0, 2, 1, 3}).fold_class == std::vector<std::int32_t>{0, 0, 1, 1});
  const Devices apart = classes({0, 2, 1, 4});  // replica 0 inside a node, replica 1 from node to node
  CHECK(apart.fold_class == std::vector<std::int32_t>{0, 1, 2, 3});
  CHECK(apart.splits == std::vector<std::string>{"pipeline messages on links of different speed or use"});
}

TEST_CASE("messages of tensor-parallel ranks are those of one of them, where its are the slowest all the way") {
  // Ranks (stage, tensor): (0,0) (0,1) | (1,0) (1,1), a node of two GPUs each; `slow`: links at half rate.
  const auto classes = [](const std::vector<const char*>& slow, Levelling level) {
    ByHand step("1f1b", 2, 2, 1, 4);
    at_half_rate(slow, step);
    step.put_on(2);
    const Ranks ranks = ranks_of(step);
    Communication communication(step.input());
    const std::vector<ObservedCall> calls{{&ranks.pipeline[1], Collective::send_receive, Bytes{1 << 20}}};
    const Devices devices = fold_ranks(ranks, calls, communication, true, {}, {}, {level, {layout::Dimension::tensor}});
    std::int64_t sum = 0;
    const TeamMessages::Costs costs = devices.messages->costs(calls[0], communication);
    for (std::size_t pair = 0; pair < costs.size(); ++pair) sum += costs[pair].duration.value;
    return std::pair(devices.fold_class, sum);
  };
  const std::vector<std::int32_t> together{0, 0, 1, 1}, apart{0, 1, 2, 3};
  constexpr Levelling none = Levelling::none, all_the_way = Levelling::all_the_way;
  const auto [alike, whole] = classes({}, none);
  CHECK(alike == together);
  const auto own = classes({"node0.gpu0--node0.nic0"}, none);
  const auto levelled = classes({"node0.gpu0--node0.nic0"}, all_the_way);
  CHECK(own.first == apart);
  CHECK(levelled.first == together);
  CHECK(levelled.second - whole == 2 * (own.second - whole));  // both ways: two pairs are slow for one
  // Out of one the slowest, into the other: no rank's are the slowest both ways.
  CHECK(classes({"node0.gpu0->node0.nic0", "node0.nic1->node0.gpu1"}, all_the_way).first == apart);
  CHECK(classes({"node0.gpu0->node0.nic0", "node0.nic0->node0.gpu0"}, all_the_way).first == together);
}

TEST_CASE("messages of a team are as slow as the slowest on their hop, of tensor- and context-parallel ranks alike") {
  // Ranks (stage, context, tensor) as 4 · stage + 2 · context + tensor, a node of two GPUs for each context rank.
  const auto devices = [](const std::vector<const char*>& slow, const TeamLevels& level, int& of_hops) {
    ByHand step("1f1b", 2, 2, 1, 4);
    step.layout.context = 2;
    at_half_rate(slow, step);
    step.put_on(4);
    const Ranks ranks = ranks_of(step);
    Communication communication(step.input());
    const std::vector<ObservedCall> calls{{&ranks.pipeline[1], Collective::send_receive, Bytes{1 << 20}}};
    const Devices folded = fold_ranks(ranks, calls, communication, true, {}, {}, level);
    const TeamMessages::Costs costs = folded.messages->costs(calls[0], communication);
    for (std::size_t pair = 0; pair < costs.size(); ++pair) of_hops += costs.times(pair) != 0 ? 1 : 0;
    return folded.representative.size();
  };
  const std::vector<const char*> ways{"node0.gpu0->node0.nic0", "node1.nic1->node1.gpu1"};  // no rank is slow on both
  constexpr layout::Dimension tensor = layout::Dimension::tensor, context = layout::Dimension::context;
  int of_hops = 0;
  CHECK(devices({}, {Levelling::each_hop, {tensor, context}}, of_hops) == 2);
  CHECK(of_hops == 0);
  CHECK(devices(ways, {Levelling::none, {tensor, context}}, of_hops) > 2);
  CHECK(devices(ways, {Levelling::all_the_way, {tensor, context}}, of_hops) > 2);
  CHECK(of_hops == 0);
  CHECK(devices(ways, {Levelling::each_hop, {tensor}}, of_hops) > 2);  // the other context rank is not slow
  of_hops = 0;
  CHECK(devices(ways, {Levelling::each_hop, {tensor, context}}, of_hops) == 2);
  CHECK(of_hops == 8);  // of four ranks, both ways
}

}  // namespace orrery::program::ranks_test
