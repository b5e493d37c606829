// One collective algorithm: what it serves, and its phases. A new one is one file and one line in algorithms.cpp.
#pragma once
#include <string>
#include <vector>

#include "../group.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::network {

struct PlanContext {
  Collective kind;
  Bytes bytes{};
  hardware::DeviceId root = 0;  // broadcast
  const Group& group;
  ProtocolTuning tuning;
};

// What one phase moves and how often it waits for a hop.
struct PhaseShape {
  Bytes bytes{};
  std::int64_t divisor = 1;
  std::int64_t scale_up_steps = 0;
  std::int64_t network_steps = 0;
  // ≥ 0: one pass over this many hops and one more, in chunks of the best size c = √(S·α·B/steps) (or whole, if c > S).
  std::int64_t chunk_steps = -1;
  std::int64_t messages = 0;  // of each rank, beyond the first
};

// Collects the phases of a plan; the first carries the base latency of the call.
class PlanBuilder {
 public:
  explicit PlanBuilder(const PlanContext& context) : context_(context) {}
  void add(HopLoads& loads, const PhaseShape& shape);
  std::vector<Phase> take() { return std::move(phases_); }

 private:
  BytesPerSecond rate_cap(const std::vector<LinkUse>& uses, bool local) const;
  double transfer_ps(const Phase& phase) const;
  void add_chunks(Phase& phase, std::int64_t steps, double hop) const;

  const PlanContext& context_;
  std::vector<Phase> phases_;
};

struct Algorithm {
  const char* name;
  // Why it does not serve the call, or empty.
  std::string (*unsupported)(Collective kind, const Group& group);
  void (*plan)(const PlanContext& context, PlanBuilder& out);
};

extern const Algorithm kRing, kTree, kHalvingDoubling, kDirect, kHierarchical, kTwoLevel, kNvls, kNvlsTree, kCollnet,
    kPat;
const std::vector<const Algorithm*>& algorithms();
const Algorithm* find_algorithm(const std::string& name);

// Shared by the families: closed rings inside every domain, side by side; returns how many share no bandwidth.
int load_local_rings(const Group& group, HopLoads& loads);

}  // namespace orrery::network
