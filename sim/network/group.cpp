#include "group.hpp"

#include <algorithm>
#include <numeric>

#include "mesh_cycles.hpp"
#include "orrery/core/error.hpp"
#include "orrery/network/collective.hpp"

namespace orrery::network {

using hardware::DeviceId;
using hardware::LinkId;

namespace {

// Behind a switch every route of a GPU starts with the same link, and any order is as good as another.
bool switched(const std::vector<DeviceId>& members, const hardware::Topology& topology) {
  if (members.size() < 3) return true;
  std::vector<LinkId> first, second;
  topology.route(members[0], members[1], first);
  topology.route(members[0], members[2], second);
  return first.front() == second.front();
}

// Members whose neighbour behind the same PCIe switch is a member too: a ring from the NIC of one can end at the other,
// and the NIC is near to both.
int with_neighbour(const std::vector<DeviceId>& members) {
  int found = 0;
  for (const DeviceId each : members)
    found += static_cast<int>(std::count_if(members.begin(), members.end(), [each](DeviceId other) {
      return other != each && behind_one_switch(each, other);
    }));
  return found;
}

}  // namespace

Group::Group(std::span<const DeviceId> members, const hardware::Topology& topology, bool near_nics)
    : topology_(topology), members_(members.begin(), members.end()), near_nics_(near_nics) {
  check(!members_.empty(), "a group has members");
  // Domains are ranges of device numbers, so members in order of number fall into runs of one domain each.
  std::vector<std::size_t> order(members_.size()), run(members_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return members_[a] < members_[b]; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    check(members_[order[i]] != members_[order[i - 1]], "a group holds each device once");
    const bool same = topology.same_domain(members_[order[i - 1]], members_[order[i]]);
    run[order[i]] = run[order[i - 1]] + (same ? 0 : 1);
  }
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> domain_of_run(members_.size(), kNone);  // numbered by first appearance in the call
  for (std::size_t i = 0; i < members_.size(); ++i) {
    std::size_t& domain = domain_of_run[run[i]];
    if (domain == kNone) {
      domain = domains_.size();
      domains_.emplace_back();
    }
    domains_[domain].members.push_back(members_[i]);
    domains_[domain].places.push_back(i);
  }
  channels_ = size();
  for (Domain& domain : domains_) {
    channels_ = std::min(
        channels_, near_nics ? std::max(with_neighbour(domain.members), 1) : static_cast<int>(domain.members.size()));
    if (switched(domain.members, topology)) {
      domain.cycles = {domain.members};
    } else {
      domain.cycles = mesh_cycles(domain.members, topology);
    }
  }
}

DeviceId Group::head(const Domain& domain, int channel) const {
  const auto size = static_cast<int>(domain.members.size());
  return domain.members[static_cast<std::size_t>(channel * size / channels_)];
}

void HopLoads::hop(DeviceId from, DeviceId to, std::int32_t multiplicity) {
  if (from == to) return;
  route_.clear();
  topology_.route(from, to, route_);
  Time latency{};
  for (const LinkId id : route_) {
    latency += topology_.links()[static_cast<std::size_t>(id)].latency;
    link(id, multiplicity);
  }
  const bool local = topology_.same_domain(from, to);
  leaves_domain_ = leaves_domain_ || !local;
  Time& slowest = local ? scale_up_ : network_;
  slowest = std::max(slowest, latency);
}

// Sums the multiplicities of each link: through an array over all links when there are more uses than links.
void HopLoads::compact() {
  std::vector<LinkUse> merged;
  if (uses_.size() > topology_.links().size()) {
    std::vector<std::int32_t> sums(topology_.links().size());
    for (const LinkUse use : uses_) sums[static_cast<std::size_t>(use.link)] += use.multiplicity;
    for (std::size_t id = 0; id < sums.size(); ++id) {
      if (sums[id] != 0) merged.push_back({static_cast<LinkId>(id), sums[id]});
    }
  } else {
    std::sort(uses_.begin(), uses_.end(), [](const LinkUse& a, const LinkUse& b) { return a.link < b.link; });
    for (const LinkUse use : uses_) {
      if (!merged.empty() && merged.back().link == use.link) {
        merged.back().multiplicity += use.multiplicity;
      } else {
        merged.push_back(use);
      }
    }
  }
  uses_ = std::move(merged);
  compact_at_ = std::max(compact_at_, 2 * uses_.size());
}

std::vector<LinkUse> HopLoads::take() {
  compact();
  return std::move(uses_);
}

}  // namespace orrery::network
