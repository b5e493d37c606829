// A schedule with given operation times as a Program: how the exact schedule oracles are played by the same engine as a
// run.
#pragma once
#include <cstdint>
#include <vector>

#include "orrery/program/pipeline.hpp"

namespace orrery::program {

// When an activation counts as released: at the end of W (or B), or already at the end of I.
enum class Release : std::uint8_t { weight_gradient, input_gradient };

// Times in picoseconds, per stage; a message takes `message` between different ranks.
struct OperationTimes {
  std::vector<Time> forward, input_gradient, weight_gradient;  // [stage]; B takes I + W
  std::vector<Time> overlapped;                                // [stage of the forward half]; empty = F + B
  Time message{};
  MessageMode mode = MessageMode::asynchronous;
};

// One simulated device per rank; each activation held counts as one byte of class activations, so peak memory = peak
// in-flight activations (of chunks). Several steps follow each other on each rank, with nothing between them.
Result<Program> lower_schedule(const schedule::Schedule& schedule, const layout::StageGraph& stages,
                               const OperationTimes& times, Release release, int steps = 1);
// With stages in a chain.
Result<Program> lower_schedule(const schedule::Schedule& schedule, const OperationTimes& times, Release release,
                               int steps = 1);

}  // namespace orrery::program
