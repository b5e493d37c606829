#include "orrery/layout/offload.hpp"

namespace orrery::layout {
namespace {

// Shares are decimal, and 0.1 · 30 is more than 3 by a rounding: that is no fourth.
std::int64_t rounded_up(double part) {
  const auto whole = static_cast<std::int64_t>(part);
  return part - static_cast<double>(whole) > 1e-9 * (part + 1) ? whole + 1 : whole;
}

}  // namespace

std::int64_t kept_off(std::int64_t parameters, double share) {
  return share >= 1 ? parameters : rounded_up(static_cast<double>(parameters) * share);
}

std::int64_t layers_kept_off(const StageSpan& span, double share) {
  return kept_off(span.layers, share);
}

bool keeps_off(const StageSpan& span, std::int64_t layer, double share) {
  const std::int64_t place = layer - span.first_layer;
  const bool inside = layer >= 0 && place >= 0 && place < span.layers;
  return inside ? place < layers_kept_off(span, share) : share >= 1;
}

}  // namespace orrery::layout
