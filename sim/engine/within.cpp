#include "orrery/engine/within.hpp"

#include <algorithm>

#include "orrery/core/error.hpp"

namespace orrery::engine {

std::int64_t Within::slowed_at(std::int64_t offset) const {
  const program::KernelEnd* const end = std::lower_bound(
      ends_, ends_ + steps_, offset, [](const program::KernelEnd& e, std::int64_t at) { return e.alone < at; });
  check(end != ends_ + steps_ && end->alone == offset, "what a task is made of lies between its steps");
  const auto step = static_cast<std::uint32_t>(end - ends_);
  const Leg* leg = leg_;
  while (!leg->last && leg[1].first <= step) ++leg;
  return leg->base + (leg->slowed ? end->slowed : end->alone);
}

}  // namespace orrery::engine
