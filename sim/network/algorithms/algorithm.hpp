// One collective algorithm: what it serves, and its phases. A new one is one file and one line in algorithms.cpp.
#pragma once
#include <string>
#include <vector>

#include "../group.hpp"
#include "../outline.hpp"
#include "orrery/network/collective.hpp"

namespace orrery::network {

struct PlanContext {
  Collective kind;
  hardware::DeviceId root = 0;  // broadcast
  const Group& group;
  ChosenExperts chosen = {};  // dispatch
  UnlikeRows rows = {};       // all_to_all, dispatch
  Bytes bytes{1};             // outlines are of a call of one byte: all that moves is in proportion to S
};

struct Algorithm {
  const char* name;
  // Why it does not serve the call, or empty.
  std::string (*unsupported)(Collective kind, const Group& group);
  void (*plan)(const PlanContext& context, Outline& out);
};

extern const Algorithm kRing, kTree, kHalvingDoubling, kDirect, kHierarchical, kTwoLevel, kNvls, kNvlsTree, kCollnet,
    kPat, kDeepEp, kChain;
const std::vector<const Algorithm*>& algorithms();
const Algorithm* find_algorithm(const std::string& name);

// Shared by the families: closed rings inside every domain, side by side; returns how many share no bandwidth.
int load_local_rings(const Group& group, HopLoads& loads);
// All rings of a group, over several domains too; returns how many share the bytes.
std::int64_t load_rings(const Group& group, HopLoads& loads);

}  // namespace orrery::network
