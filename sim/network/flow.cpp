#include "orrery/network/flow.hpp"

#include <algorithm>

#include "orrery/core/error.hpp"

namespace orrery::network {
namespace {

std::vector<BytesPerSecond> bandwidths(std::span<const hardware::Link> links) {
  std::vector<BytesPerSecond> result;
  result.reserve(links.size());
  for (const hardware::Link& link : links) result.push_back(link.bandwidth);
  return result;
}

// ⌈bytes / rate⌉ in ps. A part of 2^-50 is forgiven before rounding up: it is the rounding of bytes and rate, and would turn
// an exact 2 s into 2 s + 1 ps.
std::int64_t picoseconds_for(double bytes, double rate) {
  constexpr double kForgive = 1.0 - 1.0 / static_cast<double>(std::int64_t{1} << 50);
  const double ticks = bytes / rate * static_cast<double>(kPicosecondsPerSecond) * kForgive;
  if (!(ticks < 9.2e18)) throw_overflow("completion of a transfer");
  const auto whole = static_cast<std::int64_t>(ticks);
  return static_cast<double>(whole) < ticks ? whole + 1 : whole;
}

}  // namespace

Time unshared_duration(const Transfer& transfer, std::span<const hardware::Link> links) {
  Time longest{};
  if (transfer.rate_cap.value > 0) longest = transfer_time(transfer.bytes, transfer.rate_cap);
  for (const LinkUse use : transfer.uses) {
    longest = std::max(longest, transfer_time(transfer.bytes * use.multiplicity,
                                              links[static_cast<std::size_t>(use.link)].bandwidth));
  }
  return longest;
}

FlowNetwork::FlowNetwork(std::span<const hardware::Link> links)
    : links_(links.begin(), links.end()), rates_(bandwidths(links)), carried_(links.size()) {}

FlowId FlowNetwork::start(Time now, const Transfer& transfer) {
  check(now >= now_, "a transfer starts in the past");
  check(transfer.bytes.value >= 0 && transfer.latency.value >= 0, "a transfer has negative bytes or latency");
  if (now > now_) {
    const auto next = next_event();
    check(!next || now <= *next, "a transfer starts beyond the next event of the network");
    now_ = now;
  }
  FlowId id = 0;
  if (free_.empty()) {
    id = static_cast<FlowId>(live_.size());
    live_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Live& flow = live(id);
  flow.bytes = transfer.bytes;
  flow.remaining = static_cast<double>(transfer.bytes.value);
  flow.rate = 0;
  flow.tag = transfer.tag;
  flow.member = -1;
  flow.unshared = true;
  flow.weight = transfer.weight;
  flow.rate_cap = transfer.rate_cap;
  flow.solo = unshared_duration(transfer, links_);
  flow.activation = flow.since = now + transfer.latency;
  ++in_flight_;
  if (transfer.latency.value == 0) {
    activate(id, transfer.uses);
  } else {
    flow.waiting.assign(transfer.uses.begin(), transfer.uses.end());
    activations_.push({flow.activation, id});
  }
  return id;
}

void FlowNetwork::activate(FlowId id, std::span<const LinkUse> uses) {
  Live& flow = live(id);
  flow.member = rates_.add(uses, flow.weight, flow.rate_cap);
  if (owner_.size() <= static_cast<std::size_t>(flow.member)) owner_.resize(static_cast<std::size_t>(flow.member) + 1);
  owner_[static_cast<std::size_t>(flow.member)] = id;
  changed_ = true;
}

// Brings rates and predicted completions up to date with what started and ended at this instant.
void FlowNetwork::update() {
  if (!changed_) return;
  changed_ = false;
  const auto affected = rates_.solve();
  const bool many = affected.size() * 8 > completions_.size();
  for (const MaxMin::Id member : affected) {
    const FlowId id = owner_[static_cast<std::size_t>(member)];
    Live& flow = live(id);
    const double rate = rates_.rate(member);
    if (rate == flow.rate) continue;
    if (flow.rate > 0) {
      flow.remaining -= flow.rate * (static_cast<double>((now_ - flow.since).value) * 1e-12);
      flow.remaining = std::max(flow.remaining, 0.0);
      flow.unshared = false;
    } else {
      flow.unshared = rates_.alone(member);
    }
    flow.since = now_;
    flow.rate = rate;
    const Time end = flow.unshared ? flow.activation + flow.solo
                                   : flow.since + Time{picoseconds_for(flow.remaining, flow.rate)};
    if (many) {
      completions_.set_unordered(id, end.value);
    } else {
      completions_.set(id, end.value);
    }
  }
  if (many) completions_.restore();
}

std::optional<Time> FlowNetwork::next_event() {
  update();
  std::optional<Time> next;
  if (!completions_.empty()) next = Time{completions_.top_time()};
  if (!activations_.empty() && (!next || activations_.top().at < *next)) next = activations_.top().at;
  return next;
}

void FlowNetwork::advance(Time to, std::vector<std::int64_t>& finished) {
  const auto next = next_event();
  check(to >= now_ && (!next || to <= *next), "the network goes forward, event by event");
  now_ = to;
  const std::size_t before = finished.size();
  while (!completions_.empty() && completions_.top_time() <= to.value) {
    const FlowId id = completions_.top_id();
    completions_.pop();
    finish(id, finished);
  }
  std::sort(finished.begin() + static_cast<std::ptrdiff_t>(before), finished.end());
  while (!activations_.empty() && activations_.top().at <= to) {
    const FlowId id = activations_.top().id;
    activations_.pop();
    activate(id, live(id).waiting);
  }
}

void FlowNetwork::finish(FlowId id, std::vector<std::int64_t>& finished) {
  Live& flow = live(id);
  for (const LinkUse use : rates_.uses(flow.member)) {
    carried_[static_cast<std::size_t>(use.link)] += flow.bytes * use.multiplicity;
  }
  rates_.remove(flow.member);
  finished.push_back(flow.tag);
  free_.push_back(id);
  --in_flight_;
  changed_ = true;
}

double FlowNetwork::rate(FlowId id) const { return live(id).member < 0 ? 0.0 : live(id).rate; }

std::int32_t FlowNetwork::bottleneck(FlowId id) const {
  return live(id).member < 0 ? MaxMin::kNoLink : rates_.bottleneck(live(id).member);
}

std::vector<double> steady_rates(std::span<const hardware::Link> links, std::span<const Transfer> transfers) {
  MaxMin rates(bandwidths(links));
  std::vector<MaxMin::Id> ids;
  ids.reserve(transfers.size());
  for (const Transfer& transfer : transfers) ids.push_back(rates.add(transfer.uses, transfer.weight, transfer.rate_cap));
  rates.solve();
  std::vector<double> result;
  result.reserve(ids.size());
  for (const MaxMin::Id id : ids) result.push_back(rates.rate(id));
  return result;
}

}  // namespace orrery::network
