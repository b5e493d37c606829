// Which ranks are alike: colour refinement of hand-made partitions.
#include "program/fold.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "orrery/core/random.hpp"

namespace orrery::program::fold_test {

namespace {

using Groups = std::vector<std::vector<std::int32_t>>;
using Classes = std::vector<std::int32_t>;

Classes classes(const std::vector<std::int64_t>& initial, const std::vector<Relation>& relations) {
  return fold_classes(initial, relations);
}

}  // namespace

TEST_CASE("without a relation a class is what a rank is by itself, numbered by first appearance") {
  CHECK(classes({5, 3, 5, 7, 3}, {}) == Classes{0, 1, 0, 2, 1});
  CHECK(classes({}, {}).empty());
  const Groups none;
  CHECK(classes({9, 9}, {{&none, {}, false}}) == Classes{0, 0});
}

TEST_CASE("ranks of groups with other costs differ, and so do ranks in no group") {
  const Groups pairs{{0, 1}, {2, 3}};
  CHECK(classes({0, 0, 0, 0}, {{&pairs, {4, 4}, false}}) == Classes{0, 0, 0, 0});
  CHECK(classes({0, 0, 0, 0}, {{&pairs, {4, 5}, false}}) == Classes{0, 0, 1, 1});
  CHECK(classes({0, 0, 0, 0}, {{&pairs, {}, false}}) == Classes{0, 0, 0, 0});
  const Groups one{{1, 2}};
  CHECK(classes({0, 0, 0, 0}, {{&one, {}, false}}) == Classes{0, 1, 1, 0});
}

TEST_CASE("a rank differs by whom it meets, not by its place in the group") {
  // Rank 3 is of another kind: who shares a group with it is not like those who do not.
  const Groups pairs{{0, 1}, {3, 2}};
  CHECK(classes({0, 0, 0, 8}, {{&pairs, {}, false}}) == Classes{0, 0, 1, 2});
  // One odd rank in each group, at either end: the groups are alike, and so are the others.
  CHECK(classes({8, 0, 0, 8}, {{&pairs, {}, false}}) == Classes{0, 1, 1, 0});
}

TEST_CASE("of ordered pairs the ends differ") {
  const Groups pairs{{0, 1}, {2, 3}};
  CHECK(classes({0, 0, 0, 0}, {{&pairs, {}, true}}) == Classes{0, 1, 0, 1});
  // Each sends and each receives: a ring has no end.
  const Groups ring{{0, 1}, {1, 2}, {2, 3}, {3, 0}};
  CHECK(classes({0, 0, 0, 0}, {{&ring, {}, true}}) == Classes{0, 0, 0, 0});
}

TEST_CASE("what tells two ranks apart spreads to all that see them") {
  // A chain, seen from both sides: the ends are alike, and so are the two within.
  const Groups chain{{0, 1}, {1, 2}, {2, 3}};
  CHECK(classes({0, 0, 0, 0}, {{&chain, {}, false}}) == Classes{0, 1, 1, 0});
  // Seen along its way each rank has another number of ranks before it.
  CHECK(classes({0, 0, 0, 0}, {{&chain, {}, true}}) == Classes{0, 1, 2, 3});
  // A ring of which one link is slow: ranks are told apart by how far it is; unordered, there are two of each distance.
  const Groups ring{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 0}};
  CHECK(classes({0, 0, 0, 0, 0, 0}, {{&ring, {0, 0, 0, 0, 0, 1}, true}}) == Classes{0, 1, 2, 3, 4, 5});
  CHECK(classes({0, 0, 0, 0, 0, 0}, {{&ring, {0, 0, 0, 0, 0, 1}, false}}) == Classes{0, 1, 2, 2, 1, 0});
}

TEST_CASE("groups along several dimensions are relations of their own") {
  // A grid of 2 x 3, tensor groups {0, 1} {2, 3} {4, 5}, data groups {0, 2, 4} {1, 3, 5}.
  const Groups tensor{{0, 1}, {2, 3}, {4, 5}}, data{{0, 2, 4}, {1, 3, 5}};
  const std::vector<std::int64_t> alike(6, 0);
  CHECK(classes(alike, {{&tensor, {}, false}, {&data, {}, false}}) == Classes{0, 0, 0, 0, 0, 0});
  // One slow tensor group: its two ranks, then the others, who meet one of them in their data group.
  CHECK(classes(alike, {{&tensor, {0, 0, 1}, false}, {&data, {}, false}}) == Classes{0, 0, 0, 0, 1, 1});
  // One slow data group: the columns.
  CHECK(classes(alike, {{&tensor, {}, false}, {&data, {0, 1}, false}}) == Classes{0, 1, 0, 1, 0, 1});
  // Both: the ranks of the slow row and column are each of their own kind.
  CHECK(classes(alike, {{&tensor, {0, 0, 1}, false}, {&data, {0, 1}, false}}) == Classes{0, 1, 0, 1, 2, 3});
  // The same groups under another relation are another thing: ranks 0 and 1 call by the first, 2 and 3 by the second.
  const Groups first{{0, 1}}, second{{2, 3}};
  CHECK(classes({0, 0, 0, 0}, {{&first, {}, false}, {&second, {}, false}}) == Classes{0, 0, 1, 1});
}

TEST_CASE("a rank that is in two groups of a kind is not like one that is in one") {
  const Groups shared{{0, 1}, {0, 2}};
  CHECK(classes({0, 0, 0}, {{&shared, {}, false}}) == Classes{0, 1, 1});
  const Groups triangle{{0, 1}, {0, 2}, {1, 2}};
  CHECK(classes({0, 0, 0}, {{&triangle, {}, false}}) == Classes{0, 0, 0});
}

TEST_CASE("classes of drawn partitions are equitable: ranks of a class see the same, each relation by itself") {
  Random random(7);
  int folded = 0, split = 0;
  for (int n = 0; n < 200; ++n) {
    const auto ranks = static_cast<std::size_t>(random.between(2, 12));
    std::vector<std::int64_t> initial;
    for (std::size_t r = 0; r < ranks; ++r) initial.push_back(random.between(0, 9) == 0 ? 1 : 0);
    std::vector<Groups> groups(static_cast<std::size_t>(random.between(1, 3)));
    std::vector<Relation> relations;
    for (Groups& of : groups) {
      const bool ordered = random.between(0, 1) == 1;
      std::vector<std::int64_t> cost;
      for (std::size_t r = 0; r + 1 < ranks; r += 2) {
        of.push_back({static_cast<std::int32_t>(r), static_cast<std::int32_t>(r + 1)});
        if (random.between(0, 1) == 1) of.back().push_back(static_cast<std::int32_t>((r + 2) % ranks));
        if (ordered) of.back().resize(2);
        cost.push_back(random.between(0, 5) == 0 ? 1 : 0);
      }
      relations.push_back({&of, cost, ordered});
    }
    const Classes of = fold_classes(initial, relations);
    // What a rank sees: relation, whether it is the first of an ordered pair, cost, classes of the group.
    using Sight = std::vector<std::tuple<std::size_t, bool, std::int64_t, Classes>>;
    std::map<std::int32_t, std::pair<std::int64_t, Sight>> seen;
    for (std::size_t r = 0; r < ranks; ++r) {
      Sight sight;
      for (std::size_t k = 0; k < groups.size(); ++k)
        for (std::size_t g = 0; g < groups[k].size(); ++g)
          for (std::size_t i = 0; i < groups[k][g].size(); ++i) {
            if (groups[k][g][i] != static_cast<std::int32_t>(r)) continue;
            Classes with;
            for (const std::int32_t other : groups[k][g]) with.push_back(of[static_cast<std::size_t>(other)]);
            if (!relations[k].ordered) std::sort(with.begin(), with.end());
            sight.emplace_back(k, relations[k].ordered && i == 0, relations[k].cost[g], with);
          }
      std::sort(sight.begin(), sight.end());
      const auto [it, fresh] = seen.try_emplace(of[r], initial[r], sight);
      CHECK(it->second.first == initial[r]);
      CHECK(it->second.second == sight);
      folded += fresh ? 0 : 1;
    }
    split += static_cast<int>(seen.size());
  }
  CHECK(folded > 100);
  CHECK(split > 400);
}

}  // namespace orrery::program::fold_test
