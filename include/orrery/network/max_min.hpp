// Weighted max-min fair rates of transfers that share directed links.
//
// A transfer f loads link l with m(f,l) · r(f): one rate, an integer multiplicity on each link. Its level is r(f) /
// weight(f). The rates are max-min fair when each transfer sits at its cap or crosses a saturated link on which no
// level is higher than its own (Bertsekas & Gallager, Data Networks, §6.5.2; the certificate). They are unique, and
// found by filling: raise the level of all open transfers together; the link with the smallest
//     level = (capacity − load of fixed transfers) / Σ over open transfers of m · weight
// saturates next and fixes its transfers at that level.
//
// A change is solved in its own part only, in one of two ways:
//   by threshold: filling proceeds by rising level, so a departure at level v changes no transfer whose level is below
//   v, and
//     an arrival none below the smallest capacity / Σ m · weight of its links; all others reachable are filled again;
//   by repair, where those are many: only transfers that the change must move are filled, the rest held; then every
//   link
//     they cross is checked, transfers whose certificate broke join, until none does. The result carries the
//     certificate, so it is the max-min solution. (Of 10 000 coupled transfers a departure moves 95 of the 1 456 above
//     its threshold.)
//
// Rates and capacities are in quanta of 2^-k byte/s, with k such that the largest capacity is below 2^60. Loads are
// sums of integers, so no result depends on the order in which transfers came.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "orrery/core/units.hpp"
#include "orrery/network/link_use.hpp"

namespace orrery::network {

class MaxMin {
 public:
  using Id = std::int32_t;
  static constexpr std::int32_t kNoLink = -1;  // bottleneck of a transfer at its own cap
  // A new level this close to the old one, relatively, is the old one: the difference is rounding (2^-46 ≈ 1.4e-14).
  static constexpr double kSameLevel = 1.0 / static_cast<double>(std::int64_t{1} << 46);

  explicit MaxMin(std::span<const BytesPerSecond> capacities);

  // Registers a transfer that does not use its links yet. Ids of removed transfers are used again.
  // uses: each link once; weight ≥ 1; rate_cap 0 = none. Without links and cap its rate is infinite.
  Id create(std::span<const LinkUse> uses, std::int32_t weight, BytesPerSecond rate_cap);
  // From now on it shares; its rate is known after the next solve().
  void enter(Id id);
  Id add(std::span<const LinkUse> uses, std::int32_t weight, BytesPerSecond rate_cap) {
    const Id id = create(uses, weight, rate_cap);
    enter(id);
    return id;
  }
  void remove(Id id);
  // At most the largest capacity that there was at first; 0: what crosses the link has a rate of 0.
  void set_capacity(std::int32_t link, BytesPerSecond capacity);

  // Solves all changes since the last call together; returns the transfers whose rate may have changed, in no stated
  // order.
  std::span<const Id> solve();

  double rate(Id id) const { return flow(id).level * flow(id).weight * unit_; }  // bytes per second
  // True when the transfer runs as fast as if it were alone.
  bool alone(Id id) const { return flow(id).level == flow(id).solo_level; }
  std::int32_t bottleneck(Id id) const { return flow(id).bottleneck; }
  std::span<const LinkUse> uses(Id id) const { return uses(flow(id)); }
  // Every transfer satisfies the certificate within a relative tolerance, and no link is overloaded. O(everything).
  bool certificate_holds(double tolerance) const;
  // Up to how many transfers a change is solved by threshold; changes the speed only (and results by rounding, 1e-12).
  void set_threshold_limit(std::size_t transfers) { threshold_limit_ = transfers; }

 private:
  static constexpr Id kNone = -1;
  struct User {
    Id flow;
    std::int32_t use;  // index in position_, to keep it true when users move
  };
  struct alignas(64) Link {
    std::int64_t capacity = 0;  // quanta
    std::int64_t left = 0;      // capacity − Σ m · quanta over transfers that have a rate
    std::int64_t open = 0;      // Σ m · weight over transfers being filled
    std::int64_t weights = 0;   // Σ m · weight over all
    std::vector<User> users;
    std::uint32_t stamp = 0;
    Id free = kNone;  // first of the ids kept for transfers that begin here
  };
  // One cache line: a solve reads nothing else of a transfer with at most two links and no cap.
  struct alignas(64) Flow {
    double level = 0;       // infinity = not solved yet, or nothing limits it
    double before = 0;      // level before the solve in progress
    double solo_level = 0;  // if it were alone
    LinkUse few[2];         // its links, if at most two; else they are in uses_
    std::int32_t weight = 1;
    std::int32_t begin = 0;             // of its part of uses_
    std::uint32_t stamp = 0;            // == stamp_ while part of the solve in progress
    std::int32_t bottleneck = kNoLink;  // of an unused id: the next one free
    std::int32_t count = 0;             // of links
    bool open = false;
    bool entered = false;
    bool capped = false;
    // weight · level rounded down: what the books of the links hold.
    std::int64_t quanta() const { return level * weight < 0x1p62 ? static_cast<std::int64_t>(level * weight) : 0; }
  };
  struct Share {  // a candidate for saturation; link ≥ links_.size() is the cap of transfer link − links_.size()
    double level;
    std::int32_t link;
    bool operator<(const Share& other) const { return level != other.level ? level < other.level : link < other.link; }
  };

  const Flow& flow(Id id) const { return flows_[static_cast<std::size_t>(id)]; }
  Flow& flow(Id id) { return flows_[static_cast<std::size_t>(id)]; }
  Link& link(std::int32_t id) { return links_[static_cast<std::size_t>(id)]; }
  const Link& link(std::int32_t id) const { return links_[static_cast<std::size_t>(id)]; }
  std::span<const LinkUse> uses(const Flow& f) const {
    return {f.count <= 2 ? f.few : uses_.data() + f.begin, static_cast<std::size_t>(f.count)};
  }
  Id& free_ids(const Flow& f) { return f.count > 0 ? link(uses(f)[0].link).free : free_unlinked_; }
  double solo_level_of(Id id) const;
  Id allocate_flow(Id& free, std::size_t together);
  std::int32_t allocate_uses(std::int32_t count);
  Link& touch(std::int32_t id);
  void open_flow(Id id, Flow& opened);
  template <typename Condition>
  std::span<const Id> select(const std::vector<User>& users, Condition condition);
  void new_stamp();
  bool collect_affected();
  void repair();
  void reopen();
  bool join_broken();
  void join_all();
  void fill();
  void fix(Flow& fixed, double level, std::int32_t bottleneck);
  void fill_few();
  void fill_many();
  bool settle(Share& share);
  static double level_of(const Link& on);
  void saturate(std::int32_t id, double level);
  void sift_down(std::size_t position);

  double unit_ = 1;   // bytes per second of one quantum: 2^-k
  double scale_ = 1;  // 2^k
  std::vector<Link> links_;
  std::vector<Flow> flows_;
  std::vector<double> cap_levels_;  // by Id; infinity = none
  Id free_unlinked_ = kNone;
  std::vector<LinkUse> uses_;
  std::vector<std::int32_t> position_;                // of each use in its link's users
  std::vector<std::vector<std::int32_t>> free_uses_;  // by power of two of the size
  // The change to solve.
  std::vector<std::int32_t> changed_links_;  // of removed transfers
  std::vector<std::int32_t> touched_;        // links of the solve in progress
  std::vector<Id> arrived_, affected_;
  std::vector<Share> shares_;  // a heap
  std::vector<Id> joining_, selected_;
  double threshold_ = 0;
  bool any_capped_ = false;  // of affected_
  std::size_t threshold_limit_ = 96;
  std::uint32_t stamp_ = 1;
};

}  // namespace orrery::network
