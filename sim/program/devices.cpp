// Which ranks are alike, and the devices that stand for them.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "fold.hpp"
#include "ranks.hpp"
#include "team_messages.hpp"

namespace orrery::program {

namespace {

constexpr layout::Dimension kData = layout::Dimension::data;

// Its groups are pairs, and their ends differ.
bool sends(const ProcessGroups& among) {
  return among.lane == Lane::pipeline_send;
}

// What is told of a call: what it takes, what it would take alone, where it was held back, whether it stands.
using Cost = std::tuple<Time, Time, int, bool>;

// [group] equal numbers = equal costs.
std::vector<std::int64_t> costs_of(const ObservedCall& call, const TeamMessages& messages,
                                   Communication& communication) {
  const std::vector<hardware::Link>& links = communication.network().topology->links();
  const TeamMessages::Costs all = messages.costs(call, communication);
  std::map<Cost, std::int64_t> known;
  std::vector<std::int64_t> of_kind, costs;
  for (const CallCost& cost : all.own.kinds) {
    const hardware::LinkId link = cost.call.link;
    const Cost what(cost.duration, cost.call.alone,
                    link < 0 ? -1 : static_cast<int>(links[static_cast<std::size_t>(link)].level), cost.call.stands);
    of_kind.push_back(known.emplace(what, static_cast<std::int64_t>(known.size())).first->second);
  }
  for (std::size_t group = 0; group < all.size(); ++group)
    costs.push_back(of_kind[static_cast<std::size_t>(all.own.of[all.standing_for(group)])]);
  return costs;
}

// What ranks see of their groups: of each kind of group all calls in one.
class Relations {
 public:
  Relations(const std::vector<ObservedCall>& calls, const TeamMessages& messages, Communication& communication) {
    for (const ObservedCall& call : calls) add(*call.among, costs_of(call, messages, communication));
  }
  void add(const ProcessGroups& among) {
    const auto is_larger = [](const std::vector<std::int32_t>& group) { return group.size() > 1; };
    if (find(among) == all_.end() && std::ranges::any_of(among.groups, is_larger))
      all_.push_back({&among.groups, {}, sends(among)});
  }
  const std::vector<Relation>& all() const { return all_; }

  // Groups of one kind whose costs differ within one place in the pipeline.
  bool unlike(const Ranks& ranks, const ProcessGroups& among) const {
    const auto of = std::ranges::find(all_, &among.groups, &Relation::groups);
    if (of == all_.end()) return false;
    std::map<int, std::int64_t> first;
    for (std::size_t g = 0; g < of->cost.size(); ++g) {
      const int place = ranks.at[static_cast<std::size_t>(among.groups[g].front())][kPipeline];
      if (first.emplace(place, of->cost[g]).first->second != of->cost[g]) return true;
    }
    return false;
  }

 private:
  std::vector<Relation>::iterator find(const ProcessGroups& among) {
    return std::ranges::find(all_, &among.groups, &Relation::groups);
  }
  void add(const ProcessGroups& among, std::vector<std::int64_t> costs) {
    const auto of = find(among);
    if (of == all_.end()) {
      all_.push_back({&among.groups, std::move(costs), sends(among)});
      return;
    }
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> known;
    for (std::size_t g = 0; g < costs.size(); ++g)
      of->cost[g] = known.try_emplace({of->cost[g], costs[g]}, std::ssize(known)).first->second;
  }

  std::vector<Relation> all_;
};

// [data coordinate] equal numbers = as many micro-batches.
std::vector<std::int64_t> numbered(const std::vector<int>& micro_batches) {
  std::vector<std::int64_t> numbers;
  for (const int of_replica : micro_batches)
    numbers.push_back(std::ranges::find(micro_batches, of_replica) - micro_batches.begin());
  return numbers;
}

std::vector<std::string> splits_of(const Ranks& ranks, const Relations& relations) {
  std::vector<std::string> splits;
  if (ranks.speeds.size() > 1) splits.emplace_back("GPUs of different speed");
  if (std::ranges::adjacent_find(ranks.micro_batches, std::ranges::not_equal_to{}) != ranks.micro_batches.end())
    splits.emplace_back("replicas of unlike numbers of micro-batches");
  for (const auto& [among, in_error, name] : named_groups(ranks)) {
    const std::string text = name + " on links of different speed or use";
    if (relations.unlike(ranks, *among) && (splits.empty() || splits.back() != text)) splits.push_back(text);
  }
  return splits;
}

}  // namespace

Devices fold_ranks(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication,
                   bool alike_once, const std::vector<std::int32_t>& places, const std::vector<std::int32_t>& apart,
                   const TeamLevels& level, const std::vector<std::int32_t>& classes) {
  std::vector<std::int64_t> initial;
  const std::vector<std::int64_t> numbers = numbered(ranks.micro_batches);
  const auto by_itself = [&](std::size_t r) {  // its stages, its speed, its micro-batches, the loads of its experts
    const layout::Coordinates& at = ranks.at[r];
    const std::int64_t experts = places.empty() ? 0 : places[static_cast<std::size_t>(at[layout::Dimension::expert])];
    const std::int64_t by = at[kPipeline] * static_cast<std::int64_t>(ranks.speeds.size()) + ranks.speed_of[r];
    const std::int64_t runs = numbers.empty() ? by : by * ranks.count + numbers[static_cast<std::size_t>(at[kData])];
    const std::int64_t alone = (runs * ranks.count + experts) * ranks.count + (apart.empty() ? 0 : apart[r]);
    return classes.empty() ? alone : alone * ranks.count + classes[r];
  };
  for (std::size_t r = 0; r < ranks.at.size(); ++r) initial.push_back(by_itself(r));
  Devices devices;
  devices.messages = std::make_shared<const TeamMessages>(ranks, calls, communication, level);
  Relations relations(calls, *devices.messages, communication);
  for (const NamedGroups& named : named_groups(ranks)) relations.add(*named.among);

  const bool fold = alike_once && communication.network().mode != NetworkMode::flows;
  devices.fold_class = fold_classes(initial, relations.all());
  devices.splits = splits_of(ranks, relations);
  if (std::ranges::any_of(places, [](std::int32_t place) { return place != 0; }))
    devices.splits.emplace_back("experts of unlike loads");
  if (std::ranges::any_of(apart, [](std::int32_t of) { return of != 0; }))
    devices.splits.emplace_back("unlike ways to their hosts");
  if (std::ranges::any_of(classes, [](std::int32_t of) { return of != 0; }))
    devices.splits.emplace_back("what is slow or down for a part of the step");
  for (std::int32_t r = 0; r < ranks.count; ++r) {
    const auto device = static_cast<std::size_t>(fold ? devices.fold_class[static_cast<std::size_t>(r)] : r);
    devices.device_of.push_back(static_cast<DeviceIndex>(device));
    if (device == devices.ranks.size()) {
      devices.ranks.emplace_back();
      devices.representative.push_back(r);
    }
    devices.ranks[device].push_back(r);
  }
  return devices;
}

std::vector<DeviceIndex> devices_of(const Devices& devices, const std::vector<std::int32_t>& ranks) {
  std::vector<DeviceIndex> result;
  for (const std::int32_t r : ranks) result.push_back(devices.device_of[static_cast<std::size_t>(r)]);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

}  // namespace orrery::program
