// What the operators on either side of an exchange of tokens must know of it.
#pragma once
#include "splitter.hpp"

namespace orrery::layout {

// Every rank has all experts: nothing is exchanged.
bool stays(const Splitter& s);
// The dispatcher takes tokens as they are and gives back their sums, and permutes by itself.
bool sends_tokens(const Splitter& s);
// Rows of all ranks that a rank of `received` copies gets where each rank gets a token once, however many of its
// experts are there: expected.
std::int64_t rows_once(const Splitter& s, std::int64_t received);

}  // namespace orrery::layout
