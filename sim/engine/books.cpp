#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "changes.hpp"
#include "core/parallel.hpp"
#include "orrery/core/error.hpp"
#include "orrery/core/hash.hpp"
#include "orrery/engine/account.hpp"
#include "time_books.hpp"

namespace orrery::engine {
namespace {

using namespace program;

constexpr bool in_schedule(Activity activity) {
  return activity <= Activity::overlapped;
}

}  // namespace

OperationTimes operation_times(const Program& program, const Timeline& timeline) {
  const std::size_t n = program.operations.size();
  OperationTimes times{std::vector<std::int64_t>(n, std::numeric_limits<std::int64_t>::max()),
                       std::vector<std::int64_t>(n, 0)};
  for (TaskId task = 0; task < program.tasks(); ++task)
    for (std::uint32_t i = program.participant_begin[task]; i < program.participant_begin[task + 1]; ++i) {
      const OperationId op = program.participants[i].operation;
      if (op == kNone) continue;
      times.start[op] = std::min(times.start[op], timeline.start[task]);
      times.end[op] = std::max(times.end[op], timeline.end[task]);
    }
  for (std::size_t i = 0; i < n; ++i) times.start[i] = std::min(times.start[i], times.end[i]);
  return times;
}

ScheduleBubbles schedule_bubbles(const Program& program, const Timeline& timeline) {
  const OperationTimes times = operation_times(program, timeline);
  std::vector<std::int64_t> first(program.devices.size(), std::numeric_limits<std::int64_t>::max()),
      last(program.devices.size(), 0);
  ScheduleBubbles b;
  std::int64_t begin = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const Operation& op = program.operations[i];
    if (!in_schedule(op.activity) || op.step + 1 != program.steps) continue;
    first[op.device] = std::min(first[op.device], times.start[i]);
    last[op.device] = std::max(last[op.device], times.end[i]);
    begin = std::min(begin, times.start[i]);
    b.busy += static_cast<Int128>(times.end[i] - times.start[i]) *
              static_cast<Int128>(program.devices[op.device].ranks.size());
  }
  for (DeviceIndex d = 0; d < program.devices.size(); ++d) {
    b.ranks += static_cast<std::int64_t>(program.devices[d].ranks.size());
    if (last[d] == 0) continue;
    b.makespan = std::max(b.makespan, last[d] - begin);
    b.longest_span = std::max(b.longest_span, last[d] - first[d]);
  }
  return b;
}

double ScheduleBubbles::bubble() const {
  const Int128 whole = static_cast<Int128>(ranks) * makespan;
  return whole == 0 ? 0.0 : static_cast<double>(whole - busy) / static_cast<double>(whole);
}
double ScheduleBubbles::span_bubble() const {
  const Int128 whole = static_cast<Int128>(ranks) * longest_span;
  return whole == 0 ? 0.0 : static_cast<double>(whole - busy) / static_cast<double>(whole);
}

std::uint64_t timeline_hash(const Program& program, const Timeline& timeline) {
  const OperationTimes times = operation_times(program, timeline);
  std::vector<std::vector<OperationId>> of_device(program.devices.size());
  for (OperationId i = 0; i < program.operations.size(); ++i) of_device[program.operations[i].device].push_back(i);
  const auto key = [&](OperationId i) {
    const Operation& op = program.operations[i];
    return std::make_tuple(times.start[i], times.end[i], op.activity, op.stage, op.micro_batch, op.pipe);
  };
  std::vector<std::pair<std::int32_t, std::uint64_t>> of_rank;
  for (DeviceIndex d = 0; d < of_device.size(); ++d) {
    std::sort(of_device[d].begin(), of_device[d].end(), [&](OperationId a, OperationId b) { return key(a) < key(b); });
    Hash hash;
    for (const OperationId i : of_device[d]) {
      const Operation& op = program.operations[i];
      hash.add(op.activity);
      hash.add(op.pipe);
      hash.add(op.stage);
      hash.add(op.micro_batch);
      hash.add(times.start[i]);
      hash.add(times.end[i]);
    }
    for (const std::int32_t rank : program.devices[d].ranks) of_rank.emplace_back(rank, hash.value());
  }
  std::sort(of_rank.begin(), of_rank.end());
  Hash hash;
  for (const auto& [rank, of] : of_rank) {
    hash.add(rank);
    hash.add(of);
  }
  return hash.value();
}

namespace {

void audit_ends(const Program& program, const std::vector<DeviceMemory>& memory, std::vector<std::string>& wrong) {
  for (DeviceIndex d = 0; d < memory.size(); ++d)
    for (std::size_t c = 0; c < kMemoryClasses; ++c)
      if (memory[d].at_end[c] != program.devices[d].resident[c])
        wrong.push_back(fmt::format("memory of device {} ({}) ends at {} bytes, began at {}", d, kMemoryClassNames[c],
                                    memory[d].at_end[c], program.devices[d].resident[c]));
}

}  // namespace

std::vector<std::string> audit(const Program& program, const Timeline& timeline, const std::vector<Breakdown>& split,
                               const std::vector<DeviceMemory>& memory, unsigned threads) {
  using Wrong = std::vector<std::string>;
  const std::array<std::function<void(Wrong&)>, 7> books{
      [&](Wrong& wrong) { audit_order(program, timeline, wrong); },
      [&](Wrong& wrong) { audit_bounds(program, timeline, wrong); },
      [&](Wrong& wrong) { audit_slowdown(program, timeline, wrong); },
      [&](Wrong& wrong) { audit_split(program, timeline, split, wrong); },
      [&](Wrong& wrong) { audit_ends(program, memory, wrong); },
      [&](Wrong& wrong) { wrong = audit_tensors(program, timeline); },
      [&](Wrong& wrong) { wrong = audit_peaks(program, memory); }};
  std::array<Wrong, books.size()> found;
  for_each(books.size(), threads, [&](std::size_t i, std::size_t) { books[i](found[i]); });
  Wrong all;
  for (const Wrong& wrong : found) all.insert(all.end(), wrong.begin(), wrong.end());
  return all;
}

}  // namespace orrery::engine
