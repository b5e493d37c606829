// Schedule oracles, with one time for all stages or one each, and the negative cases; lowered to a Program and played
// by the engine of `run`. One unit of the table = 10⁶ ps.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "cells.hpp"
#include "kinds.hpp"
#include "orrery/engine/account.hpp"
#include "orrery/engine/engine.hpp"
#include "orrery/program/schedule_program.hpp"
#include "orrery/schedule/schedule.hpp"
#include "parallel.hpp"

namespace orrery::validation {
namespace {

constexpr std::int64_t kUnit = 1'000'000;
constexpr std::int64_t kMostUnits = 1'000'000'000;
using program::Release;

enum FigureIndex : std::size_t { kMakespan, kSpan, kBubble, kSpanBubble, kPeak, kEarlyPeak, kOutcome };

struct Trial {
  schedule::ScheduleRequest request;
  schedule::StageTimes times;  // in 10⁻⁶ units; one entry = of every stage
  bool searched = false, rendezvous = false;
};

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// Times are decimals with few digits: exact in millionths.
std::optional<std::int64_t> units(const std::string& text) {
  const std::optional<double> value = number_of(text);
  if (!value || !(*value >= 0) || *value > static_cast<double>(kMostUnits)) return {};
  return static_cast<std::int64_t>(*value * static_cast<double>(kUnit) + 0.5);
}

std::vector<std::int64_t> times(const Cells& cells, const char* uniform, const char* by_stage, std::int64_t otherwise) {
  const char* column = cells.has(by_stage) && !cells.text(by_stage).empty() ? by_stage : uniform;
  if (!cells.has(column) || cells.text(column).empty()) return {otherwise};
  std::vector<std::int64_t> result;
  for (const std::string& part : split(cells.text(column), "|")) {
    const std::optional<std::int64_t> time = units(part);
    if (!time) cells.refuse(column, fmt::format("'{}' is not a time from 0 to {}", part, kMostUnits));
    result.push_back(time.value_or(0));
  }
  return result;
}

// "p", "1.5p", "inf" or "4" micro-batches; notes of the table repeat it.
double memory_cap(const Cells& cells, int ranks) {
  std::string cap = cells.text("memory_cap");
  if (cap.empty()) return 0;
  if (cap == "inf") return std::numeric_limits<double>::infinity();
  const bool per_rank = cap.back() == 'p';
  if (per_rank) cap.pop_back();
  const std::optional<double> value = per_rank && cap.empty() ? 1.0 : number_of(cap);
  if (!value || !(*value > 0))
    cells.refuse_row("memory_cap",
                     fmt::format("'{}' is not a cap, allowed: inf, a number, a multiple of p as in 1.5p", cap));
  return value.value_or(0) * (per_rank ? ranks : 1);
}

// The tables of oracles have no column for the group size and write it in the notes, as "group=4".
int group_size(const Cells& cells) {
  if (cells.has("group")) return static_cast<int>(cells.integer("group", 0, 1 << 24, 0));
  const std::string notes = cells.text("notes");
  const std::size_t at = notes.find("group=");
  int group = 0;
  if (at != std::string::npos) std::from_chars(notes.data() + at + 6, notes.data() + notes.size(), group);
  return group;
}

Trial job_of(const Cells& cells) {
  Trial job;
  job.request.name = cells.text("schedule");
  job.request.ranks = static_cast<int>(cells.integer("p", 1, 1 << 16));
  job.request.micro_batches = static_cast<int>(cells.integer("m", 1, 1 << 20));
  job.request.chunks = static_cast<int>(cells.integer("v", 1, 1 << 10, 1));
  job.request.group = group_size(cells);
  job.times.forward = times(cells, "tF", "tF_by_stage", kUnit);
  job.times.input_gradient = times(cells, "tI", "tI_by_stage", kUnit);
  job.times.weight_gradient = times(cells, "tW", "tW_by_stage", kUnit);
  job.times.overlapped = cells.text("tX").empty() ? std::vector<std::int64_t>() : times(cells, "tX", "tX", 0);
  job.times.message = times(cells, "tcomm", "tcomm", 0).front();
  if (job.request.name.starts_with("zb_auto")) {
    job.searched = true;
    job.request.name = "zb_auto";
    job.request.memory_cap = memory_cap(cells, job.request.ranks);
  }
  if (job.request.name == "1f1b_blocking_p2p") {
    job.rendezvous = true;
    job.request.name = "1f1b";
  }
  return job;
}

Value list(const Cells& cells, const char* column) {
  if (cells.text(column).empty()) return {};
  std::vector<double> values;
  for (const std::string& part : split(cells.text(column), ";")) {
    const std::optional<double> value = number_of(part);
    if (!value) cells.refuse(column, fmt::format("'{}' is not a number", part));
    values.push_back(value.value_or(0));
  }
  return values;
}

Value single(const std::optional<double>& value) {
  return value ? Value(*value) : Value();
}

// Of the negative cases: "deadlock", "reject", or "runs, makespan 48 > ideal 39".
void expect_outcome(const Cells& cells, Row& row) {
  const std::string expected = cells.text("expected");
  if (expected.empty()) return;
  row.figures[kOutcome].reference = expected.substr(0, expected.find(','));
  constexpr std::string_view before = "makespan ";
  if (const std::size_t at = expected.find(before); at != std::string::npos) {
    const std::size_t begin = at + before.size();
    row.figures[kMakespan].reference = single(number_of(expected.substr(begin, expected.find(' ', begin) - begin)));
  }
}

Row schedule_row(const Cells& cells, std::size_t index) {
  Row row;
  row.id = cells.has("id") ? cells.text("id") : std::to_string(index);
  row.figures = {{"makespan", true, single(cells.number("makespan")), {}},
                 {"span", true, single(cells.number("max_rank_span")), {}},
                 {"bubble_fraction", true, single(cells.number("bubble_fraction")), {}},
                 {"span_bubble_fraction", true, single(cells.number("span_bubble_rate")), {}},
                 {"peak_inflight", true, list(cells, "peak_inflight_per_stage"), {}},
                 {"peak_until_input_gradient", true, list(cells, "peak_until_I_per_stage"), {}},
                 {"outcome", true, {}, {}}};
  expect_outcome(cells, row);
  row.what =
      fmt::format("{} p={} m={} v={}", cells.text("schedule"), cells.text("p"), cells.text("m"), cells.text("v"));
  row.groups.emplace_back("schedule", cells.text("schedule"));
  return row;
}

// One entry = of every stage.
bool spread(std::vector<std::int64_t>& times, std::size_t stages) {
  if (times.size() == 1) times.assign(stages, times.front());
  return times.size() == stages || times.empty();
}

std::vector<Time> in_ps(const std::vector<std::int64_t>& times) {
  std::vector<Time> result;
  for (const std::int64_t t : times) result.push_back(Time{t});
  return result;
}

std::vector<double> peaks(const program::Program& played, const engine::Timeline& timeline) {
  std::vector<double> result;
  for (const engine::DeviceMemory& m : engine::memory_of(played, timeline))
    result.push_back(static_cast<double>(m.peak));
  return result;
}

double in_units(std::int64_t time) {
  return static_cast<double>(time) / static_cast<double>(kUnit);
}

Diagnostics play(const schedule::Schedule& schedule, const Trial& job, Row& row) {
  const program::OperationTimes times{
      in_ps(job.times.forward),
      in_ps(job.times.input_gradient),
      in_ps(job.times.weight_gradient),
      in_ps(job.times.overlapped),
      Time{job.times.message},
      job.rendezvous ? program::MessageMode::rendezvous : program::MessageMode::asynchronous};
  const auto lowered = program::lower_schedule(schedule, times, Release::weight_gradient);
  if (!lowered.ok()) return lowered.errors();
  const engine::Timeline timeline = engine::evaluate_one_pass(*lowered);
  const engine::ScheduleBubbles bubbles = engine::schedule_bubbles(*lowered, timeline);
  row.figures[kMakespan].predicted = in_units(bubbles.makespan);
  row.figures[kSpan].predicted = in_units(bubbles.longest_span);
  row.figures[kBubble].predicted = bubbles.bubble();
  row.figures[kSpanBubble].predicted = bubbles.span_bubble();
  row.figures[kPeak].predicted = peaks(*lowered, timeline);
  const auto early = program::lower_schedule(schedule, times, Release::input_gradient);
  if (!early.ok()) return early.errors();
  row.figures[kEarlyPeak].predicted = peaks(*early, timeline);
  return {};
}

// Fractions are published with 12 digits, the other figures exactly.
bool same(const Figure& figure) {
  const double* reference = std::get_if<double>(&figure.reference);
  const double* predicted = std::get_if<double>(&figure.predicted);
  if (reference == nullptr || predicted == nullptr) return figure.reference == figure.predicted;
  const double difference = *reference - *predicted;
  return difference < 6e-13 && difference > -6e-13;
}

void compare(const Trial& job, Row& row) {
  bool given = false, equal = true;
  for (const Figure& f : row.figures) {
    if (f.reference.index() == 0) continue;
    given = true;
    equal = equal && same(f);
  }
  // A search may find something better than the table's: then it must not be worse, within the cap.
  const double* expected = std::get_if<double>(&row.figures[kSpan].reference);
  const double* found = std::get_if<double>(&row.figures[kSpan].predicted);
  if (job.searched && expected != nullptr) equal = found != nullptr && *found <= *expected;
  if (given) row.equal = equal;
}

void evaluate(Trial& job, Row& row) {
  // The stages of the schedule are known once it is made; the search needs their times before.
  const auto stages = static_cast<std::size_t>(job.request.ranks);
  if (job.searched && spread(job.times.forward, stages) && spread(job.times.input_gradient, stages) &&
      spread(job.times.weight_gradient, stages))
    job.request.times = job.times;
  const Result<schedule::Schedule> schedule = schedule::make_schedule(job.request);
  Diagnostics errors;
  if (!schedule.ok()) {
    errors = schedule.errors();
  } else {
    const auto all = static_cast<std::size_t>(schedule->placement.stages);
    bool fits = true;
    for (auto* times :
         {&job.times.forward, &job.times.input_gradient, &job.times.weight_gradient, &job.times.overlapped})
      fits = spread(*times, all) && fits;
    if (fits) {
      errors = play(*schedule, job, row);
    } else {
      errors.push_back({});
      errors.back().message = fmt::format("times of {} stages are needed", all);
    }
  }
  row.why = reason(errors);
  const bool deadlock = row.why.find("deadlock") != std::string::npos;
  row.figures[kOutcome].predicted = std::string(row.why.empty() ? "runs" : deadlock ? "deadlock" : "reject");
  compare(job, row);
  if (row.figures[kOutcome].reference.index() == 0) row.figures[kOutcome].predicted = {};
}

}  // namespace

Result<std::vector<Row>> schedule_rows(const CsvTable& table, const Options& options) {
  Diagnostics errors;
  std::vector<Row> rows;
  std::vector<Trial> jobs;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Cells cells(table, i, errors);
    jobs.push_back(job_of(cells));
    rows.push_back(schedule_row(cells, i + 1));
    rows.back().why = cells.why();
  }
  if (!errors.empty()) return errors;
  for_each_row(rows.size(), options, [&](std::size_t i) {
    if (!rows[i].why.empty()) return;
    try {
      evaluate(jobs[i], rows[i]);
    } catch (const std::exception& bug) {
      rows[i].why = fmt::format("a bug in orrery: {}", bug.what());
    }
  });
  return rows;
}

}  // namespace orrery::validation
