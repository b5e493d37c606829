// Lowering: model + layout + schedule + cost + network → Program of one training step.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "orrery/core/hash.hpp"
#include "orrery/cost/kernel_cost.hpp"
#include "orrery/cost/stack.hpp"
#include "orrery/hardware/host.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/layout/offload.hpp"
#include "orrery/layout/pass.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"
#include "orrery/program/costs.hpp"
#include "orrery/program/offload_book.hpp"
#include "orrery/program/pipeline.hpp"
#include "orrery/program/program.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::program {

// What happens between transfers: nothing; all groups of a family at once, solved once; what is really in flight.
enum class NetworkMode : std::uint8_t { ideal, steady, flows };

// Estimates; see program/footprint.hpp.
struct Footprint {
  double tasks = 0, bytes = 0;
  double accounts = 0;  // of the bytes those of accounting for the step, which sweeps do not
};

// A GPU as its libraries drive it.
struct GpuKind {
  hardware::Gpu gpu;
  cost::KernelModel kernels;
  friend bool operator==(const GpuKind&, const GpuKind&) = default;
  void add_to(Hash& hash) const;
};
// The same where it stands: no copy of either.
struct GpuRef {
  GpuRef(const hardware::Gpu& of_gpu, const cost::KernelModel& of_kernels) : gpu(of_gpu), kernels(of_kernels) {}
  GpuRef(const GpuKind& kind) : GpuRef(kind.gpu, kind.kernels) {}
  const hardware::Gpu& gpu;
  const cost::KernelModel& kernels;
};

// What is slow or down for a part of the step, beside what StepInput says of all of it.
struct Passing {
  struct State {
    std::shared_ptr<const hardware::Topology> topology;  // that of the input with slower links
    std::vector<double> speed;                           // [rank] left of its speed
    std::vector<char> stands;                            // [rank] its GPU is down
  };
  std::vector<State> states;
  std::vector<std::int32_t> apart;  // [rank] a number for each set of what passes on GPUs
  // The stretches of the step: when each begins, and which state it is in: 0 = as the input says, 1 = states[0], …
  std::vector<Time> begin;
  std::vector<std::uint32_t> state;
  std::vector<std::vector<std::uint32_t>> without;  // [what passes][stretch] its state but for that; empty = not known
  bool any() const { return !states.empty(); }
};

// The step that is simulated, by values. The rooms that made them have checked them: lowering refuses only what they
// cannot see, routes that are cut and partitions that go in a circle.
struct StepInput {
  std::shared_ptr<const model::ModelGraph> graph;  // never empty
  layout::Layout layout;                           // as it is sharded while the step runs
  layout::PassOptions pass;
  layout::StateWidths state;
  std::shared_ptr<const schedule::Schedule> schedule;  // never empty; of replicas the one with most micro-batches
  // [data coordinate] that of each replica, all of the same placement; empty = all run `schedule`.
  std::vector<std::shared_ptr<const schedule::Schedule>> of_replicas;
  cost::Stack stack;  // what the training plan says laid over it
  hardware::Gpu gpu;
  cost::KernelModel kernels;
  std::shared_ptr<const hardware::Topology> topology;  // never empty
  std::shared_ptr<const network::Tuning> tuning;       // never empty; among unlike GPUs too
  std::vector<hardware::DeviceId> placement;           // [rank]
  std::vector<GpuKind> unlike_gpus;                    // those there are, `gpu` among them; empty = all are that
  std::vector<std::int32_t> gpu_of;                    // [rank] which of them; empty where they are
  std::vector<std::shared_ptr<const network::Tuning>> tunings;  // [kind] of collectives among GPUs of it
  std::vector<double> speed;  // [rank] of its kernels, 1 = as the GPU should be; empty = all 1
  Passing passing;
  NetworkMode mode = NetworkMode::steady;
  // Of every collective that can be served so; empty = chosen by size, ranks and topology.
  std::string algorithm, protocol;
  layout::Offload offload;  // where it keeps anything off, the topology has hosts
  hardware::Host host;
};

// The fewest that tell whether more of them will be as long, where work crosses from a step to the next.
inline constexpr int kStepsToSettle = 4;

// Messages of ranks that go on together may take as long as the slowest of them (sim/program/team_messages.hpp): none
// do; those of ranks of which one's are the slowest all the way; or those of each hop, of which the timeline says
// whether they do (engine::late_messages).
enum class Levelling : std::uint8_t { none, all_the_way, each_hop };

// These change only the speed of the simulation, never its result.
struct LowerOptions {
  bool fold = true;  // ranks that are alike are played once
  bool fuse = true;  // one task a piece of a pass, not one a kernel
  Levelling level = Levelling::all_the_way;
  int steps = 0;            // of the Program; 0 = kStepsToSettle where work crosses from one to the next, else one
  bool stage_times = true;  // LoweredStep::stages is asked for
  bool inside = true;       // parts of passes and uses of tensors are: traces and books read them
  bool flops_book = true;   // LoweredStep::flops_book is
  // Asked before the first task is made; what it returns refuses the step.
  std::function<Diagnostics(const Footprint&)> admit = {};
};

struct StageSummary {
  layout::StageSpan span;
  std::int64_t parameters = 0;                                      // of one rank
  Time forward{}, backward{}, input_gradient{}, weight_gradient{};  // one micro-batch
};

// FLOPs of a step, all ranks. Attention: the products of queries, keys and values with each other; linear: all else.
struct FlopCount {
  WideFlops linear = 0, attention = 0;
  WideFlops total() const { return linear + attention; }
};
struct StepFlops {
  FlopCount model;     // forward and backward, attention in full, no recomputation
  FlopCount executed;  // what the kernels run (cost::executed_flops)
  FlopCount again;     // of `executed`, what is recomputation
  // As Korthikanti et al. count: attention in full, one forward more of each product that is run again; eq. 8
  // (selective recomputation) as they print it, with twice the attention of the model.
  WideFlops korthikanti = 0;
};

struct LoweredStep {
  Program program;
  std::vector<StageSummary> stages;
  StepFlops flops;
  std::vector<std::string> flops_book;  // empty: what the kernels run is what the closed form says
  std::vector<MovedState> moved;        // [device] to the hosts and back (audit_offload); empty: nothing
  std::int64_t ranks = 0;
  std::vector<std::int32_t> fold_class;  // [rank]
  std::vector<std::string> splits;       // why ranks of one place in the pipeline are not all alike; empty if they are
};

// The kinds of GPU of the input and the one of a rank, also where all are alike.
std::vector<GpuRef> gpu_kinds(const StepInput& input);
inline std::size_t gpu_kind(const StepInput& input, std::int32_t rank) {
  return input.gpu_of.empty() ? 0 : static_cast<std::size_t>(input.gpu_of[static_cast<std::size_t>(rank)]);
}
// FLOP/s of the matrix products of a GPU of the run, the mean of unlike ones.
std::int64_t mean_peak(const StepInput& input);
// The schedule that the ranks of a data coordinate run.
inline const schedule::Schedule& schedule_of(const StepInput& input, int replica) {
  return input.of_replicas.empty() ? *input.schedule : *input.of_replicas[static_cast<std::size_t>(replica)];
}
// Micro-batches of the step, those of all replicas together.
std::int64_t micro_batches_of_step(const StepInput& input);
// [stage][kind] ranks that hold the stage, those of all pipes together; and how many micro-batches these have together.
std::vector<std::vector<std::int64_t>> ranks_by_kind(const StepInput& input);
std::vector<std::vector<std::int64_t>> micro_batches_by_kind(const StepInput& input);

inline constexpr const char* kStepOverhead = "step overhead";  // name of what the host does before a step

Result<LoweredStep> lower_step(const StepInput& input, const LowerOptions& options = {});
// With what steps before it had in common with it.
Result<LoweredStep> lower_step(const StepInput& input, const LowerOptions& options, Costs& costs);
// The same for any partition of the operators whose stages do not wait for each other in a circle: `stage_of[i]` is the
// stage of operator i. A stage may feed any other.
Result<LoweredStep> lower_step(const StepInput& input, std::span<const std::int32_t> stage_of,
                               const LowerOptions& options = {});
// Why lower_step would refuse the step; empty = it does not.
Diagnostics check_step(const StepInput& input);

// All that lower_step does but make tasks: what it would refuse, and bounds of what playing it would give: a time in
// picoseconds that the step cannot pass, and bytes that no device can.
struct StepExamination {
  Footprint footprint;
  double longest = 0, most_bytes = 0;
};
// No step of it takes less; 0 where nothing is known. In the time of making its passes: nothing is lowered or played.
Time shortest_step(const StepInput& input, Costs& costs);
// Some device holds at least so much; 0 where nothing is known. In the time of splitting its operators.
Bytes least_memory(const StepInput& input, Costs& costs);
Result<StepExamination> examine_step(const StepInput& input, const LowerOptions& options, Costs& costs);

}  // namespace orrery::program
