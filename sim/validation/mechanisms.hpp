// Mechanisms that a table of runs can be played without, to see what each is worth.
#pragma once
#include <string>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::validation {

struct Mechanism {
  const char *name, *what;
  void (*take_away)(scenario::Scenario& scenario);
};
// Those of these names; one that is not known is an error.
std::vector<const Mechanism*> mechanisms_of(const std::vector<std::string>& names, const std::string& file,
                                            Diagnostics& errors);

}  // namespace orrery::validation
