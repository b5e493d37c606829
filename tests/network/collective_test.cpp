// Plans on real clusters: which links they load, which algorithm is chosen, what they share.
#include "orrery/network/collective.hpp"

#include <doctest/doctest.h>

#include <map>
#include <numeric>
#include <set>

#include "orrery/hardware/catalogue.hpp"
#include "orrery/network/call_planner.hpp"
#include "orrery/network/flow.hpp"
#include "orrery/network/tuning.hpp"
#include "star.hpp"

namespace orrery::network::collective_test {

using hardware::DeviceId;
using hardware::LinkLevel;

namespace {

struct Cluster {
  std::unique_ptr<hardware::Topology> topology;
  Tuning tuning;

  Cluster(const char* name, int nodes) {
    const auto spec = hardware::load_cluster(name);
    if (!spec) FAIL(render(spec.errors()));
    auto built = hardware::build_topology(*spec, nodes);
    if (!built) FAIL(render(built.errors()));
    topology = std::move(*built);
    auto found = tuning_for(*spec);
    if (!found) FAIL(render(found.errors()));
    tuning = *found;
  }
  CollectivePlan plan(Collective kind, std::int64_t bytes, const std::vector<DeviceId>& group,
                      const char* algorithm = "", const char* protocol = "") const {
    return plan_collective({kind, Bytes{bytes}, group, algorithm, protocol}, *topology, tuning);
  }
  double seconds_of(const CollectivePlan& planned) const { return seconds(unshared_time(planned, topology->links())); }
};

std::vector<DeviceId> range(int count, int step = 1) {
  std::vector<DeviceId> group;
  for (int i = 0; i < count; ++i) group.push_back(i * step);
  return group;
}

constexpr std::int64_t kMiB = 1 << 20, kGiB = 1 << 30;

std::map<LinkLevel, std::set<std::int32_t>> multiplicities(const Phase& phase, const hardware::Topology& topology) {
  std::map<LinkLevel, std::set<std::int32_t>> found;
  for (const LinkUse use : phase.links)
    found[topology.links()[static_cast<std::size_t>(use.link)].level].insert(use.multiplicity);
  return found;
}

}  // namespace

TEST_CASE("one planner's calls of many sizes are those planned one by one") {
  const Cluster cluster("dgx-h100", 4);
  for (const std::vector<DeviceId>& group : {range(8), range(4, 8), range(32), range(2, 9)})
    for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::all_to_all}) {
      CallPlanner planner({kind, Bytes{}, group}, *cluster.topology, cluster.tuning);
      for (const std::int64_t bytes : {kGiB, std::int64_t{1}, kMiB, 64 * kMiB, kMiB}) {
        const CollectivePlan one = planner.plan({bytes}), alone = cluster.plan(kind, bytes, group);
        CHECK(one.algorithm == alone.algorithm);
        CHECK(one.protocol == alone.protocol);
        CHECK(one.phases == alone.phases);
      }
    }
}

// The GPUs of one number in each of four nodes: what tells their groups apart is on which rail, on which links, they
// are.
TEST_CASE("groups that are as far apart have plans that differ in their links alone") {
  const Cluster cluster("dgx-h100", 4);
  const std::vector<DeviceId> rail{1, 9, 17, 25};
  for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::all_to_all}) {
    const auto planner = [&](const std::vector<DeviceId>& group) {
      return CallPlanner({kind, Bytes{}, group}, *cluster.topology, cluster.tuning);
    };
    CallPlanner first = planner(range(4, 8)), second = planner(rail);
    REQUIRE(second.like(first));
    for (const std::int64_t bytes : {kMiB, kGiB}) {
      const CollectivePlan alone = cluster.plan(kind, bytes, rail);
      CollectivePlan of_first = first.plan({bytes});
      CHECK(of_first.phases != alone.phases);
      for (std::size_t k = 0; k < of_first.phases.size(); ++k)
        of_first.phases[k].links = second.links(of_first.algorithm, k);
      CHECK(of_first.phases == alone.phases);
    }
    for (const std::vector<DeviceId>& other : {range(4), range(8, 4), range(3, 8)}) {
      CallPlanner unlike = planner(other);
      CHECK(!unlike.like(first));
    }
  }
}

TEST_CASE("a ring over two nodes of eight uses all eight NICs alike, a ring of one GPU a node its own") {
  const Cluster cluster("dgx-h100", 2);
  const auto all = cluster.plan(Collective::all_reduce, kGiB, range(16), "ring", "ideal");
  REQUIRE(all.phases.size() == 1);
  const auto loads = multiplicities(all.phases[0], *cluster.topology);
  CHECK(loads.at(LinkLevel::nic) == std::set<std::int32_t>{1});
  CHECK(loads.at(LinkLevel::scale_up) == std::set<std::int32_t>{8});  // each NVLink is passed by all eight rings
  // 2·15/16 · 1 GiB over 8 NICs of 50 GB/s, before latency.
  const double transfer = 2.0 * 15 / 16 * kGiB / 400e9;
  CHECK(cluster.seconds_of(all) == doctest::Approx(transfer).epsilon(0.03));
  const auto pair = cluster.plan(Collective::all_reduce, kGiB, range(2, 8), "ring", "ideal");
  CHECK(cluster.seconds_of(pair) == doctest::Approx(1.0 * kGiB / 50e9).epsilon(0.001));
  // The data-parallel groups of the other GPUs run beside it on their own NICs.
  std::vector<Transfer> together;
  std::vector<CollectivePlan> plans;
  for (int rail = 0; rail < 8; ++rail) {
    plans.push_back(cluster.plan(Collective::all_reduce, kGiB, {rail, rail + 8}, "ring", "ideal"));
  }
  for (const auto& each : plans) together.push_back(transfer_of(each.phases[0], 0));
  for (const double rate : steady_rates(cluster.topology->links(), together)) CHECK(rate == doctest::Approx(50e9));
}

TEST_CASE("meshes take as many rings side by side as their links allow") {
  const Cluster mi300x("hgx-mi300x", 1);
  const auto ring = mi300x.plan(Collective::all_reduce, kGiB, range(8), "ring", "ideal");
  // Three cycles of K8 in both directions: 6 of 7 links of 64 GB/s. S·2·7/8 over 6 rings.
  CHECK(mi300x.seconds_of(ring) == doctest::Approx(1.75 * kGiB / (6 * 64e9)).epsilon(0.01));
  // Pairs exchange directly over all seven: S/8 on each link, twice.
  const auto direct = mi300x.plan(Collective::all_reduce, kGiB, range(8), "direct", "ideal");
  CHECK(mi300x.seconds_of(direct) == doctest::Approx(2.0 * kGiB / 8 / 64e9).epsilon(0.01));
  CHECK(mi300x.plan(Collective::all_reduce, kGiB, range(8)).algorithm == "direct");
  // Two GPUs have one link of the seven, four have three: a switch would give all.
  const auto bus = [&](int n) {
    return 2.0 * (n - 1) / n * 8 * kGiB / mi300x.seconds_of(mi300x.plan(Collective::all_reduce, 8 * kGiB, range(n)));
  };
  CHECK(bus(2) / bus(8) == doctest::Approx(1.0 / 7).epsilon(0.02));
  CHECK(bus(4) / bus(8) == doctest::Approx(3.0 / 7).epsilon(0.02));
  // DGX-1 with V100: six rings over eight GPUs, 25 GB/s each.
  const Cluster v100("dgx-1-v100", 1);
  const auto cube = v100.plan(Collective::all_reduce, kGiB, range(8), "ring", "ideal");
  CHECK(v100.seconds_of(cube) == doctest::Approx(1.75 * kGiB / 150e9).epsilon(0.01));
}

TEST_CASE("the choice follows NCCL's tuner") {
  const auto chosen = [](const Cluster& cluster, int ranks, std::int64_t bytes,
                         Collective kind = Collective::all_reduce) {
    const auto plan = cluster.plan(kind, bytes, range(ranks));
    return plan.algorithm + " " + plan.protocol;
  };
  const Cluster a100("dgx-a100", 8), h100("dgx-h100", 8);
  CHECK(chosen(a100, 8, kMiB / 4) == "ring ll");
  CHECK(chosen(a100, 8, 8 * kMiB) == "ring ll128");
  CHECK(chosen(a100, 8, 64 * kMiB) == "ring simple");
  CHECK(chosen(a100, 64, kMiB / 16) == "tree ll");
  CHECK(chosen(a100, 64, 2 * kMiB) == "tree ll128");
  CHECK(chosen(a100, 64, kGiB) == "ring simple");
  CHECK(chosen(h100, 8, kMiB / 2) == "ring ll");
  CHECK(chosen(h100, 8, 4 * kMiB) == "nvls simple");
  CHECK(chosen(h100, 16, kMiB / 16) == "tree ll");
  CHECK(chosen(h100, 16, kMiB) == "tree ll128");
  CHECK(chosen(h100, 16, 16 * kMiB) == "nvls_tree simple");
  CHECK(chosen(h100, 64, kGiB) == "nvls_tree simple");
  CHECK(chosen(h100, 8, kGiB, Collective::all_gather) == "ring simple");
  CHECK(chosen(h100, 8, kGiB, Collective::all_to_all) == "direct simple");
  // One GPU a node has no switch to reduce in.
  CHECK(h100.plan(Collective::all_reduce, kGiB, range(8, 8)).algorithm == "ring");
  // Settings: what is named is kept.
  CHECK(h100.plan(Collective::all_reduce, kGiB, range(8), "ring").algorithm == "ring");
  CHECK(h100.plan(Collective::all_reduce, kGiB, range(8), "", "ideal").protocol == "ideal");
}

TEST_CASE("NVLS and SHARP move fewer bytes than rings, as their switches do the sums") {
  const Cluster cluster("dgx-h100", 4);
  const auto time = [&](int ranks, const char* algorithm) {
    return cluster.seconds_of(cluster.plan(Collective::all_reduce, 8 * kGiB, range(ranks), algorithm, "ideal"));
  };
  // S (1 + 1/8) / 450 GB/s against 2·7/8 · S / 450 GB/s.
  CHECK(time(8, "nvls") / time(8, "ring") == doctest::Approx(1.125 / 1.75).epsilon(0.001));
  // Four nodes: the rails' trees pass 2 · S/8 a NIC; a ring 2·31/32 · S/8; SHARP S/8, less than the 2·7/8 · S inside.
  CHECK(time(32, "nvls_tree") == doctest::Approx(2.0 * kGiB / 50e9).epsilon(0.001));
  CHECK(time(32, "ring") == doctest::Approx(2.0 * 31 / 32 * kGiB / 50e9).epsilon(0.002));
  CHECK(time(32, "collnet") == doctest::Approx(1.75 * 8 * kGiB / 450e9).epsilon(0.001));
  // Two nodes: an edge of each tree, S/8 a NIC; inside S (1 + 1/8).
  CHECK(time(16, "nvls_tree") == doctest::Approx(8 * 1.125 * kGiB / 450e9).epsilon(0.001));
}

TEST_CASE("collectives on the same links slow each other") {
  const Cluster cluster("dgx-h100", 2);
  const auto plan = cluster.plan(Collective::all_gather, kGiB, range(16), "ring", "ideal");
  FlowNetwork network(cluster.topology->links());
  network.start(Time{}, transfer_of(plan.phases[0], 1));
  network.start(Time{}, transfer_of(plan.phases[0], 2));
  std::vector<std::int64_t> finished;
  Time last{};
  while (const auto t = network.next_event()) network.advance(last = *t, finished);
  CHECK(finished == std::vector<std::int64_t>{1, 2});
  const Time alone = unshared_time(plan, cluster.topology->links());
  CHECK((last - plan.phases[0].latency).value ==
        doctest::Approx(2.0 * static_cast<double>((alone - plan.phases[0].latency).value)).epsilon(1e-9));
}

TEST_CASE("halving every bandwidth and doubling every latency doubles an ideal collective") {
  const test::Star one(16, 8, Time{1'000'000}, BytesPerSecond{50'000'000'000});
  const test::Star two(16, 8, Time{2'000'000}, BytesPerSecond{25'000'000'000});
  const auto group = range(16);
  Tuning adding;
  adding.in_switch_reduction = adding.fabric_reduction = true;
  for (const std::string& algorithm : algorithm_names()) {
    for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter,
                                  Collective::all_to_all, Collective::broadcast}) {
      const CollectiveCall call{kind, Bytes{12'345'677}, group, algorithm, "ideal"};
      if (!unsupported(call, one, adding).empty()) continue;
      const auto slow = plan_collective(call, two, adding), fast = plan_collective(call, one, adding);
      const auto difference = unshared_time(slow, two.links()) - 2 * unshared_time(fast, one.links());
      CAPTURE(algorithm);
      CHECK(std::abs(difference.value) <= 4 * static_cast<std::int64_t>(fast.phases.size()));
    }
  }
}

TEST_CASE("groups of unequal parts, of one, and of ranks out of order") {
  const Cluster cluster("dgx-h100", 3);
  const std::vector<DeviceId> uneven{0, 1, 2, 8, 9, 10, 11, 12, 20};
  for (const std::string& algorithm : algorithm_names()) {
    for (const Collective kind : {Collective::all_reduce, Collective::all_gather, Collective::broadcast}) {
      const CollectiveCall call{kind, Bytes{kMiB}, uneven, algorithm, "ideal"};
      if (!unsupported(call, *cluster.topology, cluster.tuning).empty()) continue;
      CAPTURE(algorithm);
      CHECK(cluster.seconds_of(plan_collective(call, *cluster.topology, cluster.tuning)) > 0);
    }
  }
  CHECK(cluster.plan(Collective::all_reduce, kGiB, {5}).phases.empty());
  CHECK(cluster.seconds_of(cluster.plan(Collective::all_reduce, kGiB, {0, 8, 1, 9}, "ring", "ideal")) ==
        cluster.seconds_of(cluster.plan(Collective::all_reduce, kGiB, {0, 1, 8, 9}, "ring", "ideal")));
}

TEST_CASE("aggregated trees pass a ring where steps cost more than bytes") {
  // 32 nodes, one GPU each: 5 steps instead of 31.
  const Cluster cluster("dgx-a100", 32);
  const auto rail = range(32, 8);
  const auto time = [&](const char* algorithm, std::int64_t bytes) {
    return cluster.seconds_of(cluster.plan(Collective::all_gather, bytes, rail, algorithm, "simple"));
  };
  CHECK(time("pat", kMiB) < time("ring", kMiB));
  CHECK(time("pat", kGiB) > time("ring", kGiB));
}

TEST_CASE("what cannot be planned is refused by name") {
  const Cluster cluster("dgx-a100", 2);
  const auto group = range(16);
  const auto why = [&](Collective kind, const char* algorithm, const char* protocol = "") {
    return unsupported({kind, Bytes{1}, group, algorithm, protocol}, *cluster.topology, cluster.tuning);
  };
  CHECK(why(Collective::all_reduce, "ring").empty());
  CHECK(why(Collective::all_reduce, "rings") == "unknown algorithm 'rings'");
  CHECK(why(Collective::all_reduce, "ring", "fast") == "unknown protocol 'fast' (ll, ll128, simple, ideal)");
  CHECK(why(Collective::all_to_all, "ring").starts_with("ring serves"));
  CHECK(why(Collective::all_reduce, "nvls").starts_with("nvls needs a scale-up switch that adds"));
  CHECK(why(Collective::all_reduce, "nvls_tree").starts_with("nvls_tree needs a scale-up switch that adds"));
  CHECK(why(Collective::all_reduce, "collnet").starts_with("collnet needs switches between the nodes that add"));
  CHECK_THROWS_AS(cluster.plan(Collective::all_reduce, kGiB, range(8), "nvls"), std::invalid_argument);
  const Cluster h100("dgx-h100", 2);
  CHECK(unsupported({Collective::all_reduce, Bytes{1}, group, "nvls"}, *h100.topology, h100.tuning)
            .starts_with("nvls needs all ranks in one"));
  CHECK(why(Collective::all_reduce, "pat") == "pat serves all_gather and reduce_scatter");
  CHECK(why(Collective::broadcast, "chain") == "chain serves all_gather and reduce_scatter");
  CHECK(why(Collective::all_gather, "pat") == "pat takes groups of one GPU a scale-up domain");
  CHECK(why(Collective::send_receive, "direct").starts_with("send_receive takes two"));
  CHECK_THROWS_AS(cluster.plan(Collective::all_to_all, 1, group, "tree"), std::invalid_argument);
}

}  // namespace orrery::network::collective_test
