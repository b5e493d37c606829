// The tasks each device takes part in, grouped by device.
#pragma once
#include <cstdint>
#include <vector>

#include "orrery/program/program.hpp"

namespace orrery::engine {

struct Participation {
  program::TaskId task;
  std::uint32_t participant;  // index among the task's participants
};

struct ByDevice {
  std::vector<std::uint32_t> begin;  // size devices + 1
  std::vector<Participation> items;  // by task id within a device
};

ByDevice participations(const program::Program& program);

}  // namespace orrery::engine
