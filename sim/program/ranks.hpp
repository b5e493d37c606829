// The ranks of a run and how they communicate: process groups, fold classes, simulated devices.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "communication.hpp"
#include "orrery/layout/rank_grid.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::program {

constexpr layout::Dimension kPipeline = layout::Dimension::pipeline;

// What the process groups of a run depend on.
struct RanksKey {
  RanksKey(const StepInput& input, const layout::StageGraph& stages);
  friend bool operator==(const RanksKey&, const RanksKey&) = default;
  void add_to(Hash& hash) const;

  layout::Layout layout;  // of it the grid and the shards
  schedule::Placement placement;
  std::vector<std::pair<int, int>> edges;         // between stages
  std::vector<std::vector<std::int32_t>> shared;  // stages that hold copies of the same parameters
  bool post_validates = false;
  std::vector<double> speed;         // [rank], empty = all 1
  std::vector<std::int32_t> gpu_of;  // [rank] which of the unlike GPUs; empty = all alike
  bool has_experts = false;
  std::vector<int> micro_batches;  // [data coordinate] of each replica; empty = all have as many
};

// How fast a rank computes: which GPU it has, and what is left of its speed.
struct Speed {
  std::int32_t gpu = 0;
  double factor = 1;
  friend bool operator==(const Speed&, const Speed&) = default;
};

// All process groups of the run, by kind, and which group of each kind a rank is in.
struct Ranks {
  explicit Ranks(const RanksKey& key);
  Ranks(const StepInput& input, const layout::StageGraph& stages) : Ranks(RanksKey(input, stages)) {}

  std::int32_t at_pipeline(std::int32_t rank, int pipeline_rank) const;  // same coordinates but for that one
  // The pairs on which one pipeline rank sends to another, and which of them a rank of the first sends on.
  const ProcessGroups& pairs(int from_pipeline, int to_pipeline) const {
    return pipeline[apart(from_pipeline, to_pipeline)];
  }
  std::int32_t pair_of(std::int32_t rank, int to_pipeline) const {
    const auto r = static_cast<std::size_t>(rank);
    return sends_on[apart(at[r][layout::Dimension::pipeline], to_pipeline)][r];
  }

  schedule::Placement placement;  // of the stages
  layout::RankGrid grid;
  int count = 0;
  std::vector<layout::Coordinates> at;  // [rank]
  layout::PerDimension<ProcessGroups>
      along;               // of the dimensions whose calls are steps of the passes; none in the others
  ProcessGroups gradient;  // all data-parallel ranks
  // Its split by ZeRO: ranks that spread one copy of the shards, ranks that hold one shard. Of routed experts, and of
  // all else.
  struct Sharing {
    ProcessGroups shard, replicas;
    std::vector<std::int32_t> shard_of, replicas_of;  // [rank]
  };
  Sharing dense, experts;  // no groups of experts where there are none
  const Sharing& sharing(layout::Parameters of) const { return of == layout::Parameters::experts ? experts : dense; }
  // Pipeline pairs (from, to), by how many places further along the model the receiver stands: those
  // of a chain are all in the first, their gradients in the last.
  std::vector<ProcessGroups> pipeline;
  std::vector<int> along_model;  // [place] the pipeline rank there
  std::vector<ProcessGroups>
      shared;                    // [of StageGraph::shared] the ranks that hold a copy; empty where one rank holds all
  ProcessGroups model_parallel;  // one group: where the gradient norm is summed
  layout::PerDimension<std::vector<std::int32_t>> along_of;  // [dimension][rank] index of its group
  std::vector<std::vector<std::int32_t>> sends_on;  // [of `pipeline`][rank] index of the pair it sends on, −1 = none
  std::vector<std::int32_t> speed_of;               // [rank] index of its speed
  std::vector<Speed> speeds;                        // of kernels, each once; {{}} where all GPUs are alike
  std::vector<int> micro_batches;                   // [data coordinate] as in the key

 private:
  template <class Group>
  void fill_replicas(Sharing& of, Group group);
  void add_pipeline(const RanksKey& key);
  void add_shared(const RanksKey& key);
  std::size_t apart(int from_pipeline, int to_pipeline) const {
    const auto places = static_cast<int>(along_model.size());
    return static_cast<std::size_t>(
        (place_[static_cast<std::size_t>(to_pipeline)] - place_[static_cast<std::size_t>(from_pipeline)] + places) %
        places);
  }
  std::vector<int> place_;  // [pipeline rank]
};

// The groups that tell ranks apart, and what a person calls one of them and all of them.
struct NamedGroups {
  const ProcessGroups* among;
  std::string one, all;
};
std::vector<NamedGroups> named_groups(const Ranks& ranks);

// Whether the norm of all gradients goes from stage to stage and no rank waits for it before it updates (step_end.hpp).
bool post_validates(const StepInput& input);

// An error for each group whose members cannot reach each other (a few of them, where there are many).
Diagnostics check_routes(const Ranks& ranks, const hardware::Topology& topology,
                         const std::vector<hardware::DeviceId>& placement);

class TeamMessages;  // team_messages.hpp

// What the simulated devices are: one per rank, or one per class of alike ranks.
struct Devices {
  std::vector<std::int32_t> fold_class;          // [rank]
  std::vector<DeviceIndex> device_of;            // [rank]
  std::vector<std::int32_t> representative;      // [device] lowest rank it stands for
  std::vector<std::vector<std::int32_t>> ranks;  // [device]
  std::vector<std::string> splits;               // what tells ranks of one place in the pipeline apart
  std::shared_ptr<const TeamMessages> messages;  // what those of pipelines take
};

// The classes are equitable for the calls listed: their costs are compared group by group. `places`: of the ranks of an
// expert group, the first whose experts have as many rows; empty = they are all alike.
struct ObservedCall {
  const ProcessGroups* among;
  Collective kind;
  Bytes bytes;
  UnlikeRows rows = {};
  friend bool operator==(const ObservedCall&, const ObservedCall&) = default;
};
// Of which ranks messages may be taken for alike, and how (team_messages.hpp).
struct TeamLevels {
  Levelling how = Levelling::none;
  std::vector<layout::Dimension> along = {};  // that make up a team; the ranks of the first alone are one too
  friend bool operator==(const TeamLevels&, const TeamLevels&) = default;
};
Devices fold_ranks(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication,
                   bool alike_once = true, const std::vector<std::int32_t>& places = {},
                   const std::vector<std::int32_t>& apart = {}, const TeamLevels& level = {},
                   const std::vector<std::int32_t>& classes = {});

// Simulated devices of a group of ranks, each once, ascending.
std::vector<DeviceIndex> devices_of(const Devices& devices, const std::vector<std::int32_t>& ranks);

}  // namespace orrery::program
