#include "outline.hpp"

#include <algorithm>
#include <cmath>

#include "orrery/core/error.hpp"

namespace orrery::network {

void Outline::add(HopLoads& loads, const PhaseShape& shape) {
  check(shape.divisor > 0 && shape.divisor < (std::int64_t{1} << 31), "a divisor of a phase fits 31 bits");
  Part part{{}, {}, shape, !loads.leaves_domain(), loads.scale_up(), loads.network()};
  part.links = loads.take();
  const auto& links = group_->topology().links();
  const hardware::DeviceId devices = group_->topology().devices();
  for (const LinkUse use : part.links) {
    const hardware::Link& link = links[static_cast<std::size_t>(use.link)];
    part.sent += link.from < devices ? use.multiplicity : 0;
    part.received += link.to < devices ? use.multiplicity : 0;
    const Rate rate{link.bandwidth, use.multiplicity, link.level == hardware::LinkLevel::scale_up, link.stands};
    const auto recent = part.rates.end() - std::min<std::ptrdiff_t>(16, std::ssize(part.rates));  // most are alike
    if (std::find(recent, part.rates.end(), rate) == part.rates.end()) part.rates.push_back(rate);
  }
  std::ranges::sort(part.rates);
  part.rates.erase(std::unique(part.rates.begin(), part.rates.end()), part.rates.end());
  parts_.push_back(std::move(part));
}

bool Outline::Part::like(const Part& other) const {
  return shape == other.shape && local == other.local && scale_up_hop == other.scale_up_hop &&
         network_hop == other.network_hop && sent == other.sent && received == other.received && rates == other.rates;
}

bool Outline::like(const Outline& other) const {
  return group_->domain_count() == other.group_->domain_count() &&
         std::ranges::equal(parts_, other.parts_, [](const Part& a, const Part& b) { return a.like(b); });
}

// min over links of η · bandwidth / multiplicity; 0 where η = 1 everywhere, so that only the links limit.
BytesPerSecond Outline::rate_cap(const Part& part, const ProtocolTuning& tuning) const {
  const double scale_up = part.local ? tuning.scale_up_efficiency : tuning.copy_efficiency;
  const double network = group_->domain_count() == 2 ? tuning.pair_efficiency : tuning.network_efficiency;
  if (scale_up == 1 && network == 1) return {};
  double lowest = 0;
  for (const Rate& each : part.rates) {
    const double efficiency = each.scale_up ? scale_up : network;
    const double rate = efficiency * static_cast<double>(each.bandwidth.value) / each.multiplicity;
    if (lowest == 0 || rate < lowest) lowest = rate;
  }
  return {static_cast<std::int64_t>(lowest)};
}

// S/(ηB) in ps, not rounded, is `transfer`. The passes through `steps` + 1 hops cost Σα + S/B + 2·√(Σα·S/B) in chunks,
// Σα over all but one, and (steps + 1)·(α + S/B) whole; several in turn that for each part of S.
Phase Outline::figures(const Part& part, Bytes size, const ProtocolTuning& tuning) const {
  const PhaseShape& shape = part.shape;
  Phase phase;
  phase.divisor = static_cast<std::int32_t>(shape.divisor);
  phase.bytes = size * shape.bytes.value;
  phase.rate_cap = rate_cap(part, tuning);
  const Time scale_up_hop = tuning.scale_up_hop + part.scale_up_hop,
             network_hop = tuning.network_hop + part.network_hop;
  const Time steps = scale_up_hop * shape.scale_up_steps + network_hop * shape.network_steps;
  phase.latency = steps * shape.turns + tuning.message * shape.messages;
  if (&part == &parts_.front()) phase.latency += part.local ? tuning.base : tuning.base + tuning.network_base;
  double slowest = phase.rate_cap.value > 0 ? 1 / static_cast<double>(phase.rate_cap.value) : 0;
  for (const Rate& each : part.rates)
    slowest = std::max(slowest, each.multiplicity / static_cast<double>(each.bandwidth.value));
  const double transfer =
      static_cast<double>(phase.bytes.value) / phase.divisor * slowest * static_cast<double>(kPicosecondsPerSecond);
  if (shape.chunk_steps < 0) {
    const double kappa = part.local ? tuning.pipelining : tuning.network_pipelining;
    const double chunks = kappa * std::sqrt(static_cast<double>(phase.latency.value) * transfer);
    phase.latency += time_from_seconds(chunks * 1e-12);
    if (tuning.own_rate.value > 0)
      phase.latency +=
          time_from_seconds(static_cast<double>(size.value) * shape.own / static_cast<double>(tuning.own_rate.value));
    return phase;
  }
  const auto k = static_cast<double>(shape.chunk_steps), turns = static_cast<double>(shape.turns);
  const double only = static_cast<double>((part.local ? scale_up_hop : network_hop).value);
  const double sum = static_cast<double>(steps.value), of_one = transfer * (1 + shape.rests) / turns;
  const bool whole = shape.chunk_steps == 0 || sum >= k * k * of_one;
  const double more = whole ? (k > 0 ? sum / k : only) + k * of_one : 2 * std::sqrt(sum * of_one);
  phase.latency += time_from_seconds((turns * more + transfer * shape.rests) * 1e-12);
  return phase;
}

std::vector<Phase> Outline::phases(Bytes size, const ProtocolTuning& tuning) const {
  std::vector<Phase> phases;
  for (const Part& part : parts_) {
    phases.push_back(figures(part, size, tuning));
    phases.back().links = part.links;
  }
  return phases;
}

Time Outline::time(Bytes size, const ProtocolTuning& tuning) const {
  Time total{};
  for (const Part& part : parts_) {
    const Phase phase = figures(part, size, tuning);
    const auto duration = [&](std::int64_t multiplicity, BytesPerSecond rate) {
      const Int128 amount = Int128{checked_mul(phase.bytes.value, multiplicity)} * kPicosecondsPerSecond;
      const Int128 per = Int128{rate.value} * phase.divisor;
      return Time{checked_narrow((amount + per - 1) / per)};
    };
    Time longest{};
    if (phase.rate_cap.value > 0) longest = duration(1, phase.rate_cap);
    for (const Rate& each : part.rates) longest = std::max(longest, duration(each.multiplicity, each.bandwidth));
    total += phase.latency + longest;
  }
  return total;
}

}  // namespace orrery::network
