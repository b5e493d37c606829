#include "orrery/network/max_min.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "orrery/core/error.hpp"

namespace orrery::network {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// A new level this close to the old one, relatively, is the old one: the difference is rounding (2^-46 ≈ 1.4e-14).
constexpr double kSameLevel = 1.0 / static_cast<double>(std::int64_t{1} << 46);
// Transfers this little below the threshold are solved too, so that rounding never hides one; more is only slower.
constexpr double kThresholdMargin = 1.0 - 1e-9;
// Repair: a link with this part of its capacity left (2^-44) has no room; levels are told apart from 2^-42 on.
constexpr double kNoRoom = 1.0 / static_cast<double>(std::int64_t{1} << 44);
constexpr double kFaster = 1.0 - 1.0 / static_cast<double>(std::int64_t{1} << 42);
constexpr int kMostRounds = 32;

bool same_level(double a, double b) {
  return a == b || (a > b ? a - b : b - a) <= kSameLevel * a;
}

}  // namespace

MaxMin::MaxMin(std::span<const BytesPerSecond> capacities) {
  std::int64_t largest = 1;
  for (const BytesPerSecond capacity : capacities) {
    check(capacity.value > 0, "a link's capacity must be positive");
    largest = std::max(largest, capacity.value);
  }
  const int shift = 60 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(largest)));
  check(shift >= 0, "a link's capacity must be below 2^60 byte/s");
  scale_ = static_cast<double>(std::int64_t{1} << shift);
  unit_ = 1.0 / scale_;
  links_.resize(capacities.size());
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[i].capacity = links_[i].left = capacities[i].value << shift;
  }
  free_uses_.resize(32);
  threshold_ = kInfinity;
}

// Parts of uses_ have a power of two as size, and are used again.
std::int32_t MaxMin::allocate_uses(std::int32_t count) {
  const auto size_class = static_cast<std::size_t>(std::bit_width(static_cast<std::uint32_t>(std::max(count - 1, 0))));
  auto& free_parts = free_uses_[size_class];
  if (!free_parts.empty()) {
    const std::int32_t begin = free_parts.back();
    free_parts.pop_back();
    return begin;
  }
  const std::size_t begin = uses_.size(), size = std::size_t{1} << size_class;
  check(begin + size < static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()), "too many link uses");
  uses_.resize(begin + size);
  position_.resize(begin + size);
  return static_cast<std::int32_t>(begin);
}

MaxMin::Id MaxMin::create(std::span<const LinkUse> uses, std::int32_t weight, BytesPerSecond rate_cap) {
  check(weight >= 1 && rate_cap.value >= 0, "a transfer needs a weight of at least 1 and no negative cap");
  Id id = 0;
  if (free_flows_.empty()) {
    id = static_cast<Id>(flows_.size());
    flows_.emplace_back();
    limits_.emplace_back();
  } else {
    id = free_flows_.back();
    free_flows_.pop_back();
  }
  Flow& created = flow(id);
  created = Flow{};
  created.weight = weight;
  created.count = static_cast<std::int32_t>(uses.size());
  created.begin = allocate_uses(created.count);
  created.level = kInfinity;
  created.capped = rate_cap.value > 0 || uses.empty();
  LinkUse* copy = uses.size() <= 2 ? created.few : uses_.data() + created.begin;
  double level = kInfinity;
  if (rate_cap.value > 0) level = static_cast<double>(rate_cap.value) * scale_ / static_cast<double>(weight);
  Limit& limit = limits_[static_cast<std::size_t>(id)];
  limit.cap_level = level;
  for (const LinkUse use : uses) {
    check(use.multiplicity >= 1, "a link is used at least once");
    *copy++ = use;
    const Link& on = links_.at(static_cast<std::size_t>(use.link));
    level = std::min(level,
                     static_cast<double>(on.capacity) / static_cast<double>(std::int64_t{use.multiplicity} * weight));
  }
  limit.solo_level = level;
  return id;
}

void MaxMin::enter(Id id) {
  Flow& entering = flow(id);
  check(!entering.entered, "a transfer enters once");
  entering.entered = true;
  std::int32_t at = entering.begin;
  for (const LinkUse use : uses(entering)) {
    Link& on = link(use.link);
    position_[static_cast<std::size_t>(at)] = static_cast<std::int32_t>(on.users.size());
    on.users.push_back({id, at++});
    on.weights += std::int64_t{use.multiplicity} * entering.weight;
  }
  arrived_.push_back(id);
}

void MaxMin::remove(Id id) {
  Flow& gone = flow(id);
  check(gone.entered, "a transfer is removed once");
  std::int32_t at = gone.begin;
  for (const LinkUse use : uses(gone)) {
    Link& on = link(use.link);
    on.left += use.multiplicity * gone.quanta;
    on.weights -= std::int64_t{use.multiplicity} * gone.weight;
    const auto position = static_cast<std::size_t>(position_[static_cast<std::size_t>(at++)]);
    on.users[position] = on.users.back();
    position_[static_cast<std::size_t>(on.users[position].use)] = static_cast<std::int32_t>(position);
    on.users.pop_back();
    changed_links_.push_back(use.link);
  }
  threshold_ = std::min(threshold_, gone.level);
  gone.entered = false;
  const auto size_class =
      static_cast<std::size_t>(std::bit_width(static_cast<std::uint32_t>(std::max(gone.count - 1, 0))));
  free_uses_[size_class].push_back(gone.begin);
  free_flows_.push_back(id);
}

std::span<const MaxMin::Id> MaxMin::solve() {
  if (collect_affected()) {
    fill();
  } else {
    repair();
  }
  arrived_.clear();
  changed_links_.clear();
  threshold_ = kInfinity;
#ifndef NDEBUG
  check(certificate_holds(1e-9), "max-min certificate");
#endif
  return affected_;
}

inline MaxMin::Link& MaxMin::touch(std::int32_t id) {
  Link& on = link(id);
  if (on.stamp != stamp_) {
    on.stamp = stamp_;
    on.open = 0;
    __builtin_prefetch(on.users.data());
    touched_.push_back(id);
  }
  return on;
}

// Takes a transfer out of the books of its links, to be filled again.
inline void MaxMin::open_flow(Id id, Flow& opened) {
  opened.stamp = stamp_;
  opened.open = true;
  opened.before = opened.level;
  affected_.push_back(id);
  for (const LinkUse use : uses(opened)) {
    Link& on = touch(use.link);
    on.open += std::int64_t{use.multiplicity} * opened.weight;
    on.left += use.multiplicity * opened.quanta;
  }
}

void MaxMin::new_stamp() {
  if (++stamp_ == 0) {
    for (Link& each : links_) each.stamp = 0;
    for (Flow& each : flows_) each.stamp = 0;
    stamp_ = 1;
  }
  affected_.clear();
  touched_.clear();
}

// The transfers reachable from the change over shared links, as far as their level is at or above the threshold; false,
// and nothing changed, when they are more than the limit.
bool MaxMin::collect_affected() {
  new_stamp();
  for (const std::int32_t id : changed_links_) touch(id);
  for (const Id id : arrived_) {
    if (!flow(id).entered || flow(id).stamp == stamp_) continue;
    threshold_ = std::min(threshold_, limit(id).cap_level);
    for (const LinkUse use : uses(id)) {
      const Link& on = link(use.link);
      threshold_ = std::min(threshold_, static_cast<double>(on.capacity) / static_cast<double>(on.weights));
    }
    open_flow(id, flow(id));
  }
  const double threshold = threshold_ * kThresholdMargin;
  for (std::size_t next = 0; next < touched_.size() && affected_.size() <= threshold_limit_; ++next) {
    const auto& users = link(touched_[next]).users;
    for (const User& user : users) __builtin_prefetch(&flow(user.flow));
    for (const User& user : users) {
      Flow& candidate = flow(user.flow);
      if (candidate.stamp != stamp_ && candidate.level >= threshold) open_flow(user.flow, candidate);
    }
  }
  if (affected_.size() <= threshold_limit_) return true;
  for (const Id id : affected_) {
    flow(id).open = false;
    for (const LinkUse use : uses(id)) link(use.link).left -= use.multiplicity * flow(id).quanta;
  }
  return false;
}

// Fills what arrived and what the links of departed transfers limited; then whatever that breaks, until nothing is
// broken.
void MaxMin::repair() {
  new_stamp();
  for (const Id id : arrived_) {
    if (flow(id).entered && flow(id).stamp != stamp_) open_flow(id, flow(id));
  }
  for (const std::int32_t id : changed_links_) {
    touch(id);
    for (const User& user : link(id).users) {
      Flow& candidate = flow(user.flow);
      if (candidate.stamp != stamp_ && candidate.bottleneck == id) open_flow(user.flow, candidate);
    }
  }
  fill();
  for (int round = 0; join_broken(); ++round) {
    if (round == kMostRounds) join_all();
    fill();
  }
}

// Opens again what has been filled, to be filled together with those that join.
void MaxMin::reopen() {
  for (const Id id : affected_) {
    Flow& again = flow(id);
    again.open = true;
    for (const LinkUse use : uses(again)) {
      Link& on = link(use.link);
      on.open += std::int64_t{use.multiplicity} * again.weight;
      on.left += use.multiplicity * again.quanta;
    }
  }
}

// Looks at every transfer held on the links of filled ones: it must join if it was limited by a link that has room now
// or lets a filled one go faster, or if it is faster itself than one that the link limits.
bool MaxMin::join_broken() {
  joining_.clear();
  for (const std::int32_t id : touched_) {
    const Link& on = link(id);
    double fastest = 0, limited = kInfinity;
    for (const User& user : on.users) {
      const Flow& filled = flow(user.flow);
      if (filled.stamp != stamp_) continue;
      fastest = std::max(fastest, filled.level);
      if (filled.bottleneck == id) limited = std::min(limited, filled.level);
    }
    const bool room = static_cast<double>(on.left) > static_cast<double>(on.capacity) * kNoRoom;
    for (const User& user : on.users) {
      const Flow& held = flow(user.flow);
      if (held.stamp == stamp_) continue;
      const bool too_fast = held.level * kFaster > limited;
      const bool too_slow = held.bottleneck == id && (room || fastest * kFaster > held.level);
      if (too_fast || too_slow) joining_.push_back(user.flow);
    }
  }
  if (joining_.empty()) return false;
  reopen();
  for (const Id id : joining_) {
    if (flow(id).stamp != stamp_) open_flow(id, flow(id));
  }
  return true;
}

// Everything reachable: correct whatever happened before.
void MaxMin::join_all() {
  for (std::size_t next = 0; next < touched_.size(); ++next) {
    for (const User& user : link(touched_[next]).users) {
      if (flow(user.flow).stamp != stamp_) open_flow(user.flow, flow(user.flow));
    }
  }
}

inline void MaxMin::fix(Id id, Flow& fixed, double level, std::int32_t bottleneck) {
  fixed.open = false;
  fixed.bottleneck = bottleneck;
  if (same_level(level, fixed.before)) {
    level = fixed.before;
  } else if (same_level(level, limit(id).solo_level)) {
    level = limit(id).solo_level;
  }
  fixed.level = level;
  fixed.quanta = fixed.count > 0 ? static_cast<std::int64_t>(level * fixed.weight) : 0;
  for (const LinkUse use : uses(fixed)) {
    Link& on = link(use.link);
    on.open -= std::int64_t{use.multiplicity} * fixed.weight;
    on.left -= use.multiplicity * fixed.quanta;
  }
}

void MaxMin::sift_down(std::size_t position) {
  if (position >= heap_.size()) return;
  const Share moved = heap_[position];
  for (;;) {
    const std::size_t first = 4 * position + 1, end = std::min(first + 4, heap_.size());
    if (first >= end) break;
    std::size_t child = first;
    for (std::size_t other = first + 1; other < end; ++other) {
      if (heap_[other] < heap_[child]) child = other;
    }
    if (!(heap_[child] < moved)) break;
    heap_[position] = heap_[child];
    position = child;
  }
  heap_[position] = moved;
}

// Progressive filling. The level of a link only grows while others saturate, so a stale entry is too small: it is
// computed again when it comes to the top, and no entry is ever searched for.
void MaxMin::fill() {
  heap_.clear();
  const auto caps = static_cast<std::int32_t>(links_.size());
  for (const std::int32_t id : touched_) {
    const Link& on = link(id);
    if (on.open > 0) heap_.push_back({static_cast<double>(on.left) / static_cast<double>(on.open), id});
  }
  for (const Id id : affected_) {
    if (flow(id).capped) heap_.push_back({limit(id).cap_level, caps + id});
  }
  for (std::size_t i = heap_.size() / 4 + 1; i-- > 0;) sift_down(i);
  while (!heap_.empty()) {
    Share& top = heap_.front();
    bool done = true;
    if (top.link >= caps) {
      const Id id = top.link - caps;
      if (flow(id).open) fix(id, flow(id), top.level, kNoLink);
    } else if (Link& on = link(top.link); on.open > 0) {
      const double level = static_cast<double>(std::max<std::int64_t>(on.left, 0)) / static_cast<double>(on.open);
      if (level > top.level) {
        top.level = level;
        done = false;
      } else {
        for (const User& user : on.users) {
          if (Flow& open = flow(user.flow); open.open) fix(user.flow, open, level, top.link);
        }
      }
    }
    if (done) {
      top = heap_.back();
      heap_.pop_back();
    }
    if (!heap_.empty()) sift_down(0);
  }
}

bool MaxMin::certificate_holds(double tolerance) const {
  std::vector<double> load(links_.size(), 0), highest(links_.size(), 0);
  for (std::size_t f = 0; f < flows_.size(); ++f) {
    if (!flows_[f].entered) continue;
    for (const LinkUse use : uses(static_cast<Id>(f))) {
      const auto l = static_cast<std::size_t>(use.link);
      load[l] += use.multiplicity * flows_[f].weight * flows_[f].level;
      highest[l] = std::max(highest[l], flows_[f].level);
    }
  }
  for (std::size_t l = 0; l < links_.size(); ++l) {
    if (load[l] > static_cast<double>(links_[l].capacity) * (1 + tolerance)) return false;
  }
  for (std::size_t f = 0; f < flows_.size(); ++f) {
    if (!flows_[f].entered) continue;
    bool justified = flows_[f].level >= limits_[f].cap_level * (1 - tolerance);
    for (const LinkUse use : uses(static_cast<Id>(f))) {
      const auto l = static_cast<std::size_t>(use.link);
      justified = justified || (load[l] >= static_cast<double>(links_[l].capacity) * (1 - tolerance) &&
                                flows_[f].level >= highest[l] * (1 - tolerance));
    }
    if (!justified) return false;
  }
  return true;
}

}  // namespace orrery::network
