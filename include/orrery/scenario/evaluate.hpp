// A run for those who try many: the step time, its split, MFU and whether it fits, as simulate() says them, and
// nothing else: no JSON, notes, books or second runs, and the caching allocator only where its answer is open.
#pragma once
#include <array>
#include <optional>

#include "orrery/engine/memory_verdict.hpp"
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/run.hpp"

namespace orrery::scenario {

struct Evaluation {
  Time step_time{};
  double bubble_fraction = 0, mfu = 0, hfu = 0, tokens_per_s_per_gpu = 0;  // as report::Metrics
  std::array<double, program::kCategories> mean_s{};                       // per rank; sums to the step time
  std::int64_t free = 0;  // bytes beside that on the GPU that has the fewest; negative: it does not fit
  std::int64_t peak = 0;  // most bytes allocated on a GPU, without the CUDA context
  report::Verdict verdict = report::Verdict::fits;
  bool played = true;         // else a bound says that nobody asks about it; of the rest `free` alone may be known
  bool judged = true;         // else slower than asked about: `peak`, `verdict` and `replayed` are not known
  std::int64_t replayed = 0;  // simulated devices whose allocator was followed for the verdict, and was not before
};

// What evaluations have in common, kept from one to the next.
struct EvaluationCosts {
  program::Costs steps;
  engine::Replays replays;
  std::optional<Bytes> memory_limit = {};  // see RunOptions
};
// Steps that nobody asks about: what a bound shows to need more than `memory` (then `free` is what it lacks at least)
// or to take longer than `played` is not played; what takes longer than `judged` is not judged, which takes longer than
// all else where there are many micro-batches.
struct Uninteresting {
  std::optional<Bytes> memory = {};
  std::optional<Time> played = {}, judged = {};
};
// Errors are those of simulate(), but that it takes less memory.
Result<Evaluation> evaluate(const Run& run, EvaluationCosts& costs, const Uninteresting& what = {});

}  // namespace orrery::scenario
