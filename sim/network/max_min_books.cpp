// The transfers and links of MaxMin: what comes, what goes, and whether the rates are right. The solve is in
// max_min.cpp.
#include <algorithm>
#include <bit>
#include <limits>

#include "orrery/core/error.hpp"
#include "orrery/network/max_min.hpp"

namespace orrery::network {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();
// Most ids kept together for the transfers that begin on a link.
constexpr std::size_t kMostTogether = 16;

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
  threshold_ = kUnlimited;
}

// Ids come in runs for the transfers that begin on a link: what is solved together then lies together in memory.
MaxMin::Id MaxMin::allocate_flow(Id& free, std::size_t together) {
  if (free == kNone) {
    const std::size_t first = flows_.size();
    flows_.resize(first + together);
    cap_levels_.resize(first + together);
    for (std::size_t i = first + together; i-- > first;) {
      flows_[i].bottleneck = free;
      free = static_cast<Id>(i);
    }
  }
  const Id id = free;
  free = flow(id).bottleneck;
  return id;
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
  Link* first = uses.empty() ? nullptr : &links_.at(static_cast<std::size_t>(uses.front().link));
  const Id id = first == nullptr
                    ? allocate_flow(free_unlinked_, 1)
                    : allocate_flow(first->free, std::clamp<std::size_t>(first->users.size(), 1, kMostTogether));
  Flow& created = flow(id);
  created = Flow{};
  created.weight = weight;
  created.count = static_cast<std::int32_t>(uses.size());
  created.begin = allocate_uses(created.count);
  created.level = kUnlimited;
  created.capped = rate_cap.value > 0 || uses.empty();
  LinkUse* copy = uses.size() <= 2 ? created.few : uses_.data() + created.begin;
  cap_levels_[static_cast<std::size_t>(id)] =
      rate_cap.value > 0 ? static_cast<double>(rate_cap.value) * scale_ / static_cast<double>(weight) : kUnlimited;
  for (const LinkUse use : uses) {
    check(use.multiplicity >= 1 && static_cast<std::size_t>(use.link) < links_.size(), "a link is used at least once");
    *copy++ = use;
  }
  created.solo_level = solo_level_of(id);
  return id;
}

double MaxMin::solo_level_of(Id id) const {
  double level = cap_levels_[static_cast<std::size_t>(id)];
  for (const LinkUse use : uses(id))
    level = std::min(level, static_cast<double>(link(use.link).capacity) /
                                static_cast<double>(std::int64_t{use.multiplicity} * flow(id).weight));
  return level;
}

// As if all that cross the link left and came again.
void MaxMin::set_capacity(std::int32_t id, BytesPerSecond capacity) {
  Link& changed = link(id);
  const auto quanta = static_cast<std::int64_t>(scale_) * capacity.value;
  check(capacity.value >= 0 && quanta < std::int64_t{1} << 60, "a link gets more capacity than any had at first");
  changed.left += quanta - changed.capacity;
  changed.capacity = quanta;
  changed_links_.push_back(id);
  for (const User& user : changed.users) {
    Flow& each = flow(user.flow);
    threshold_ = std::min(threshold_, each.level);
    each.solo_level = solo_level_of(user.flow);
    arrived_.push_back(user.flow);
    for (const LinkUse use : uses(each)) changed_links_.push_back(use.link);
  }
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
    on.left += use.multiplicity * gone.quanta();
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
  Id& free = free_ids(gone);
  gone.bottleneck = std::exchange(free, id);
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
    bool justified = flows_[f].level >= cap_levels_[f] * (1 - tolerance);
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
