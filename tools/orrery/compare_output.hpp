// What a comparison of schedules found, and how it is shown.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "orrery/report/page.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::cli {

// One way to run the step: what is set in the scenario.
struct Variant {
  std::string schedule;
  std::int64_t micro_batch = 1, chunks = 1;
  double memory_cap = 0;  // zb_auto only
  layout::Recompute recompute = layout::Recompute::none;
  bool asynchronous = false;  // messages, though the stack's block
};

struct Best {
  Variant variant;
  report::Metrics metrics;
  std::int64_t memory = 0;  // reserved + context on the fullest GPU
};

// What became of a schedule: its best way to run, or why there is none.
struct Outcome {
  std::string schedule, why;
  std::optional<Best> best;
  std::optional<Best> leanest;  // of those that do not fit
  int simulated = 0;
};

const char* name_of(layout::Recompute recompute);  // of those that are tried
std::string parameters_of(const Variant& variant);

// Schedules by rank, and those that are not possible.
struct Compared {
  const scenario::Scenario& scenario;
  std::int64_t limit = 0;  // bytes of a GPU
  std::vector<Outcome> ranked, refused;
};
std::string compare_text(const Compared& all);
std::string compare_json(const Compared& all, const std::string& path);
report::Page compare_page(const Compared& all);

}  // namespace orrery::cli
