// What would make a layout fit that does not.
#pragma once
#include "orrery/sweep/sweep.hpp"

namespace orrery::sweep {

// One change of it, or where none is enough two: recomputation, ZeRO, smaller micro-batches, sequence parallelism,
// larger tensor and pipeline degrees (fewer replicas), one chunk a rank, more nodes. Of each kind of change the one
// that costs least GPU time for a token; the cheapest first.
std::vector<Remedy> remedies_of(const scenario::Scenario& scenario, Catalogue& catalogue, const Options& options);

}  // namespace orrery::sweep
