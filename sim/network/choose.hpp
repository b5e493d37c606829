// Which algorithm and protocol a collective library would take.
#pragma once
#include <string>

#include "group.hpp"
#include "orrery/core/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::network {

struct Choice {
  std::string algorithm, protocol;
};
// Fills in what the caller left open (empty names).
Choice choose(Collective kind, Bytes bytes, const Group& group, const Tuning& tuning, const Choice& asked);

}  // namespace orrery::network
