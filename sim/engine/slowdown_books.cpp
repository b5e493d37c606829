// The book of slowed work: each kernel of a slowdown class takes denominator/numerator as long beside gradient or
// parameter traffic of its device and its own time otherwise, one after the other; told from the tasks of the traffic
// alone, kernel by kernel. Where traffic begins or ends within a kernel, less than a picosecond of its work is rounded.
#include <algorithm>
#include <cstdlib>

#include "orrery/core/error.hpp"
#include "orrery/engine/within.hpp"
#include "time_books.hpp"

namespace orrery::engine {
namespace {

using namespace program;

struct Interval {
  std::int64_t start, end;
};

// [device] when traffic is in flight, by time; what overlaps is one.
std::vector<std::vector<Interval>> traffic_of(const Program& program, const Timeline& timeline) {
  std::vector<std::vector<Interval>> of(program.devices.size());
  for (TaskId task = 0; task < program.tasks(); ++task) {
    if (program.template_of(task).category != Category::data_comm) continue;
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i)
      of[program.participants[i].device].push_back({timeline.start[task], timeline.end[task]});
  }
  for (std::vector<Interval>& all : of) {
    std::ranges::sort(all, {}, &Interval::start);
    std::size_t kept = 0;
    for (const Interval& next : all)
      if (kept > 0 && next.start < all[kept - 1].end)
        all[kept - 1].end = std::max(all[kept - 1].end, next.end);
      else
        all[kept++] = next;
    all.resize(kept);
  }
  return of;
}

// Plays the kernels of one device in the order of time.
class Walk {
 public:
  Walk(const std::vector<Interval>& traffic, std::int64_t start)
      : traffic_(traffic), at_(start), next_(std::ranges::upper_bound(traffic, start, {}, &Interval::end)) {}

  // To the end of a kernel of so long.
  void take(std::int64_t alone, const Slowdown& slowdown) {
    for (std::int64_t left = alone; left > 0;) {
      const bool slowed = next_ != traffic_.end() && next_->start <= at_;
      const std::int64_t takes = slowed ? slowdown.slowed(left) : left;
      const std::int64_t border = next_ == traffic_.end() ? INT64_MAX : slowed ? next_->end : next_->start;
      if (takes <= border - at_) {
        at_ += takes;
        left = 0;
      } else {
        left -= slowed ? slowdown.done(border - at_) : border - at_;
        at_ = border;
        ++borders_;
      }
      if (next_ != traffic_.end() && at_ >= next_->end) ++next_;
    }
  }
  std::int64_t at() const { return at_; }
  std::int64_t borders() const { return borders_; }

 private:
  const std::vector<Interval>& traffic_;
  std::int64_t at_, borders_ = 1;
  std::vector<Interval>::const_iterator next_;
};

}  // namespace

void audit_slowdown(const Program& program, const Timeline& timeline, std::vector<std::string>& wrong) {
  if (program.kernel_ends.empty() || program.stretches.any()) return;
  Findings slowed(wrong, "slowed");
  const std::vector<std::vector<Interval>> traffic = traffic_of(program, timeline);
  for (TaskId task = 0; task < program.tasks(); ++task) {
    const TaskTemplate& t = program.template_of(task);
    if (t.slowdown_class == 0) continue;
    const Within inside(program, timeline, task);
    Walk walk(traffic[program.participant(task).device], inside.start());
    KernelEnd before;
    for (std::uint32_t i = t.steps.first; i < t.steps.first + t.steps.count; ++i) {
      const KernelEnd& end = program.kernel_ends[i];
      const bool slows = end.slowed - before.slowed != end.alone - before.alone;
      walk.take(end.alone - before.alone, slows ? program.slowdowns[t.slowdown_class] : Slowdown{});
      before = end;
      const std::int64_t rounded = walk.borders() * program.slowdowns[t.slowdown_class].slowed(1);
      const auto is = [&](std::int64_t played) { return std::abs(played - walk.at()) <= rounded; };
      const bool last = i + 1 == t.steps.first + t.steps.count;
      const std::int64_t within = t.segments.count > 0 ? inside.at(end.alone) : walk.at();
      if (is(within) && (!last || is(timeline.end[task]))) continue;
      slowed.add("kernel {} of task {} ends at {} ps, beside the traffic that there is at {} ps", i - t.steps.first,
                 task, is(within) ? timeline.end[task] : within, walk.at());
      break;
    }
  }
}

}  // namespace orrery::engine
