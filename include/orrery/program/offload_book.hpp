// The book of what is kept off the GPUs: bytes over the links to the hosts = state that moves.
#pragma once
#include <string>
#include <vector>

#include "orrery/program/program.hpp"

namespace orrery::program {

// What a rank moves in a step, from sizes and counts alone; nothing where all stays on its GPU.
struct MovedState {
  std::int64_t activations = 0;                     // out, and back
  std::int64_t fetched_weights = 0;                 // in all passes
  std::int64_t least_gradients = 0, gradients = 0;  // out: of the share, each call rounded up to a parameter
  std::int64_t updated_weights = 0;                 // back behind the update
  friend bool operator==(const MovedState&, const MovedState&) = default;
};

// A line for each device of which the Program moves something else. `moved`: [device] of one step; empty = nothing.
std::vector<std::string> audit_offload(const Program& program, const std::vector<MovedState>& moved);

}  // namespace orrery::program
