// What a timeline means for each device: the split of its time, its memory, and the books that must balance.
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "orrery/engine/engine.hpp"

namespace orrery::engine {

using Breakdown = std::array<std::int64_t, program::kCategories>;  // ps by category

// Split of the last step of each device; each sums to the step time exactly. Of a Program of one step that is [0,
// makespan); of several, the step time up to the end of the device's own last step (devices begin and end a step at
// different times where nothing makes them wait for each other). An instant goes to the first that holds:
// work runs; a transfer of its own moves bytes (tensor, context, expert, data, pipeline); its host holds it in a
// blocking launch → host; otherwise it waits for the next task of its compute lane (behind the last: for its next task
// at all, then for the task that the step ends with): follow what that waits for, the last predecessor each time, to
// the task running at that instant: a transfer → its kind, a host → host, another device's work → bubble.
std::vector<Breakdown> split_time(const program::Program& program, const Timeline& timeline);

// A stretch of the last step in which a device waits, or its host holds it, and where that time goes in the split.
struct Wait {
  std::int64_t begin = 0, end = 0;  // ps
  program::Category category = program::Category::bubble;
  program::TaskId next = program::kNone;   // what it waits to begin; kNone = the end of the step
  program::TaskId cause = program::kNone;  // what runs meanwhile that `next` waits for; kNone = the own host
};
// Of each of these devices, by time; with its own work and transfers they sum to its split.
std::vector<std::vector<Wait>> waits_of(const program::Program& program, const Timeline& timeline,
                                        std::span<const program::DeviceIndex> devices);

struct DeviceMemory {
  std::int64_t peak = 0;  // bytes allocated at the peak instant
  Time peak_time{};
  program::MemoryByClass at_peak{};  // sums to peak
  program::MemoryByClass at_end{};
  std::int64_t reserved = 0;  // most the caching allocator holds of the GPU, in segments or pages
  // Times the GPU refused a segment and the allocator gave back those without live blocks to ask again (torch
  // num_alloc_retries); where that was not enough, `reserved` is beyond the capacity.
  std::int64_t retries = 0;
};
// Frees at an instant come before allocations at it, so the result does not depend on any order within the instant.
// `capacity`: what the allocator may hold before it gives back what is wholly free of its segments.
std::vector<DeviceMemory> memory_of(const program::Program& program, const Timeline& timeline,
                                    Bytes capacity = {std::numeric_limits<std::int64_t>::max()},
                                    Segments segments = Segments::fixed);

// What a rank of the device holds of its host's memory: Device::on_host and activations that are away from the GPU.
struct HostMemory {
  std::int64_t peak = 0;
  program::MemoryByClass at_peak{};  // sums to peak
  std::int64_t left = 0;             // activations that never came back: 0, or the books do not balance
};
std::vector<HostMemory> host_memory_of(const program::Program& program, const Timeline& timeline);

// Bytes allocated by class after each instant at which they change, of one device: the memory counters of a trace.
struct MemorySample {
  std::int64_t time = 0;
  program::MemoryByClass bytes{};
};
std::vector<MemorySample> memory_curve(const program::Program& program, const Timeline& timeline,
                                       program::DeviceIndex device);

// Start and end of each operation (the span of its tasks on its device).
struct OperationTimes {
  std::vector<std::int64_t> start, end;
};
OperationTimes operation_times(const program::Program& program, const Timeline& timeline);

// Schedule and span bubble of the last step: F, B, I, W, X operations only. `bubble` = 1 − busy/(ranks · stretch from
// the first start to the last end of all); `span_bubble` = 1 − busy/(ranks · longest span from a rank's first start to
// its own last end).
struct ScheduleBubbles {
  Int128 busy = 0;  // over all ranks
  std::int64_t ranks = 0, makespan = 0, longest_span = 0;
  double bubble() const;
  double span_bubble() const;
};
ScheduleBubbles schedule_bubbles(const program::Program& program, const Timeline& timeline);

// Hash of (rank, operation, start, end) over all ranks after expanding what each device stands for.
std::uint64_t timeline_hash(const program::Program& program, const Timeline& timeline);

// The books of a run and its accounts (split_time, memory_of): empty when they balance, else what does not. On so many
// threads, a book on one.
std::vector<std::string> audit(const program::Program& program, const Timeline& timeline,
                               const std::vector<Breakdown>& split, const std::vector<DeviceMemory>& memory,
                               unsigned threads = 1);

// The books of what was moved: each call sends what it receives and no less than its collective must, no transfer is
// faster than its links, each link carried what the transfers of the Program load on it (network.mode flows) and no
// more than it can. `links` and `devices` of the topology.
std::vector<std::string> audit_traffic(const program::Program& program, const Timeline& timeline,
                                       std::span<const hardware::Link> links, int devices);

}  // namespace orrery::engine
