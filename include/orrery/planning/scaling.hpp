// How loss, parameters, tokens and compute go together: published laws (scenarios/planning/scaling_laws.yaml, each with
// its source) and published runs (published.yaml).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/planning/answer.hpp"

namespace orrery::planning {

// L(N, D) = e + a/N^alpha + b/D^beta
struct LossLaw {
  double e = 0, a = 0, b = 0, alpha = 0, beta = 0;
  double loss(double parameters, double tokens) const;
  double tokens_for(double loss, double parameters) const;  // infinity: no number of tokens reaches it
};
// L(N, D) = ((nc/N)^(alpha_n/alpha_d) + dc/D)^alpha_d
struct KaplanLoss {
  double nc = 0, dc = 0, alpha_n = 0, alpha_d = 0;
  double loss(double parameters, double tokens) const;
};

// Tokens of a step beyond which more of them save fewer and fewer steps: critical(L) = tokens / L^(1/alpha).
struct CriticalBatch {
  double tokens = 0, alpha = 1;
  std::string source;
  double at(double loss) const;
};

// One of: tokens a parameter; a power law through an anchor; the optimum of a loss.
struct ScalingLaw {
  std::string name, is, source;
  double tokens_per_parameter = 0;
  double anchor_flops = 0, anchor_parameters = 0, exponent = 0;
  std::optional<LossLaw> loss;
};
struct PublishedRun {
  std::string name, preset, source;
  double parameters = 0, tokens = 0, flops_per = 6, petaflop_days = 0, exact_parameters = 0;
};
struct ScalingTable {
  std::vector<ScalingLaw> laws;
  KaplanLoss kaplan_loss;
  double kaplan_data_exponent = 0;
  CriticalBatch critical_batch;

  const ScalingLaw* find(const std::string& name) const;
  const LossLaw& hoffmann() const;  // of approach 3
};
struct Published {
  std::vector<PublishedRun> models, compute;
};
Result<ScalingTable> load_scaling(Catalogue& catalogue = Catalogue::shared());
Result<Published> load_published(Catalogue& catalogue = Catalogue::shared());

// The parameters and tokens that a law takes for so many FLOPs, 6·N·D of them.
struct Optimum {
  double parameters = 0, tokens = 0;
};
Optimum optimum_of(const ScalingLaw& law, double flops);

// `orrery plan --table`: optimal (published models beside their compute-optimal tokens), compute (the GPT-3 paper's
// table of training compute), sample_efficiency (tokens that models of each size take to reach a loss), petaflop_day
// (GPUs that make one in a day).
Result<Answer> planning_table(const std::string& name, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::planning
