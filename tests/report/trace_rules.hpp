// The rules a trace keeps so that Perfetto, chrome://tracing, speedscope and DevTools all read it the same way.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "orrery/report/trace.hpp"

namespace orrery::report::testing {

using nlohmann::ordered_json;

struct Written {
  std::string text;
  TraceSummary summary;
  ordered_json trace;
  std::size_t largest_part = 0;
};
inline Written written(const RunResult& run, const TraceOptions& options = {}) {
  Written result;
  result.summary = write_trace(run, options, [&](std::string_view part) {
    result.text += part;
    result.largest_part = std::max(result.largest_part, part.size());
  });
  result.trace = ordered_json::parse(result.text);
  return result;
}

// Nanoseconds of a time in µs with at most three decimals.
inline std::int64_t ns(const ordered_json& microseconds) {
  const double value = microseconds.get<double>() * 1000;
  const auto whole = static_cast<std::int64_t>(value + 0.5);
  CHECK(value == doctest::Approx(static_cast<double>(whole)).epsilon(1e-12));
  return whole;
}

struct Span {
  std::int64_t start, end;
  std::string name;
};
using Thread = std::pair<std::int64_t, std::int64_t>;  // pid, tid

inline Thread thread_of(const ordered_json& event) {
  return {event["pid"].get<std::int64_t>(), event["tid"].get<std::int64_t>()};
}

inline std::vector<ordered_json> events_of(const ordered_json& trace, std::string_view phase) {
  std::vector<ordered_json> result;
  for (const auto& event : trace["traceEvents"])
    if (event["ph"] == phase) result.push_back(event);
  return result;
}

inline std::map<Thread, std::vector<Span>> spans_of(const ordered_json& trace) {
  std::map<Thread, std::vector<Span>> spans;
  for (const ordered_json& e : events_of(trace, "X"))
    spans[thread_of(e)].push_back({ns(e["ts"]), ns(e["ts"]) + ns(e["dur"]), e["name"].get<std::string>()});
  for (auto& [thread, of] : spans)
    std::stable_sort(of.begin(), of.end(), [](const Span& a, const Span& b) {
      return std::pair(a.start, -a.end) < std::pair(b.start, -b.end);
    });
  return spans;
}

// Slices of a thread lie beside each other or one in the other.
inline void check_nesting(const std::map<Thread, std::vector<Span>>& spans) {
  for (const auto& [thread, of] : spans) {
    std::vector<Span> open;
    for (const Span& span : of) {
      REQUIRE(span.start >= 0);
      REQUIRE(span.end >= span.start);
      while (!open.empty() && open.back().end <= span.start) open.pop_back();
      CAPTURE(span.name);
      if (!open.empty()) CHECK(span.end <= open.back().end);
      open.push_back(span);
    }
  }
}

// The same in doubles of microseconds, as viewers add them; speedscope takes the first ts of the thread off before.
inline void check_sums(const ordered_json& trace, bool shifted) {
  std::map<Thread, double> first;
  for (const ordered_json& e : events_of(trace, "X")) {
    const auto it = first.emplace(thread_of(e), e["ts"].get<double>()).first;
    it->second = shifted ? std::min(it->second, e["ts"].get<double>()) : 0;
  }
  std::map<Thread, std::vector<std::pair<double, double>>> spans;
  for (const ordered_json& e : events_of(trace, "X")) {
    const double ts = e["ts"].get<double>() - first.at(thread_of(e));
    spans[thread_of(e)].push_back({ts, ts + e["dur"].get<double>()});
  }
  for (auto& [thread, of] : spans) {
    std::sort(of.begin(), of.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first, -a.second) < std::pair(b.first, -b.second);
    });
    std::vector<double> open;
    for (const auto& [start, end] : of) {
      while (!open.empty() && open.back() <= start) open.pop_back();
      if (!open.empty()) CHECK(end <= open.back());
      open.push_back(end);
    }
  }
}

// One id an arrow; it leaves strictly inside a slice and arrives, bound to the enclosing slice, where a slice starts.
inline void check_arrows(const ordered_json& trace, const std::map<Thread, std::vector<Span>>& spans) {
  std::map<std::int64_t, std::int64_t> left;
  for (const ordered_json& s : events_of(trace, "s")) {
    CHECK(left.emplace(s["id"].get<std::int64_t>(), ns(s["ts"])).second);
    const auto& of = spans.at(thread_of(s));
    CHECK(
        std::any_of(of.begin(), of.end(), [&](const Span& x) { return x.start < ns(s["ts"]) && ns(s["ts"]) < x.end; }));
  }
  const std::vector<ordered_json> arrivals = events_of(trace, "f");
  CHECK(arrivals.size() == left.size());
  for (const ordered_json& f : arrivals) {
    CHECK(f["bp"] == "e");
    REQUIRE(left.count(f["id"].get<std::int64_t>()) == 1);
    CHECK(left.at(f["id"].get<std::int64_t>()) < ns(f["ts"]));
    left.erase(f["id"].get<std::int64_t>());
    const auto& of = spans.at(thread_of(f));
    CHECK(std::any_of(of.begin(), of.end(), [&](const Span& x) { return x.start == ns(f["ts"]); }));
  }
  CHECK(left.empty());
}

// The series of a counter never change, its times ascend from 0.
inline void check_counters(const ordered_json& trace) {
  std::map<std::pair<std::int64_t, std::string>, std::pair<std::vector<std::string>, std::int64_t>> seen;
  for (const ordered_json& c : events_of(trace, "C")) {
    std::vector<std::string> series;
    for (const auto& [key, value] : c["args"].items()) {
      series.push_back(key);
      CHECK(value.is_number());
    }
    const auto counter = std::pair(c["pid"].get<std::int64_t>(), c["name"].get<std::string>());
    const auto [it, fresh] = seen.try_emplace(counter, series, ns(c["ts"]));
    CHECK(it->second.first == series);
    CHECK((fresh ? ns(c["ts"]) == 0 : it->second.second < ns(c["ts"])));
    it->second.second = ns(c["ts"]);
  }
}

// Every process and thread has a name, once; the meta data stand before the events.
inline void check_names(const ordered_json& trace, const std::map<Thread, std::vector<Span>>& spans) {
  std::set<Thread> threads;
  std::set<std::int64_t> processes;
  for (const ordered_json& m : events_of(trace, "M")) {
    if (m["name"] == "thread_name") CHECK(threads.insert(thread_of(m)).second);
    if (m["name"] == "process_name") CHECK(processes.insert(m["pid"].get<std::int64_t>()).second);
  }
  for (const auto& [thread, of] : spans) {
    CHECK(threads.count(thread) == 1);
    CHECK(processes.count(thread.first) == 1);
    CHECK(thread.second > 0);
  }
  CHECK(threads.size() == spans.size());
  std::vector<std::string> keys;
  for (const auto& item : trace.items()) keys.push_back(item.key());
  CHECK(keys == std::vector<std::string>{"displayTimeUnit", "otherData", "traceEvents"});
}

// Which micro-batch or rank is an argument of its own; operators may be called fc1.
inline bool names_one(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (std::isdigit(text[i]) && (i == 0 || !(std::islower(text[i - 1]) || std::isdigit(text[i - 1])))) return true;
  return false;
}

inline void check_rules(const Written& w) {
  const auto spans = spans_of(w.trace);
  check_nesting(spans);
  check_sums(w.trace, false);
  check_sums(w.trace, true);
  check_arrows(w.trace, spans);
  check_counters(w.trace);
  check_names(w.trace, spans);
  for (const ordered_json& e : events_of(w.trace, "X"))
    for (const auto& [key, value] : e["args"].items())
      CHECK((value.is_number() || !names_one(value.get<std::string>())));
  CHECK(events_of(w.trace, "i").size() >= 2);  // begin and end of each step
  CHECK(w.summary.events == static_cast<std::int64_t>(w.trace["traceEvents"].size()));
}

}  // namespace orrery::report::testing
