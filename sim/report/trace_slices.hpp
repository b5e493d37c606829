// What stands on the rows of one process of a trace.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "orrery/report/trace.hpp"

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

// The lanes of a device, before them its passes as wholes, behind them its waits.
inline constexpr std::size_t kTracks = program::kLanes + 2;
inline constexpr std::size_t kPasses = 0, kWaits = kTracks - 1;
constexpr std::size_t track_of(program::Lane lane) {
  return 1 + static_cast<std::size_t>(lane);
}
constexpr std::string_view track_name(std::size_t track) {
  return track == kPasses ? "passes" : track == kWaits ? "waits" : program::kLaneNames.at(track - 1);
}

struct Slice {
  std::int64_t start = 0, end = 0;  // ns
  std::string_view name = {};       // static
  std::size_t track = kPasses;
  std::uint32_t row = 0;  // of the track: slices of a row do not overlap
  program::Category category = program::Category::compute;
  bool receives = false;                     // the far end of a message
  std::uint32_t operation = program::kNone;  // whose it is
  std::uint32_t task = program::kNone;       // a pass: the first of its tasks; a wait: what it waits to begin
  std::uint32_t part = program::kNone;       // index of Program::parts
  std::uint32_t cause = program::kNone;      // a wait: the task it waits for
  std::int32_t layer = program::kNoLayer;    // of the model; program::kEmbeddingLayer, kHeadLayer
  std::int64_t work = 0;                     // a pass: ps of work in it
};

struct DeviceSlices {
  std::vector<Slice> slices;                  // by track, row and start
  std::array<std::uint32_t, kTracks> rows{};  // in use, of each track

  // Thread of a row, numbered through from 1, for thread 0 is special on some systems.
  std::int64_t thread_of(std::size_t track, std::uint32_t row) const {
    std::int64_t thread = row + 1;
    for (std::size_t t = 0; t < track; ++t) thread += rows[t];
    return thread;
  }
};

// What slices are made from, for all devices of a trace.
struct SliceSource {
  const RunResult& run;
  engine::OperationTimes times;
  TasksByDevice by;
  TraceDetail detail = TraceDetail::stage;

  explicit SliceSource(const RunResult& of, TraceDetail wanted)
      : run(of),
        times(engine::operation_times(of.program, of.timeline)),
        by(tasks_by_device(of.program)),
        detail(wanted) {}
};
// Gives each slice a row of its track, and sorts them by track, row's start and end.
void lay_out(DeviceSlices& slices);

DeviceSlices slices_of(const SliceSource& source, program::DeviceIndex device, const std::vector<engine::Wait>& waits);

// "F", "reduce gradients", "all-gather": of a task as one of its device.
std::string_view task_name(const program::Program& program, program::TaskId task);
std::string_view collective_text(Collective kind);  // "all-gather"
// The layer of the model that a part of an operation works on.
std::int32_t layer_of(const RunResult& run, const program::Operation& operation, const program::PassPart& part);

}  // namespace orrery::report
