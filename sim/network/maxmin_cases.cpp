#include "orrery/network/maxmin_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "orrery/network/flow.hpp"

namespace orrery::network {
namespace {

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(separators, at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(separators, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    at = end;
  }
  return parts;
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Seconds with at most twelve decimals, exactly.
std::optional<Time> decimal_seconds(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto whole = integer(text.substr(0, dot));
  if (!whole || *whole > 9'000'000) return std::nullopt;
  std::int64_t picoseconds = *whole * kPicosecondsPerSecond;
  if (dot != std::string_view::npos) {
    std::string decimals(text.substr(dot + 1));
    if (decimals.empty() || decimals.size() > 12) return std::nullopt;
    decimals.resize(12, '0');
    const auto fraction = integer(decimals);
    if (!fraction) return std::nullopt;
    picoseconds += *fraction;
  }
  return Time{picoseconds};
}

struct Reader {
  const std::string& file;
  int line = 0;
  std::string_view text;

  Diagnostic wrong(std::string message) const {
    return {{file, line, 1}, "", std::move(message), "", std::string(text), static_cast<int>(text.size())};
  }
};

std::optional<Diagnostic> read_link(const Reader& at, const std::vector<std::string_view>& words, MaxminCase& into) {
  const auto bandwidth = words.size() == 4 ? integer(words[2]) : std::nullopt;
  const auto latency = words.size() == 4 ? decimal_seconds(words[3]) : std::nullopt;
  if (!bandwidth || *bandwidth == 0 || !latency) return at.wrong("expected 'link NAME BYTES_PER_S LATENCY_S'");
  if (std::count(into.link_names.begin(), into.link_names.end(), words[1]) > 0) {
    return at.wrong(fmt::format("link '{}' is already there", words[1]));
  }
  into.links.push_back({BytesPerSecond{*bandwidth}, *latency, hardware::LinkLevel::other});
  into.link_names.emplace_back(words[1]);
  return std::nullopt;
}

std::optional<Diagnostic> read_flow(const Reader& at, const std::vector<std::string_view>& words, MaxminCase& into) {
  if (words.size() != 6) return at.wrong("expected 'flow NAME START_S BYTES RATE_CAP LINK[,LINK…]'");
  const auto start = decimal_seconds(words[2]);
  const auto bytes = integer(words[3]);
  const auto cap = integer(words[4]);
  if (!start || !bytes || !cap) return at.wrong("expected 'flow NAME START_S BYTES RATE_CAP LINK[,LINK…]'");
  MaxminFlow flow{std::string(words[1]), *start, Bytes{*bytes}, BytesPerSecond{*cap}, {}, {}};
  for (const std::string_view name : split(words[5], ",")) {
    const auto found = std::find(into.link_names.begin(), into.link_names.end(), name);
    if (found == into.link_names.end()) return at.wrong(fmt::format("no link '{}' in this case", name));
    const auto link = static_cast<hardware::LinkId>(found - into.link_names.begin());
    flow.latency += into.links[static_cast<std::size_t>(link)].latency;
    const auto used = std::find_if(flow.uses.begin(), flow.uses.end(), [&](LinkUse use) { return use.link == link; });
    if (used == flow.uses.end()) {
      flow.uses.push_back({link, 1});
    } else {
      ++used->multiplicity;
    }
  }
  into.flows.push_back(std::move(flow));
  return std::nullopt;
}

template <class Line>
void each_line(std::string_view text, Reader& at, Line&& line) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    at.text = text.substr(0, end);
    ++at.line;
    if (const auto words = split(at.text, " \t\r"); !words.empty() && words[0][0] != '#') line(words);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

Result<std::vector<MaxminCase>> parse_maxmin_cases(std::string_view text, const std::string& file) {
  Reader at{file, 0, {}};
  std::vector<MaxminCase> cases;
  Diagnostics errors;
  bool open = false;
  each_line(text, at, [&](const std::vector<std::string_view>& words) {
    std::optional<Diagnostic> error;
    if (words[0] == "case" && words.size() == 2 && !open) {
      cases.emplace_back().name = words[1];
      open = true;
    } else if (words[0] == "end" && words.size() == 1 && open) {
      open = false;
    } else if (words[0] == "link" && open) {
      error = read_link(at, words, cases.back());
    } else if (words[0] == "flow" && open) {
      error = read_flow(at, words, cases.back());
    } else {
      error = at.wrong(open ? "expected 'link', 'flow' or 'end'" : "expected 'case NAME'");
    }
    if (error) errors.push_back(*error);
  });
  if (open) errors.push_back(at.wrong(fmt::format("case '{}' has no 'end'", cases.back().name)));
  if (!errors.empty()) return errors;
  return cases;
}

Result<std::vector<MaxminCompletion>> parse_maxmin_expected(std::string_view text, const std::string& file) {
  Reader at{file, 0, {}};
  std::vector<MaxminCompletion> completions;
  Diagnostics errors;
  each_line(text, at, [&](const std::vector<std::string_view>& words) {
    const std::string_view fraction = words.back();
    const std::size_t bar = fraction.find('/');
    const auto numerator = integer(fraction.substr(0, bar));
    const auto denominator =
        bar == std::string_view::npos ? std::optional<std::int64_t>(1) : integer(fraction.substr(bar + 1));
    if (words.size() != 4 || !numerator || !denominator || *denominator == 0) {
      errors.push_back(at.wrong("expected 'CASE FLOW TIME_S FRACTION_S'"));
    } else {
      completions.push_back({std::string(words[0]), std::string(words[1]), *numerator, *denominator});
    }
  });
  if (!errors.empty()) return errors;
  return completions;
}

std::vector<MaxminOutcome> run_maxmin_case(const MaxminCase& each) {
  std::vector<std::size_t> order(each.flows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return each.flows[a].start < each.flows[b].start; });
  FlowNetwork network(each.links);
  std::vector<MaxminOutcome> outcomes(each.flows.size());
  std::vector<std::int64_t> finished;
  int events = 0;
  std::size_t next = 0;
  const auto run_until = [&](std::optional<Time> limit) {
    for (auto t = network.next_event(); t && (!limit || *t <= *limit); t = network.next_event()) {
      finished.clear();
      network.advance(*t, finished);
      for (const std::int64_t tag : finished) outcomes[static_cast<std::size_t>(tag)] = {*t, events};
      ++events;
    }
  };
  while (next < order.size()) {
    const Time now = each.flows[order[next]].start;
    run_until(now);
    for (; next < order.size() && each.flows[order[next]].start == now; ++next) {
      const MaxminFlow& flow = each.flows[order[next]];
      network.start(now,
                    {flow.bytes, flow.uses, flow.latency, flow.rate_cap, 1, static_cast<std::int64_t>(order[next])});
    }
    ++events;
  }
  run_until(std::nullopt);
  return outcomes;
}

bool equal_within(Time completion, const MaxminCompletion& expected, std::int64_t tolerance_ps) {
  const Int128 ours = Int128{completion.value} * expected.denominator;
  const Int128 theirs = Int128{expected.numerator} * kPicosecondsPerSecond;
  const Int128 difference = ours > theirs ? ours - theirs : theirs - ours;
  return difference <= Int128{tolerance_ps} * expected.denominator;
}

}  // namespace orrery::network
