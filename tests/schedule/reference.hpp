// A second, plain way to make and play the schedules, for the tests: orders written down from their published
// definitions (Narayanan et al. 2021 for interleaving, Qi et al. 2023 and 2024 for zero bubble, DeepSeek's DualPipe, Li
// and Hoefler 2021 for Chimera), and times found by going round the ranks until nothing moves. Slow, and shares no
// code with the simulator.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace orrery::schedule::testing {

// Kinds F, B, I, W, X; of X: forward half, then backward half.
struct RefOp {
  char kind;
  int stage, micro_batch, pipe = 0;
  int backward_stage = -1, backward_micro_batch = -1, backward_pipe = 0;
};
using RefOrder = std::vector<RefOp>;

struct RefTimes {
  std::vector<std::int64_t> f, i, w;  // [stage]
  std::int64_t message = 0, x = 0;    // x: 0 = F + B of the halves
};

struct RefPlay {
  bool deadlock = false;
  std::int64_t makespan = 0, span = 0;
  std::vector<int> peak;  // [rank] activations held until W or B
};

// Which stage feeds which.
using RefEdges = std::vector<std::pair<int, int>>;
inline RefEdges ref_chain(int stages) {
  RefEdges edges;
  for (int s = 1; s < stages; ++s) edges.push_back({s - 1, s});
  return edges;
}

// rank[pipe][stage]
inline RefPlay play_reference(const std::vector<RefOrder>& order, const std::vector<std::vector<int>>& rank,
                              const RefTimes& t, const RefEdges& edges) {
  using Key = std::tuple<char, int, int, int>;  // F: activation sent on; G: gradient sent on
  std::map<Key, std::int64_t> end;
  const auto ends = [&](char kind, int stage, int k, int pipe) {
    const auto it = end.find({kind, stage, k, pipe});
    return it == end.end() ? std::int64_t{-1} : it->second;
  };
  const auto from = [&](char kind, int there, int here, int k, int pipe) {
    const std::int64_t sent = ends(kind, there, k, pipe);
    const auto& of = rank[static_cast<std::size_t>(pipe)];
    const bool same = of[static_cast<std::size_t>(there)] == of[static_cast<std::size_t>(here)];
    return sent < 0 ? sent : sent + (same ? 0 : t.message);
  };
  const auto ready = [&](char kind, int s, int k, int pipe) -> std::int64_t {  // -1: not yet
    if (kind == 'W') return ends('G', s, k, pipe);
    std::int64_t all = kind == 'F' ? 0 : ends('F', s, k, pipe);
    for (const auto& [a, b] : edges) {
      const int here = kind == 'F' ? b : a, there = kind == 'F' ? a : b;
      if (here != s || all < 0) continue;
      const std::int64_t arrives = from(kind == 'F' ? 'F' : 'G', there, here, k, pipe);
      all = arrives < 0 ? arrives : std::max(all, arrives);
    }
    return all;
  };
  RefPlay result;
  std::vector<std::size_t> next(order.size(), 0);
  std::vector<std::int64_t> free(order.size(), 0), first(order.size(), -1);
  std::vector<std::vector<std::pair<std::int64_t, int>>> held(order.size());
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t r = 0; r < order.size(); ++r) {
      for (; next[r] < order[r].size(); ++next[r]) {
        const RefOp& o = order[r][next[r]];
        const auto s = static_cast<std::size_t>(o.stage);
        std::int64_t start = ready(o.kind == 'X' ? 'F' : o.kind, o.stage, o.micro_batch, o.pipe), takes = 0;
        if (start < 0) break;
        if (o.kind == 'X') {
          const std::int64_t back = ready('B', o.backward_stage, o.backward_micro_batch, o.backward_pipe);
          if (back < 0) break;
          start = std::max(start, back);
          const auto b = static_cast<std::size_t>(o.backward_stage);
          takes = t.x > 0 ? t.x : t.f[s] + t.i[b] + t.w[b];
        } else {
          takes = o.kind == 'F' ? t.f[s] : o.kind == 'I' ? t.i[s] : o.kind == 'W' ? t.w[s] : t.i[s] + t.w[s];
        }
        start = std::max(start, free[r]);
        if (first[r] < 0) first[r] = start;
        free[r] = start + takes;
        if (o.kind == 'F' || o.kind == 'X') {
          end[{'F', o.stage, o.micro_batch, o.pipe}] = free[r];
          held[r].push_back({start, 1});
        }
        if (o.kind == 'B' || o.kind == 'I') end[{'G', o.stage, o.micro_batch, o.pipe}] = free[r];
        if (o.kind == 'X') end[{'G', o.backward_stage, o.backward_micro_batch, o.backward_pipe}] = free[r];
        if (o.kind == 'B' || o.kind == 'W' || o.kind == 'X') held[r].push_back({free[r], -1});
        moved = true;
      }
    }
  }
  for (std::size_t r = 0; r < order.size(); ++r) {
    result.deadlock = result.deadlock || next[r] < order[r].size();
    result.makespan = std::max(result.makespan, free[r]);
    result.span = std::max(result.span, free[r] - first[r]);
    std::sort(held[r].begin(), held[r].end());
    int now = 0, most = 0;
    for (const auto& [time, change] : held[r]) most = std::max(most, now += change);
    result.peak.push_back(most);
  }
  return result;
}

// Stages in a chain.
inline RefPlay play_reference(const std::vector<RefOrder>& order, const std::vector<std::vector<int>>& rank,
                              const RefTimes& t) {
  return play_reference(order, rank, t, ref_chain(static_cast<int>(t.f.size())));
}

inline RefOrder ref_gpipe(int, int m, int r) {
  RefOrder o;
  for (int k = 0; k < m; ++k) o.push_back({'F', r, k});
  for (int k = 0; k < m; ++k) o.push_back({'B', r, k});
  return o;
}

inline RefOrder ref_1f1b(int p, int m, int r, bool eager) {
  const int w = std::min(m, eager ? 2 * (p - 1 - r) + 1 : p - 1 - r);
  RefOrder o;
  for (int k = 0; k < w; ++k) o.push_back({'F', r, k});
  for (int k = w; k < m; ++k) {
    o.push_back({'F', r, k});
    o.push_back({'B', r, k - w});
  }
  for (int k = m - w; k < m; ++k) o.push_back({'B', r, k});
  return o;
}

// Micro-batches in groups of g; of each group chunk by chunk.
inline std::vector<std::pair<int, int>> ref_table(int m, int v, int g) {
  std::vector<std::pair<int, int>> table;
  for (int first = 0; first < m; first += g)
    for (int c = 0; c < v; ++c)
      for (int k = first; k < std::min(m, first + g); ++k) table.push_back({k, c});
  return table;
}

inline RefOrder ref_interleaved(int p, int m, int v, int g, int r, bool overlap) {
  const auto table = ref_table(m, v, g);
  const int n = m * v, w = std::min(n, 2 * (p - 1 - r) + (v - 1) * g + (overlap ? 1 : 0));
  const auto at = [&](int i) { return table[static_cast<std::size_t>(i)]; };
  const auto f = [&](int i) { return RefOp{'F', at(i).second * p + r, at(i).first}; };
  const auto b = [&](int i) { return RefOp{'B', (v - 1 - at(i).second) * p + r, at(i).first}; };
  RefOrder o;
  for (int i = 0; i < w; ++i) o.push_back(f(i));
  for (int i = w; i < n; ++i) {
    if (overlap) {
      o.push_back({'X', f(i).stage, f(i).micro_batch, 0, b(i - w).stage, b(i - w).micro_batch});
    } else {
      o.push_back(f(i));
      o.push_back(b(i - w));
    }
  }
  for (int i = n - w; i < n; ++i) o.push_back(b(i));
  return o;
}

inline RefOrder ref_looped_bfs(int p, int m, int v, int r) {
  RefOrder o;
  for (int c = 0; c < v; ++c)
    for (int k = 0; k < m; ++k) o.push_back({'F', c * p + r, k});
  for (int c = v - 1; c >= 0; --c)
    for (int k = m - 1; k >= 0; --k) o.push_back({'B', c * p + r, k});  // PyTorch: the last first
  return o;
}

// One table of forwards, gradients `w` behind them, W `lag` gradients behind; F before I (ZB-H1) or after (ZB-H2).
inline RefOrder ref_split(const std::vector<std::pair<int, int>>& table, int p, int v, int r, int w, int lag,
                          bool forward_first) {
  const int n = static_cast<int>(table.size());
  const auto at = [&](int i) { return table[static_cast<std::size_t>(i)]; };
  RefOrder o;
  int f = 0, done = 0;
  const auto forward = [&] {
    if (f < n) o.push_back({'F', at(f).second * p + r, at(f).first}), ++f;
  };
  const auto gradient = [&](char kind, int i) { o.push_back({kind, (v - 1 - at(i).second) * p + r, at(i).first}); };
  while (f < std::min(n, w)) forward();
  for (int j = 0; j < n; ++j) {
    if (forward_first) forward();
    gradient('I', j);
    if (j >= lag) gradient('W', done++);
    if (!forward_first) forward();
  }
  while (done < n) gradient('W', done++);
  return o;
}

// Counts micro-batches per kind and stage.
class RefWriter {
 public:
  void put(char kind, int stage, int pipe = 0) { order.push_back({kind, stage, next(kind, stage, pipe), pipe}); }
  int count(char kind, int stage) { return counts_[{kind, stage, 0}]; }
  int next(char kind, int stage, int pipe) { return counts_[{kind, stage, pipe}]++; }
  RefOrder order;

 private:
  std::map<std::tuple<char, int, int>, int> counts_;
};

inline RefOrder ref_zbv(int p, int m, int r) {
  const int a = r, z = 2 * p - 1 - r, most = std::max(m, 2 * p - 1);
  RefWriter o;
  const auto put = [&](const char* kinds, int s) {
    for (; *kinds != 0; ++kinds) o.put(*kinds, s);
  };
  for (int k = 0; k < 2 * (p - r) - 1; ++k) put("F", a);
  for (int k = 0; k < r; ++k) put("F", z), put("F", a);
  for (int k = 0; k < p - r; ++k) put("FIW", z);
  while (o.count('F', z) < o.count('F', a) || o.count('F', a) < most) {
    if (o.count('F', a) < most) put("F", a);
    put("IW", a);
    put("FIW", z);
  }
  for (int k = 0; k < r; ++k) put("I", a), put("I", z);
  for (int k = 0; k < p - r; ++k) put("IW", a);
  for (const int s : {z, a})
    while (o.count('W', s) < most) put("W", s);
  std::erase_if(o.order, [&](const RefOp& op) { return op.micro_batch >= m; });
  return o.order;
}

// Eight steps of DualPipe on one rank of p, m micro-batches a direction; stages and pipes of the near and far chunk.
inline RefOrder ref_dualpipe(int p, int m, int r, int near, int far, int near_pipe, int far_pipe) {
  const int stage[2] = {near, far}, pipe[2] = {near_pipe, far_pipe};
  RefWriter o;
  RefOrder queued;
  const auto f = [&](int c) { o.put('F', stage[c], pipe[c]); };
  const auto gradient = [&](char kind, int c) {
    o.order.push_back({kind, stage[c], o.next('B', stage[c], pipe[c]), pipe[c]});
    if (kind == 'I') queued.push_back({'W', stage[c], o.order.back().micro_batch, pipe[c]});
  };
  const auto weight = [&] {
    o.order.push_back(queued.front());
    queued.erase(queued.begin());
  };
  const auto both = [&](int cf, int cb) {
    const int kf = o.next('F', stage[cf], pipe[cf]), kb = o.next('B', stage[cb], pipe[cb]);
    o.order.push_back({'X', stage[cf], kf, pipe[cf], stage[cb], kb, pipe[cb]});
  };
  const int behind = p - 1 - r;
  for (int i = 0; i < 2 * behind; ++i) f(0);
  for (int i = 0; i <= r; ++i) f(0), f(1);
  for (int i = 0; i < behind; ++i) gradient('I', 1), weight(), f(1);
  for (int i = 0; i < m - 2 * p + r + 1; ++i) {
    if (i == 0 && r == p - 1)
      f(0), gradient('B', 1);
    else
      both(0, 1);
    both(1, 0);
  }
  for (int i = 0; i < behind; ++i) gradient('B', 1), both(1, 0);
  for (int i = 0; i <= r; ++i) {
    const int half = (r + 1) / 2;
    gradient(i > half || (i == half && r % 2 == 1) ? 'I' : 'B', 1);
    gradient(i >= half ? 'I' : 'B', 0);
  }
  for (int i = 0; i < behind; ++i) weight(), gradient('I', 0);
  for (int i = 0; i <= r; ++i) weight();
  return o.order;
}

inline RefOrder ref_chimera(int p, int m, int r) {
  std::vector<std::pair<int, RefOp>> slots;
  for (int u = 0; u < m / p; ++u)
    for (int k = 0; k < p / 2; ++k) {
      const int mb = u * (p / 2) + k, at = 2 * p * u + 2 * k;
      slots.push_back({at + r, {'F', r, mb, 0}});
      slots.push_back({at + 2 * p - 1 - r, {'B', r, mb, 0}});
      slots.push_back({at + p - 1 - r, {'F', p - 1 - r, mb, 1}});
      slots.push_back({at + p + r, {'B', p - 1 - r, mb, 1}});
    }
  std::sort(slots.begin(), slots.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  RefOrder o;
  for (const auto& slot : slots) o.push_back(slot.second);
  return o;
}

}  // namespace orrery::schedule::testing
