// Time of each communication call of a step for each group that makes it, as network.mode says.
#pragma once
#include <map>
#include <tuple>
#include <vector>

#include "orrery/program/lower.hpp"

namespace orrery::program {

// One kind of communication and all process groups that do it: those along a dimension, of gradients, pipeline pairs…
struct Family {
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
  explicit Communication(const StepInput& plan) : plan_(plan) {}

  // The cost of the call for each group of the family, in order; computed once per (family, call, size).
  const std::vector<CallCost>& costs(const Family& family, Collective kind, Bytes bytes);

 private:
  network::CollectivePlan plan(Collective kind, Bytes bytes, std::span<const hardware::DeviceId> devices) const;
  network::Traffic traffic_of(Collective kind, Bytes bytes, const std::vector<std::int32_t>& group,
                              const network::CollectivePlan& plan) const;
  std::vector<CallCost> compute(const Family& family, Collective kind, Bytes bytes) const;
  Time wait_for_network(const Family& family, const std::vector<std::int32_t>& group) const;

  const StepInput& plan_;
  std::map<std::tuple<const Family*, Collective, std::int64_t>, std::vector<CallCost>> cache_;
};

// The task of a call of one group, on the family's lane; memory effects, if any, are the caller's to add.
TaskTemplate collective_task(Communication& communication, Builder& builder, const Family& family, std::size_t group,
                             Collective kind, Bytes bytes, const char* name);

// Bytes each member sends in a call of size S on n ranks (S as in core/collective.hpp).
Bytes bytes_sent(Collective kind, Bytes size, std::int64_t members);

}  // namespace orrery::program
