// The rank grid as a drawing, and what a pipeline rank holds.
#pragma once
#include <string>
#include <vector>

#include "orrery/scenario/run.hpp"

namespace orrery::planning {

// Stages of a pipeline rank, along the model.
std::vector<int> stages_of(const scenario::Run& run, int pipeline);
// "embedding, layers 0-7", of all its stages.
std::string layers_of(const scenario::Run& run, int pipeline);
// "0-7", "0 8 16 24", "0 8 16 … 120".
std::string ranks_text(const std::vector<int>& ranks);
std::vector<std::string> rank_drawing(const scenario::Run& run);

}  // namespace orrery::planning
