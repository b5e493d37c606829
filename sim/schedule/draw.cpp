#include "orrery/schedule/draw.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "schedule/replay_state.hpp"

namespace orrery::schedule {
namespace {

// Columns per unit of time as a fraction, the same for all schedules of a picture.
struct Scale {
  std::int64_t columns = 1, units = 1;
  std::int64_t at(std::int64_t time) const { return time * columns / units; }
};

struct Look {
  char letter;
  int colour, bright;  // ANSI background on even and odd chunks
};
Look look_of(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return {'F', 44, 104};
    case OpKind::backward:
      return {'B', 43, 103};
    case OpKind::input_gradient:
      return {'I', 46, 106};
    case OpKind::weight_gradient:
      return {'W', 42, 102};
    case OpKind::overlapped:
      break;
  }
  return {'X', 45, 105};
}

// The how-manieth of its rank's chunks a stage is: the second model copy counts after the first.
int chunk_of(const Schedule& schedule, const Operation& o) {
  const int rank = schedule.placement.rank_of(o.stage, o.pipe);
  int chunk = 0;
  for (int pipe = 0; pipe <= o.pipe; ++pipe) {
    const int stages = pipe == o.pipe ? o.stage : schedule.placement.stages;
    for (int stage = 0; stage < stages; ++stage) chunk += schedule.placement.rank_of(stage, pipe) == rank ? 1 : 0;
  }
  return chunk;
}

std::string label(const Operation& o, bool odd_chunk) {
  const char letter = look_of(o.kind).letter;
  std::string text(1, odd_chunk ? static_cast<char>(letter - 'A' + 'a') : letter);
  fmt::format_to(std::back_inserter(text), "{}", o.micro_batch);
  if (o.kind == OpKind::overlapped) fmt::format_to(std::back_inserter(text), "/{}", o.backward_micro_batch);
  return text;
}

std::string cell(const Schedule& schedule, const Operation& o, std::size_t width, bool colour) {
  const bool odd = chunk_of(schedule, o) % 2 == 1;
  std::string text = label(o, odd);
  if (text.size() > width) text.resize(1);  // a number cut short would be another number
  text.resize(width, ' ');
  if (!colour || width == 0) return text;
  const Look look = look_of(o.kind);
  return fmt::format("\x1b[30;{}m{}\x1b[0m", odd ? look.bright : look.colour, text);
}

std::string row(const Schedule& schedule, const Replay& played, int rank, const Scale& scale, bool colour) {
  std::string text;
  std::int64_t column = 0;
  const auto& order = schedule.order[index(rank)];
  for (std::size_t i = 0; i < order.size(); ++i) {
    const OperationSpan& span = played.span(rank, static_cast<int>(i));
    if (span.end == 0 && i > 0) break;  // it never ran
    const std::int64_t from = std::max(column, scale.at(span.start)), to = std::max(from, scale.at(span.end));
    text.append(static_cast<std::size_t>(from - column), colour ? ' ' : '.');
    text += cell(schedule, order[i], static_cast<std::size_t>(to - from), colour);
    column = to;
  }
  const std::int64_t end = scale.at(played.makespan);
  if (end > column) text.append(static_cast<std::size_t>(end - column), colour ? ' ' : '.');
  return text;
}

std::string fraction(std::int64_t part, std::int64_t whole) {
  const std::int64_t divisor = std::max<std::int64_t>(1, std::gcd(part, whole));
  return fmt::format("{}/{}", part / divisor, whole / divisor);
}

std::string summary(const Replay& played) {
  if (!played.deadlock.empty()) {
    std::string text = "  deadlock\n";
    for (const Blocked& blocked : played.deadlock) text += "  " + to_string(blocked) + "\n";
    return text;
  }
  return fmt::format("  makespan {}  schedule bubble {:.1f} % ({})  span bubble {:.1f} % ({})  peak in flight {}\n",
                     played.makespan, 100 * played.schedule_bubble_fraction(),
                     fraction(played.idle(), played.ranks * played.makespan), 100 * played.span_bubble_fraction(),
                     fraction(played.span_idle(), played.ranks * played.max_rank_span),
                     fmt::join(played.peak_until_weight, " "));
}

// The widest label over the shortest time decides, unless that is wider than asked for.
Scale scale_of(const std::vector<Schedule>& schedules, const std::vector<Replay>& played, const DrawOptions& options,
               std::int64_t margin) {
  std::int64_t longest = 1, label_width = 1, shortest = 0;
  for (std::size_t s = 0; s < schedules.size(); ++s) {
    for (const OperationSpan& span : played[s].spans) {
      longest = std::max(longest, span.end);
      const std::int64_t length = span.end - span.start;
      if (length > 0) shortest = shortest == 0 ? length : std::min(shortest, length);
    }
    for (const auto& order : schedules[s].order) {
      for (const Operation& o : order) {
        const auto width = static_cast<std::int64_t>(label(o, false).size());
        if (o.kind != OpKind::overlapped) label_width = std::max(label_width, width);
      }
    }
  }
  const Scale full{label_width, std::max<std::int64_t>(1, shortest)};
  const std::int64_t room = options.width - margin;
  if (options.width == 0 || full.at(longest) <= room) return full;
  // Whole columns for the shortest time as long as they fit, so that equal times look equal.
  const std::int64_t whole = room * full.units / longest;
  if (whole >= 1) return {whole, full.units};
  return {std::max<std::int64_t>(1, room), longest};
}

}  // namespace

std::string draw(const std::vector<Schedule>& schedules, const DrawOptions& options) {
  std::vector<StageTimes> times;
  for (const Schedule& schedule : schedules)
    times.push_back(options.times.forward.empty() ? uniform_times(schedule.placement.stages, 1, 1, 1) : options.times);
  return draw(schedules, times, options);
}

std::string draw(const std::vector<Schedule>& schedules, const std::vector<StageTimes>& times,
                 const DrawOptions& options) {
  std::vector<Replay> played;
  int ranks = 1;
  for (std::size_t s = 0; s < schedules.size(); ++s) {
    played.push_back(replay(schedules[s], times[s], options.mode));
    ranks = std::max(ranks, schedules[s].placement.ranks);
  }
  const int digits = ranks > 10 ? (ranks > 100 ? 4 : 2) : 1;
  const Scale scale = scale_of(schedules, played, options, 8 + digits);
  std::string text;
  for (std::size_t s = 0; s < schedules.size(); ++s) {
    const Schedule& schedule = schedules[s];
    text += fmt::format("{}{}: {} ranks, {} stages, {} micro-batches\n", s > 0 ? "\n" : "", schedule.name,
                        schedule.placement.ranks, schedule.placement.stages, schedule.micro_batches);
    for (int rank = 0; rank < schedule.placement.ranks; ++rank) {
      text +=
          fmt::format("  rank {:>{}} ", rank, digits) + row(schedule, played[s], rank, scale, options.colour) + "\n";
    }
    text += summary(played[s]);
    for (const std::string& warning : schedule.warnings) text += "  warning: " + warning + "\n";
  }
  return text;
}

std::string draw(const Schedule& schedule, const DrawOptions& options) {
  return draw(std::vector<Schedule>{schedule}, options);
}

}  // namespace orrery::schedule
