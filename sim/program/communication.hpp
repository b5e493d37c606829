// Time of each communication call of a step for each group that makes it, as network.mode says.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "orrery/core/kept.hpp"
#include "orrery/network/call_planner.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::program {

// Process groups of one kind, which call alike: those along a dimension, of gradients, pipeline pairs…
struct ProcessGroups {
  Lane lane = Lane::tensor;
  Category category = Category::tensor_comm;
  bool in_pass = false;                           // its calls are steps of the passes
  std::vector<std::vector<std::int32_t>> groups;  // ranks
};

struct CallCost {
  Time duration{};
  Call call;          // what sharing adds to it
  Transfer transfer;  // phases; kept only where transfers share links (network.mode flows)
};

// Of a call, what it costs each group: most cost the same as another.
struct CallCosts {
  std::vector<CallCost> kinds;   // unlike each other
  std::vector<std::int32_t> of;  // [group] which of them
  std::size_t size() const { return of.size(); }
  const CallCost& operator[](std::size_t group) const { return kinds[static_cast<std::size_t>(of[group])]; }
};

struct Ranks;
struct GroupShapes;  // group_shapes.hpp

// What the times of calls depend on, beside the groups that make them.
struct NetworkKey {
  NetworkKey(const StepInput& input, std::shared_ptr<const Ranks> groups = {});
  friend bool operator==(const NetworkKey&, const NetworkKey&) = default;
  void add_to(Hash& hash) const;

  std::shared_ptr<const Ranks> ranks;  // whose groups call; kept while their costs are
  std::shared_ptr<const hardware::Topology> topology;
  std::shared_ptr<const network::Tuning> tuning;
  std::vector<std::shared_ptr<const network::Tuning>> tunings;  // [kind of GPU] within it
  std::vector<std::int32_t> gpu_of;                             // [rank] its kind; empty = all alike
  std::vector<hardware::DeviceId> placement;
  NetworkMode mode;
  std::string algorithm, protocol;
  bool deepep = false;  // tokens go to experts by its kernels (layout::Dispatcher)
  bool near_nics = false, contiguous_shards = false;
  Time step{};           // between nodes, of calls inside the passes (StackCommunication::network_step)
  ChosenExperts chosen;  // by each token
};

class Communication {
 public:
  explicit Communication(NetworkKey network);
  ~Communication();
  const NetworkKey& network() const { return network_; }
  const Ranks& ranks() const { return *network_.ranks; }
  const Diagnostics& cut_routes();  // check_routes() of its ranks, once

  // The cost of the call for each of the groups, in order; computed once for (groups, call, size).
  const CallCosts& costs(const ProcessGroups& among, Collective kind, Bytes bytes, const UnlikeRows& rows = {});

 private:
  // Of calls of any size.
  struct CallKind {
    const ProcessGroups* among;
    Collective kind;
    UnlikeRows rows;
    auto operator<=>(const CallKind&) const = default;
  };
  network::CallPlanner planner(const CallKind& of, std::int32_t group) const;
  const network::Tuning& tuning_of(const std::vector<std::int32_t>& group) const;
  network::Traffic traffic_of(Collective kind, Bytes bytes, const std::vector<std::int32_t>& group,
                              const network::CollectivePlan& plan) const;
  // Of the first group of each shape, where it has more than one rank; and the first shape whose calls of every size
  // are the same but for the links they are on.
  struct Planners {
    std::vector<std::optional<network::CallPlanner>> of;  // [shape]
    std::vector<std::int32_t> like;                       // [shape]
    std::vector<Time> wait;                               // [shape] wait_for_network
    std::int64_t number = 0;                              // among those of other kinds
    std::size_t alike(std::size_t shape) const { return static_cast<std::size_t>(like[shape]); }
  };
  Planners& planners_of(const CallKind& kind, const GroupShapes& shapes);
  // The calls of the first group of each shape that is like none before it.
  struct Planned {
    Planners& by;
    std::vector<network::CollectivePlan> plans;  // [shape]
    std::vector<std::vector<Time>> alone;        // [shape][phase]
    std::vector<CallCost> costs;                 // [shape] if it shares no link
  };
  CallCosts compute(const CallKind& of, Bytes bytes);
  Planned plan_shapes(const CallKind& kind, const GroupShapes& shapes, Bytes bytes);
  // The links of a phase of the shape's first group, as GroupShapes::append takes them.
  std::vector<network::LinkUse> links(const GroupShapes& shapes, const Planned& planned, std::size_t shape,
                                      std::size_t phase) const;
  CallCosts with_phases(const GroupShapes& shapes, const Planned& planned) const;
  CallCosts sharing(const ProcessGroups& among, const GroupShapes& shapes, const Planned& planned);
  struct Rates {
    std::vector<std::int32_t> group;  // [transfer]
    std::vector<double> rate;         // [transfer] bytes per second
    std::vector<std::int32_t> link;   // [transfer] that limits it
  };
  const Rates& steady_rates(const ProcessGroups& among, const GroupShapes& shapes, const Planned& planned,
                            std::size_t phase);
  const Rates& solved(const ProcessGroups& among, const GroupShapes& shapes, const Planned& planned, std::size_t phase);
  const GroupShapes& shapes_of(const ProcessGroups& among);
  Time wait_for_network(const ProcessGroups& among, const std::vector<std::int32_t>& group) const;

  const NetworkKey network_;
  std::map<std::pair<CallKind, std::int64_t>, CallCosts> cache_;
  std::optional<Diagnostics> cut_routes_;
  std::map<const ProcessGroups*, std::unique_ptr<const GroupShapes>> shapes_;
  std::map<CallKind, Planners> planners_;
  // By links and caps of a phase of the first group of each shape; and by what says which those are.
  std::map<std::pair<const ProcessGroups*, std::vector<std::int64_t>>, Rates> rates_;
  std::map<std::pair<const ProcessGroups*, std::vector<std::int64_t>>, const Rates*> rates_of_;
};

// The task of a call of one group, on the lane of its kind; memory effects, if any, are the caller's to add.
TaskTemplate collective_task(Communication& communication, Builder& builder, const ProcessGroups& among,
                             std::size_t group, Collective kind, Bytes bytes, const char* name);
TaskTemplate collective_task(const CallCost& cost, Builder& builder, const ProcessGroups& among, std::size_t group,
                             Collective kind, Bytes bytes, const char* name);

// Whether any of the links is down for a part of the step.
bool any_stands(std::span<const hardware::Link> links, const std::vector<network::LinkUse>& uses);

// Bytes each member sends in a call of size S on n ranks (S as in core/collective.hpp).
Bytes bytes_sent(Collective kind, Bytes size, std::int64_t members);

}  // namespace orrery::program
