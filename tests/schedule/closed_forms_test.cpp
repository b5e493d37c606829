// Closed forms from the literature, each over the grid and the conditions under which it is exact. Small integers,
// every combination; c is the delay of a message between ranks. T = F + I + W.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "orrery/schedule/replay.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule::closed_forms_test {

namespace {

struct Point {
  int p = 2, m = 1, v = 1, group = 0;
  std::int64_t f = 1, i = 1, w = 1, c = 0, x = 0;
  std::int64_t t() const { return f + i + w; }
};

Replay play(const std::string& name, const Point& a) {
  INFO(fmt::format("{} p={} m={} v={} g={} F={} I={} W={} c={} X={}", name, a.p, a.m, a.v, a.group, a.f, a.i, a.w, a.c,
                   a.x));
  ScheduleRequest request;
  request.name = name, request.ranks = a.p, request.chunks = a.v, request.micro_batches = a.m, request.group = a.group;
  const Result<Schedule> schedule = make_schedule(request);
  REQUIRE_MESSAGE(schedule.ok(), render(schedule.errors()));
  StageTimes times = uniform_times(schedule->placement.stages, a.f, a.i, a.w, a.c);
  if (a.x > 0) times.overlapped.assign(times.forward.size(), a.x);
  return replay(*schedule, times);
}

// One CHECK a grid keeps the run quick: the first point that fails is named.
void expect(const std::string& what, const Point& a, std::int64_t got, std::int64_t wanted) {
  if (got == wanted) return;
  FAIL_CHECK(fmt::format("{} = {}, not {} at p={} m={} v={} g={} F={} I={} W={} c={} X={}", what, got, wanted, a.p, a.m,
                         a.v, a.group, a.f, a.i, a.w, a.c, a.x));
}

using Visit = std::function<void(Point&)>;
void for_times(Point a, const Visit& visit) {
  constexpr std::array<std::int64_t, 4> sizes = {1, 2, 3, 5};
  for (const auto f : sizes) {
    for (const auto i : sizes) {
      for (const auto w : sizes) {
        a.f = f, a.i = i, a.w = w;
        visit(a);
      }
    }
  }
}
void for_grid(const std::vector<int>& ranks, const std::function<std::vector<int>(int)>& micro_batches,
              const Visit& visit) {
  for (const int p : ranks) {
    for (const int m : micro_batches(p)) {
      Point a;
      a.p = p, a.m = m;
      for_times(a, visit);
    }
  }
}

int peak(const Replay& played) {
  return *std::max_element(played.peak_until_weight.begin(), played.peak_until_weight.end());
}
int least_peak(const Replay& played) {
  return *std::min_element(played.peak_until_weight.begin(), played.peak_until_weight.end());
}

std::int64_t most_idle(const Replay& played) {
  std::int64_t most = 0;
  for (std::size_t r = 0; r + 1 < played.first.size(); ++r) {
    std::int64_t idle = played.makespan;
    for (std::size_t i = played.first[r]; i < played.first[r + 1]; ++i)
      idle -= played.spans[i].end - played.spans[i].start;
    most = std::max(most, idle);
  }
  return most;
}

const std::vector<int> kRanks = {2, 3, 4, 6, 8};
std::vector<int> few(int p) {
  return {1, p - 1, p, p + 1, 2 * p, 4 * p};
}
std::vector<int> enough(int p) {
  return {p, p + 1, 2 * p, 3 * p};
}

}  // namespace

TEST_CASE("gpipe: makespan (m+p-1)T + 2(p-1)c, peak m") {
  for_grid(kRanks, few, [](Point& a) {
    for (a.c = 0; a.c <= 3; ++a.c) {
      const Replay played = play("gpipe", a);
      expect("makespan", a, played.makespan, (a.m + a.p - 1) * a.t() + 2 * (a.p - 1) * a.c);
      expect("peak", a, least_peak(played), a.m);
      expect("peak", a, peak(played), a.m);
    }
  });
}

TEST_CASE("1f1b: makespan (m+p-1)T + 2c(m+p-2-ceil((m-1)/p)), peak min(m, p-r)") {
  for_grid(kRanks, few, [](Point& a) {
    for (a.c = 0; a.c <= 4; a.c += 2) {
      const Replay played = play("1f1b", a);
      const std::int64_t rounds = (a.m - 1 + a.p - 1) / a.p;
      expect("makespan", a, played.makespan, (a.m + a.p - 1) * a.t() + 2 * a.c * (a.m + a.p - 2 - rounds));
      for (int r = 0; r < a.p; ++r) {
        expect("peak", a, played.peak_until_weight[static_cast<std::size_t>(r)], std::min(a.m, a.p - r));
      }
    }
  });
}

TEST_CASE("1f1b with blocking messages: + (2m+2p-5)c for p >= 3, + (m+1)c for p = 2 (F=2, B=4, c=1,2)") {
  for (const int p : {2, 3, 4, 6, 8}) {
    for (const int m : {p, 2 * p, 4 * p}) {
      for (std::int64_t c = 0; c <= 2; ++c) {
        const Result<Schedule> schedule = make_schedule({.name = "1f1b", .ranks = p, .micro_batches = m, .times = {}});
        REQUIRE(schedule.ok());
        const Replay played = replay(*schedule, uniform_times(p, 2, 3, 1, c), MessageMode::rendezvous);
        REQUIRE(played.deadlock.empty());
        CHECK(played.makespan == (m + p - 1) * 6 + (p == 2 ? (m + 1) * c : (2 * m + 2 * p - 5) * c));
      }
    }
  }
}

TEST_CASE("eager 1f1b: as 1f1b without latency; 2(p-1)c while 2c <= F+B") {
  for_grid(kRanks, enough, [](Point& a) {
    for (a.c = 0; 2 * a.c <= std::min<std::int64_t>(a.t(), 6); ++a.c) {
      expect("makespan", a, play("eager_1f1b", a).makespan, (a.m + a.p - 1) * a.t() + 2 * (a.p - 1) * a.c);
    }
  });
}

TEST_CASE("zb_h1: makespan mT + (p-1)max(F, I, F+I-W), span mT + (p-1)max(I, F+I-W), peak p (m >= p)") {
  for_grid(kRanks, enough, [](Point& a) {
    const Replay played = play("zb_h1", a);
    expect("makespan", a, played.makespan, a.m * a.t() + (a.p - 1) * std::max({a.f, a.i, a.f + a.i - a.w}));
    expect("span", a, played.max_rank_span, a.m * a.t() + (a.p - 1) * std::max(a.i, a.f + a.i - a.w));
    expect("peak", a, least_peak(played), a.p);
    expect("peak", a, peak(played), a.p);
  });
}

TEST_CASE("zb_h2: span mT + (p-1)max(0, I-F, F+I-2W), makespan with F for 0, peak 2p-1 (m >= 2p-1)") {
  for_grid(
      kRanks,
      [](int p) {
        return std::vector<int>{2 * p - 1, 2 * p, 3 * p, 4 * p};
      },
      [](Point& a) {
        const Replay played = play("zb_h2", a);
        const std::int64_t rest = std::max(a.i - a.f, a.f + a.i - 2 * a.w);
        expect("makespan", a, played.makespan, a.m * a.t() + (a.p - 1) * std::max(a.f, rest));
        expect("span", a, played.max_rank_span, a.m * a.t() + (a.p - 1) * std::max<std::int64_t>(0, rest));
        expect("peak", a, least_peak(played), 2 * a.p - 1);
        expect("peak", a, peak(played), 2 * a.p - 1);
      });
}

TEST_CASE(
    "interleaved: makespan (mv+p-1)T, peak min(mv, (v-1)g + 2(p-1-r) + 1), for p <= g and a last group of 0 or >= p") {
  for_grid(
      {2, 4, 6},
      [](int p) {
        return std::vector<int>{p, p + 1, 2 * p, 3 * p + 1};
      },
      [](Point& a) {
        for (a.v = 2; a.v <= 4; ++a.v) {
          for (const int g : {a.p, a.p + 1, 2 * a.p}) {
            if (g > a.m || (a.m % g != 0 && a.m % g < a.p)) continue;
            a.group = g;
            const Replay played = play("interleaved_1f1b", a);
            expect("makespan", a, played.makespan, (a.m * a.v + a.p - 1) * a.t());
            for (int r = 0; r < a.p; ++r) {
              expect("peak", a, played.peak_until_weight[static_cast<std::size_t>(r)],
                     std::min(a.m * a.v, (a.v - 1) * g + 2 * (a.p - 1 - r) + 1));
            }
          }
        }
      });
}

TEST_CASE("interleaved with g = p, p | m: + 2(pv-1)c while c <= min(F, B)") {
  for_grid(
      {2, 4, 6},
      [](int p) {
        return std::vector<int>{p, 2 * p, 3 * p};
      },
      [](Point& a) {
        a.v = 2;
        for (a.c = 1; a.c <= std::min({a.f, a.i + a.w, std::int64_t{3}}); ++a.c) {
          const std::int64_t wanted = (a.m * a.v + a.p - 1) * a.t() + 2 * (a.p * a.v - 1) * a.c;
          expect("makespan", a, play("interleaved_1f1b", a).makespan, wanted);
        }
      });
}

TEST_CASE("interleaved with PyTorch's rule and m < p: makespan (p(v-1)+m+p-1)T") {
  for (int p = 3; p <= 8; ++p) {
    Point a;
    a.p = p, a.m = p - 2, a.v = 3, a.group = a.m, a.f = 2, a.i = 3;
    expect("makespan", a, play("interleaved_1f1b", a).makespan, (p * (a.v - 1) + a.m + p - 1) * a.t());
  }
}

TEST_CASE("interleaved overlap: makespan (p-1)T + nT + (mv-n)X, n = p(v-1)+1 (p | m)") {
  for_grid(
      {2, 4},
      [](int p) {
        return std::vector<int>{p, 2 * p, 4 * p};
      },
      [](Point& a) {
        for (a.v = 1; a.v <= 3; ++a.v) {
          for (a.x = std::max(a.f, a.i + a.w); a.x <= a.t(); ++a.x) {
            const std::int64_t n = a.p * (a.v - 1) + 1;
            const std::int64_t wanted = (a.p - 1) * a.t() + n * a.t() + (a.m * a.v - n) * a.x;
            expect("makespan", a, play("interleaved_1f1b_overlap", a).makespan, wanted);
          }
        }
      });
}

TEST_CASE("looped_bfs: makespan (max(m,p)(v-1) + m + p-1)T, peak mv") {
  for_grid(kRanks, few, [](Point& a) {
    for (a.v = 1; a.v <= 4; ++a.v) {
      const Replay played = play("looped_bfs", a);
      expect("makespan", a, played.makespan, (std::max(a.m, a.p) * (a.v - 1) + a.m + a.p - 1) * a.t());
      expect("peak", a, least_peak(played), a.m * a.v);
    }
  });
}

TEST_CASE("interleaved_zb1p: makespan mvT + (p-1)max(F, I, F+I-W), peak pv (p | m)") {
  for_grid(
      {2, 4, 6},
      [](int p) {
        return std::vector<int>{p, 2 * p, 3 * p};
      },
      [](Point& a) {
        for (a.v = 2; a.v <= 4; ++a.v) {
          const Replay played = play("interleaved_zb1p", a);
          const std::int64_t wanted = a.m * a.v * a.t() + (a.p - 1) * std::max({a.f, a.i, a.f + a.i - a.w});
          expect("makespan", a, played.makespan, wanted);
          expect("peak", a, least_peak(played), a.p * a.v);
          expect("peak", a, peak(played), a.p * a.v);
        }
      });
}

TEST_CASE("zbv: W <= F <= I and m >= 2p-1: makespan 2mT + (p-1)max(I, 2(I-W)), span 2mT + 2(p-1)(I-W), peak 2p") {
  for_grid(
      kRanks,
      [](int p) {
        return std::vector<int>{2 * p - 1, 2 * p, 3 * p};
      },
      [](Point& a) {
        if (a.w > a.f || a.f > a.i) return;
        a.v = 2;
        const Replay played = play("zbv", a);
        expect("makespan", a, played.makespan, 2 * a.m * a.t() + (a.p - 1) * std::max(a.i, 2 * (a.i - a.w)));
        expect("span", a, played.max_rank_span, 2 * a.m * a.t() + 2 * (a.p - 1) * (a.i - a.w));
        expect("peak", a, peak(played), 2 * a.p);
        expect("peak", a, least_peak(played), 2 * a.p);
      });
}

TEST_CASE("v_half and v_min with F = I = W, m = 3p: makespans and peaks") {
  for (int p = 3; p <= 12; ++p) {
    Point a;
    a.p = p, a.m = 3 * p, a.v = 2;
    const Replay half = play("v_half", a), least = play("v_min", a);
    expect("makespan of v_half", a, half.makespan, 6 * a.m + 6 * ((p - 1) / 2) - 1);
    expect("peak of v_half", a, peak(half), 2 * (p / 2 + 1));
    expect("makespan of v_min", a, least.makespan, 6 * a.m + 4 * p - (p % 3 == 0 ? 7 : 5));
    expect("peak of v_min", a, peak(least), 2 * ((p + 1) / 3 + 1));
  }
}

TEST_CASE(
    "dualpipev: F = I, W <= F, max(F,B) <= X <= F+B: makespan 3pF + (2m-p-2)X + (2p+1)I + 3W, idle (p-1)(X+B-3W)") {
  for_grid(
      {2, 3, 4, 6},
      [](int p) {
        return std::vector<int>{2 * p, 2 * p + 1, 3 * p};
      },
      [](Point& a) {
        if (a.f != a.i || a.w > a.f) return;
        const std::int64_t b = a.i + a.w;
        for (a.x = b; a.x <= a.f + b; ++a.x) {
          a.v = 2;
          const Replay played = play("dualpipev", a);
          expect("makespan", a, played.makespan,
                 3 * a.p * a.f + (2 * a.m - a.p - 2) * a.x + (2 * a.p + 1) * a.i + 3 * a.w);
          expect("peak", a, peak(played), 2 * a.p + 1);
          expect("idle", a, most_idle(played), (a.p - 1) * (a.x + b - 3 * a.w));
        }
      });
}

TEST_CASE("dualpipe is dualpipev on half of the ranks and micro-batches, peak p+1") {
  for_grid(
      {2, 4, 6, 8},
      [](int p) {
        return std::vector<int>{2 * p, 2 * p + 2, 3 * p};
      },
      [](Point& a) {
        if (a.f != a.i || a.w > a.f) return;
        const std::int64_t b = a.i + a.w;
        for (a.x = b; a.x <= a.f + b; ++a.x) {
          const Replay played = play("dualpipe", a);
          const std::int64_t wanted = 3 * a.p / 2 * a.f + (a.m - a.p / 2 - 2) * a.x + (a.p + 1) * a.i + 3 * a.w;
          expect("makespan", a, played.makespan, wanted);
          expect("peak", a, peak(played), a.p + 1);
        }
      });
}

TEST_CASE("chimera: makespan m(F+B) + (p-2)max(F,B) + (m/p-1)(p-2)|B-F|, peak p/2 + 1 + min(r, p-1-r)") {
  for_grid(
      {2, 4, 6, 8},
      [](int p) {
        return std::vector<int>{p, 2 * p, 3 * p};
      },
      [](Point& a) {
        const Replay played = play("chimera", a);
        const std::int64_t b = a.i + a.w, difference = b > a.f ? b - a.f : a.f - b;
        expect("makespan", a, played.makespan,
               a.m * a.t() + (a.p - 2) * std::max(a.f, b) + (a.m / a.p - 1) * (a.p - 2) * difference);
        for (int r = 0; r < a.p; ++r) {
          expect("peak", a, played.peak_until_weight[static_cast<std::size_t>(r)],
                 std::min(a.m, a.p / 2 + 1 + std::min(r, a.p - 1 - r)));
        }
      });
}

TEST_CASE("gpipe with unequal stages: sum of F + sum of B + (m-1)(max F + max B)") {
  const StageTimes times = {{2, 5, 3, 1}, {1, 4, 2, 6}, {1, 1, 3, 2}, 0, {}};  // B = 2 5 5 8
  for (const int m : {1, 2, 7, 16}) {
    const Result<Schedule> schedule = make_schedule({.name = "gpipe", .ranks = 4, .micro_batches = m, .times = {}});
    REQUIRE(schedule.ok());
    CHECK(replay(*schedule, times).makespan == 11 + 20 + (m - 1) * (5 + 8));
  }
}

TEST_CASE("1f1b with the slowest stage last: sum of F + B, and (m-1) times the last stage") {
  const StageTimes times = {{2, 1, 3, 4}, {1, 2, 2, 4}, {1, 1, 2, 2}, 0, {}};  // F+B = 4 4 7 10
  for (const int m : {1, 4, 9, 16}) {
    const Result<Schedule> schedule = make_schedule({.name = "1f1b", .ranks = 4, .micro_batches = m, .times = {}});
    REQUIRE(schedule.ok());
    CHECK(replay(*schedule, times).makespan == 25 + (m - 1) * 10);
  }
}

}  // namespace orrery::schedule::closed_forms_test
