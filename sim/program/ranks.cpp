#include "ranks.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "fold.hpp"

namespace orrery::program {
namespace {

// One entry per group of ranks that `group` maps each rank to; `of` tells each rank's group.
template <class Group>
void fill(Family& family, std::vector<std::int32_t>& of, int ranks, const std::vector<layout::Coordinates>& at,
          Group group) {
  of.assign(static_cast<std::size_t>(ranks), -1);
  for (std::size_t r = 0; r < of.size(); ++r) {
    if (of[r] >= 0) continue;
    family.groups.push_back(group(at[r]));
    for (const std::int32_t member : family.groups.back())
      of[static_cast<std::size_t>(member)] = static_cast<std::int32_t>(family.groups.size() - 1);
  }
}

// Which pipeline rank sends to which: the neighbours that hold neighbouring stages.
std::vector<std::vector<bool>> messages_between(const schedule::Placement& placement, int pipeline) {
  const auto size = static_cast<std::size_t>(pipeline);
  std::vector<std::vector<bool>> sends(size, std::vector<bool>(size));
  for (int pipe = 0; pipe < placement.pipes; ++pipe)
    for (int s = 0; s + 1 < placement.stages; ++s) {
      const auto a = static_cast<std::size_t>(placement.rank_of(s, pipe)),
                 b = static_cast<std::size_t>(placement.rank_of(s + 1, pipe));
      sends[a][b] = sends[b][a] = true;
    }
  return sends;
}

// Only pairs that send are a load on the network: the last rank sends to the first where stages go round (interleaved).
void add_pairs(Family& family, std::vector<std::int32_t>& from, const Ranks& ranks,
               const std::vector<std::vector<bool>>& sends, bool forward) {
  from.assign(static_cast<std::size_t>(ranks.count), -1);
  const auto pipeline = static_cast<int>(sends.size());
  for (std::int32_t r = 0; r < ranks.count && pipeline > 1; ++r) {
    const int p = ranks.at[static_cast<std::size_t>(r)].pipeline;
    const int to = (p + (forward ? 1 : pipeline - 1)) % pipeline;
    if (!sends[static_cast<std::size_t>(p)][static_cast<std::size_t>(to)]) continue;
    from[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(family.groups.size());
    family.groups.push_back({r, ranks.neighbour(r, to)});
  }
}

}  // namespace

Ranks::Ranks(const StepPlan& plan) : grid(plan.layout), count(plan.layout.ranks()) {
  speed_of.assign(static_cast<std::size_t>(count), 0);
  for (std::size_t r = 0; r < plan.speed.size(); ++r) {
    const auto known = std::find(speeds.begin(), speeds.end(), plan.speed[r]);
    speed_of[r] = static_cast<std::int32_t>(known - speeds.begin());
    if (known == speeds.end()) speeds.push_back(plan.speed[r]);
  }
  if (speeds.empty()) speeds.push_back(1);
  for (int r = 0; r < count; ++r) at.push_back(grid.coordinates(r));
  fill(tensor, tensor_of, count, at, [&](const auto& c) { return grid.tensor_group(c); });
  fill(context, context_of, count, at, [&](const auto& c) { return grid.context_group(c); });
  std::vector<std::int32_t> gradient_of;
  fill(gradient, gradient_of, count, at, [&](const auto& c) { return grid.gradient_group(c); });
  fill(shard, shard_of, count, at, [&](const auto& c) { return grid.shard_group(c); });
  fill(replicas, replicas_of, count, at, [&](const auto& c) { return grid.replica_group(c); });
  context.lane = Lane::context;
  context.category = Category::context_comm;
  for (Family* family : {&gradient, &shard, &replicas, &embedding, &model_parallel}) {
    family->lane = Lane::data;
    family->category = Category::data_comm;
  }
  // Hybrid sharding has two communicators, so the replicas' all-reduces run beside the shards' calls.
  if (plan.layout.shards() > 1) replicas.lane = Lane::replicas;
  forward.lane = backward.lane = Lane::pipeline_send;
  forward.category = backward.category = Category::pipeline_comm;
  const int pipeline = plan.layout.pipeline;
  const auto sends = messages_between(plan.schedule.placement, pipeline);
  add_pairs(forward, forward_from, *this, sends, true);
  add_pairs(backward, backward_from, *this, sends, false);
  if (plan.model.tied_embeddings && pipeline > 1 && plan.schedule.placement.pipes == 1) {
    const int first = plan.schedule.placement.rank_of(0),
              last = plan.schedule.placement.rank_of(plan.schedule.placement.stages - 1);
    for (std::int32_t r = 0; r < count && first != last; ++r)
      if (at[static_cast<std::size_t>(r)].pipeline == first) embedding.groups.push_back({r, neighbour(r, last)});
  }
  model_parallel.groups.emplace_back();
  for (std::int32_t r = 0; r < count; ++r)
    if (at[static_cast<std::size_t>(r)].data == 0 && at[static_cast<std::size_t>(r)].context == 0)
      model_parallel.groups[0].push_back(r);
}

std::int32_t Ranks::neighbour(std::int32_t rank, int pipeline_rank) const {
  layout::Coordinates c = at[static_cast<std::size_t>(rank)];
  c.pipeline = pipeline_rank;
  return grid.rank(c);
}

const Family& Ranks::pairs(int from_pipeline, int to_pipeline) const {
  const int pipeline = grid.pipeline();
  return (from_pipeline + pipeline - 1) % pipeline == to_pipeline && pipeline > 2 ? backward : forward;
}

Diagnostics check_routes(const Ranks& ranks, const StepPlan& plan) {
  constexpr std::size_t kMost = 8;
  const std::pair<const Family*, const char*> families[] = {
      {&ranks.tensor, "tensor-parallel group"}, {&ranks.context, "context-parallel group"},
      {&ranks.shard, "data-parallel group"},    {&ranks.replicas, "data-parallel group"},
      {&ranks.forward, "pipeline neighbours"},  {&ranks.backward, "pipeline neighbours"},
      {&ranks.embedding, "tied embeddings"},    {&ranks.model_parallel, "gradient norm"}};
  const auto device = [&](std::int32_t rank) { return plan.placement[static_cast<std::size_t>(rank)]; };
  const auto joined = [&](std::int32_t a, std::int32_t b) { return plan.topology.connected(device(a), device(b)); };
  const auto name = [&](std::int32_t rank) {
    return "rank " + std::to_string(rank) + " (" + plan.topology.vertex_name(device(rank)) + ")";
  };
  Diagnostics errors;
  for (const auto& [family, what] : families)
    for (const auto& group : family->groups)
      for (std::size_t i = 1; i < group.size(); ++i) {
        const bool there = joined(group[0], group[i]), back = joined(group[i], group[0]);
        if (there && back) continue;
        const std::int32_t from = there ? group[i] : group[0], to = there ? group[0] : group[i];
        Diagnostic error;
        error.path = "perturb";
        error.message = "no route from " + name(from) + " to " + name(to) + ", " + what + ": what joins them is down";
        errors.push_back(std::move(error));
        if (errors.size() == kMost) return errors;
        break;
      }
  return errors;
}

namespace {

// Times of a family's groups that differ within one place in the pipeline.
bool unlike(const Ranks& ranks, const Family& family, const std::vector<CallCost>& costs) {
  std::map<int, Time> first;
  for (std::size_t g = 0; g < costs.size(); ++g) {
    const int place = ranks.at[static_cast<std::size_t>(family.groups[g].front())].pipeline;
    if (first.emplace(place, costs[g].duration).first->second != costs[g].duration) return true;
  }
  return false;
}

std::vector<std::string> splits_of(const Ranks& ranks, const std::vector<ObservedCall>& calls,
                                   Communication& communication) {
  std::vector<std::string> splits;
  if (ranks.speeds.size() > 1) splits.emplace_back("GPUs of different speed");
  const std::pair<const Family*, const char*> families[] = {
      {&ranks.tensor, "tensor groups"},       {&ranks.context, "context groups"},
      {&ranks.shard, "data-parallel groups"}, {&ranks.replicas, "groups of replicas"},
      {&ranks.forward, "pipeline messages"},  {&ranks.backward, "pipeline messages"},
      {&ranks.embedding, "tied embeddings"}};
  for (const auto& [family, name] : families) {
    const bool differ = std::any_of(calls.begin(), calls.end(), [&, of = family](const ObservedCall& c) {
      return c.family == of && unlike(ranks, *of, communication.costs(*of, c.kind, c.bytes));
    });
    const std::string text = std::string(name) + " on links of different speed or use";
    if (differ && (splits.empty() || splits.back() != text)) splits.push_back(text);
  }
  return splits;
}

}  // namespace

Devices fold_ranks(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication,
                   bool fold) {
  std::vector<std::int64_t> initial;
  for (std::size_t r = 0; r < ranks.at.size(); ++r)  // what a rank is by itself: its stages and its speed
    initial.push_back(ranks.at[r].pipeline * static_cast<std::int64_t>(ranks.speeds.size()) + ranks.speed_of[r]);
  std::vector<Relation> relations;
  for (const ObservedCall& call : calls) {
    Relation relation{
        &call.family->groups, {}, call.kind == Collective::send_receive && call.family->lane == Lane::pipeline_send};
    for (const CallCost& cost : communication.costs(*call.family, call.kind, call.bytes))
      relation.cost.push_back(cost.duration.value);
    relations.push_back(std::move(relation));
  }
  for (const Family* family : {&ranks.tensor, &ranks.context, &ranks.shard, &ranks.replicas, &ranks.embedding})
    relations.push_back({&family->groups, {}, false});
  for (const Family* family : {&ranks.forward, &ranks.backward}) relations.push_back({&family->groups, {}, true});

  Devices devices;
  devices.fold_class = fold_classes(initial, relations);
  devices.splits = splits_of(ranks, calls, communication);
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
