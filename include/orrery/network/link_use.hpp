// One directed link of a transfer, and how many times the transfer's rate it carries.
#pragma once
#include <compare>
#include <cstdint>

#include "orrery/hardware/topology.hpp"

namespace orrery::network {

struct LinkUse {
  hardware::LinkId link = 0;
  std::int32_t multiplicity = 1;  // the phase loads the link with multiplicity × its rate
  friend auto operator<=>(const LinkUse&, const LinkUse&) = default;
};

}  // namespace orrery::network
