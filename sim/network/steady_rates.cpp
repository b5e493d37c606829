// Max-min rates of transfers that are all active from the start, by progressive filling over flat arrays: what MaxMin
// answers to the same transfers entered at once, to the bit, without what it keeps for those that come and go.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "orrery/core/error.hpp"
#include "orrery/network/flow.hpp"

namespace orrery::network {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

// The links that transfers use, ascending, and the fastest of all, which says how finely rates are counted.
struct UsedLinks {
  UsedLinks(std::span<const hardware::Link> links, std::span<const Transfer> transfers) : number(links.size(), -1) {
    for (const Transfer& transfer : transfers)
      for (const LinkUse& use : transfer.uses) number[static_cast<std::size_t>(use.link)] = 0;
    std::int64_t largest = 1;
    for (std::size_t i = 0; i < links.size(); ++i) {
      largest = std::max(largest, links[i].bandwidth.value);
      if (number[i] < 0) continue;
      check(links[i].bandwidth.value > 0, "a link's capacity must be positive");
      number[i] = static_cast<hardware::LinkId>(ids.size());
      ids.push_back(static_cast<hardware::LinkId>(i));
    }
    shift = 60 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(largest)));
    check(shift >= 0, "a link's capacity must be below 2^60 byte/s");
  }
  std::vector<hardware::LinkId> number, ids;  // [link] its number, -1 = not used; [number] the link
  int shift = 0;                              // a byte per second is 2^shift quanta
};

class Filling {
 public:
  Filling(std::span<const hardware::Link> links, std::span<const Transfer> transfers)
      : transfers_(transfers), used_(links, transfers), on_(used_.ids.size()), flows_(transfers.size()) {
    for (std::size_t i = 0; i < on_.size(); ++i)
      on_[i].left = links[static_cast<std::size_t>(used_.ids[i])].bandwidth.value << used_.shift;
    list_users();
    for (std::size_t f = 0; f < flows_.size(); ++f) limit_alone(f);
    for (std::size_t i = 0; i < on_.size(); ++i)
      if (users_of(i).size() > 1) next_.push_back({level_of(on_[i]), static_cast<std::int32_t>(i), true});
    std::make_heap(next_.begin(), next_.end());
    while (!next_.empty()) take_next();
  }
  double rate(std::size_t f) const {
    return flows_[f].level * transfers_[f].weight * (1.0 / static_cast<double>(std::int64_t{1} << used_.shift));
  }
  std::int32_t bottleneck(std::size_t f) const {
    const std::int32_t link = flows_[f].bottleneck;
    return link < 0 ? MaxMin::kNoLink : used_.ids[static_cast<std::size_t>(link)];
  }

 private:
  struct OnLink {
    std::int64_t left = 0, open = 0;  // quanta; Σ multiplicity · weight of those that are not yet limited
    std::size_t users = 0;            // where they begin in users_
  };
  struct Flow {
    double level = kNoLimit, alone = kNoLimit;  // if it were alone
    std::int32_t bottleneck = MaxMin::kNoLink;
    bool open = true;
  };
  // What limits next: a shared link, or a transfer's own limit. The least level, of the same the lowest link.
  struct Limit {
    double level;
    std::int32_t of;  // number of the link, or transfer
    bool shared;
    std::int32_t link = MaxMin::kNoLink;                                                    // of its own limit
    std::uint32_t order() const { return static_cast<std::uint32_t>(shared ? of : link); }  // without a link the last
    bool operator<(const Limit& b) const { return level != b.level ? level > b.level : order() > b.order(); }
  };

  std::size_t number(LinkUse use) const {
    return static_cast<std::size_t>(used_.number[static_cast<std::size_t>(use.link)]);
  }
  std::span<const std::int32_t> users_of(std::size_t link) const {
    const std::size_t end = link + 1 < on_.size() ? on_[link + 1].users : users_.size();
    return {users_.data() + on_[link].users, end - on_[link].users};
  }
  static double level_of(const OnLink& on) {
    return static_cast<double>(std::max<std::int64_t>(on.left, 0)) / static_cast<double>(on.open);
  }

  void list_users() {
    for (const Transfer& transfer : transfers_)
      for (const LinkUse use : transfer.uses) {
        check(use.multiplicity >= 1 && transfer.weight >= 1, "a link is used at least once");
        on_[number(use)].open += std::int64_t{use.multiplicity} * transfer.weight;
        ++on_[number(use)].users;
      }
    std::size_t begin = 0;
    for (OnLink& on : on_) begin += std::exchange(on.users, begin);
    users_.resize(begin);
    std::vector<std::size_t> next;
    for (const OnLink& on : on_) next.push_back(on.users);
    for (std::size_t f = 0; f < transfers_.size(); ++f)
      for (const LinkUse use : transfers_[f].uses) users_[next[number(use)]++] = static_cast<std::int32_t>(f);
  }

  // Its cap, or the tightest of the links that no other uses.
  void limit_alone(std::size_t f) {
    const Transfer& transfer = transfers_[f];
    const double scale = static_cast<double>(std::int64_t{1} << used_.shift);
    const double cap = transfer.rate_cap.value > 0
                           ? static_cast<double>(transfer.rate_cap.value) * scale / static_cast<double>(transfer.weight)
                           : kNoLimit;
    Limit own{cap, static_cast<std::int32_t>(f), false};
    flows_[f].alone = cap;
    for (const LinkUse use : transfer.uses) {
      const std::size_t link = number(use);
      const Limit limit{
          static_cast<double>(on_[link].left) / static_cast<double>(std::int64_t{use.multiplicity} * transfer.weight),
          own.of, false, static_cast<std::int32_t>(link)};
      flows_[f].alone = std::min(flows_[f].alone, limit.level);
      if (users_of(link).size() == 1 && own < limit) own = limit;
    }
    if (own.link >= 0 || cap < kNoLimit || transfer.uses.empty()) next_.push_back(own);
  }

  // The level of a link only grows while others are limited, so one that is out of date is too small.
  void take_next() {
    std::pop_heap(next_.begin(), next_.end());
    Limit& limit = next_.back();
    if (!limit.shared) {
      if (Flow& flow = flows_[static_cast<std::size_t>(limit.of)]; flow.open)
        fix(static_cast<std::size_t>(limit.of), limit.level, limit.link);
      next_.pop_back();
      return;
    }
    const auto link = static_cast<std::size_t>(limit.of);
    if (on_[link].open > 0) {
      const double level = level_of(on_[link]);
      if (level > limit.level) {
        limit.level = level;
        std::push_heap(next_.begin(), next_.end());
        return;
      }
      for (const std::int32_t f : users_of(link))
        if (flows_[static_cast<std::size_t>(f)].open) fix(static_cast<std::size_t>(f), level, limit.of);
    }
    next_.pop_back();
  }

  void fix(std::size_t f, double level, std::int32_t bottleneck) {
    Flow& flow = flows_[f];
    if (std::abs(level - flow.alone) <= MaxMin::kSameLevel * level) level = flow.alone;
    flow.level = level, flow.bottleneck = bottleneck, flow.open = false;
    const std::int64_t weight = transfers_[f].weight;
    const double all = level * static_cast<double>(weight);
    const std::int64_t quanta = all < 0x1p62 ? static_cast<std::int64_t>(all) : 0;
    for (const LinkUse use : transfers_[f].uses) {
      OnLink& on = on_[number(use)];
      on.open -= use.multiplicity * weight;
      on.left -= use.multiplicity * quanta;
    }
  }

  std::span<const Transfer> transfers_;
  UsedLinks used_;
  std::vector<OnLink> on_;           // [number]
  std::vector<Flow> flows_;          // [transfer]
  std::vector<std::int32_t> users_;  // transfers, link by link
  std::vector<Limit> next_;          // a heap
};

}  // namespace

// Of a large cluster most calls use a small part of the links: the others are left out.
std::vector<double> steady_rates(std::span<const hardware::Link> links, std::span<const Transfer> transfers,
                                 std::vector<std::int32_t>* bottlenecks) {
  const Filling filled(links, transfers);
  std::vector<double> result;
  result.reserve(transfers.size());
  for (std::size_t f = 0; f < transfers.size(); ++f) {
    result.push_back(filled.rate(f));
    if (bottlenecks != nullptr) bottlenecks->push_back(filled.bottleneck(f));
  }
  return result;
}

}  // namespace orrery::network
