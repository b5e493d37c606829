#include "algorithm.hpp"

namespace orrery::network {

const std::vector<const Algorithm*>& algorithms() {
  static const std::vector<const Algorithm*> list{&kRing,     &kTree, &kHalvingDoubling, &kDirect,  &kHierarchical,
                                                  &kTwoLevel, &kNvls, &kNvlsTree,        &kCollnet, &kPat,
                                                  &kDeepEp,   &kChain};
  return list;
}

const Algorithm* find_algorithm(const std::string& name) {
  for (const Algorithm* each : algorithms()) {
    if (each->name == name) return each;
  }
  return nullptr;
}

}  // namespace orrery::network
