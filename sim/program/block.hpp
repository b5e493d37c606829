// A piece of a pass as one task: its duration, inner split and memory effects.
#pragma once
#include <span>
#include <vector>

#include "orrery/program/pipeline.hpp"

namespace orrery::program {

struct Block {
  Time duration{};
  Time host_before{};  // host time until the compute part may start without a later launch holding it up
  Time host_after{};   // host time spent on launches after that
  std::vector<Segment> segments;
  std::vector<MemoryEffect> effects;  // in the order of time
  std::vector<Call> calls;            // of one kind together
  std::vector<PassPart> parts;
  std::uint32_t number = 0;  // no other block of this process has it
};

// What a step is for those who look inside its task, where it takes [start, end) of it.
PassPart part_of(const TimedStep& step, Time start, Time end);

Block make_block(std::span<const TimedStep> steps, bool parts = true);
// That of steps [begin, end) of the pass, made once.
const Block& block_of(const Pass& pass, std::uint32_t begin, std::uint32_t end);

// When steps one after the other end, launches that they wait for among them.
std::vector<KernelEnd> ends_of_chain(std::span<const TimedStep> steps, const Slowdown& slowdown);

}  // namespace orrery::program
