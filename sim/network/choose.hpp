// Which algorithm and protocol a collective library would take.
#pragma once
#include <string>
#include <vector>

#include "group.hpp"
#include "orrery/core/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::network {

struct Choice {
  std::string algorithm, protocol;
  bool operator==(const Choice&) const = default;
};
// Fills in what the caller left open (empty names): what the library takes for this size, then for half and twice of
// it.
std::vector<Choice> choose(Collective kind, Bytes bytes, const Group& group, const Tuning& tuning, const Choice& asked);

}  // namespace orrery::network
