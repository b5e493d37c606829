// Which layouts are best, nearest and on the front, of rows made by hand.
#include "sweep/ranking.hpp"

#include <doctest/doctest.h>

#include "orrery/core/random.hpp"

namespace orrery::sweep::ranking_test {
namespace {

Row row(std::int64_t point, std::int64_t step, std::int64_t memory = 100, std::int64_t gpus = 8, double cost = 0,
        std::int64_t tokens = 1000) {
  Row r;
  r.point = point;
  r.status = Status::ok;
  r.figures.step_time_ps = step;
  r.figures.memory_bytes = memory;
  r.figures.gpus = gpus;
  r.figures.tokens = tokens;
  r.figures.cost_usd = cost;
  return r;
}

Outcome ranked(const std::vector<Row>& rows, std::size_t top = 10) {
  Ranking ranking(top);
  for (const Row& r : rows) ranking.add(r);
  Outcome outcome;
  ranking.give(outcome);
  return outcome;
}

std::vector<std::int64_t> points(const std::vector<Row>& rows) {
  std::vector<std::int64_t> all;
  for (const Row& r : rows) all.push_back(r.point);
  return all;
}
using Points = std::vector<std::int64_t>;

TEST_CASE("better is less time of a GPU for a token, then less memory, then the first") {
  CHECK(better(row(1, 99), row(0, 100)));
  CHECK(better(row(1, 100, 90), row(0, 100, 100)));
  CHECK(better(row(0, 100), row(1, 100)));
  CHECK_FALSE(better(row(1, 100), row(0, 100)));
  // 16 GPUs in 60 take more GPU time than 8 in 100; with twice the tokens less.
  CHECK(better(row(0, 100, 100, 8), row(1, 60, 100, 16)));
  CHECK(better(row(1, 60, 100, 16, 0, 2000), row(0, 100, 100, 8)));
}

TEST_CASE("of layouts as fast, the one whose long run trains more of its time is better, and is on the front") {
  std::vector<Row> rows{row(0, 100, 90), row(1, 100, 100), row(2, 100, 110)};
  rows[0].figures.goodput = 0.90, rows[1].figures.goodput = 0.95, rows[2].figures.goodput = 0.94;
  CHECK(points(ranked(rows).best) == Points{1, 2, 0});
  Points front = points(ranked(rows).pareto);
  CHECK(front == Points{1, 0});  // the third has less of it than the second, and more memory
}

TEST_CASE("speeds are compared without rounding") {
  // 10¹⁸ ps · 2²⁰ GPUs and one picosecond more: beyond what doubles tell apart, and beyond 64 bits.
  const std::int64_t step = 1'000'000'000'000'000'000;
  CHECK(better(row(1, step, 100, 1 << 20), row(0, step + 1, 100, 1 << 20)));
  CHECK_FALSE(better(row(1, step + 1, 100, 1 << 20), row(0, step, 100, 1 << 20)));
}

TEST_CASE("the best are kept in order, as many as wanted, and the last of them once there are") {
  const std::vector<Row> rows{row(0, 50), row(1, 20), row(2, 40), row(3, 10), row(4, 30)};
  CHECK(points(ranked(rows, 3).best) == Points{3, 1, 4});
  CHECK(points(ranked(rows).best) == Points{3, 1, 4, 2, 0});
  Ranking two(2);
  two.add(row(0, 50));
  CHECK(two.last() == nullptr);
  two.add(row(1, 20));
  CHECK(two.last()->point == 0);
  two.add(row(2, 40));
  CHECK(two.last()->point == 2);
}

TEST_CASE("only what fits is among the best; what does not is fastest or nearest") {
  Row fast = row(0, 5), near = row(1, 50), pruned = row(2, 1), unwanted = row(3, 1), refused = row(4, 1);
  fast.status = near.status = Status::does_not_fit;
  fast.figures.headroom_bytes = -100;
  near.figures.headroom_bytes = -1;
  pruned.status = Status::pruned;
  unwanted.status = Status::unwanted;
  refused.status = Status::refused;
  const Outcome o = ranked({fast, near, pruned, unwanted, refused, row(5, 90)});
  CHECK(points(o.best) == Points{5});
  CHECK(points(o.pareto) == Points{5});
  CHECK(o.fastest_that_does_not_fit->point == 0);
  CHECK(o.nearest->point == 1);
}

TEST_CASE("where all were pruned the nearest is the one that lacks least by its bound") {
  Row a = row(0, 0), b = row(1, 0);
  a.status = b.status = Status::pruned;
  a.figures.headroom_bytes = -10;
  b.figures.headroom_bytes = -5;
  CHECK(ranked({a, b}).nearest->point == 1);
  b.figures.headroom_bytes = 0;  // pruned for its time: it lacks nothing
  CHECK(ranked({a, b}).nearest->point == 0);
}

TEST_CASE("the front has whatever no other is as good as in step time, memory, GPUs and cost") {
  // 1 is slower and smaller than 0; 2 is as 0, but takes more memory; 3 is slow, large and runs on one GPU.
  const std::vector<Row> rows{row(0, 10, 100, 8), row(1, 20, 50, 8), row(2, 10, 120, 8), row(3, 80, 200, 1),
                              row(4, 20, 50, 8)};
  CHECK(points(ranked(rows).pareto) == Points{0, 3, 1});  // GPU time 80, 80 with more memory, 160
}

TEST_CASE("a price makes a layout worth showing that is worse in all else") {
  // The same model on cheaper GPUs: slower, larger, as many GPUs, half the cost.
  const Row fast = row(0, 10, 100, 8, 2.0), cheap = row(1, 15, 110, 8, 1.0);
  CHECK(points(ranked({fast, cheap}).pareto) == Points{0, 1});
  CHECK(points(ranked({fast, row(1, 15, 110, 8, 2.5)}).pareto) == Points{0});
  // Without a price it is no bargain, and is on the front only for what else it has.
  CHECK(points(ranked({fast, row(1, 15, 110, 8, 0)}).pareto) == Points{0});
  CHECK(points(ranked({fast, row(1, 9, 110, 8, 0)}).pareto) == Points{1, 0});
  CHECK(points(ranked({row(0, 10, 100, 8), row(1, 15, 110, 8)}).pareto) == Points{0});  // nobody has one
}

TEST_CASE("the front of drawn rows is what a comparison of all with all leaves, in any order") {
  Random random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<Row> rows;
    for (std::int64_t i = 0; i < 30; ++i)
      rows.push_back(row(i, random.between(1, 6), random.between(1, 6), random.between(1, 3),
                         static_cast<double>(random.between(0, 4))));
    const auto cost = [](const Row& r) { return r.figures.cost_usd > 0 ? r.figures.cost_usd : 1e9; };
    const auto as_good = [&](const Row& a, const Row& b) {
      return a.figures.step_time_ps <= b.figures.step_time_ps && a.figures.memory_bytes <= b.figures.memory_bytes &&
             a.figures.gpus <= b.figures.gpus && cost(a) <= cost(b);
    };
    std::vector<std::int64_t> expected;
    for (const Row& r : rows) {
      bool beaten = false;
      for (const Row& other : rows)
        beaten |= as_good(other, r) && (!as_good(r, other) || other.point < r.point);  // of equal ones the first
      if (!beaten) expected.push_back(r.point);
    }
    std::vector<std::int64_t> found = points(ranked(rows).pareto);
    std::sort(found.begin(), found.end());
    CHECK(found == expected);
  }
}

}  // namespace
}  // namespace orrery::sweep::ranking_test
