#include "pass_clock.hpp"

#include <algorithm>

namespace orrery::program {

void PassOrder::take(const TimedStep& step) {
  if (runs_beside(step))
    in_flight_.push_back({taken_, taken_ + 1 + step.beside});
  else
    follows_.assign(1, taken_);
  join(++taken_);
}

void PassOrder::join(std::uint32_t next) {
  std::erase_if(in_flight_, [&](const Call& call) {
    if (call.until <= next) follows_.push_back(call.step);
    return call.until <= next;
  });
}

const std::vector<std::uint32_t>& PassOrder::before_end() {
  join(kNone);
  return follows_;
}

namespace {

// Of each stage, pass and kind of rank: a few thousand of a large model, copied once for each.
static_assert(sizeof(TimedStep) == 256 && sizeof(MemoryChange) == 24);

constexpr auto kCompute = static_cast<std::size_t>(Lane::compute);

bool needs_compute(const TimedStep& step, bool hidden) {
  return step.lane == Lane::compute || (!hidden && !runs_beside(step));
}

struct SlowingCall {
  Time start{}, end{};
  Slowdown slowdown;
};

bool slows(const Slowdown& s) {
  return s.numerator != s.denominator;
}
bool slower(const Slowdown& a, const Slowdown& b) {
  return static_cast<std::int64_t>(a.numerator) * b.denominator >
         static_cast<std::int64_t>(b.numerator) * a.denominator;
}

// End of work that begins at `at`: between two borders (a call starts or ends) its speed is constant; of several calls
// the slowest holds.
Time end_of_work(Time at, Time work, const std::vector<SlowingCall>& calls) {
  while (work > Time{}) {
    Slowdown now;
    Time border{INT64_MAX};
    for (const SlowingCall& c : calls) {
      if (c.start > at) border = std::min(border, c.start);
      if (c.start > at || c.end <= at) continue;
      border = std::min(border, c.end);
      if (slower(c.slowdown, now)) now = c.slowdown;
    }
    const Time whole{now.slowed(work.value)};
    if (border.value == INT64_MAX || whole <= border - at) return at + whole;
    work -= Time{now.done((border - at).value)};
    at = border;
  }
  return at;
}

}  // namespace

Time PassClock::Taken::ended(const std::vector<std::uint32_t>& steps) const {
  Time end{};
  for (const std::uint32_t step : steps)
    if (step != PassOrder::kBefore) end = std::max(end, ends[step]);
  return end;
}

Time PassClock::ready(const TimedStep& step, std::size_t pass, bool hidden) const {
  const Time ended = passes_[pass].ended(passes_[pass].order.before_next());
  return needs_compute(step, hidden) ? std::max(ended, free_[kCompute]) : ended;
}

Time PassClock::start(const TimedStep& step, std::size_t pass, bool hidden) const {
  return std::max(ready(step, pass, hidden), free_[static_cast<std::size_t>(step.lane)]);
}

void PassClock::take(const TimedStep& step, Time end, std::size_t pass, bool hidden) {
  passes_[pass].ends.push_back(end);
  passes_[pass].order.take(step);
  free_[static_cast<std::size_t>(step.lane)] = end;
  if (needs_compute(step, hidden)) free_[kCompute] = end;
}

Time PassClock::finish(std::size_t pass) {
  return passes_[pass].ended(passes_[pass].order.before_end());
}

namespace {

// Without calls beside steps each step follows the one before it.
PassTimes time_chain(std::span<const TimedStep> steps, bool host) {
  PassTimes times;
  times.start.reserve(steps.size()), times.end.reserve(steps.size());
  Time launched{};
  for (const TimedStep& s : steps) {
    if (host) launched += s.launch;
    const Time start = std::max(times.finish, launched) + s.before;
    times.finish = start + s.duration;
    times.start.push_back(start), times.end.push_back(times.finish);
  }
  return times;
}

}  // namespace

PassTimes time_pass(std::span<const TimedStep> steps, const PassTiming& timing) {
  if (std::none_of(steps.begin(), steps.end(), runs_beside)) return time_chain(steps, timing.host);
  PassTimes times;
  PassClock clock;
  std::vector<SlowingCall> calls;
  Time launched{};
  for (const TimedStep& s : steps) {
    if (timing.host) launched += s.launch;
    const Time start = std::max(clock.start(s), launched) + s.before;
    Time end = start + s.duration;
    if (s.lane == Lane::compute && !calls.empty()) {
      std::erase_if(calls, [&](const SlowingCall& call) { return call.end <= start; });
      end = end_of_work(start, s.duration, calls);
    }
    const Slowdown& slowdown = timing.slowdown[static_cast<std::size_t>(s.lane)];
    if (runs_beside(s) && slows(slowdown)) calls.push_back({start, end, slowdown});
    clock.take(s, end);
    times.start.push_back(start);
    times.end.push_back(end);
  }
  times.finish = clock.finish();
  return times;
}

}  // namespace orrery::program
