// The eight steps that DualPipe and DualPipeV run on every rank (deepseek-ai/DualPipe, step()).
#pragma once
#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

// One of the two streams of micro-batches through a rank: a stage of a pipe.
struct Stream {
  int stage = 0, pipe = 0;
};

// `near` enters from the end of the pipeline this rank is nearer to; `depth` is the distance to it, of `ranks` ranks in
// one direction; each stream has `micro_batches` of them.
void append_dualpipe(std::vector<Operation>& order, int ranks, int depth, int micro_batches, Stream near, Stream far);

}  // namespace orrery::schedule::kinds
