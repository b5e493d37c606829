// What becomes late of a Program that is played otherwise: slower in a part of the step, say.
#pragma once
#include "orrery/engine/engine.hpp"

namespace orrery::engine {

// Of a device, by the ends of its tasks in two timelines of one Program.
struct Lateness {
  Time most{};           // of any task; 0 = none is late
  Time from{}, until{};  // when the first that is late should have ended, and when the last ends
  bool ever() const { return most.value > 0; }
};
std::vector<Lateness> lateness_of(const program::Program& program, const Timeline& timeline, const Timeline& without);

}  // namespace orrery::engine
