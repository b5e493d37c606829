#include "long_run.hpp"

#include "running.hpp"

namespace orrery::scenario {

reliability::Plan long_run_of(const Scenario& s, Time step) {
  const layout::StateWidths widths = state_widths(s);
  const auto bytes = static_cast<double>(model::parameter_count(s.model)) *
                     static_cast<double>(widths.weight_bytes + widths.optimizer_bytes);
  return reliability::plan_of(s.reliability, s.layout.ranks(), seconds(step), bytes);
}

}  // namespace orrery::scenario
