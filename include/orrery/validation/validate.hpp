// Tables of measurements and of exact oracles, held against the simulator: each row becomes a scenario (a schedule, a
// collective, a kernel, a system of flows) and is played like any other. Only configuration columns reach the
// predictor; ids, sources, notes, tiers and measured columns never do.
//
// The kind of a file is known from its columns:
//   runs         stack, layers, tp …         one training run a row
//   schedules    schedule, p, m and tF, tF_by_stage or expected
//   collectives  collective, msg_bytes …     rows of nccl-tests
//   kernels      kernel, gpu, efficiency …   matrix products and fused attention
//   expert_layers    kind, expert_hidden, num_tokens …   grouped products, layers with experts
//   expert_exchange  dispatch_us, combine_us …           tokens to experts and home
//   plans        layers_per_stage, replicas_per_stage …   runs of plans by Sailor's planner
//   flows        text of `case … end`        network/maxmin_cases.hpp
// Known too, to be counted, with each row refused by what it would need: goodput (quantity, value).
//
// A row with a word, a GPU, a cluster or a stack that is not known is refused, with the reason, and the others are
// predicted. A file without a header it can be known by, or with a cell that should be a number and is none, is an
// error.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"

namespace orrery::validation {

enum class FileKind : std::uint8_t {
  runs,
  schedules,
  collectives,
  kernels,
  flows,
  plans,
  expert_layers,
  expert_exchange,
  goodput
};

// Nothing, a number, one number a stage, or a word.
using Value = std::variant<std::monostate, double, std::vector<double>, std::string>;

// What is compared: measured (then the error counts) or expected (then it must be equal).
struct Figure {
  const char* name = "";  // with its unit: step_time_s
  bool exact = false;
  Value reference, predicted;
};

struct Row {
  std::string id;
  std::vector<Figure> figures;
  std::optional<bool> equal;                                // exact oracles whose expected values are given
  std::string why;                                          // it was refused: why
  std::vector<std::pair<std::string, std::string>> groups;  // {"stack", "nanotron"}, {"prefix", "ultra"}
  bool counts = true;                                       // in the statistics (runs: tier A or B)
  bool in_subset = false;                                   // in the narrower statistics beside them (Report::subset)
  std::string alternatives;       // rows of equal key are choices among which an order is asked for; empty = none
  std::string same_but_schedule;  // rows of equal key differ in the schedule and its virtual stages only; empty = none
  std::string schedule;           // with its virtual stages
  std::string what;               // one line for people
  // Runs: seconds of the step by category (mean of the ranks), GiB of the fullest rank by class.
  std::vector<std::pair<std::string_view, double>> split_s, memory_gib;
};

// Errors are relative: predicted / measured − 1.
struct Statistics {
  std::int64_t rows = 0;
  double mape = 0, median_abs_error = 0, p90_abs_error = 0, bias = 0;
  // Share of the pairs of alternatives whose measured values differ by more than 5 % that are put in the right order.
  std::optional<double> concordance;
  // The same of pairs of runs that differ in the schedule alone, where the measured values are more than 2 % apart.
  std::optional<double> schedule_concordance;
  std::int64_t schedule_pairs = 0;
};

struct Group {
  std::string by, name;  // by: all, stack, prefix, system, …
  struct OfFigure {
    const char* name;
    Statistics all, subset;
  };
  std::vector<OfFigure> figures;
};

struct Report {
  FileKind kind{};
  std::string file;
  const char* subset = "";  // tier_a, from_64_kib; empty = none
  std::vector<Row> rows;
  std::vector<Group> groups;  // "all" first

  std::int64_t refused() const;
  std::int64_t unequal() const;
  bool nothing_predicted() const;  // each row was refused, and no refusal was what an oracle expects; or there is none
};

// The rows refused for one reason, by the row that was first.
struct Refusal {
  std::string why;
  std::vector<std::string> ids;
};
std::vector<Refusal> refusals_of(const Report& report);

struct Options {
  std::string expected;                   // flows: the file of expected completions; empty = beside the cases
  std::vector<std::string> by = {};       // ways to group the rows in place of the usual: columns, joined by commas
  std::vector<std::string> without = {};  // runs: mechanisms taken away (mechanism_names)
  int threads = 0;                        // speed only; 0 = as many as the machine has
  // What the rows evaluated at once may need together; a row beyond its share is refused. Empty: as for a run.
  std::optional<Bytes> memory_limit = {};
  // Told after each row how many of how many are done, by whichever thread did it.
  std::function<void(std::size_t done, std::size_t rows)> progress = {};
};

// Fails only where the file itself is broken; what the simulator refuses is a row with its reason.
Result<Report> validate_file(const std::string& path, const Options& options);
Result<Report> validate_table(std::string_view text, const std::string& name, const Options& options);

// Runs: one row and those nearest to it in configuration, nothing else of the table.
Result<Report> validate_row(const std::string& path, const std::string& id, const Options& options);
// What differs among its rows, and where the time and the memory of each go, side by side.
std::string side_by_side(const Report& report);

// Mechanisms of the simulator that a table of runs can be played without, each with what it is.
std::vector<std::pair<std::string, std::string>> mechanism_names();

std::string to_json(const Report& report);  // schema "orrery.validate/1", ends with a newline
std::string to_text(const Report& report);  // a table per group and the ten worst rows

// --fail-on: [GROUP:][FIGURE.]STATISTIC OPERATOR NUMBER, for instance "mape>0.15", "nanotron:mape>0.1",
// "bloom:peak_memory_gib.bias<-0.1", "refused>0", "unequal>0".
//   GROUP      name of a group; default: all rows
//   FIGURE     default: the first figure of the file (runs: step_time_s)
//   STATISTIC  rows, mape, median_abs_error, p90_abs_error, bias, concordance, schedule_concordance, refused, unequal
//   OPERATOR   > >= < <=
struct Condition {
  std::string text, group, figure, statistic, comparison;
  double bound = 0;
};
Result<Condition> parse_condition(const std::string& text);
// Whether the condition holds, or why it cannot be decided (no such group or figure).
Result<bool> holds(const Condition& condition, const Report& report);

}  // namespace orrery::validation
