// A plan without a layout: for each number of GPUs the best fitting layout of a small space is found by a sweep, and
// the run planned with it.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/planning/answer.hpp"
#include "orrery/planning/run_plan.hpp"

namespace orrery::planning {

struct SweepPlan {
  std::string model, cluster;
  std::vector<int> gpus;  // empty: whole nodes, doubled up to the cluster, but for what takes years at the peak
  std::int64_t sequence_length = 0;  // 0: 4096, or as many positions as the model has
  std::int64_t batch_tokens = 0;  // of a step, in whole sequences; 0: up to the critical batch of the model and tokens
  RunPlan run{};
  std::function<void(std::size_t done, std::size_t of)> progress{};  // numbers of GPUs
};
// One number of GPUs: the plan in full. Several: a table of GPUs, days and cost, and the cheapest that meets the
// deadline. Errors: a model or cluster there is not, more GPUs than it has, none that meets the deadline.
Result<Answer> plan_layouts(const SweepPlan& plan, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::planning
