// Passes of the stages with times: what the layout says a rank does, and how long each step takes on this GPU and
// network.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "kernel_times.hpp"
#include "ranks.hpp"
#include "stage_work.hpp"

namespace orrery::program {

// Layers whose weights are kept on the host (layout::Offload), and what of them a rank fetches.
struct FetchedWeights {
  double share = 0;
  std::int64_t width = 0;               // bytes of a parameter
  std::array<std::int64_t, 2> ranks{};  // [kind of parameters] that ZeRO-3 spreads them over; else 1
  friend bool operator==(const FetchedWeights&, const FetchedWeights&) = default;

  explicit operator bool() const { return share > 0; }
  std::int64_t parameters(const layout::StageModel& stage, std::int64_t layer, layout::Parameters of) const;
  std::int64_t bytes(const layout::StageModel& stage, std::int64_t layer) const;
};
FetchedWeights fetched_weights(const StepInput& input);

// What the passes of a step depend on.
struct StageCostsKey {
  std::shared_ptr<const Stages> stages;
  std::shared_ptr<Communication> communication;
  std::vector<std::shared_ptr<KernelTimes>> kernels;  // [kind of GPU]
  cost::StackCommunication calls;                     // of it what read_by_passes() leaves
  cost::StackLaunch launch;
  std::int64_t gradient_bytes = 0, reduce_buffer_elements = 0;  // of StackOptimizer
  std::int64_t gathered_bytes = 0;                              // of StateWidths
  bool inside = true;                                           // LowerOptions
  FetchedWeights fetched = {};                                  // from the host
  friend bool operator==(const StageCostsKey&, const StageCostsKey&) = default;
  void add_to(Hash& hash) const;
};
cost::StackCommunication read_by_passes(const cost::StackCommunication& stack);

// All that the steps of a pass and their times follow from, whatever layout it is of.
struct PassKey {
  std::shared_ptr<StageWork> work;   // of the place of the rank in its expert group
  std::shared_ptr<StageWork> first;  // of place 0
  std::shared_ptr<KernelTimes> kernels;
  std::shared_ptr<Communication> links;  // network.mode flows: transfers, on links of their own
  cost::StackCommunication calls;
  cost::StackLaunch launch;
  std::int64_t gradient_bytes = 0, reduce_buffer_elements = 0, gathered_bytes = 0;
  layout::PassKind kind{};
  bool opens = true, inside = true;
  FetchedWeights fetched = {};
  double speed = 1;
  std::vector<std::int64_t> words;  // bytes of what reaches it, and what its calls cost
  friend bool operator==(const PassKey&, const PassKey&) = default;
  void add_to(Hash& hash) const;
};
using KeptPasses = Kept<PassKey, const Pass>;

class StageCosts {
 public:
  StageCosts(const StageCostsKey& key, Kept<StageWorkKey, StageWork>& known, KeptPasses& passes);

  // The work of a stage: that of any that does the same, whose layers its steps and parameters_of_layer() name.
  const layout::StageModel& stage(int index, std::int32_t place = 0) const { return work(index, place).model(); }
  // [rank of an expert group] the first that does the same work. Ranks at other places differ in sizes alone, not in
  // steps.
  const std::vector<std::int32_t>& alike_places() const { return key_.stages->alike_places; }
  std::int32_t place_in_experts(std::int32_t rank) const;  // the first like that of the rank
  const layout::StageSpan& span(int index) const { return cut_.spans[at(index)]; }
  int alike(int index) const { return cut_.alike[at(index)]; }
  int stages() const { return cut_.of.stages; }
  std::vector<int> on_rank(int pipeline_rank) const;  // the stages it holds, of all pipes
  std::int64_t parameters_of_rank(int pipeline_rank, layout::Parameters of) const;
  const std::vector<layout::PassStep>& steps(int stage, layout::PassKind kind, std::int32_t place = 0);
  // The pass on a rank, with the costs of that rank's groups and the messages that reach the stage in that pipe. It
  // `opens` the gradients that it makes, or adds to those of the pass before it (Layout::reduces_after_runs).
  const Pass& pass(std::int32_t rank, int stage, layout::PassKind kind, int pipe, bool opens = true);
  // What the model asks for: each expert given as much, whatever the routing.
  const std::vector<layout::PassStep>& balanced_forward(int stage);
  Bytes message_bytes(std::int32_t edge) const;  // per rank, as sent
  // Gradients that are reduced together behind a backward pass (ZeRO-2, 3): those of steps [begin, end) of layout's.
  struct GradientUnit {
    std::int64_t parameters = 0;
    std::uint32_t begin = 0, end = 0;
  };
  std::vector<GradientUnit> gradient_units(int stage, layout::PassKind kind, layout::Parameters of);
  // [stage][forward, backward] whether ranks along it meet in a collective of the pass that a message may be for.
  std::vector<bool> meets(layout::Dimension along, bool split_backward) const;
  // All communication calls inside the passes, each once.
  const std::vector<ObservedCall>& calls();
  std::optional<StepFlops>& flops() { return flops_; }  // counted in flops_book.cpp
  // Of one micro-batch on a rank that holds the stage, communication included.
  Time compute_time(std::int32_t rank, int stage, layout::PassKind kind);

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  const layout::Layout& layout() const { return key_.stages->of.layout; }
  bool scattered() const { return key_.calls.scatter_gather_messages && layout().tensor > 1; }
  std::vector<std::int32_t> classes_of(const ProcessGroups& among);
  struct Place {
    layout::PerDimension<std::int32_t> group;
    std::int32_t speed = 0, experts = 0;
    auto operator<=>(const Place&) const = default;
  };
  Place place_of(std::int32_t rank) const;  // the first groups with the same costs
  const Pass& find_pass(const Place& place, int stage, layout::PassKind kind, int pipe, bool opens);
  PassKey pass_key(int stage, layout::PassKind kind, const std::vector<std::int32_t>& edges, bool opens,
                   const Place& place);
  Pass make_pass(int stage, layout::PassKind kind, const std::vector<std::int32_t>& edges, bool opens,
                 const Place& place);
  const CallCost& call_cost(const CallShape& call, const Place& place) const;
  TimedStep cost(const layout::PassStep& step, layout::PassKind kind, const Place& place);  // without memory
  void cost_steps(Pass& pass, int stage, layout::PassKind kind, const Place& place);
  Time launch_of(const layout::PassStep& step, bool forward) const;
  Time kernel_time(const layout::PassStep& step, const Speed& speed);
  void launch_blocking(Pass& pass);
  void note_host_reads(Pass& pass, int stage, layout::PassKind kind);
  void find_messages();
  const std::vector<std::int32_t>& messages_to(int stage, bool forward, int pipe) const {
    return arrivals_[way(stage, forward, pipe)];
  }
  std::size_t way(int stage, bool forward, int pipe) const {
    return static_cast<std::size_t>((pipe * stages() + stage) * 2 + (forward ? 0 : 1));
  }
  std::vector<TimedStep> receive_messages(Pass& pass, const Place& place, const std::vector<std::int32_t>& edges,
                                          layout::PassKind kind);
  void note_uses(Pass& pass, int stage, layout::PassKind kind, std::int32_t place);
  void hold_gathered_layers(Pass& pass, int stage, layout::PassKind kind, bool opens);

  const StageCostsKey key_;
  const Cut& cut_;
  const layout::StageGraph& graph_;
  const Ranks& ranks_;
  Communication& communication_;
  StageWork& work(int stage, std::int32_t place) const { return *shared_work(stage, place); }
  const std::shared_ptr<StageWork>& shared_work(int stage, std::int32_t place) const {
    return work_[static_cast<std::size_t>(place) * static_cast<std::size_t>(stages()) + at(stage)];
  }
  std::vector<std::shared_ptr<StageWork>> work_;  // [place in the expert group][stage]; empty of places like another
  Kept<StageWorkKey, StageWork>& known_;          // for as long as the Costs are
  KeptPasses& known_passes_;
  std::shared_ptr<StageWork> balanced_;  // asked for last
  std::vector<ObservedCall> calls_;
  std::optional<StepFlops> flops_;
  layout::PerDimension<std::vector<std::int32_t>> class_;  // [dimension][group] the first group with the same costs
  std::vector<std::vector<std::int32_t>> arrivals_;        // [way] edges: what reaches it from other ranks
  // By what arrives and whether it opens.
  std::map<std::tuple<int, layout::PassKind, std::vector<std::int64_t>, bool, Place>, std::shared_ptr<const Pass>>
      passes_;
  std::map<Place, std::size_t> places_;                   // numbered
  std::unordered_map<std::uint64_t, const Pass*> asked_;  // by place, way, kind and whether it opens: one of passes_
};

// What a kernel takes at a factor of its speed, rounded up to a picosecond.
Time at_speed(Time nominal, double speed);

// Whether the host reads what the steps before one of them made before it launches that.
bool host_reads_counts(const std::vector<layout::PassStep>& steps, std::size_t before, layout::PassKind kind);

}  // namespace orrery::program
