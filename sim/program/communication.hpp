// Time of each communication call of a step for each group that makes it, as network.mode says.
#pragma once
#include <map>
#include <tuple>
#include <vector>

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

class Communication {
 public:
  explicit Communication(const StepInput& input) : input_(input) {}

  // The cost of the call for each of the groups, in order; computed once for (groups, call, size).
  const std::vector<CallCost>& costs(const ProcessGroups& among, Collective kind, Bytes bytes);

 private:
  network::CollectivePlan plan(Collective kind, Bytes bytes, std::span<const hardware::DeviceId> devices) const;
  network::Traffic traffic_of(Collective kind, Bytes bytes, const std::vector<std::int32_t>& group,
                              const network::CollectivePlan& plan) const;
  std::vector<CallCost> compute(const ProcessGroups& among, Collective kind, Bytes bytes);
  struct Rates {
    std::vector<double> rate;        // [transfer] bytes per second
    std::vector<std::int32_t> link;  // [transfer] that limits it
  };
  const Rates& steady_rates(std::span<const network::Transfer> transfers);
  Time wait_for_network(const ProcessGroups& among, const std::vector<std::int32_t>& group) const;

  const StepInput& input_;
  std::map<std::tuple<const ProcessGroups*, Collective, std::int64_t>, std::vector<CallCost>> cache_;
  std::map<std::vector<std::int64_t>, Rates> rates_;  // by links, weights and caps of all transfers
};

// The task of a call of one group, on the lane of its kind; memory effects, if any, are the caller's to add.
TaskTemplate collective_task(Communication& communication, Builder& builder, const ProcessGroups& among,
                             std::size_t group, Collective kind, Bytes bytes, const char* name);

// Bytes each member sends in a call of size S on n ranks (S as in core/collective.hpp).
Bytes bytes_sent(Collective kind, Bytes size, std::int64_t members);

}  // namespace orrery::program
