#include "block.hpp"

#include <algorithm>
#include <atomic>

#include "pass_clock.hpp"

namespace orrery::program {
namespace {

void append(std::vector<Segment>& segments, Time to, Category category) {
  if (!segments.empty() && segments.back().category == category)
    segments.back().end = to;
  else
    segments.push_back({to, category});
}

// Of steps one after the other. Where nothing runs the host is: a blocking launch.
std::vector<Segment> split_chain(std::span<const TimedStep> steps, const PassTimes& times) {
  std::vector<Segment> segments;
  Time from{};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (times.start[i] > from) append(segments, times.start[i], Category::host);
    if (times.end[i] > times.start[i]) append(segments, times.end[i], steps[i].category);
    from = times.end[i];
  }
  if (times.finish > from) append(segments, times.finish, Category::host);
  return segments;
}

// By the rule of the design: work first, then transfers in the order of their categories.
std::vector<Segment> split(std::span<const TimedStep> steps, const PassTimes& times) {
  bool chain = true;
  for (std::size_t i = 1; i < steps.size(); ++i) chain = chain && times.start[i] >= times.end[i - 1];
  if (chain) return split_chain(steps, times);
  std::vector<Time> cuts;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    cuts.push_back(times.start[i]);
    cuts.push_back(times.end[i]);
  }
  cuts.push_back(times.finish);
  std::sort(cuts.begin(), cuts.end());
  std::vector<Segment> segments;
  Time from{};
  std::size_t begin = 0;  // steps before it have ended for good
  for (const Time to : cuts) {
    if (to == from) continue;
    Category best = Category::bubble;
    while (begin < steps.size() && times.end[begin] <= from) ++begin;
    for (std::size_t i = begin; i < steps.size() && i < begin + 64; ++i)
      if (times.start[i] <= from && times.end[i] >= to) best = std::min(best, steps[i].category);
    if (best == Category::bubble) best = Category::host;  // nothing runs: a blocking launch
    append(segments, to, best);
    from = to;
  }
  return segments;
}

// The link of a kind is that of its call that lost most.
std::vector<Call> sum_calls(std::span<const TimedStep> steps) {
  std::vector<Call> sums;
  std::vector<Time> most;
  for (const TimedStep& s : steps) {
    if (s.lane == Lane::compute) continue;
    std::size_t i = 0;
    while (i < sums.size() && (sums[i].category != s.call.category || sums[i].collective != s.call.collective)) ++i;
    if (i == sums.size()) {
      sums.push_back({s.call.category, s.call.collective, {}, {}, -1});
      most.emplace_back();
    }
    sums[i].took += s.call.took;
    sums[i].alone += s.call.alone;
    sums[i].traffic += s.call.traffic;
    if (s.call.took - s.call.alone > most[i]) {
      most[i] = s.call.took - s.call.alone;
      sums[i].link = s.call.link;
    }
  }
  return sums;
}

// Host and device as two queues: no step starts before its launch ends. All of it is sums and maxima, so the block ends
// at max(device free + A, host free + B): A if nothing waited for the host, B if only the host was waited for. The
// device part, which takes A, may therefore start B − A after the host begins; of kernels one after the other, with
// launches l₁…l_n (their sum L_i up to i) and times d, max_i(L_i − Σ_{j<i} d_j).
void host_times(std::span<const TimedStep> steps, Block& block) {
  Time host{};
  for (const TimedStep& s : steps) host += s.launch;
  if (host.value > 0) block.host_before = time_pass(steps, {.host = true, .slowdown = {}}).finish - block.duration;
  block.host_after = host - block.host_before;
}

// Of a step those at its start come before those at its end, wherever time passes between the two.
void add_effects(const TimedStep& s, Time start, Time end, std::vector<MemoryEffect>& effects) {
  const auto add = [&](const MemoryChange& m) {
    effects.push_back({kNone, false, m.memory_class, m.at_end ? end : start, m.bytes.value, m.tensor, s.backward});
  };
  if (start == end) return std::ranges::for_each(s.memory, add), void();
  for (const bool at_end : {false, true})
    for (const MemoryChange& m : s.memory)
      if (m.at_end == at_end) add(m);
}

}  // namespace

PassPart part_of(const TimedStep& s, Time start, Time end) {
  return {start,   end,         s.name, s.category, s.lane, s.backward, s.call.collective, s.call.algorithm,
          s.layer, s.bytes_sent};
}

std::vector<KernelEnd> ends_of_chain(std::span<const TimedStep> steps, const Slowdown& slowdown) {
  std::vector<KernelEnd> ends;
  KernelEnd at;
  const auto add = [&](Time alone, bool slowed) {
    if (alone == Time{}) return;
    at.alone += alone.value;
    at.slowed += slowed ? slowdown.slowed(alone.value) : alone.value;
    ends.push_back(at);
  };
  for (const TimedStep& s : steps) {
    add(s.before, false);
    add(s.duration, is_work(s.category));
  }
  if (ends.empty()) ends.push_back(at);
  return ends;
}

Block make_block(std::span<const TimedStep> steps, bool parts) {
  const PassTimes times = time_pass(steps);
  Block block;
  block.duration = times.finish;
  block.segments = split(steps, times);
  block.calls = sum_calls(steps);
  std::size_t effects = 0;
  for (const TimedStep& s : steps) effects += s.memory.size();
  block.effects.reserve(effects);
  for (std::size_t i = 0; i < steps.size(); ++i) add_effects(steps[i], times.start[i], times.end[i], block.effects);
  for (std::size_t i = 0; parts && i < steps.size(); ++i)
    if (times.start[i] < times.end[i]) block.parts.push_back(part_of(steps[i], times.start[i], times.end[i]));
  const auto earlier = [](const MemoryEffect& a, const MemoryEffect& b) { return a.offset < b.offset; };
  if (!std::is_sorted(block.effects.begin(), block.effects.end(), earlier))
    std::stable_sort(block.effects.begin(), block.effects.end(), earlier);
  host_times(steps, block);
  static std::atomic<std::uint32_t> made = 0;
  block.number = ++made;
  return block;
}

const Block& block_of(const Pass& pass, std::uint32_t begin, std::uint32_t end) {
  std::shared_ptr<const Block>& block = pass.blocks[{begin, end}];
  if (!block)
    block = std::make_shared<const Block>(make_block(std::span(pass.steps).subspan(begin, end - begin), pass.inside));
  return *block;
}

}  // namespace orrery::program
