// What stands on the threads of one process of a trace.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

// The tasks each device takes part in.
struct TasksByDevice {
  struct Item {
    program::TaskId task;
    std::uint32_t participant;  // index among the task's participants
  };
  std::vector<std::uint32_t> begin;  // size devices + 1
  std::vector<Item> items;           // by task id within a device
};
TasksByDevice tasks_by_device(const program::Program& program);

struct Slice {
  std::int64_t start = 0, end = 0;  // ns
  program::Lane lane = program::Lane::compute;
  std::uint32_t row = 0;  // of the lane: slices of a row do not overlap
  program::Category category = program::Category::compute;
  program::OperationId operation = program::kNone;
  program::TaskId task = program::kNone;  // kNone: the whole of an operation
  bool receives = false;                  // the far end of a message
  bool nested = false;                    // lies in the slice of its operation
};

struct DeviceSlices {
  std::vector<Slice> slices;                          // by lane, row and start; what is nested last
  std::array<std::uint32_t, program::kLanes> rows{};  // in use, of each lane

  // Thread of a row, numbered through from 1, for thread 0 is special on some systems.
  std::int64_t thread_of(program::Lane lane, std::uint32_t row) const {
    std::int64_t thread = row + 1;
    for (std::size_t l = 0; l < static_cast<std::size_t>(lane); ++l) thread += rows[l];
    return thread;
  }
};
DeviceSlices slices_of(const RunResult& run, const engine::OperationTimes& times, const TasksByDevice& by,
                       program::DeviceIndex device, bool inner);

// "F3", "receive activation 3", "qkv".
std::string slice_name(const program::Program& program, const Slice& slice);

}  // namespace orrery::report
