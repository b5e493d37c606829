// From a budget of FLOPs, money or GPUs and time to the compute-optimal model and its tokens.
#pragma once
#include <optional>
#include <string>

#include "orrery/hardware/gpu.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/answer.hpp"
#include "orrery/planning/scaling.hpp"

namespace orrery::planning {

struct BudgetPlan {
  std::optional<Budget> budget;
  std::optional<Seconds> deadline;
  std::optional<hardware::Gpu> gpu;  // needed for money and for a deadline without FLOPs
  int gpus = 0;                      // 0: as many as the deadline takes
  double efficiency = 0.4;           // of the dense 16-bit peak; a good run reaches 0.35 to 0.55
  std::optional<double> price_usd_per_hour;
  std::string law = "chinchilla";
  double bytes_per_token = 4;
  double data_quality = 1;  // of the tokens needed, the user's assumption
};
// Parameters, tokens and predicted loss by each law, the chosen one first, and the nearest preset. Errors: an unknown
// law; what a budget or deadline needs and is missing; both where they cannot hold, with what to relax.
Result<Answer> plan_budget(const BudgetPlan& plan, Catalogue& catalogue = Catalogue::shared());

// The optimum of the chosen law in such an answer; zeros in others.
Optimum chosen_by(const Answer& answer);

}  // namespace orrery::planning
