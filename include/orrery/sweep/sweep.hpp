// A sweep: every layout of a space is played as `orrery run` would, those that contradict themselves are counted by
// what they contradict, and the best are kept. The same comes out for any number of threads: the most promising layouts
// are played first, in parts whose size follows from how many were played before, and what is pruned is decided by the
// best of the parts before.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/units.hpp"
#include "orrery/core/yaml.hpp"
#include "orrery/sweep/figures.hpp"
#include "orrery/sweep/space.hpp"

namespace orrery::sweep {

class Store;
class Peers;

struct Row {
  std::int64_t point = -1;  // in the order of the space
  std::int64_t data = 0;    // layout.data, where it follows from the others
  Status status = Status::refused;
  Figures figures;  // ok, does_not_fit, unwanted
  std::string why;  // refused, unwanted, pruned
};

// Points of one fate, by what it was.
struct Reason {
  std::string why;  // of the first of them
  std::int64_t points = 0;
};

struct Counts {
  std::int64_t space = 0;  // the sum of the four below
  std::int64_t refused = 0, duplicate = 0, pruned = 0, evaluated = 0;
  std::int64_t fit = 0;  // of those evaluated
};

// For whoever wants the best alone, and knows something of the points beforehand. What is slower than the best of the
// waves before is pruned as soon as its step time is known: nobody asks whether it fits.
struct Search {
  std::vector<std::int64_t> only;                               // these points, in this order; none: all
  std::optional<Row> best;                                      // of another sweep: what is no better is pruned
  std::function<std::int64_t(std::int64_t point)> at_least_ps;  // what its step takes at least
};

struct Options {
  std::vector<Condition> where;
  std::size_t top = 10;
  unsigned threads = 1;  // speed only; 0 = as many as the machine has
  bool prune = true;
  // Layouts between two looks at what is best, and in one transaction of a store; not for users: it shows in what is
  // pruned.
  std::size_t wave = 512;
  std::int64_t sample = 0;  // so many points, drawn without replacement; 0 = all
  std::uint64_t seed = 1;   // of the sample
  std::optional<Search> search;
  int shard = 1, shards = 1;          // the part of the points that is played here, from 1
  std::optional<Bytes> memory_limit;  // of this machine, for all threads together
  Store* store = nullptr;             // results are looked up there first, and added
  Peers* peers = nullptr;             // other processes that play, too (orrery/sweep/peers.hpp)
  bool reserved = false;              // follow the caching allocator on every GPU, not only where the verdict asks
  std::size_t verify = 0;             // so many of the layouts are played again without any pass that saves time
  bool sensitivity = false;  // play the best with 10 % more of each resource, and what would make the fastest fit
  std::function<void(std::int64_t done, std::int64_t of)> progress;
  // Told each row, in the order of the space; duplicates among them.
  std::function<void(const Row&)> row;
};

// Layouts played again: every rank, every kernel, event by event.
struct Verified {
  std::int64_t equal = 0, too_large = 0;
  std::vector<std::string> different;  // a bug in Orrery: what was expected and what came out
};

// The best layout with 10 % more of one thing.
struct Sensitivity {
  std::string resource;
  std::int64_t step_time_ps = 0;
};

// Changes of a layout that does not fit, with which it does.
struct Remedy {
  std::vector<std::string> sets;  // KEY=VALUE, beside those of the layout
  Figures figures;
};

struct Outcome {
  Space space;
  Counts counts;
  std::vector<Reason> refused, pruned, unwanted;
  std::vector<Row> best;    // fits, least time of a GPU per token first
  std::vector<Row> pareto;  // of those played: no other is at least as good in step time, memory, GPUs and cost
  std::optional<Row> fastest_that_does_not_fit;  // of those played
  std::vector<Remedy> remedies;                  // of it, the cheapest for a token first
  Verified verified;
  std::vector<Sensitivity> sensitivity;
  std::optional<Row> nearest;  // of those that do not fit, the one that lacks least (pruned: at least so much)
};

// Errors of the space and of the base; a space of more than kMostPoints is refused unless a sample is asked for.
Result<Outcome> sweep(const YamlTree& scenario, const Space& space, Catalogue& catalogue, const Options& options);

// [dimension] the value of a point, as --set takes it.
std::vector<std::string> values_of(std::int64_t point, const Space& space);

// What `orrery run SCENARIO` needs to be told to run the layout: KEY=VALUE for each --set.
std::vector<std::string> assignments(const Row& row, const Space& space, const YamlTree& scenario,
                                     Catalogue& catalogue);

// Whether a is better than b: less time of a GPU per token, then less memory, then first in the order of the space.
bool better(const Row& a, const Row& b);

}  // namespace orrery::sweep
