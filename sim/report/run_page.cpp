// The page of a run, section by section.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "format.hpp"
#include "operator_table.hpp"
#include "orrery/report/chart.hpp"
#include "orrery/report/page.hpp"
#include "path_kinds.hpp"
#include "run_charts.hpp"
#include "text_parts.hpp"
#include "timeline_canvas.hpp"

namespace orrery::report {
namespace {

std::string limit_html(const RunResult& run, const Metrics& m) {
  std::string html = paragraph_html(what_limits(run, m));
  for (const std::string& warning : run.warnings) html += paragraph_html("Warning: " + warning);
  return html;
}

std::string path_html(const RunResult& run) {
  constexpr std::size_t kMost = 16;
  const auto step = static_cast<double>(run.timeline.step_time.value);
  std::vector<std::vector<std::string>> rows;
  std::int64_t rest = 0;
  for (const PathKind& k : path_kinds(run)) {
    if (rows.size() == kMost) {
      rest += k.time;
      continue;
    }
    rows.push_back({k.what, k.stage < 0 ? "" : std::to_string(k.stage), integer_text(k.stretches), time_text(k.time),
                    percent_text(static_cast<double>(k.time) / step)});
  }
  if (rest > 0) rows.push_back({"the rest", "", "", time_text(rest), percent_text(static_cast<double>(rest) / step)});
  return table_html({{"what", false}, {"stage"}, {"times"}, {"time"}, {"of the step"}}, rows) +
         paragraph_html(
             "`orrery explain SCENARIO --critical-path` has the slack of the rest, and what more of each "
             "resource would save.");
}

std::string operators_html(const RunResult& run) {
  std::vector<std::vector<std::string>> rows;
  for (const OperatorRow& r : operator_rows(run))
    rows.push_back({r.pass, r.name, r.shape, r.flops > 0 ? fmt::format("{:.2f}", r.flops / 1e9) : "",
                    fmt::format("{:.1f}", r.bytes / 1e6), time_text(r.time.value), r.bound, percent_text(r.share)});
  return paragraph_html(layer_text(run) + "; the share is of all layers and micro-batches.") +
         table_html({{"pass", false},
                     {"operator", false},
                     {"shape", false},
                     {"GFLOP"},
                     {"MB"},
                     {"time"},
                     {"bound by", false},
                     {"of the step"}},
                    rows);
}

// A row a node, a cell a GPU: the rank on it and the place of that in the pipeline.
std::string ranks_html(const RunResult& run) {
  constexpr std::size_t kMostNodes = 32;
  std::map<std::int32_t, std::vector<std::string>> nodes;
  std::vector<std::int32_t> stage(run.placement.devices.size(), 0);
  for (const program::Device& d : run.program.devices)
    for (const std::int32_t r : d.ranks)
      if (static_cast<std::size_t>(r) < stage.size()) stage[static_cast<std::size_t>(r)] = d.pipeline_rank();
  const auto per_node = static_cast<std::size_t>(run.placement.per_node);
  for (std::size_t r = 0; r < run.placement.devices.size(); ++r) {
    const auto device = static_cast<std::size_t>(run.placement.devices[r]);
    auto& cells = nodes.try_emplace(static_cast<std::int32_t>(device / per_node), per_node).first->second;
    cells[device % per_node] = fmt::format("{} (stage {})", r, stage[r]);
  }
  std::vector<PageColumn> columns{{"node", true}};
  for (std::size_t g = 0; g < per_node; ++g) columns.push_back({fmt::format("GPU {}", g), false});
  std::vector<std::vector<std::string>> rows;
  for (auto& [node, cells] : nodes) {
    if (rows.size() == kMostNodes) break;
    cells.insert(cells.begin(), std::to_string(node));
    rows.push_back(cells);
  }
  std::string html = table_html(columns, rows);
  if (nodes.size() > kMostNodes) html += paragraph_html(fmt::format("… and {} more nodes.", nodes.size() - kMostNodes));
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (const int domains = run.placement.domains[d.dimension]; domains > 1)
      html += paragraph_html(fmt::format("The {} groups reach over {} NVLink domains.", d.name, domains));
  return html;
}

std::string links_html(const RunResult& run) {
  std::vector<std::vector<std::string>> use, shared;
  for (const LevelUse& u : run.link_use) use.push_back({std::string(name_of(u.level)), percent_text(u.mean)});
  for (const SharedTransfers& s : run.shared)
    shared.push_back({std::string(program::kCategoryNames[static_cast<std::size_t>(s.category)]),
                      std::string(name_of(s.collective)), seconds_text(s.took_s), seconds_text(s.alone_s),
                      percent_text(s.took_s / s.alone_s - 1), std::string(name_of(s.level)), s.link});
  std::string html;
  if (!use.empty()) html += table_html({{"level", false}, {"in use over the step"}}, use);
  if (!shared.empty())
    html += table_html({{"transfers", false},
                        {"collective", false},
                        {"took"},
                        {"alone"},
                        {"slower"},
                        {"level", false},
                        {"link that cost most", false}},
                       shared);
  if (html.empty())
    html = paragraph_html("No transfer lost time to others on its links" +
                          std::string(run.network_mode == "ideal" ? ": network mode ideal shares none." : "."));
  return html;
}

std::string inputs_html(const RunResult& run) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [what, from] : run.sources) rows.push_back({what, from});
  return (rows.empty() ? "" : table_html({{"input", false}, {"from", false}}, rows)) +
         fmt::format("<details><summary>The resolved scenario</summary><pre class=\"scroll\">{}</pre></details>\n",
                     escaped(run.scenario_json));
}

std::string held_html(const std::vector<HeldAgainst>& held) {
  if (held.empty())
    return paragraph_html(
        "No measured run on this GPU or with this stack is among those that Orrery was held against: the step time is "
        "a prediction without a measured neighbour.");
  std::vector<std::vector<std::string>> rows;
  double sum = 0;
  for (const HeldAgainst& h : held) {
    rows.push_back({h.id, h.what, fmt::format("{:+.1f} %", 100 * h.time_error)});
    sum += std::abs(h.time_error);
  }
  return paragraph_html(fmt::format("The measured runs most like this one, by stack, GPU, cluster, number format and "
                                    "number of GPUs: the predicted step times are {:.1f} % off in the mean.",
                                    100 * sum / static_cast<double>(held.size()))) +
         table_html({{"run", false}, {"what", false}, {"error"}}, rows);
}

std::string trust_html(const RunResult& run, const std::vector<HeldAgainst>& held) {
  std::string html = paragraph_html(
      "Schedules, memory and FLOPs are exact: oracles and closed forms hold them. Times of kernels, collectives and "
      "the "
      "host are models with constants of the GPU, cluster and software stack, from the sources above.");
  html += held_html(held);
  html += paragraph_html(
      "ACCURACY.md has the errors by source, stack and cluster; `orrery validate` holds the simulator against a table "
      "of measured runs.");
  for (const std::string& note : run.notes) html += paragraph_html(note);
  for (const std::string& wrong : run.books) html += paragraph_html("The books do not balance: " + wrong);
  return html;
}

std::string stages_html(const RunResult& run) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t s = 0; s < run.stages.size(); ++s) {
    const program::StageSummary& stage = run.stages[s];
    rows.push_back({std::to_string(s), integer_text(stage.span.layers), parameters_text(stage.parameters),
                    time_text(stage.forward.value), time_text(stage.backward.value)});
  }
  return table_html({{"stage"}, {"layers"}, {"parameters of a GPU"}, {"F"}, {"B"}}, rows);
}

std::vector<PageFigure> figures_of(const RunResult& run, const Metrics& m) {
  const std::int64_t fullest = run.usable_on(static_cast<std::size_t>(m.worst_device)).value;
  return {{"step time", time_text(run.timeline.step_time.value), "of one training step"},
          {"MFU", percent_text(m.mfu), "model FLOPs over what the GPUs could run in the time"},
          {"HFU", percent_text(m.hfu), "FLOPs that the kernels run, the same way"},
          {"tokens/s/GPU", count_text(m.tokens_per_s_per_gpu), "tokens of training data a second and GPU"},
          {"bubble", percent_text(m.bubble_fraction), "waiting for another device's work"},
          {"memory", fmt::format("{} of {}", bytes_text(fullest - m.headroom), bytes_text(fullest)),
           "of the fullest GPU, context included"},
          {"verdict", m.fits() ? "fits" : "does not fit", "in the memory of the GPUs"},
          {"parameters", parameters_text(run.parameters), run.kind_text.empty() ? "of the model" : run.kind_text}};
}

}  // namespace

std::string run_chart(const RunResult& run, std::string_view name) {
  return name == "split"       ? split_svg(run)
         : name == "waterfall" ? waterfall_svg(run)
         : name == "memory"    ? memory_svg(run)
                               : staircase_svg(run);
}

Page page_of(const RunResult& run, const std::vector<HeldAgainst>& held) {
  const Metrics m = metrics_of(run);
  Page page{run.title, run.setting, figures_of(run, m)};
  page.sections = {
      {"What limits it", limit_html(run, m)},
      {"Timeline", timeline_html(run)},
      {"The pipeline on one screen", "<div class=\"scroll\">" + staircase_svg(run) + "</div>\n"},
      {"Split of the step", split_svg(run)},
      {"From peak to MFU", waterfall_svg(run)},
      {"Critical path", path_html(run)},
      {"Memory over the step", memory_svg(run) + paragraph_html("The dashed line is what the allocator can get.")},
      {"Stages", stages_html(run)},
      {"Operators of a layer", operators_html(run)},
      {"Ranks and GPUs", ranks_html(run)},
      {"Network", links_html(run)},
      {"Inputs", inputs_html(run)},
      {"How far to trust it", trust_html(run, held)}};
  page.script = timeline_script();
  return page;
}

}  // namespace orrery::report
