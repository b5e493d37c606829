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
  // Of the planner of a call that differs in its group alone: whether the plans of every size are the same, and take as
  // long, but for which links their phases are on.
  bool like(CallPlanner& other);
  // On which they are, of a plan by this algorithm.
  const std::vector<LinkUse>& links(const std::string& algorithm, std::size_t phase);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace orrery::network
