// How much of a long run is training: the rest goes to checkpoints, work done again, restarts and waiting for nodes.
//
// Failures are a Poisson process of rate λ while the run is up, in checkpoints and restarts too. Between two
// checkpoints lie τ seconds of training; a checkpoint holds it for δ and can be read back d later; w = τ + δ. A failure
// loses what is behind the last checkpoint that can be read, and takes R seconds, or longer where that fails too:
//
//   r̄  = E[recovery] = r₁ / (1 − λ r₁),   r₁ = Σ over causes, by their share, of (1 − e^(−λR)) / λ
//   E₀ = (e^(λ(w+d)) − 1) / λ · (1 + λ r̄)            from a restart to the next checkpoint that can be read
//   E₁ = (1 − e^(−λw)) / λ · (1 + λ (r̄ + E₀))        from one such checkpoint to the next
//
// With d = 0 and one R, E₀ = E₁ = e^(λR) (e^(λw) − 1) / λ: Daly, "A higher order estimate of the optimum checkpoint
// interval for restart dumps", FGCS 22 (2006), eq. 13. Nodes that fail are repaired in T and wait as spares; with S of
// them the run waits for the part B(S + 1, λₙT) of its time, Erlang's loss formula, whatever the distribution of T.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orrery/reliability/failures.hpp"

namespace orrery::reliability {

// A run as the equations take it; seconds.
struct Job {
  struct Cause {
    double rate = 0;      // a second, of the whole run
    double recovery = 0;  // R
    bool takes_node = false;
    std::string name = {};
  };
  std::vector<Cause> causes;
  double interval = 0;  // τ; > 0
  double hold = 0;      // δ
  double write = 0;     // d, at most τ + δ
  int spares = 0;
  double repair = 0;  // T, mean

  double rate() const;  // λ
};

// Where the time of a run goes; seconds, and how often it fails. Expected values.
struct Losses {
  double training = 0, checkpoints = 0, lost = 0, recovery = 0, waiting = 0;
  double failures = 0;

  double total() const { return training + checkpoints + lost + recovery + waiting; }
  double goodput() const { return training / total(); }  // 0: it never ends
};

// Of a run that lasts for ever, for each interval; and of one of `training` seconds, begun afresh, that ends with its
// last checkpoint, its intervals made equal and none longer than the job's.
Losses losses_of_interval(const Job& job);
Losses losses_of_run(const Job& job, double training);

// The τ of the greatest goodput: λτ = 1 − e^(−λ(τ+δ)), at least `write` − `hold`; infinite without failures. Beside it
// Young's √(2δ/λ) (CACM 17, 1974).
double best_interval(const Job& job);
double young_interval(const Job& job);

// The same run played `runs` times with random failures and repairs (exponential), begun with nodes in repair as they
// are in the long run: mean of the time it takes and its standard error, percentiles, mean number of failures.
struct Played {
  double mean = 0, standard_error = 0, p5 = 0, p50 = 0, p95 = 0, failures = 0;
};
Played play_runs(const Job& job, double training, std::int64_t runs, std::uint64_t seed);

// Of a run on so many GPUs whose step takes `step` seconds and whose state has `bytes`: a whole number of steps between
// checkpoints. `write_longer`: the interval that was asked for is shorter than a checkpoint takes to write, and was
// raised.
struct Plan {
  Job job;
  std::int64_t steps = 0;  // between checkpoints; 0: no failures, no interval
  bool best = false;       // nobody asked for an interval
  bool write_longer = false;
  double checkpoint = 0;   // seconds until it can be read back
  std::string about = {};  // where the figures are from
};
Plan plan_of(const Reliability& reliability, std::int64_t gpus, double step, double bytes);

}  // namespace orrery::reliability
