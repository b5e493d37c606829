// Ring (Patarasuk & Yuan 2009): n ranks in a circle pass chunks of S/n.
//   all_reduce 2(n−1)·α + 2(n−1)/n · S/B;  all_gather, reduce_scatter (n−1)·α + (n−1)/n · S/B
//   broadcast, a chain in chunks of the best size c = √(S·α·B/(n−2)): (n−2)·α + S/B + 2·√((n−2)·α·S/B), and
//   (n−1)·(α + S/B) where c would exceed S; where hops are unlike, (n−2)·α is their sum
//
// Over several domains there is one ring per channel, as NCCL builds them: channel j leaves each domain from the member
// before its head j and enters the next at head j, so the NICs of all members work in parallel and each NVLink is
// passed once a channel. Inside a domain a mesh takes several rings side by side. NCCL before 2.12 (near_nics of the
// call) lets a ring leave a domain by the NIC through which it came alone: `src/graph/search.cc` first seeks rings with
// crossNic 0, and without PXN a GPU behind another PCIe switch reaches that NIC only through the host.
#include "algorithm.hpp"

namespace orrery::network {
namespace {

using hardware::DeviceId;

// Hops inside the domain of `channels` rings opened before their heads. The ring of channel j goes round cycle j mod m.
void load_opened(const Group& group, const Domain& domain, HopLoads& loads, std::vector<DeviceId>& last) {
  const auto cycles = domain.cycles.size();
  const auto channels = static_cast<std::size_t>(group.channels());
  for (std::size_t c = 0; c < cycles; ++c) {
    const auto& cycle = domain.cycles[c];
    const std::size_t size = cycle.size();
    std::vector<std::int32_t> uses(size);  // of the hop i → i + 1
    for (std::size_t j = c; j < channels; j += cycles) {
      const DeviceId head = group.head(domain, static_cast<int>(j));
      const auto at = static_cast<std::size_t>(std::find(cycle.begin(), cycle.end(), head) - cycle.begin());
      const std::size_t before = (at + size - 1) % size;
      last[j] = cycle[before];
      --uses[before];
    }
    const auto rings = static_cast<std::int32_t>((channels + cycles - 1 - c) / cycles);
    for (std::size_t i = 0; i < size; ++i) {
      if (uses[i] + rings > 0 && size > 1) loads.hop(cycle[i], cycle[(i + 1) % size], uses[i] + rings);
    }
  }
}

}  // namespace

std::int64_t load_rings(const Group& group, HopLoads& loads) {
  if (group.one_domain()) return load_local_rings(group, loads);
  const auto& domains = group.domains();
  const auto channels = static_cast<std::size_t>(group.channels());
  std::vector<DeviceId> last(channels);
  for (std::size_t d = 0; d < domains.size(); ++d) {
    load_opened(group, domains[d], loads, last);
    const Domain& next = domains[(d + 1) % domains.size()];
    for (std::size_t j = 0; j < channels; ++j) {
      const DeviceId leaves = group.one_nic() ? group.head(domains[d], static_cast<int>(j)) : last[j];
      loads.hop(leaves, group.head(next, static_cast<int>(j)));
    }
  }
  return static_cast<std::int64_t>(channels);
}

namespace {

std::string unsupported_ring(Collective kind, const Group&) {
  const bool served = kind == Collective::all_reduce || kind == Collective::all_gather ||
                      kind == Collective::reduce_scatter || kind == Collective::broadcast;
  return served ? "" : "ring serves all_reduce, all_gather, reduce_scatter and broadcast";
}

void plan_ring(const PlanContext& context, Outline& out) {
  const Group& group = context.group;
  HopLoads loads(group.topology());
  const std::int64_t rings = load_rings(group, loads);
  const std::int64_t n = group.size(), domains = group.domain_count();
  const std::int64_t between = group.one_domain() ? 0 : domains;
  if (context.kind == Collective::broadcast) {
    const std::int64_t network_steps = std::min(std::max<std::int64_t>(between - 1, 0), n - 2);
    out.add(loads, {context.bytes, rings, n - 2 - network_steps, network_steps, n - 2});
    return;
  }
  const std::int64_t passes = context.kind == Collective::all_reduce ? 2 : 1;
  const std::int64_t network_steps = between > 0 ? passes * (domains - 1) : 0;
  const std::int64_t steps = passes * (n - 1);
  out.add(loads, {context.bytes * steps, n * rings, steps - network_steps, network_steps});
}

}  // namespace

int load_local_rings(const Group& group, HopLoads& loads) {
  std::size_t rings = group.domains().front().cycles.size();
  for (const Domain& domain : group.domains()) rings = std::min(rings, domain.cycles.size());
  for (const Domain& domain : group.domains()) {
    for (std::size_t c = 0; c < rings; ++c) {
      const auto& cycle = domain.cycles[c];
      if (cycle.size() < 2) continue;
      for (std::size_t i = 0; i < cycle.size(); ++i) loads.hop(cycle[i], cycle[(i + 1) % cycle.size()]);
    }
  }
  return static_cast<int>(rings);
}

const Algorithm kRing{"ring", unsupported_ring, plan_ring};

}  // namespace orrery::network
