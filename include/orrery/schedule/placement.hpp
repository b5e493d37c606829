// The ways chunks are laid out on ranks. A chunk is one model stage; stages are numbered along the model.
#pragma once
#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule {

// Stage r on rank r.
Placement linear_placement(int ranks);

// Chunk c of rank r is stage c·p + r (Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters
// Using Megatron-LM", SC'21, section 2.2).
Placement looped_placement(int ranks, int chunks);

// Two chunks a rank: stage r on the way down, stage 2p-1-r on the way back, so that the last rank holds both p-1 and p
// and the first rank both ends of the model (Qi et al., "Pipeline Parallelism with Controllable Memory", 2024).
Placement v_placement(int ranks);

// Two copies of a model of p stages: pipe 0 runs from rank 0 to p-1, pipe 1 from rank p-1 to 0 (Li and Hoefler,
// "Chimera", SC'21; DeepSeek's DualPipe).
Placement bidirectional_placement(int ranks);

// [rank] the rank that holds the same stages for the other copy of the model: what they accumulate of gradients is
// summed between the two. With one copy, or where a rank holds a stage of both, the rank itself. Empty where there is
// no such rank, because several hold for one copy what one holds for the other.
std::vector<int> mirrors(const Placement& placement);

// Whether each rank runs the list of its mirror with the pipes exchanged, so that both end with a stage at once.
bool is_mirrored(const Schedule& schedule);

// Ranks that hold all of these stages between them and none of them alone, in the order of the model: once for each
// copy of it that others hold.
std::vector<std::vector<int>> holders_of(const Placement& placement, const std::vector<std::int32_t>& stages);

// The ranks in the order in which the model reaches them, stage by stage of pipe 0; those it never reaches last.
std::vector<int> ranks_along_model(const Placement& placement);

}  // namespace orrery::schedule
