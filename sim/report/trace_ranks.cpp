// Which ranks a trace shows.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "orrery/report/trace.hpp"

namespace orrery::report {
namespace {

using program::DeviceIndex;

Diagnostic wrong(std::string message) {
  return {.place = {},
          .path = "--trace-ranks",
          .message = std::move(message),
          .help = "ranks and ranges of them, one-per-stage or all: --trace-ranks 0,8-15",
          .source_line = {}};
}

Result<std::int32_t> rank_of(std::string_view text, std::int64_t ranks) {
  std::int32_t rank = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rank);
  if (error != std::errc() || end != text.data() + text.size() || rank < 0)
    return wrong(fmt::format("expected a rank, got '{}'", text));
  if (rank >= ranks) return wrong(fmt::format("there is no rank {}: the run has ranks 0 to {}", rank, ranks - 1));
  return rank;
}

// "0,8-15": each rank once, ascending.
Result<std::set<std::int32_t>> listed(std::string_view text, std::int64_t ranks) {
  std::set<std::int32_t> all;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    const std::size_t dash = item.find('-', 1);
    const Result<std::int32_t> first = rank_of(item.substr(0, dash), ranks);
    if (!first.ok()) return first.errors();
    const Result<std::int32_t> last = dash == std::string_view::npos ? first : rank_of(item.substr(dash + 1), ranks);
    if (!last.ok()) return last.errors();
    if (*last < *first) return wrong(fmt::format("'{}' goes backwards", item));
    for (std::int32_t r = *first; r <= *last; ++r) all.insert(r);
    if (comma == text.size()) return all;
    text.remove_prefix(comma + 1);
  }
}

std::vector<DeviceIndex> sorted(const RunResult& run, std::vector<DeviceIndex> devices) {
  std::stable_sort(devices.begin(), devices.end(), [&](DeviceIndex a, DeviceIndex b) {
    const program::Device &x = run.program.devices[a], &y = run.program.devices[b];
    return std::pair(x.pipeline_rank(), x.ranks.front()) < std::pair(y.pipeline_rank(), y.ranks.front());
  });
  return devices;
}

}  // namespace

Result<std::vector<DeviceIndex>> trace_devices(const RunResult& run, std::string_view ranks) {
  std::vector<DeviceIndex> all;
  for (DeviceIndex d = 0; d < run.program.devices.size(); ++d) all.push_back(d);
  all = sorted(run, std::move(all));
  if (ranks == "all") return all;
  if (ranks == "one-per-stage") {
    const auto same_stage = [&](DeviceIndex a, DeviceIndex b) {
      return run.program.devices[a].pipeline_rank() == run.program.devices[b].pipeline_rank();
    };
    all.erase(std::unique(all.begin(), all.end(), same_stage), all.end());
    return all;
  }
  const Result<std::set<std::int32_t>> wanted = listed(ranks, run.gpus);
  if (!wanted.ok()) return wanted.errors();
  std::erase_if(all, [&](DeviceIndex d) {
    const std::vector<std::int32_t>& of = run.program.devices[d].ranks;
    return std::none_of(of.begin(), of.end(), [&](std::int32_t r) { return wanted->contains(r); });
  });
  return all;
}

}  // namespace orrery::report
