#include "orrery/network/max_min.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "orrery/core/error.hpp"

namespace orrery::network {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Transfers this little below the threshold are solved too, so that rounding never hides one; more is only slower.
constexpr double kThresholdMargin = 1.0 - 1e-9;
// Repair: a link with this part of its capacity left (2^-44) has no room; levels are told apart from 2^-42 on.
constexpr double kNoRoom = 1.0 / static_cast<double>(std::int64_t{1} << 44);
constexpr double kFaster = 1.0 - 1.0 / static_cast<double>(std::int64_t{1} << 42);
constexpr int kMostRounds = 32;
constexpr std::size_t kFewLinks = 24;  // so many are filled without a heap

bool same_level(double a, double b) {
  return std::abs(a - b) <= MaxMin::kSameLevel * a;
}

}  // namespace

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

// The users for which a condition holds. Which do is as good as random, so it is found out without a branch.
template <typename Condition>
std::span<const MaxMin::Id> MaxMin::select(const std::vector<User>& users, Condition condition) {
  if (selected_.size() < users.size()) selected_.resize(users.size() * 2);
  std::size_t count = 0;
  for (const User& user : users) {
    selected_[count] = user.flow;
    count += static_cast<std::size_t>(condition(flow(user.flow)));
  }
  return {selected_.data(), count};
}

// Takes a transfer out of the books of its links, to be filled again.
inline void MaxMin::open_flow(Id id, Flow& opened) {
  opened.stamp = stamp_;
  opened.open = true;
  opened.before = opened.level;
  affected_.push_back(id);
  any_capped_ |= opened.capped;
  const std::int64_t weight = opened.weight, quanta = opened.quanta();
  for (const LinkUse use : uses(opened)) {
    Link& on = touch(use.link);
    on.open += use.multiplicity * weight;
    on.left += use.multiplicity * quanta;
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
  any_capped_ = false;
}

// The transfers reachable from the change over shared links, as far as their level is at or above the threshold; false,
// and nothing changed, when they are more than the limit.
bool MaxMin::collect_affected() {
  new_stamp();
  for (const std::int32_t id : changed_links_) touch(id);
  for (const Id id : arrived_) {
    if (!flow(id).entered || flow(id).stamp == stamp_) continue;
    threshold_ = std::min(threshold_, cap_levels_[static_cast<std::size_t>(id)]);
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
    for (const Id id : select(users, [&](const Flow& f) { return (f.stamp != stamp_) & (f.level >= threshold); })) {
      open_flow(id, flow(id));
    }
  }
  if (affected_.size() <= threshold_limit_) return true;
  for (const Id id : affected_) {
    flow(id).open = false;
    for (const LinkUse use : uses(id)) link(use.link).left -= use.multiplicity * flow(id).quanta();
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
      on.left += use.multiplicity * again.quanta();
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

inline void MaxMin::fix(Flow& fixed, double level, std::int32_t bottleneck) {
  fixed.open = false;
  fixed.bottleneck = bottleneck;
  if (same_level(level, fixed.before)) {
    level = fixed.before;
  } else if (same_level(level, fixed.solo_level)) {
    level = fixed.solo_level;
  }
  fixed.level = level;
  const std::int64_t weight = fixed.weight, quanta = fixed.quanta();
  for (const LinkUse use : uses(fixed)) {
    Link& on = link(use.link);
    on.open -= use.multiplicity * weight;
    on.left -= use.multiplicity * quanta;
  }
}

void MaxMin::sift_down(std::size_t position) {
  if (position >= shares_.size()) return;
  const Share moved = shares_[position];
  for (;;) {
    const std::size_t first = 4 * position + 1, end = std::min(first + 4, shares_.size());
    if (first >= end) break;
    std::size_t child = first;
    for (std::size_t other = first + 1; other < end; ++other) {
      if (shares_[other] < shares_[child]) child = other;
    }
    if (!(shares_[child] < moved)) break;
    shares_[position] = shares_[child];
    position = child;
  }
  shares_[position] = moved;
}

// What a link offers each unit of weight that is still open on it.
inline double MaxMin::level_of(const Link& on) {
  return static_cast<double>(std::max<std::int64_t>(on.left, 0)) / static_cast<double>(on.open);
}

inline void MaxMin::saturate(std::int32_t id, double level) {
  for (const Id user : select(link(id).users, [](const Flow& f) { return f.open; })) fix(flow(user), level, id);
}

// Progressive filling: the link with the least level saturates next.
void MaxMin::fill() {
  if (touched_.size() <= kFewLinks && !any_capped_) {
    fill_few();
  } else {
    fill_many();
  }
}

// Few links are all computed anew each time; branches that would be guessed wrong cost more.
void MaxMin::fill_few() {
  std::array<std::int32_t, kFewLinks> links;
  std::array<double, kFewLinks> levels;
  std::size_t count = touched_.size();
  std::copy(touched_.begin(), touched_.end(), links.begin());
  for (;;) {
    std::size_t open = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Link& on = link(links[i]);
      links[open] = links[i];
      levels[open] = level_of(on);
      open += static_cast<std::size_t>(on.open > 0);
    }
    if (open == 0) return;
    count = open;
    double least = levels[0];
    for (std::size_t i = 1; i < count; ++i) least = std::min(least, levels[i]);
    std::int32_t first = std::numeric_limits<std::int32_t>::max();
    for (std::size_t i = 0; i < count; ++i) first = std::min(first, levels[i] == least ? links[i] : first);
    saturate(first, least);
  }
}

// Many are kept in a heap. The level of a link only grows while others saturate, so a stale entry is too small: it is
// computed again when it comes to the top, and no entry is ever searched for.
void MaxMin::fill_many() {
  shares_.clear();
  const auto caps = static_cast<std::int32_t>(links_.size());
  for (const std::int32_t id : touched_) {
    if (link(id).open > 0) shares_.push_back({level_of(link(id)), id});
  }
  for (const Id id : affected_) {
    if (flow(id).capped) shares_.push_back({cap_levels_[static_cast<std::size_t>(id)], caps + id});
  }
  for (std::size_t i = shares_.size() / 4 + 1; i-- > 0;) sift_down(i);
  while (!shares_.empty()) {
    if (Share& top = shares_.front(); settle(top)) {
      top = shares_.back();
      shares_.pop_back();
    }
    sift_down(0);
  }
}

// Fixes what a share limits; false, and a new level, where it has grown since it was computed.
bool MaxMin::settle(Share& share) {
  if (const auto caps = static_cast<std::int32_t>(links_.size()); share.link >= caps) {
    Flow& capped = flow(share.link - caps);
    if (capped.open) fix(capped, share.level, kNoLink);
    return true;
  }
  if (link(share.link).open == 0) return true;
  const double level = level_of(link(share.link));
  const bool grown = level > share.level;
  if (!grown) saturate(share.link, level);
  share.level = level;
  return !grown;
}

}  // namespace orrery::network
