// A scenario before its sections are held against each other: what a sweep sets its keys in.
#pragma once
#include "orrery/core/catalogue.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

// Every section as it is said, each right by itself; nothing that follows from others is filled in but layout.data.
// resolve() makes a run of it.
Result<Scenario> read_parts(const YamlTree& tree, Catalogue& catalogue);

// The schedule where none is said: 1f1b, with virtual stages interleaved_1f1b.
const char* default_schedule(const Scenario& scenario);

// The conditions under which a key of a resolved scenario can have no effect.
using IdleCondition = bool (*)(const Scenario&);
std::vector<IdleCondition> idle_when(const std::string& key);

}  // namespace orrery::scenario
