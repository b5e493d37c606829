// What a sweep keeps of each layout it has played, and the conditions it holds them to.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/program/program.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::sweep {

// The same figures that `orrery run` reports of the layout.
struct Figures {
  std::int64_t step_time_ps = 0;
  std::int64_t gpus = 0, tokens = 0;
  std::int64_t peak_memory_bytes = 0;  // allocated, on the fullest GPU
  std::int64_t reserved_bytes = -1;    // held by the allocator, there; -1 = not asked for
  std::int64_t memory_bytes = 0;       // allocated (reserved, where asked for) and the CUDA context
  std::int64_t headroom_bytes = 0;     // below 0: what it lacks
  double bubble_fraction = 0, mfu = 0, hfu = 0, tokens_per_s_per_gpu = 0;
  double cost_usd = 0;  // of the step, by the price of its GPUs; 0 = nobody has written down a price
  double goodput = -1;  // part of a long run that is training; -1 = the scenario says nothing of failures
  std::array<double, program::kCategories> mean_s{};  // of the split, per rank
};

// refused: it contradicts itself, or a condition on its keys. pruned: a bound says that it cannot be the best.
// unwanted: played, and a condition on its figures does not hold.
enum class Status : std::uint8_t { ok, does_not_fit, unwanted, refused, pruned, duplicate };
std::string_view name_of(Status status);

// A column of the tables: a figure by its name, an integer or a real number.
struct FigureColumn {
  const char* name = "";
  bool whole = false;
  std::int64_t* (*whole_of)(Figures&) = nullptr;
  double* (*of)(Figures&) = nullptr;
};
const std::vector<FigureColumn>& figure_columns();

struct Key;

// FIGURE OPERATOR VALUE or KEY OPERATOR VALUE: "memory <= 76 GiB", "mfu >= 0.4", "gpus == 16384", "zero != none".
// Figures: memory, peak_memory, step_time, mfu, hfu, bubble, tokens_per_s_per_gpu, gpus, cost_usd, goodput. Values
// carry the unit that a scenario would give them.
class Condition {
 public:
  static Result<Condition> parse(const std::string& text, const std::string& said_in);
  const std::string& text() const { return text_; }
  bool of_input() const { return of_input_; }  // known before the layout is played
  bool holds(const scenario::Scenario& scenario) const;
  bool holds(const Figures& figures) const;

 private:
  std::string text_, op_, word_;
  std::shared_ptr<const Key> key_;
  double bound_ = 0;
  int figure_ = -1;
  bool of_input_ = false;
};

}  // namespace orrery::sweep
