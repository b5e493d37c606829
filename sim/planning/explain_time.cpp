// What sets the step time: the critical path, and the operators of a layer.
#include <fmt/format.h>

#include <algorithm>

#include "orrery/planning/explain.hpp"
#include "orrery/scenario/sensitivity.hpp"
#include "report/format.hpp"
#include "report/operator_table.hpp"
#include "report/path_kinds.hpp"

namespace orrery::planning {
namespace {

using report::percent_text;
using report::time_text;

AnswerCell integer(std::int64_t value) {
  return {value, report::integer_text(value)};
}
AnswerCell time_cell(std::int64_t ps) {
  return {static_cast<double>(ps) / 1e12, ps < 0 ? "-" + time_text(-ps) : time_text(ps)};
}
AnswerCell stage_cell(std::int32_t stage) {
  return {std::int64_t{stage}, stage < 0 ? "" : std::to_string(stage)};
}
AnswerCell share_cell(double share) {
  return {share, percent_text(share)};
}

// The text has them of all stages together.
AnswerTable path_table(const report::RunResult& run, std::vector<report::PathKind> kinds, bool by_stage) {
  if (!by_stage) {
    std::vector<report::PathKind> sums;
    for (const report::PathKind& k : kinds) {
      const auto same = std::find_if(sums.begin(), sums.end(), [&](const auto& s) { return s.what == k.what; });
      report::PathKind& sum = same == sums.end() ? sums.emplace_back(report::PathKind{k.what, -1, k.category}) : *same;
      sum.time += k.time, sum.stretches += k.stretches;
    }
    std::stable_sort(sums.begin(), sums.end(), [](const auto& a, const auto& b) { return a.time > b.time; });
    kinds = std::move(sums);
  }
  const auto shown = [&](const char* title) { return std::string(by_stage ? "" : title); };
  AnswerTable table{by_stage ? "path_by_stage" : "path",
                    "",
                    {{"what", shown("on the critical path"), false},
                     {"stage", ""},
                     {"category", "", false},
                     {"stretches", shown("times")},
                     {"time_s", shown("time")},
                     {"share", shown("of the step")}}};
  const auto step = static_cast<double>(run.timeline.step_time.value);
  for (const report::PathKind& k : kinds)
    table.rows.push_back({cell(k.what), stage_cell(k.stage),
                          cell(std::string(program::kCategoryNames[static_cast<std::size_t>(k.category)])),
                          integer(k.stretches), time_cell(k.time), share_cell(static_cast<double>(k.time) / step)});
  return table;
}

AnswerTable slack_table(std::vector<report::SlackKind> kinds, bool by_stage) {
  if (!by_stage) {
    std::vector<report::SlackKind> sums;
    for (const report::SlackKind& k : kinds) {
      const auto same = std::find_if(sums.begin(), sums.end(), [&](const auto& s) { return s.what == k.what; });
      if (same == sums.end()) {
        sums.push_back(k), sums.back().stage = -1;
        continue;
      }
      const auto all = static_cast<double>(same->operations + k.operations);
      same->mean =
          (same->mean * static_cast<double>(same->operations) + k.mean * static_cast<double>(k.operations)) / all;
      same->operations += k.operations;
      same->least = std::min(same->least, k.least), same->most = std::max(same->most, k.most);
    }
    kinds = std::move(sums);
  }
  const auto shown = [&](const char* title) { return std::string(by_stage ? "" : title); };
  AnswerTable table{by_stage ? "slack_by_stage" : "slack",
                    by_stage ? "" : "How much later each could end, and the step be as long:",
                    {{"what", shown("operation"), false},
                     {"stage", ""},
                     {"operations", shown("operations")},
                     {"least_s", shown("least")},
                     {"mean_s", shown("mean")},
                     {"most_s", shown("most")}}};
  for (const report::SlackKind& k : kinds)
    table.rows.push_back({cell(k.what), stage_cell(k.stage), integer(k.operations), time_cell(k.least),
                          time_cell(static_cast<std::int64_t>(k.mean)), time_cell(k.most)});
  return table;
}

AnswerTable resource_table(const scenario::Run& run, const scenario::RunOptions& options, Time step) {
  AnswerTable table{"ten_percent_more",
                    "The step with a tenth more of each, played again:",
                    {{"resource", "", false},
                     {"name", "resource", false},
                     {"step_time_s", "step time"},
                     {"saved_s", "saved"},
                     {"saved_fraction", "of the step"}}};
  for (const scenario::Sensitivity& s : scenario::sensitivities(run, options)) {
    const std::int64_t saved = step.value - s.step_time.value;
    table.rows.push_back(
        {cell(s.resource->key),
         cell(s.resource->name),
         time_cell(s.step_time.value),
         time_cell(saved),
         {static_cast<double>(saved) / static_cast<double>(step.value),
          fmt::format("{:.1f} %", 100 * static_cast<double>(saved) / static_cast<double>(step.value))}});
  }
  return table;
}

Diagnostic does_not_fit(const report::RunResult& run) {
  const report::Metrics m = report::metrics_of(run);
  Diagnostic d;
  d.message =
      fmt::format("the layout does not fit: the fullest GPU needs {} more than it has, so there is no step to explain",
                  report::bytes_text(-m.headroom));
  d.help = "`orrery tune` looks for a layout that fits";
  return d;
}

// A step that runs: what does not fit has no time to explain.
Result<report::RunResult> played(const scenario::Run& run, const scenario::RunOptions& options) {
  Result<report::RunResult> result = scenario::simulate(run, options);
  if (result.ok() && !report::metrics_of(*result).fits()) return does_not_fit(*result);
  return result;
}

std::string title_of(const report::RunResult& run) {
  return fmt::format("{}: step time {}", run.title, time_text(run.timeline.step_time.value));
}

}  // namespace

Result<Answer> explain_critical_path(const scenario::Run& run, const scenario::RunOptions& options) {
  const Result<report::RunResult> result = played(run, options);
  if (!result.ok()) return result.errors();
  Answer answer{"orrery.explain_path/1", title_of(*result)};
  AnswerPart figures{"", "", {{"step_time_s", seconds(result->timeline.step_time), "", ""}}};
  const auto kinds = report::path_kinds(*result);
  const auto slack = report::slack_kinds(*result);
  figures.tables = {path_table(*result, kinds, false), path_table(*result, kinds, true), slack_table(slack, false),
                    slack_table(slack, true), resource_table(run, options, result->timeline.step_time)};
  answer.parts.push_back(std::move(figures));
  answer.notes = {
      "The path goes from the task that the step ends with back through the last predecessor of each; where several "
      "end "
      "together, through that whose category comes first. Micro-batches: of as many tokens as the run has.",
  };
  return answer;
}

Result<Answer> explain_operators(const scenario::Run& run, const scenario::RunOptions& options) {
  const Result<report::RunResult> result = played(run, options);
  if (!result.ok()) return result.errors();
  Answer answer{"orrery.explain_operators/1", title_of(*result)};
  AnswerTable table{"operators",
                    report::layer_text(*result) + ":",
                    {{"pass", "pass", false},
                     {"operator", "operator", false},
                     {"shape", "shape", false},
                     {"flops", "GFLOP"},
                     {"bytes", "MB"},
                     {"time_s", "time"},
                     {"bound", "bound by", false},
                     {"share", "of the step"}}};
  double sum = 0;
  for (const report::OperatorRow& row : report::operator_rows(*result)) {
    sum += row.share;
    table.rows.push_back({cell(row.pass),
                          cell(row.name),
                          cell(row.shape),
                          {row.flops, row.flops > 0 ? fmt::format("{:.2f}", row.flops / 1e9) : ""},
                          {row.bytes, fmt::format("{:.1f}", row.bytes / 1e6)},
                          time_cell(row.time.value),
                          cell(row.bound),
                          share_cell(row.share)});
  }
  AnswerPart part{"", "", {{"layer", result->layer.layer, "", ""}, {"share_of_step", sum, "", ""}}};
  if (result->layer.place >= 0)
    part.figures.insert(part.figures.begin() + 1, {"expert_rank", std::int64_t{result->layer.place}, "", ""});
  part.tables.push_back(std::move(table));
  answer.parts.push_back(std::move(part));
  answer.notes = {
      fmt::format("All layers and micro-batches of it take {} of the step of all GPUs. Times are of kernels and calls "
                  "alone: what runs "
                  "beside them slows some, and hides calls. HBM: half as much bandwidth again saves more than a tenth; "
                  "launch: half of "
                  "the time is the fixed cost of a kernel or of its launch.",
                  percent_text(sum))};
  return answer;
}

}  // namespace orrery::planning
