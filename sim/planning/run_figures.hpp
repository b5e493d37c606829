// Figures of a run by the key that a term of the glossary names.
#pragma once
#include <string>

#include "orrery/planning/glossary.hpp"

namespace orrery::planning {

// As it is shown, "51.4 %"; empty: there is no such figure.
std::string run_figure(const std::string& key, const PlayedRun& run);

}  // namespace orrery::planning
