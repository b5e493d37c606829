// The ranks of a run and how they communicate: families of groups, fold classes, simulated devices.
#pragma once
#include <string>
#include <vector>

#include "communication.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::program {

// Every family of groups of the run, and which group of each a rank is in.
struct Ranks {
  explicit Ranks(const StepPlan& plan);

  std::int32_t neighbour(std::int32_t rank, int pipeline_rank) const;  // same tensor, context, data rank
  // The pairs on which one pipeline rank sends to another: `backward` to the one before it, else `forward`.
  const Family& pairs(int from_pipeline, int to_pipeline) const;

  layout::RankGrid grid;
  int count = 0;
  std::vector<layout::Coordinates> at;  // [rank]
  Family tensor, context;
  Family gradient;           // all data-parallel ranks
  Family shard, replicas;    // its split by ZeRO: ranks that spread one copy of the shards, ranks that hold one shard
  Family forward, backward;  // pipeline pairs (from, to)
  Family embedding;          // pairs (first stage, last stage) that hold tied copies; empty without
  Family model_parallel;     // one group: where the gradient norm is summed
  std::vector<std::int32_t> tensor_of, context_of, shard_of, replicas_of;  // [rank] index of its group
  std::vector<std::int32_t> forward_from, backward_from;  // [rank] index of the pair it sends on, −1 = none
  std::vector<std::int32_t> speed_of;                     // [rank] index of its speed
  std::vector<double> speeds;                             // of kernels, each once; {1} where nothing is slow
};

// An error for each group whose members cannot reach each other (a few of them, where there are many).
Diagnostics check_routes(const Ranks& ranks, const StepPlan& plan);

// What the simulated devices are: one per rank, or one per class of alike ranks.
struct Devices {
  std::vector<std::int32_t> fold_class;          // [rank]
  std::vector<DeviceIndex> device_of;            // [rank]
  std::vector<std::int32_t> representative;      // [device] lowest rank it stands for
  std::vector<std::vector<std::int32_t>> ranks;  // [device]
  std::vector<std::string> splits;               // what tells ranks of one place in the pipeline apart
};

// The classes are equitable for the calls listed: their costs are compared group by group.
struct ObservedCall {
  const Family* family;
  Collective kind;
  Bytes bytes;
};
Devices fold_ranks(const Ranks& ranks, const std::vector<ObservedCall>& calls, Communication& communication, bool fold);

// Simulated devices of a group of ranks, each once, ascending.
std::vector<DeviceIndex> devices_of(const Devices& devices, const std::vector<std::int32_t>& ranks);

}  // namespace orrery::program
