// One layout: from a scenario to its figures, by the door that `orrery run` goes through.
#pragma once
#include <optional>
#include <string>

#include "orrery/core/catalogue.hpp"
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/evaluate.hpp"
#include "orrery/scenario/resolver.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/sweep/figures.hpp"

namespace orrery::sweep {

struct Evaluation {
  Status status = Status::refused;  // ok, does_not_fit, refused or pruned
  Figures figures;
  std::string why;  // refused, pruned
};

// Why it is pruned.
inline constexpr const char* kSlower = "slower than the best layout";
inline constexpr const char* kFarTooLarge =
    "its state and the activations in flight alone are a quarter more than a GPU has";
inline constexpr const char* kSlowerPasses = "its passes alone take longer than the best layouts";

struct EvaluateOptions {
  std::optional<Bytes> memory_limit;  // of this machine
  bool reserved = false;              // follow the caching allocator on every GPU, as a report does
};

// Many layouts, one after the other: what they have in common is made once.
class Evaluator {
 public:
  Evaluator(Catalogue& catalogue, const EvaluateOptions& options);
  // What nobody asks about is pruned.
  Evaluation evaluate(const scenario::Scenario& scenario, const scenario::Uninteresting& what = {});

 private:
  EvaluateOptions options_;
  scenario::Resolver resolver_;
  scenario::EvaluationCosts costs_;
};
Figures figures_of(const report::RunResult& run);
std::string reason(const Diagnostics& errors);  // the first of them

}  // namespace orrery::sweep
