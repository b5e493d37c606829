#include "ranks.hpp"

#include <algorithm>
#include <utility>

#include "dimension_calls.hpp"
#include "orrery/program/footprint.hpp"
#include "orrery/schedule/placement.hpp"

namespace orrery::program {
namespace {

// One entry per group of ranks that `group` maps each rank to; `of` tells each rank's group.
template <class Group>
void fill(ProcessGroups& among, std::vector<std::int32_t>& of, int ranks, const std::vector<layout::Coordinates>& at,
          Group group) {
  of.assign(static_cast<std::size_t>(ranks), -1);
  for (std::size_t r = 0; r < of.size(); ++r) {
    if (of[r] >= 0) continue;
    among.groups.push_back(group(at[r]));
    for (const std::int32_t member : among.groups.back())
      of[static_cast<std::size_t>(member)] = static_cast<std::int32_t>(among.groups.size() - 1);
  }
}

// Which pipeline rank sends to which: where the ends of an edge of the stages stand, and both ways of the norm that
// goes along the model.
std::vector<std::vector<bool>> messages_between(const RanksKey& key, const std::vector<int>& along_model) {
  const auto size = static_cast<std::size_t>(key.layout.pipeline);
  std::vector<std::vector<bool>> sends(size, std::vector<bool>(size));
  const auto join = [&](int a, int b) {
    sends[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)] = a != b;
    sends[static_cast<std::size_t>(b)][static_cast<std::size_t>(a)] = a != b;
  };
  for (int pipe = 0; pipe < key.placement.pipes; ++pipe)
    for (const auto& [from, to] : key.edges) join(key.placement.rank_of(from, pipe), key.placement.rank_of(to, pipe));
  for (std::size_t i = 1; i < along_model.size() && key.post_validates; ++i) join(along_model[i - 1], along_model[i]);
  return sends;
}

}  // namespace

std::vector<NamedGroups> named_groups(const Ranks& ranks) {
  std::vector<NamedGroups> named;
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (d.in_pass)
      named.push_back(
          {&ranks.along[d.dimension], std::string(d.name) + "-parallel group", std::string(d.name) + " groups"});
  named.push_back({&ranks.dense.shard, "data-parallel group", "data-parallel groups"});
  named.push_back({&ranks.dense.replicas, "data-parallel group", "groups of replicas"});
  named.push_back({&ranks.experts.shard, "group of the same experts", "groups of the same experts"});
  named.push_back({&ranks.experts.replicas, "group of the same experts", "groups of replicas of experts"});
  for (const ProcessGroups& pairs : ranks.pipeline) named.push_back({&pairs, "pipeline message", "pipeline messages"});
  for (const ProcessGroups& copies : ranks.shared) named.push_back({&copies, "tied embeddings", "tied embeddings"});
  return named;
}

RanksKey::RanksKey(const StepInput& input, const layout::StageGraph& stages)
    : placement(input.schedule->placement),
      post_validates(program::post_validates(input)),
      speed(input.speed),
      gpu_of(input.gpu_of),
      has_experts(input.graph->spec.experts.count > 0) {
  for (const auto& schedule : input.of_replicas) micro_batches.push_back(schedule->micro_batches);
  for (const layout::DimensionFacts& d : layout::kDimensionList) layout.*d.degree = input.layout.*d.degree;
  layout.order = input.layout.order;
  layout.shard_degree = input.layout.shards();
  layout.zero = input.layout.zero == layout::Zero::none ? layout::Zero::none : layout::Zero::optimizer;
  for (const layout::StageEdge& edge : stages.edges()) edges.emplace_back(edge.from, edge.to);
  for (const layout::SharedParameters& copies : stages.shared()) shared.push_back(copies.stages);
}

void RanksKey::add_to(Hash& hash) const {
  for (const layout::DimensionFacts& d : layout::kDimensionList) hash.add(layout.*d.degree);
  hash.add((static_cast<std::int64_t>(layout.shard_degree) << 32) + placement.stages);
}

// A rank that holds the same stages for another copy of the model (Li and Hoefler, Chimera, SC'21, section 3.2: the
// replicas of a stage in both directions sum together) is one more replica of what this one has.
template <class Group>
void Ranks::fill_replicas(Sharing& of, Group group_of) {
  const std::vector<int> mirror = schedule::mirrors(placement);
  check(!mirror.empty(), "copies of the model that do not stand on pairs of ranks");
  fill(of.replicas, of.replicas_of, count, at, [&](layout::Coordinates c) {
    std::vector<int> group = group_of(c);
    const int other = mirror[static_cast<std::size_t>(c[kPipeline])];
    if (other == c[kPipeline]) return group;
    c[kPipeline] = other;
    const std::vector<int> more = group_of(c);
    group.insert(group.end(), more.begin(), more.end());
    std::sort(group.begin(), group.end());
    return group;
  });
}

Ranks::Ranks(const RanksKey& key)
    : placement(key.placement), grid(key.layout), count(key.layout.ranks()), micro_batches(key.micro_batches) {
  speed_of.assign(static_cast<std::size_t>(count), 0);
  for (std::size_t r = 0; r < std::max(key.speed.size(), key.gpu_of.size()); ++r) {
    const Speed of{key.gpu_of.empty() ? 0 : key.gpu_of[r], key.speed.empty() ? 1 : key.speed[r]};
    const auto known = std::find(speeds.begin(), speeds.end(), of);
    speed_of[r] = static_cast<std::int32_t>(known - speeds.begin());
    if (known == speeds.end()) speeds.push_back(of);
  }
  if (speeds.empty()) speeds.emplace_back();
  for (int r = 0; r < count; ++r) at.push_back(grid.coordinates(r));
  for (const DimensionCalls& calls : kDimensionCalls) {
    if (!layout::facts(calls.dimension).in_pass) continue;
    ProcessGroups& among = along[calls.dimension];
    among.lane = calls.lane;
    among.category = calls.category;
    among.in_pass = true;
    fill(among, along_of[calls.dimension], count, at, [&](const auto& c) { return grid.group(c, calls.dimension); });
  }
  std::vector<std::int32_t> gradient_of;
  fill(gradient, gradient_of, count, at, [&](const auto& c) { return grid.gradient_group(c); });
  fill(dense.shard, dense.shard_of, count, at, [&](const auto& c) { return grid.shard_group(c); });
  fill_replicas(dense, [&](const auto& c) { return grid.replica_group(c); });
  if (key.has_experts) {
    fill(experts.shard, experts.shard_of, count, at, [&](const auto& c) { return grid.expert_shard_group(c); });
    fill_replicas(experts, [&](const auto& c) { return grid.expert_replica_group(c); });
  }
  for (ProcessGroups* among :
       {&gradient, &dense.shard, &dense.replicas, &experts.shard, &experts.replicas, &model_parallel}) {
    among->lane = Lane::data;
    among->category = Category::data_comm;
  }
  // Hybrid sharding has two communicators, so the replicas' all-reduces run beside the shards' calls; experts have
  // theirs.
  experts.shard.lane = experts.replicas.lane = Lane::expert_data;
  if (key.layout.shards() > 1) dense.replicas.lane = Lane::replicas;
  if (key.layout.shards(layout::Parameters::experts) > 1) experts.replicas.lane = Lane::expert_replicas;
  add_pipeline(key);
  add_shared(key);
  model_parallel.groups.emplace_back();
  const auto of_first_copy = [](const layout::Coordinates& c) {
    return std::ranges::all_of(layout::kDimensionList,
                               [&](const auto& d) { return !d.sums_gradients || c[d.dimension] == 0; });
  };
  for (std::int32_t r = 0; r < count; ++r)
    if (of_first_copy(at[static_cast<std::size_t>(r)])) model_parallel.groups[0].push_back(r);
}

// Only pairs that send are a load on the network: the last rank sends to the first where stages go round (interleaved).
void Ranks::add_pipeline(const RanksKey& key) {
  along_model = schedule::ranks_along_model(placement);
  place_.resize(along_model.size());
  for (std::size_t i = 0; i < along_model.size(); ++i)
    place_[static_cast<std::size_t>(along_model[i])] = static_cast<int>(i);
  const auto sends = messages_between(key, along_model);
  ProcessGroups among;
  among.lane = Lane::pipeline_send;
  among.category = Category::pipeline_comm;
  pipeline.assign(along_model.size(), among);
  sends_on.assign(along_model.size(), std::vector<std::int32_t>(static_cast<std::size_t>(count), -1));
  for (std::size_t places = 1; places < along_model.size(); ++places)
    for (std::int32_t r = 0; r < count; ++r) {
      const auto from = static_cast<std::size_t>(at[static_cast<std::size_t>(r)][kPipeline]);
      const int to = along_model[(static_cast<std::size_t>(place_[from]) + places) % along_model.size()];
      if (!sends[from][static_cast<std::size_t>(to)]) continue;
      sends_on[places][static_cast<std::size_t>(r)] = static_cast<std::int32_t>(pipeline[places].groups.size());
      pipeline[places].groups.push_back({r, at_pipeline(r, to)});
    }
}

// Where the ranks of two copies of the model have summed theirs, a rank with a stage of each needs no more. The copies
// have other holders each, or the same.
void Ranks::add_shared(const RanksKey& key) {
  ProcessGroups among;
  among.lane = Lane::data;
  among.category = Category::data_comm;
  shared.assign(key.shared.size(), among);
  for (std::size_t i = 0; i < shared.size(); ++i)
    for (const std::vector<int>& holders : schedule::holders_of(placement, key.shared[i]))
      for (std::int32_t r = 0; r < count; ++r) {
        if (at[static_cast<std::size_t>(r)][kPipeline] != holders.front()) continue;
        shared[i].groups.emplace_back();
        for (const int holder : holders) shared[i].groups.back().push_back(at_pipeline(r, holder));
      }
}

std::int32_t Ranks::at_pipeline(std::int32_t rank, int pipeline_rank) const {
  layout::Coordinates c = at[static_cast<std::size_t>(rank)];
  c[kPipeline] = pipeline_rank;
  return grid.rank(c);
}

bool post_validates(const StepInput& input) {
  return post_validates(input.stack.optimizer, input.layout, input.schedule->split_backward);
}

Diagnostics check_routes(const Ranks& ranks, const hardware::Topology& topology,
                         const std::vector<hardware::DeviceId>& placement) {
  constexpr std::size_t kMost = 8;
  std::vector<NamedGroups> named = named_groups(ranks);
  named.push_back({&ranks.model_parallel, "gradient norm", {}});
  const auto device = [&](std::int32_t rank) { return placement[static_cast<std::size_t>(rank)]; };
  const auto joined = [&](std::int32_t a, std::int32_t b) { return topology.connected(device(a), device(b)); };
  const auto name = [&](std::int32_t rank) {
    return "rank " + std::to_string(rank) + " (" + topology.vertex_name(device(rank)) + ")";
  };
  Diagnostics errors;
  for (const auto& [among, what, in_split] : named)
    for (const auto& group : among->groups)
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

}  // namespace orrery::program
