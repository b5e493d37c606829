// A sweep as people and programs read it: the table of the best, and a row for each layout.
#pragma once
#include <string>

#include "orrery/sweep/sweep.hpp"

namespace orrery::cli {

// What the outputs need besides the outcome itself.
struct SweepShown {
  std::string scenario;            // as `orrery run` takes it
  std::vector<std::string> sets;   // said on the command line
  const YamlTree* tree = nullptr;  // with those sets
  std::size_t top = 10;
};

std::string last_part(const std::string& key);  // layout.tensor: tensor; schedule.type: schedule
std::string in_words(const sweep::Row& row, const sweep::Space& space);  // its value in each dimension

std::string sweep_text(const sweep::Outcome& outcome, const SweepShown& shown);
std::string sweep_json(const sweep::Outcome& outcome, const SweepShown& shown);  // schema orrery.sweep/1

// Rows: a column for each dimension under its key, layout.data where it follows, then status, the figures, reason.
std::string sweep_csv_header(const sweep::Space& space);
std::string sweep_csv_row(const sweep::Row& row, const sweep::Space& space);
std::string sweep_json_row(const sweep::Row& row, const sweep::Space& space);  // one line

// orrery run SCENARIO --set …: the layout again.
std::string rerun_command(const sweep::Row& row, const sweep::Space& space, const SweepShown& shown);

}  // namespace orrery::cli
