// The plans of a call of any size: which links its algorithms load is found once.
#pragma once
#include <memory>

#include "orrery/network/collective.hpp"

namespace orrery::network {

class CallPlanner {
 public:
  // Of the call all but its size. The topology and the tuning outlive it. Throws what plan_collective throws.
  CallPlanner(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning);
  ~CallPlanner();
  CallPlanner(CallPlanner&&) noexcept;
  CollectivePlan plan(Bytes bytes);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace orrery::network
