// The measured runs that come with Orrery (scenarios/validation/measured.yaml, written by tools/accuracy), each with
// the error of what was predicted of it.
#pragma once
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/report/page.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::validation {

struct MeasuredRun {
  std::string id, model, stack, gpu, cluster, precision;
  std::int64_t gpus = 0;
  double error_percent = 0;  // of the step time
};
Result<std::vector<MeasuredRun>> measured_runs(Catalogue& catalogue = Catalogue::shared());

// Those most like a scenario, the most alike first: on its GPU or with its stack, six at most; none where there is
// none.
Result<std::vector<report::HeldAgainst>> measured_runs_like(const scenario::Scenario& scenario,
                                                            Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::validation
