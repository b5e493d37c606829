// What a viewer shows of a slice beside its name and its time: numbers as numbers, so that it can sum them.
#pragma once
#include "trace_slices.hpp"
#include "trace_writer.hpp"

namespace orrery::report {

void arguments_of(const RunResult& run, const Slice& slice, TraceArguments& into);

// Colours for catapult out of its fixed palette; other viewers take them from the name. Passes are told apart by kind.
std::string_view colour_of(const program::Program& program, const Slice& slice);

}  // namespace orrery::report
