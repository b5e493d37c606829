#include "orrery/report/trace_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/json.hpp"
#include "format.hpp"
#include "run_charts.hpp"
#include "trace_slices.hpp"

namespace orrery::report {
namespace {

using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;

Spans united(Spans spans) {
  std::sort(spans.begin(), spans.end());
  Spans all;
  for (const auto& [begin, end] : spans) {
    if (!all.empty() && begin <= all.back().second)
      all.back().second = std::max(all.back().second, end);
    else
      all.emplace_back(begin, end);
  }
  return all;
}

double length(const Spans& spans) {
  std::int64_t sum = 0;
  for (const auto& [begin, end] : spans) sum += end - begin;
  return static_cast<double>(sum);
}

double common(const Spans& a, const Spans& b) {
  std::int64_t sum = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    sum += std::max<std::int64_t>(0, std::min(a[i].second, b[j].second) - std::max(a[i].first, b[j].first));
    a[i].second < b[j].second ? ++i : ++j;
  }
  return static_cast<double>(sum);
}

// "void cutlass::Kernel<…>(…)" → "void cutlass::Kernel": what differs by shape alone is one.
std::string short_name(const std::string& name) {
  return name.substr(0, name.find_first_of("<("));
}

std::map<std::string, double> by_name(const TracedRank& rank) {
  std::map<std::string, double> sums;
  for (const TracedKernel& k : rank.kernels)
    sums[short_name(k.name)] += static_cast<double>(k.end - k.begin) / rank.steps;
  return sums;
}

struct Difference {
  std::string kernel;
  double a = 0, b = 0;  // ns a step
};
std::vector<Difference> largest(const TracedRank& a, const TracedRank& b) {
  constexpr std::size_t kMost = 10;
  std::map<std::string, Difference> all;
  for (const auto& [name, time] : by_name(a)) all[name] = {name, time, 0};
  for (const auto& [name, time] : by_name(b)) all[name].kernel = name, all[name].b = time;
  std::vector<Difference> list;
  for (auto& [name, d] : all)
    if (d.a != d.b) list.push_back(std::move(d));
  std::stable_sort(list.begin(), list.end(),
                   [](const Difference& x, const Difference& y) { return std::abs(x.a - x.b) > std::abs(y.a - y.b); });
  list.resize(std::min(list.size(), kMost));
  return list;
}

struct Pair {
  const TracedRank *a, *b;
};
std::string ranks_of(const std::vector<TracedRank>& all) {
  std::vector<std::int32_t> ranks;
  for (const TracedRank& r : all) ranks.push_back(r.rank);
  return (ranks.size() == 1 ? "rank " : "ranks ") + rank_list(ranks);
}

// A measured trace is of one rank: of a run beside it that stage. Two runs are compared stage by stage, where they have
// as many.
Result<std::vector<Pair>> pairs_of(const std::vector<TracedRank>& a, const std::vector<TracedRank>& b) {
  std::vector<Pair> pairs;
  const bool by_stage = !a.empty() && !b.empty() && a.front().stage >= 0 && b.front().stage >= 0;
  if (by_stage && a.size() != b.size()) {  // other numbers of stages: the first and the last
    return std::vector<Pair>{{&a.front(), &b.front()}, {&a.back(), &b.back()}};
  }
  for (const TracedRank& x : a)
    for (const TracedRank& y : b)
      if (by_stage ? x.stage == y.stage : x.rank == y.rank) pairs.push_back({&x, &y});
  if (!pairs.empty()) return pairs;
  Diagnostic d;
  d.message = fmt::format("{} is of {}, {} of {}: nothing to compare", a.front().from, ranks_of(a), b.front().from,
                          ranks_of(b));
  d.help = "take traces of the same rank; of a run, the first rank of a stage";
  return d;
}

constexpr std::array<std::pair<const char*, double TraceFigures::*>, 7> kRows{
    {{"step", &TraceFigures::span},
     {"compute", &TraceFigures::compute},
     {"communication", &TraceFigures::communication},
     {"memory", &TraceFigures::memory},
     {"overlap", &TraceFigures::overlap},
     {"exposed communication", &TraceFigures::exposed},
     {"idle", &TraceFigures::idle}}};

std::string time_of(double ns) {
  return time_text(static_cast<std::int64_t>(ns * 1000));
}
std::string change_of(double a, double b) {
  if (a == b) return "0 %";
  return a == 0 ? "new" : fmt::format("{:+.1f} %", 100 * (b / a - 1));
}
std::string label_of(const Pair& p) {
  return p.a->stage >= 0 && p.b->stage >= 0
             ? fmt::format("stage {} (rank {}) and stage {} (rank {})", p.a->stage, p.a->rank, p.b->stage, p.b->rank)
             : fmt::format("rank {}", p.a->rank);
}

}  // namespace

std::vector<TracedRank> traced(const RunResult& run, const std::string& from) {
  std::vector<TracedRank> ranks;
  const SliceSource source(run, TraceDetail::operators);
  for (const program::DeviceIndex d : one_a_stage(run)) {
    TracedRank rank{from, run.program.devices[d].ranks.front(), run.program.devices[d].pipeline_rank()};
    for (const Slice& s : slices_of(source, d, {}).slices) {
      if (s.track == kPasses || s.track == track_of(program::Lane::host)) continue;
      const bool moves = is_transfer(s.category);
      rank.kernels.push_back(
          {std::string(s.name), moves ? KernelKind::communication : KernelKind::compute, s.start, s.end});
    }
    ranks.push_back(std::move(rank));
  }
  return ranks;
}

TraceFigures figures_of(const TracedRank& rank) {
  std::array<Spans, 3> of;
  Spans all;
  std::int64_t begin = rank.kernels.front().begin, end = begin;
  for (const TracedKernel& k : rank.kernels) {
    of[static_cast<std::size_t>(k.kind)].emplace_back(k.begin, k.end);
    all.emplace_back(k.begin, k.end);
    begin = std::min(begin, k.begin), end = std::max(end, k.end);
  }
  for (Spans& spans : of) spans = united(std::move(spans));
  const Spans& compute = of[0];
  const Spans& communication = of[1];
  TraceFigures f;
  f.span = static_cast<double>(end - begin);
  f.compute = length(compute), f.communication = length(communication), f.memory = length(of[2]);
  f.overlap = common(compute, communication);
  f.exposed = f.communication - f.overlap;
  f.idle = f.span - length(united(std::move(all)));
  for (const auto& [name, member] : kRows) f.*member /= rank.steps;
  return f;
}

Result<std::string> diff_text(const std::vector<TracedRank>& a, const std::vector<TracedRank>& b) {
  const Result<std::vector<Pair>> pairs = pairs_of(a, b);
  if (!pairs.ok()) return pairs.errors();
  std::string text = fmt::format("A: {}\nB: {}\n", a.front().from, b.front().from);
  for (const Pair& p : *pairs) {
    const TraceFigures x = figures_of(*p.a), y = figures_of(*p.b);
    text += fmt::format("\n{}\n  {:<24}{:>12}{:>12}{:>10}\n", label_of(p), "", "A", "B", "change");
    for (const auto& [name, member] : kRows)
      if (x.*member != 0 || y.*member != 0)
        text += fmt::format("  {:<24}{:>12}{:>12}{:>10}\n", name, time_of(x.*member), time_of(y.*member),
                            change_of(x.*member, y.*member));
    const std::vector<Difference> list = largest(*p.a, *p.b);
    if (!list.empty()) text += "  the largest differences by kernel:\n";
    for (const Difference& d : list)
      text +=
          fmt::format("    {:<40.40}{:>12}{:>12}{:>10}\n", d.kernel, time_of(d.a), time_of(d.b), change_of(d.a, d.b));
  }
  return text;
}

Result<std::string> diff_json(const std::vector<TracedRank>& a, const std::vector<TracedRank>& b) {
  const Result<std::vector<Pair>> pairs = pairs_of(a, b);
  if (!pairs.ok()) return pairs.errors();
  nlohmann::ordered_json json{{"schema", "orrery.trace_diff/1"}, {"a", a.front().from}, {"b", b.front().from}};
  auto& list = json["pairs"] = nlohmann::ordered_json::array();
  for (const Pair& p : *pairs) {
    auto& entry = list.emplace_back(nlohmann::ordered_json{{"a_rank", p.a->rank}, {"b_rank", p.b->rank}});
    for (const auto& [side, rank] : {std::pair("a", p.a), std::pair("b", p.b)}) {
      const TraceFigures f = figures_of(*rank);
      auto& of = entry[side] = nlohmann::ordered_json::object();
      for (const auto& [name, member] : kRows) {
        std::string key = name;
        std::replace(key.begin(), key.end(), ' ', '_');
        of[key + "_s"] = f.*member / 1e9;
      }
    }
    auto& differences = entry["differences"] = nlohmann::ordered_json::array();
    for (const Difference& d : largest(*p.a, *p.b))
      differences.push_back({{"kernel", d.kernel}, {"a_s", d.a / 1e9}, {"b_s", d.b / 1e9}});
  }
  return dump(json, 2) + "\n";
}

}  // namespace orrery::report
