#include "group_shapes.hpp"

#include <algorithm>
#include <unordered_map>

namespace orrery::program {
namespace {

using hardware::DeviceId;
using hardware::LinkId;

constexpr std::size_t kMostRoutes = 64;  // of larger groups (n² routes) each is a shape of its own

struct HashOfRoutes {
  std::size_t operator()(const std::vector<std::int64_t>& words) const {
    Hash hash;
    for (const std::int64_t word : words) hash.add(word);
    return static_cast<std::size_t>(hash.value());
  }
};

// All that a plan can tell of a group: how its members stand to each other, and what the routes between them are of.
class Routes {
 public:
  explicit Routes(const NetworkKey& network) : network_(network), topology_(*network.topology) {}

  void read(const std::vector<std::int32_t>& group) {
    words_.assign({std::ssize(group)});
    links_.clear();
    if (!network_.gpu_of.empty())
      for (const std::int32_t rank : group) words_.push_back(network_.gpu_of[static_cast<std::size_t>(rank)]);
    for (const std::int32_t from : group)
      for (const std::int32_t to : group)
        if (from != to) add(device(from), device(to));
  }
  const std::vector<std::int64_t>& words() const { return words_; }
  const std::vector<LinkId>& links() const { return links_; }

 private:
  DeviceId device(std::int32_t rank) const { return network_.placement[static_cast<std::size_t>(rank)]; }

  void add(DeviceId from, DeviceId to) {
    route_.clear();
    topology_.route(from, to, route_);
    words_.push_back(std::ssize(route_) * 8 + (from < to ? 4 : 0) + (topology_.same_domain(from, to) ? 2 : 0) +
                     (network::behind_one_switch(from, to) ? 1 : 0));
    for (const LinkId id : route_) {
      const auto known = std::find(links_.begin(), links_.end(), id);
      words_.push_back(known - links_.begin());
      if (known == links_.end()) add_new(id);
    }
  }
  void add_new(LinkId id) {
    links_.push_back(id);
    const hardware::Link& link = topology_.links()[static_cast<std::size_t>(id)];
    words_.insert(words_.end(), {link.bandwidth.value, link.latency.value,
                                 static_cast<std::int64_t>(link.level) * 8 + (link.from < topology_.devices() ? 4 : 0) +
                                     (link.to < topology_.devices() ? 2 : 0) + (link.stands ? 1 : 0)});
  }

  const NetworkKey& network_;
  const hardware::Topology& topology_;
  std::vector<std::int64_t> words_;
  std::vector<LinkId> links_, route_;
};

}  // namespace

GroupShapes::GroupShapes(const ProcessGroups& among, const NetworkKey& network, bool with_links) {
  Routes routes(network);
  std::unordered_map<std::vector<std::int64_t>, std::int32_t, HashOfRoutes> known;
  std::vector<std::int64_t> last;  // groups that follow each other are mostly alike
  for (std::size_t g = 0; g < among.groups.size(); ++g) {
    const std::vector<std::int32_t>& group = among.groups[g];
    begin_.push_back(links_.size());
    const auto fresh = static_cast<std::int32_t>(first.size());
    if (among.groups.size() == 1 || group.size() * (group.size() - 1) > kMostRoutes) {
      of.push_back(fresh);
      last.clear();
    } else {
      routes.read(group);
      const bool again = routes.words() == last;
      of.push_back(again ? of.back() : known.try_emplace(routes.words(), fresh).first->second);
      if (!again) last = routes.words();
      if (with_links) links_.insert(links_.end(), routes.links().begin(), routes.links().end());
    }
    if (of.back() == fresh) first.push_back(static_cast<std::int32_t>(g));
  }
  begin_.push_back(links_.size());
}

std::vector<network::LinkUse> GroupShapes::indexed(std::size_t shape,
                                                   const std::vector<network::LinkUse>& of_first) const {
  const auto group = static_cast<std::size_t>(first[shape]);
  const LinkId *const begin = links_of(group), *const end = links_of(group + 1);
  std::vector<network::LinkUse> result = of_first;
  if (begin == end) return result;  // it is the only one of its shape
  for (network::LinkUse& use : result) {
    const LinkId* const found = std::find(begin, end, use.link);
    check(found != end, "a call crosses a link that is on no route among its ranks");
    use.link = static_cast<LinkId>(found - begin);
  }
  return result;
}

void GroupShapes::append(std::size_t group, const std::vector<network::LinkUse>& indexed,
                         std::vector<network::LinkUse>& uses) const {
  const std::size_t before = uses.size();
  const bool alone = begin_[group] == begin_[group + 1];
  for (const network::LinkUse& use : indexed)
    uses.push_back({alone ? use.link : links_of(group)[use.link], use.multiplicity});
  if (!alone)
    std::sort(uses.begin() + static_cast<std::ptrdiff_t>(before), uses.end(),
              [](const network::LinkUse& a, const network::LinkUse& b) { return a.link < b.link; });
}

}  // namespace orrery::program
