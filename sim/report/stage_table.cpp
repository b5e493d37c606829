#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "text_parts.hpp"

namespace orrery::report {
namespace {

using program::Activity;
using program::Operation;

// The ranks of one place in the pipeline: they hold the same stages; figures are of the fullest among them.
struct Group {
  std::vector<std::int32_t> ranks;
  std::vector<std::int32_t> stages;
  std::int64_t peak = 0, reserved = 0;
  int in_flight = 0;
};

}  // namespace

// An end comes before a start at the same instant, as memory does.
std::vector<int> peak_in_flight(const RunResult& run) {
  const engine::OperationTimes times = engine::operation_times(run.program, run.timeline);
  std::vector<std::vector<std::pair<std::int64_t, int>>> changes(run.program.devices.size());
  for (std::size_t i = 0; i < run.program.operations.size(); ++i) {
    const Operation& op = run.program.operations[i];
    const bool takes = op.activity == Activity::forward || op.activity == Activity::overlapped;
    const bool gives = op.activity == Activity::backward || op.activity == Activity::weight_gradient ||
                       op.activity == Activity::overlapped;
    if (takes) changes[op.device].push_back({times.start[i], 1});
    if (gives) changes[op.device].push_back({times.end[i], -1});
  }
  std::vector<int> peaks;
  for (auto& of_device : changes) {
    std::sort(of_device.begin(), of_device.end());
    int held = 0, peak = 0;
    for (const auto& change : of_device) peak = std::max(peak, held += change.second);
    peaks.push_back(peak);
  }
  return peaks;
}

namespace {

std::vector<Group> groups_of(const RunResult& run) {
  std::map<std::int32_t, Group> by_rank;
  const std::vector<int> in_flight = peak_in_flight(run);
  for (std::size_t d = 0; d < run.program.devices.size(); ++d) {
    const program::Device& device = run.program.devices[d];
    Group& group = by_rank[device.pipeline_rank()];
    group.ranks.insert(group.ranks.end(), device.ranks.begin(), device.ranks.end());
    group.peak = std::max(group.peak, run.memory[d].peak);
    group.reserved = std::max(group.reserved, run.reserved[d]);
    group.in_flight = std::max(group.in_flight, in_flight[d]);
  }
  for (const Operation& op : run.program.operations) {
    if (op.activity > Activity::overlapped) continue;
    std::vector<std::int32_t>& stages = by_rank[run.program.devices[op.device].pipeline_rank()].stages;
    if (std::find(stages.begin(), stages.end(), op.stage) == stages.end()) stages.push_back(op.stage);
  }
  std::vector<Group> groups;
  for (auto& [rank, group] : by_rank) {
    std::sort(group.ranks.begin(), group.ranks.end());
    std::sort(group.stages.begin(), group.stages.end());
    groups.push_back(std::move(group));
  }
  return groups;
}

std::string layers_text(const layout::StageSpan& span) {
  std::string text = span.embedding ? "embedding" : "";
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " + ") + part; };
  if (span.layers == 1) add(fmt::format("{}", span.first_layer));
  if (span.layers > 1) add(fmt::format("{}-{}", span.first_layer, span.first_layer + span.layers - 1));
  if (span.head) add("head");
  return text.empty() ? "none" : text;
}

constexpr std::size_t kColumns = 9;
using Row = std::array<std::string, kColumns>;
constexpr std::array<const char*, kColumns> kHead{"ranks", "stage", "layers",   "parameters", "F",
                                                  "B",     "peak",  "reserved", "in flight"};
constexpr std::array<bool, kColumns> kLeftAligned{true, false, true};

void add_group(const RunResult& run, const Group& group, std::vector<Row>& rows) {
  for (std::size_t i = 0; i < group.stages.size(); ++i) {
    const program::StageSummary& stage = run.stages.at(static_cast<std::size_t>(group.stages[i]));
    Row row{"",
            fmt::format("{}", group.stages[i]),
            layers_text(stage.span),
            parameters_text(stage.parameters),
            time_text(stage.forward.value),
            time_text(stage.backward.value),
            "",
            "",
            ""};
    if (i == 0) {
      row[0] = rank_list(group.ranks);
      row[6] = bytes_text(group.peak);
      row[7] = bytes_text(group.reserved);
      row[8] = fmt::format("{}", group.in_flight);
    }
    rows.push_back(std::move(row));
  }
}

// Of a long pipeline: its first and last groups, and the fullest.
std::vector<Row> lines_of(const RunResult& run) {
  constexpr std::size_t kMostGroups = 16, kFirst = 10, kLast = 4;
  const std::vector<Group> groups = groups_of(run);
  const auto fullest = static_cast<std::size_t>(
      std::max_element(groups.begin(), groups.end(),
                       [](const Group& a, const Group& b) { return a.reserved < b.reserved; }) -
      groups.begin());
  std::vector<Row> rows{Row()};
  std::copy(kHead.begin(), kHead.end(), rows.front().begin());
  bool left_out = false;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const bool shown = groups.size() <= kMostGroups || i < kFirst || i + kLast >= groups.size() || i == fullest;
    if (shown) add_group(run, groups[i], rows);
    if (!shown && !left_out) rows.push_back({"…"});
    left_out = !shown;
  }
  return rows;
}

using Widths = std::array<int, kColumns>;
constexpr int kRowIndent = 2, kGap = 2;

// Columns that fit: the less telling are left out first.
std::array<bool, kColumns> columns_shown(const Widths& width, int room) {
  constexpr std::array<std::size_t, 6> kLeaveOut{7, 3, 8, 4, 5, 2};  // reserved, parameters, in flight, F, B, layers
  std::array<bool, kColumns> shown;
  shown.fill(true);
  int used = kRowIndent - kGap;
  for (const int w : width) used += kGap + w;
  for (const std::size_t c : kLeaveOut) {
    if (used <= room) break;
    shown[c] = false;
    used -= kGap + width[c];
  }
  return shown;
}

}  // namespace

std::vector<std::string> stage_table(const RunResult& run, const TextStyle& style) {
  const std::vector<Row> rows = lines_of(run);
  Widths width{};
  for (const Row& row : rows)
    for (std::size_t c = 0; c < kColumns; ++c) width[c] = std::max(width[c], columns(row[c]));
  const auto shown = columns_shown(width, style.width);
  const Paint paint{style.colour};
  std::vector<std::string> lines;
  for (const Row& row : rows) {
    std::string line(kRowIndent - kGap, ' ');
    for (std::size_t c = 0; c < kColumns; ++c) {
      if (!shown[c]) continue;
      const std::string padding(static_cast<std::size_t>(width[c] - columns(row[c])), ' ');
      line += std::string(kGap, ' ') + (kLeftAligned[c] ? row[c] + padding : padding + row[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(paint(&row == &rows.front() ? Tone::dim : Tone::plain, line));
  }
  return lines;
}

}  // namespace orrery::report
