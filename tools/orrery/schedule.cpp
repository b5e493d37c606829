// orrery schedule NAME…: draws pipeline schedules, or writes them in PyTorch's notation.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "cli.hpp"
#include "json_text.hpp"
#include "orrery/core/units.hpp"
#include "orrery/schedule/csv.hpp"
#include "orrery/schedule/draw.hpp"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;
using schedule::Schedule;

struct ScheduleCommand {
  std::vector<std::string> names;
  int ranks = 4, micro_batches = 8, chunks = 1, group = 0, width = 0;
  double memory_cap = 0;
  std::string times = "1,1,1", format;
  std::int64_t message = 0;
  bool json = false, equal_work = false, blocking = false;
};

struct UnitTimes {
  std::int64_t forward = 0, input_gradient = 0, weight_gradient = 0;
};

// "F,I,W": three whole numbers, at most 10^6 so that no sum of operations leaves 64 bits.
Result<UnitTimes> read_times(const std::string& text) {
  std::int64_t value[3] = {};
  const char *at = text.data(), *const end = at + text.size();
  for (int i = 0; i < 3; ++i) {
    const auto [next, error] = std::from_chars(at, end, value[i]);
    const bool comma = i < 2 ? next != end && *next == ',' : next == end;
    if (error != std::errc() || value[i] < 0 || value[i] > 1'000'000 || !comma) {
      Diagnostic wrong;
      wrong.path = "--times";
      wrong.message = fmt::format("'{}' is not F,I,W: three whole numbers from 0 to 1000000", text);
      wrong.help = "--times 1,1,1: forward, gradient of the input, gradient of the weights (B = I + W)";
      return wrong;
    }
    at = next + 1;
  }
  return UnitTimes{value[0], value[1], value[2]};
}

schedule::StageTimes times_of(int stages, const UnitTimes& unit, std::int64_t factor, std::int64_t message) {
  return schedule::uniform_times(stages, unit.forward * factor, unit.input_gradient * factor,
                                 unit.weight_gradient * factor, message);
}

int chunks_of(const ScheduleCommand& options, const std::string& name) {
  if (options.chunks > 1) {
    for (const schedule::ScheduleKind& kind : schedule::schedule_kinds())
      if (name == kind.name && kind.chunks == 1 && options.names.size() > 1) return 1;  // beside one that takes chunks
  }
  return options.chunks;
}

// zb_auto searches for the times it is drawn with.
Result<Schedule> make(const ScheduleCommand& options, const std::string& name, const UnitTimes& unit) {
  if (name.ends_with(".csv") || name == "-") return schedule::load_csv(name);
  schedule::ScheduleRequest request{
      name, options.ranks, chunks_of(options, name), options.micro_batches, options.group, options.memory_cap, {}};
  if (name.starts_with("zb_auto") || name == "zb_1p" || name == "zb_2p")
    request.times = times_of(options.ranks, unit, 1, options.message);
  Result<Schedule> made = schedule::make_schedule(request);
  if (made.ok()) return made;
  Diagnostics errors = made.errors();
  for (Diagnostic& e : errors) e.path = "orrery schedule " + name;
  return errors;
}

// What one operation of a schedule takes where all ranks have equal work: chunks of a rank with two are half as long.
std::int64_t factor_of(const std::vector<Schedule>& all, const Schedule& one) {
  std::int64_t common = 1;
  for (const Schedule& s : all) common = std::lcm(common, std::int64_t{s.placement.stages / s.placement.ranks});
  return common / std::max(1, one.placement.stages / one.placement.ranks);
}

Json json_of(const Schedule& s, const schedule::Replay& played) {
  Json json{{"name", s.name},
            {"ranks", s.placement.ranks},
            {"stages", s.placement.stages},
            {"copies", s.placement.pipes},
            {"micro_batches", s.micro_batches},
            {"split_backward", s.split_backward}};
  if (played.deadlock.empty()) {
    json["makespan"] = played.makespan;
    json["max_rank_span"] = played.max_rank_span;
    json["schedule_bubble_fraction"] = played.schedule_bubble_fraction();
    json["span_bubble_fraction"] = played.span_bubble_fraction();
    json["peak_inflight"] = played.peak_until_weight;
    json["peak_inflight_until_input_gradient"] = played.peak_until_input;
  } else {
    for (const schedule::Blocked& blocked : played.deadlock) json["deadlock"].push_back(schedule::to_string(blocked));
  }
  json["warnings"] = s.warnings;
  std::istringstream lines(schedule::to_csv(s));
  for (std::string line; std::getline(lines, line);) json["order"].push_back(line);
  return json;
}

int terminal_width() {
  winsize size{};
  return ::isatty(STDOUT_FILENO) && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int show(const ScheduleCommand& options, const std::vector<Schedule>& all, const UnitTimes& unit,
         const Console& console) {
  const auto mode = options.blocking ? schedule::MessageMode::rendezvous : schedule::MessageMode::asynchronous;
  bool stuck = false;
  Json json{{"schema", "orrery.schedule/1"}, {"schedules", Json::array()}};
  std::vector<schedule::StageTimes> times;
  for (const Schedule& s : all) {
    times.push_back(times_of(s.placement.stages, unit, options.equal_work ? factor_of(all, s) : 1, options.message));
    const schedule::Replay played = schedule::replay(s, times.back(), mode);
    stuck |= !played.deadlock.empty();
    if (options.json) json["schedules"].push_back(json_of(s, played));
  }
  const int width = options.width > 0 ? options.width : terminal_width();
  console.print(options.json ? json_text(json) : schedule::draw(all, times, {console.color_out(), width, {}, mode}));
  return stuck ? kNo : kOk;
}

int run(const ScheduleCommand& options, const Console& console) {
  const Result<UnitTimes> unit = read_times(options.times);
  if (!unit.ok()) return console.refuse(unit.errors());
  std::vector<Schedule> all;
  Diagnostics errors;
  for (const std::string& name : options.names) {
    Result<Schedule> made = make(options, name, *unit);
    if (made.ok())
      all.push_back(std::move(made).value());
    else
      errors.insert(errors.end(), made.errors().begin(), made.errors().end());
  }
  if (!errors.empty()) return console.refuse(errors);
  if (options.format.empty()) return show(options, all, *unit, console);
  if (all.size() > 1) {
    console.complain("orrery schedule: --export writes one schedule", "name one");
    return kWrong;
  }
  console.print(schedule::to_csv(all.front()));
  return kOk;
}

}  // namespace

Action add_schedule(Arguments& app, const Console& console) {
  auto o = std::make_shared<ScheduleCommand>();
  app.add_option("NAME", o->names,
                 "schedules (orrery list schedules), or CSV files in PyTorch's notation; drawn below one another")
      .required();
  app.add_option("--stages,-p", o->ranks, "pipeline ranks").range(1, 4096);
  app.add_option("--micro-batches,-m", o->micro_batches, "micro-batches").range(1, 1 << 20);
  app.add_option("--chunks", o->chunks, "chunks of the model per rank, for the schedules that take several")
      .range(1, 1024);
  app.add_option("--group", o->group, "interleaved schedules: micro-batches per group; 0 = the ranks")
      .range(0, 1 << 20);
  app.add_option("--memory-cap", o->memory_cap, "zb_auto: most micro-batches in flight on a rank; 0 = the ranks")
      .range(0.0, 1e6);
  app.add_option("--times", o->times,
                 "F,I,W: forward, gradient of the input, gradient of the weights of a chunk (B = I + W)");
  app.add_option("--message", o->message, "time of a message between ranks").range(0, 1'000'000);
  app.add_flag("--equal-work", o->equal_work,
               "times are those of a rank's whole share: chunks of a rank with several are shorter");
  app.add_flag("--blocking", o->blocking, "sender and receiver of a message wait for each other");
  app.add_option("--width", o->width, "columns to fit into; default: the terminal's, else as many as numbers need")
      .range(20, 100000);
  app.add_option("--export", o->format, "write the schedule instead of drawing it").one_of({"csv"});
  app.add_flag("--json", o->json, "one JSON object instead of the picture");
  return [o, &console] { return run(*o, console); };
}

}  // namespace orrery::cli
