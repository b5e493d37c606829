#include "rank_drawing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/layout/rank_grid.hpp"

namespace orrery::planning {
namespace {

using layout::Dimension;

// Indices to show of n: all of few, else some from both ends and −1 for what is left out.
std::vector<int> shown(int n, int most, int head, int tail) {
  std::vector<int> indices;
  for (int i = 0; i < n; ++i)
    if (n <= most || i < head || i >= n - tail) {
      if (n > most && i == n - tail) indices.push_back(-1);
      indices.push_back(i);
    }
  return indices;
}

std::vector<int> team(const scenario::Run& run, int data, int pipeline) {
  layout::Coordinates at;
  at[Dimension::data] = data;
  at[Dimension::pipeline] = pipeline;
  auto along = layout::dimensions_that(&layout::DimensionFacts::in_pass);
  std::erase_if(along, [](Dimension d) { return layout::facts(d).folded; });
  return layout::RankGrid(run.scenario().layout).group(at, along);
}

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Rows of cells as lines: each column as wide as its widest cell.
std::vector<std::string> lines_of(const std::vector<std::vector<std::string>>& rows, const std::string& between) {
  std::vector<std::size_t> width;
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c == width.size()) width.push_back(0);
      width[c] = std::max(width[c], width_of(row[c]));
    }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line = "  ";
    const bool ranks = row.size() > 1 && row[1].starts_with("[");
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap = c < 2 ? (c == 0 ? "" : "  ") : ranks ? between : std::string(width_of(between), ' ');
      line += gap + row[c];
      if (c + 1 < row.size()) line += std::string(width[c] - width_of(row[c]), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

std::vector<int> stages_of(const scenario::Run& run, int pipeline) {
  const schedule::Placement& place = run.input().schedule->placement;
  std::vector<int> stages;
  for (int pipe = 0; pipe < place.pipes; ++pipe)
    for (int stage = 0; stage < place.stages; ++stage)
      if (place.rank_of(stage, pipe) == pipeline) stages.push_back(stage);
  return stages;
}

std::string layers_of(const scenario::Run& run, int pipeline) {
  const auto spans = layout::partition_layers(run.input().graph->spec, run.input().layout);
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  for (const int stage : stages_of(run, pipeline)) {
    const layout::StageSpan& span = (*spans)[static_cast<std::size_t>(stage)];
    if (span.embedding) add("embedding");
    if (span.layers == 1) add(std::to_string(span.first_layer));
    if (span.layers > 1) add(fmt::format("{}-{}", span.first_layer, span.first_layer + span.layers - 1));
    if (span.head) add("head");
  }
  return text.empty() ? "nothing" : text;
}

std::string ranks_text(const std::vector<int>& ranks) {
  bool neighbours = ranks.size() > 2;
  for (std::size_t i = 1; i < ranks.size(); ++i) neighbours &= ranks[i] == ranks[i - 1] + 1;
  if (neighbours) return fmt::format("{}-{}", ranks.front(), ranks.back());
  std::string text;
  for (const int i : shown(static_cast<int>(ranks.size()), 8, 3, 1))
    text += (text.empty() ? "" : " ") + (i < 0 ? "…" : std::to_string(ranks[static_cast<std::size_t>(i)]));
  return text;
}

std::vector<std::string> rank_drawing(const scenario::Run& run) {
  const layout::Layout& layout = run.scenario().layout;
  const std::vector<int> columns = shown(layout.pipeline, 8, 3, 2), rows = shown(layout.data, 8, 3, 1);
  std::vector<std::vector<std::string>> cells(2);
  cells[0].emplace_back("");
  cells[1].emplace_back("layers");
  for (const int p : columns) {
    cells[0].push_back(p < 0 ? "…" : fmt::format("pipeline {}", p));
    cells[1].push_back(p < 0 ? "…" : layers_of(run, p));
  }
  for (const int d : rows) {
    auto& row = cells.emplace_back();
    row.push_back(d < 0 ? "…" : fmt::format("data {}: X{}", d, d + 1));
    for (const int p : columns)
      if (d >= 0) row.push_back(p < 0 ? "…" : "[" + ranks_text(team(run, d, p)) + "]");
  }
  return lines_of(cells, " ── ");
}

}  // namespace orrery::planning
