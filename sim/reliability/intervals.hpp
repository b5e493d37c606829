// What the equations and the played runs share of a run cut into intervals.
#pragma once
#include "orrery/reliability/goodput.hpp"

namespace orrery::reliability {

// A run of so many seconds of training as equal intervals, none longer than the job's.
struct EqualIntervals {
  Job job;  // with the interval that they have
  double count = 1;
};
EqualIntervals equal_intervals(const Job& job, double training);

// Nodes in repair on average, were there spares without end: a of Erlang's formula.
double nodes_in_repair(const Job& job);

}  // namespace orrery::reliability
