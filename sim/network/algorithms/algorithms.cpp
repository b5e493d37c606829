#include <cmath>

#include "algorithm.hpp"
#include "orrery/core/error.hpp"

namespace orrery::network {

const std::vector<const Algorithm*>& algorithms() {
  static const std::vector<const Algorithm*> list{&kRing,     &kTree, &kHalvingDoubling, &kDirect,  &kHierarchical,
                                                  &kTwoLevel, &kNvls, &kNvlsTree,        &kCollnet, &kPat};
  return list;
}

const Algorithm* find_algorithm(const std::string& name) {
  for (const Algorithm* each : algorithms()) {
    if (each->name == name) return each;
  }
  return nullptr;
}

// min over links of η · bandwidth / multiplicity; 0 where η = 1 everywhere, so that only the links limit.
BytesPerSecond PlanBuilder::rate_cap(const std::vector<LinkUse>& uses, bool local) const {
  const ProtocolTuning& tuning = context_.tuning;
  const double scale_up = local ? tuning.scale_up_efficiency : tuning.copy_efficiency;
  const double network = context_.group.domain_count() == 2 ? tuning.pair_efficiency : tuning.network_efficiency;
  if (scale_up == 1 && network == 1) return {};
  double lowest = 0;
  for (const LinkUse use : uses) {
    const hardware::Link& link = context_.group.topology().links()[static_cast<std::size_t>(use.link)];
    const double efficiency = link.level == hardware::LinkLevel::scale_up ? scale_up : network;
    const double rate = efficiency * static_cast<double>(link.bandwidth.value) / use.multiplicity;
    if (lowest == 0 || rate < lowest) lowest = rate;
  }
  return {static_cast<std::int64_t>(lowest)};
}

// The passes through `steps` + 1 hops cost steps·α + S/B + 2·√(steps·α·S/B) in chunks, and (steps + 1)·(α + S/B) whole.
void PlanBuilder::add_chunks(Phase& phase, std::int64_t steps, double hop) const {
  const double transfer = transfer_ps(phase);
  const auto k = static_cast<double>(steps);
  if (hop >= k * transfer) {
    phase.latency += time_from_seconds(hop * 1e-12);
    phase.bytes = phase.bytes * (steps + 1);
  } else {
    phase.latency += time_from_seconds(2 * std::sqrt(k * hop * transfer) * 1e-12);
  }
}

// S/(ηB) of the phase in ps, not rounded.
double PlanBuilder::transfer_ps(const Phase& phase) const {
  double slowest = phase.rate_cap.value > 0 ? 1 / static_cast<double>(phase.rate_cap.value) : 0;
  for (const LinkUse use : phase.links) {
    const hardware::Link& link = context_.group.topology().links()[static_cast<std::size_t>(use.link)];
    slowest = std::max(slowest, use.multiplicity / static_cast<double>(link.bandwidth.value));
  }
  return static_cast<double>(phase.bytes.value) / phase.divisor * slowest * static_cast<double>(kPicosecondsPerSecond);
}

void PlanBuilder::add(HopLoads& loads, const PhaseShape& shape) {
  const ProtocolTuning& tuning = context_.tuning;
  const bool local = !loads.leaves_domain();
  Phase phase;
  phase.links = loads.take();
  check(shape.divisor > 0 && shape.divisor < (std::int64_t{1} << 31), "a divisor of a phase fits 31 bits");
  phase.divisor = static_cast<std::int32_t>(shape.divisor);
  phase.bytes = shape.bytes;
  phase.rate_cap = rate_cap(phase.links, local);
  const Time scale_up_hop = tuning.scale_up_hop + loads.scale_up(), network_hop = tuning.network_hop + loads.network();
  phase.latency =
      scale_up_hop * shape.scale_up_steps + network_hop * shape.network_steps + tuning.message * shape.messages;
  if (phases_.empty()) phase.latency += local ? tuning.base : tuning.base + tuning.network_base;
  if (shape.chunk_steps >= 0) {
    add_chunks(phase, shape.chunk_steps, static_cast<double>((local ? scale_up_hop : network_hop).value));
  } else {
    const double kappa = local ? tuning.pipelining : tuning.network_pipelining;
    const double chunks = kappa * std::sqrt(static_cast<double>(phase.latency.value) * transfer_ps(phase));
    phase.latency += time_from_seconds(chunks * 1e-12);
  }
  phases_.push_back(std::move(phase));
}

}  // namespace orrery::network
