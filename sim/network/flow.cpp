#include "orrery/network/flow.hpp"

#include <algorithm>

#include "orrery/core/error.hpp"

namespace orrery::network {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();  // end of what stands

std::vector<BytesPerSecond> bandwidths(std::span<const hardware::Link> links) {
  std::vector<BytesPerSecond> result;
  result.reserve(links.size());
  for (const hardware::Link& link : links) result.push_back(link.bandwidth);
  return result;
}

// ⌈bytes / rate⌉ in ps. A part of 2^-50 is forgiven before rounding up: it is the rounding of bytes and rate, and would
// turn an exact 2 s into 2 s + 1 ps.
std::int64_t picoseconds_for(double bytes, double rate) {
  constexpr double kForgive = 1.0 - 1.0 / static_cast<double>(std::int64_t{1} << 50);
  const double ticks = bytes / rate * static_cast<double>(kPicosecondsPerSecond) * kForgive;
  if (!(ticks < 9.2e18)) throw_overflow("completion of a transfer");
  const auto whole = static_cast<std::int64_t>(ticks);
  return static_cast<double>(whole) < ticks ? whole + 1 : whole;
}

}  // namespace

Time unshared_duration(const Transfer& transfer, std::span<const hardware::Link> links) {
  const auto duration = [&](std::int64_t multiplicity, BytesPerSecond rate) {
    check(rate.value > 0, "a transfer over a link without bandwidth");
    const Int128 amount = Int128{checked_mul(transfer.bytes.value, multiplicity)} * kPicosecondsPerSecond;
    const Int128 per = Int128{rate.value} * transfer.divisor;
    return Time{checked_narrow((amount + per - 1) / per)};
  };
  Time longest{};
  if (transfer.rate_cap.value > 0) longest = duration(1, transfer.rate_cap);
  for (const LinkUse use : transfer.uses) {
    longest = std::max(longest, duration(use.multiplicity, links[static_cast<std::size_t>(use.link)].bandwidth));
  }
  return longest;
}

FlowNetwork::FlowNetwork(std::span<const hardware::Link> links)
    : links_(links.begin(), links.end()), rates_(bandwidths(links)), carried_(links.size()) {}

void FlowNetwork::come_to(Time now) {
  check(now >= now_, "the network goes back in time");
  if (now == now_) return;
  const auto next = next_event();
  check(!next || now <= *next, "the network goes beyond its next event");
  now_ = now;
}

// What has begun at another bandwidth is timed as what shares is, from its bytes that are left.
void FlowNetwork::change_bandwidth(Time now, hardware::LinkId link, BytesPerSecond bandwidth) {
  come_to(now);
  if (bandwidth.value > 0) links_[static_cast<std::size_t>(link)].bandwidth = bandwidth;
  rates_.set_capacity(link, bandwidth);
  changed_ = true;
}

FlowId FlowNetwork::start(Time now, const Transfer& transfer) {
  check(transfer.bytes.value >= 0 && transfer.latency.value >= 0 && transfer.divisor > 0,
        "a transfer has negative bytes or latency");
  come_to(now);
  const FlowId id = rates_.create(transfer.uses, transfer.weight, transfer.rate_cap);
  if (live_.size() <= static_cast<std::size_t>(id)) {
    live_.resize(static_cast<std::size_t>(id) + 1);
    orders_.resize(live_.size());
  }
  const Time activation = now + transfer.latency;
  live(id) = {static_cast<double>(transfer.bytes.value) / transfer.divisor, 0, activation, true};
  orders_[static_cast<std::size_t>(id)] = {transfer.bytes, transfer.divisor, activation,
                                           unshared_duration(transfer, links_), transfer.tag};
  ++in_flight_;
  if (observe_) {
    slowest_.resize(live_.size());
    slowest_[static_cast<std::size_t>(id)] = {};
  }
  if (transfer.latency.value == 0) {
    rates_.enter(id);
    changed_ = true;
  } else {
    activations_.push({activation, id});
  }
  return id;
}

// Brings rates and predicted completions up to date with what started and ended at this instant.
void FlowNetwork::update() {
  if (!changed_) return;
  changed_ = false;
  const auto affected = rates_.solve();
  const bool many = affected.size() * 8 > completions_.size();
  for (const FlowId id : affected) {
    __builtin_prefetch(&live(id));
    completions_.prefetch(id);
  }
  for (const FlowId id : affected) {
    const double rate = rates_.rate(id);
    if (rate == live(id).rate) continue;
    const Time end = predicted_end(id, rate);
    if (observe_) note_rate(id, rate);
    if (many) {
      completions_.set_unordered(id, end.value);
    } else {
      completions_.set(id, end.value);
    }
  }
  if (many) completions_.restore();
  if (!completions_.empty()) __builtin_prefetch(&orders_[static_cast<std::size_t>(completions_.top_id())]);
}

// Books what the transfer moved at its old rate and returns its end at the new one.
Time FlowNetwork::predicted_end(FlowId id, double rate) {
  Live& flow = live(id);
  const bool first = flow.rate == 0;
  flow.unshared = first && now_ == flow.since && rates_.alone(id);
  if (!first) {
    const double moved = flow.rate * (static_cast<double>((now_ - flow.since).value) * 1e-12);
    flow.remaining = std::max(flow.remaining - moved, 0.0);
  }
  flow.since = now_;
  flow.rate = rate;
  if (flow.unshared) {
    const Order& order = orders_[static_cast<std::size_t>(id)];
    return order.activation + order.solo;
  }
  if (rate == 0) return {kNever};
  return now_ + Time{picoseconds_for(flow.remaining, rate)};
}

void FlowNetwork::note_rate(FlowId id, double rate) {
  if (rate_log_ != nullptr) rate_log_->push_back({now_, orders_[static_cast<std::size_t>(id)].tag, rate, false});
  Slowest& slowest = slowest_[static_cast<std::size_t>(id)];
  if (rate < slowest.rate) slowest = {rate, rates_.bottleneck(id)};
}

std::optional<Time> FlowNetwork::next_event() {
  update();
  std::optional<Time> next;
  if (!completions_.empty() && completions_.top_time() < kNever) next = Time{completions_.top_time()};
  if (!activations_.empty() && (!next || activations_.top().at < *next)) next = activations_.top().at;
  return next;
}

void FlowNetwork::advance(Time to, std::vector<std::int64_t>& finished) {
  const auto next = next_event();
  check(to >= now_ && (!next || to <= *next), "the network goes forward, event by event");
  now_ = to;
  const std::size_t before = finished.size();
  waited_.clear();
  while (!completions_.empty() && completions_.top_time() <= to.value) {
    const FlowId id = completions_.top_id();
    completions_.pop();
    finish(id, finished);
  }
  std::sort(finished.begin() + static_cast<std::ptrdiff_t>(before), finished.end());
  while (!activations_.empty() && activations_.top().at <= to) {
    const FlowId id = activations_.top().id;
    activations_.pop();
    rates_.enter(id);
    changed_ = true;
  }
}

void FlowNetwork::finish(FlowId id, std::vector<std::int64_t>& finished) {
  const Order& order = orders_[static_cast<std::size_t>(id)];
  for (const LinkUse use : rates_.uses(id)) {
    carried_[static_cast<std::size_t>(use.link)] +=
        Bytes{checked_mul(order.bytes.value, use.multiplicity) / order.divisor};
  }
  if (observe_) {
    const std::int32_t link = slowest_[static_cast<std::size_t>(id)].link;
    const Time lost = now_ - order.activation - order.solo;
    if (lost.value > 0 && link != MaxMin::kNoLink) waited_.push_back({order.tag, lost, link});
    if (rate_log_ != nullptr) rate_log_->push_back({now_, order.tag, 0, true});
  }
  rates_.remove(id);
  finished.push_back(order.tag);
  --in_flight_;
  changed_ = true;
}

}  // namespace orrery::network
