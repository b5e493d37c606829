// Layouts of a sweep played once more: to verify them, and to ask what more of a resource would give.
#pragma once
#include "orrery/core/random.hpp"
#include "orrery/sweep/sweep.hpp"

namespace orrery::sweep {

// So many of the rows that are added, each as likely as the others (Vitter 1985, algorithm R).
struct Chosen {
  Chosen(std::size_t wanted, std::uint64_t seed) : most(wanted), random(seed) {}
  void add(const Row& row) {
    ++seen;
    if (rows.size() < most)
      rows.push_back(row);
    else if (const std::uint64_t at = most > 0 ? random.below(seen) : 0; most > 0 && at < most)
      rows[static_cast<std::size_t>(at)] = row;
  }
  std::size_t most;
  Random random;
  std::uint64_t seen = 0;
  std::vector<Row> rows;
};

// Reads the scenario with --set of each dimension, as `orrery run` does, and plays every rank, every kernel, by events.
void verify(const Row& row, const Space& space, const YamlTree& scenario, Catalogue& catalogue, const Options& options,
            Verified& verified);

std::vector<Sensitivity> sensitivity_of(const scenario::Scenario& scenario, Catalogue& catalogue,
                                        const Options& options);

}  // namespace orrery::sweep
