// Pipeline schedules as per-rank operation lists.
//
// Conventions (the same in documentation, JSON and tests):
//   p ranks, m micro-batches, v chunks (model stages) per rank, S = p·v stages numbered along the model.
//   F forward, I gradient of the input, W gradient of the weights, B = I + W, X = a forward and a full backward run
//   together. A rank runs its list strictly in order; an operation starts when the rank is free and its inputs have
//   arrived.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orrery/core/error.hpp"

namespace orrery::schedule {

enum class OpKind : std::uint8_t { forward, backward, input_gradient, weight_gradient, overlapped };

// One pass of one micro-batch through one stage. Of an overlapped operation, `stage`, `micro_batch` and `pipe` name the
// forward half, and the `backward_*` fields the backward half.
struct Operation {
  OpKind kind = OpKind::forward;
  std::int32_t stage = 0;
  std::int32_t micro_batch = 0;
  std::int32_t pipe = 0;  // 1 = the second copy of the model that runs the other way (DualPipe, Chimera)
  std::int32_t backward_stage = -1;
  std::int32_t backward_micro_batch = -1;
  std::int32_t backward_pipe = 0;

  friend bool operator==(const Operation&, const Operation&) = default;
};

// Which rank holds which stage; linear, looped, V or bidirectional.
struct Placement {
  int ranks = 1;
  int stages = 1;
  int pipes = 1;                   // 2 = every stage is held twice
  std::vector<std::int32_t> rank;  // [pipe · stages + stage]

  int rank_of(int stage, int pipe = 0) const { return rank[static_cast<std::size_t>(pipe * stages + stage)]; }
  int chunks_per_rank() const { return stages * pipes / ranks; }
  friend bool operator==(const Placement&, const Placement&) = default;
};

struct Schedule {
  std::string name;
  Placement placement;
  int micro_batches = 1;  // of all pipes together
  bool split_backward = false;
  std::vector<std::vector<Operation>> order;  // [rank][position]
  std::vector<std::string> warnings;          // it runs, but at a loss: why
};

// Times of one operation of each stage, in any common unit: what the searched schedules (zb_auto) optimise.
struct StageTimes {
  std::vector<std::int64_t> forward, input_gradient, weight_gradient;  // [stage]
  std::int64_t message = 0;
  std::vector<std::int64_t> overlapped;  // [stage of the forward half]; empty = F + B of the two halves
  friend bool operator==(const StageTimes&, const StageTimes&) = default;
};

struct ScheduleRequest {
  std::string name = "1f1b";
  int ranks = 1;
  int chunks = 1;         // v; a schedule whose number of chunks is given (ScheduleKind::chunks) takes 1 as "its own"
  int micro_batches = 1;  // m
  int group = 0;          // micro-batch group size of interleaved schedules; 0 = p (interleaved_zb1p: PyTorch's rule)
  // zb_auto: most activations a rank may hold, in full micro-batches (all its chunks); 0 = as many as 1F1B's first
  // rank; infinity = any number.
  double memory_cap = 0;
  StageTimes times;  // zb_auto only; empty = unit times
  friend bool operator==(const ScheduleRequest&, const ScheduleRequest&) = default;
};

// The schedule, checked as validate() checks, or why it cannot be (unknown name with the nearest known one, degrees it
// does not run with, a deadlock). "NAME(torch)" is NAME under the conditions of PyTorch's pipelining.
Result<Schedule> make_schedule(const ScheduleRequest& request);

// What make_schedule would refuse of the request before it builds anything: its name and degrees.
Diagnostics check_request(const ScheduleRequest& request);

struct ScheduleKind {
  const char* name;
  const char* summary;
  bool chunked;         // takes chunks > 1
  bool split_backward;  // I and W apart
  int chunks = 1;       // stages a rank holds of each copy of the model; 0 = as many as asked for
  int copies = 1;       // 2 = every stage is held twice: parameters, gradients and optimizer state, too
  // Played with messages that block, as Megatron-LM and DeepSpeed do; of the others there is no such implementation.
  bool exchanges_block = false;
};
const std::vector<ScheduleKind>& schedule_kinds();

}  // namespace orrery::schedule
