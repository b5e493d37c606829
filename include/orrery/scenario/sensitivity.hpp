// What a step would gain from a tenth more of each thing that a user can buy or change: played again with it.
#pragma once
#include <string>
#include <vector>

#include "orrery/scenario/simulate.hpp"

namespace orrery::scenario {

// "A tenth more": rates times 1.1; times of the host and latencies divided by 1.1; a tenth more micro-batches, rounded
// up to whole ones.
struct Resource {
  const char* key;   // in JSON: gpu_flops, memory_bandwidth, …
  const char* name;  // in text
  void (*grow)(Scenario&);
};
const std::vector<Resource>& resources();

struct Sensitivity {
  const Resource* resource = nullptr;
  Time step_time{};  // of as many tokens as the run has
};
// Those whose scenario cannot be played so are left out.
std::vector<Sensitivity> sensitivities(const Run& run, const RunOptions& options = {});

}  // namespace orrery::scenario
