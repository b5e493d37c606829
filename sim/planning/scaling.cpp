#include "orrery/planning/scaling.hpp"

#include <cmath>
#include <limits>

#include "orrery/planning/amounts.hpp"
#include "tables.hpp"

namespace orrery::planning {
namespace {

constexpr double kLeast = 1e-6, kMost = 1e40;

const Fields<LossLaw>& loss_fields() {
  using L = LossLaw;
  static const auto table = Fields<L>("loss", "L = e + a/N^alpha + b/D^beta.")
                                .add("e", &L::e, "of infinite model and data")
                                .number_range(0, 100)
                                .add("a", &L::a, "of the model")
                                .number_range(kLeast, kMost)
                                .add("b", &L::b, "of the data")
                                .number_range(kLeast, kMost)
                                .add("alpha", &L::alpha, "exponent of parameters")
                                .number_range(0.01, 1)
                                .add("beta", &L::beta, "exponent of tokens")
                                .number_range(0.01, 1);
  return table;
}

const Fields<KaplanLoss>& kaplan_fields() {
  using K = KaplanLoss;
  static const auto table = Fields<K>("kaplan_loss", "L = ((nc/N)^(alpha_n/alpha_d) + dc/D)^alpha_d.")
                                .add("nc", &K::nc, "parameters")
                                .number_range(1, kMost)
                                .add("dc", &K::dc, "tokens")
                                .number_range(1, kMost)
                                .add("alpha_n", &K::alpha_n, "exponent of parameters")
                                .number_range(0.001, 1)
                                .add("alpha_d", &K::alpha_d, "exponent of tokens")
                                .number_range(0.001, 1);
  return table;
}

const Fields<CriticalBatch>& batch_fields() {
  using B = CriticalBatch;
  static const auto table = Fields<B>("critical_batch", "tokens / L^(1/alpha).")
                                .add("tokens", &B::tokens, "at a loss of 1")
                                .number_range(1, kMost)
                                .add("alpha", &B::alpha, "exponent of the loss, inverted")
                                .number_range(0.01, 10)
                                .add("source", &B::source, "where it is from");
  return table;
}

const Fields<ScalingLaw>& law_fields() {
  using L = ScalingLaw;
  static const auto table = Fields<L>("law", "A law.")
                                .add("name", &L::name, "of --law")
                                .required()
                                .add("is", &L::is, "in words")
                                .required()
                                .add("source", &L::source, "where it is from")
                                .required()
                                .add("tokens_per_parameter", &L::tokens_per_parameter, "at the optimum")
                                .number_range(0, 1e6)
                                .add("anchor_flops", &L::anchor_flops, "of a point of the power law")
                                .number_range(0, kMost)
                                .add("anchor_parameters", &L::anchor_parameters, "there")
                                .number_range(0, kMost)
                                .add("exponent", &L::exponent, "of parameters over FLOPs")
                                .number_range(0, 1)
                                .section("loss", &L::loss, loss_fields(), "whose optimum it is");
  return table;
}

const Fields<ScalingTable>& scaling_fields() {
  using T = ScalingTable;
  static const auto table = Fields<T>("scaling_laws", "Laws.")
                                .section("laws", &T::laws, law_fields(), "laws")
                                .section("kaplan_loss", &T::kaplan_loss, kaplan_fields(), "loss by Kaplan et al.")
                                .add("kaplan_data_exponent", &T::kaplan_data_exponent, "of tokens over parameters")
                                .number_range(0.01, 1)
                                .section("critical_batch", &T::critical_batch, batch_fields(), "tokens of a step")
                                .rule("laws", [](const T& t) {
                                  for (const char* name : {"chinchilla", "hoffmann-3", "kaplan"})
                                    if (t.find(name) == nullptr) return std::string("must have ") + name;
                                  return std::string(t.find("hoffmann-3")->loss ? "" : "hoffmann-3 must have a loss");
                                });
  return table;
}

const Fields<PublishedRun>& run_fields() {
  using R = PublishedRun;
  static const auto table = Fields<R>("run", "A training run as its paper states it.")
                                .add("name", &R::name, "of the model")
                                .required()
                                .add("preset", &R::preset, "the same model here")
                                .add("source", &R::source, "paper")
                                .add("parameters", &R::parameters, "as stated")
                                .required()
                                .number_range(1, kMost)
                                .add("tokens", &R::tokens, "as stated")
                                .required()
                                .number_range(1, kMost)
                                .add("flops_per", &R::flops_per, "parameter and token")
                                .add("petaflop_days", &R::petaflop_days, "as stated")
                                .add("exact_parameters", &R::exact_parameters, "counted, where there is no preset");
  return table;
}

const Fields<Published>& published_fields() {
  using P = Published;
  static const auto table = Fields<P>("published", "Published runs.")
                                .section("models", &P::models, run_fields(), "parameters and tokens")
                                .section("compute", &P::compute, run_fields(), "training compute");
  return table;
}

}  // namespace

double LossLaw::loss(double parameters, double tokens) const {
  return e + a / std::pow(parameters, alpha) + b / std::pow(tokens, beta);
}

double LossLaw::tokens_for(double wanted, double parameters) const {
  const double left = wanted - e - a / std::pow(parameters, alpha);
  return left > 0 ? std::pow(b / left, 1 / beta) : std::numeric_limits<double>::infinity();
}

double KaplanLoss::loss(double parameters, double tokens) const {
  return std::pow(std::pow(nc / parameters, alpha_n / alpha_d) + dc / tokens, alpha_d);
}

double CriticalBatch::at(double loss) const {
  return tokens / std::pow(loss, 1 / alpha);
}

const ScalingLaw* ScalingTable::find(const std::string& name) const {
  for (const ScalingLaw& law : laws)
    if (law.name == name) return &law;
  return nullptr;
}

const LossLaw& ScalingTable::hoffmann() const {
  return *find("hoffmann-3")->loss;
}

Result<ScalingTable> load_scaling(Catalogue& catalogue) {
  return load_table("scaling_laws", scaling_fields(), catalogue);
}
Result<Published> load_published(Catalogue& catalogue) {
  return load_table("published", published_fields(), catalogue);
}

// Of a loss under 6·N·D = C: N = G (C/6)^(beta/(alpha+beta)), G = (alpha a / (beta b))^(1/(alpha+beta)).
Optimum optimum_of(const ScalingLaw& law, double flops) {
  double n = 0;
  if (law.tokens_per_parameter > 0) {
    n = std::sqrt(flops / 6 / law.tokens_per_parameter);
  } else if (law.loss) {
    const LossLaw& l = *law.loss;
    const double sum = l.alpha + l.beta;
    n = std::pow(l.alpha * l.a / (l.beta * l.b), 1 / sum) * std::pow(flops / 6, l.beta / sum);
  } else {
    n = law.anchor_parameters * std::pow(flops / law.anchor_flops, law.exponent);
  }
  return {n, flops / 6 / n};
}

}  // namespace orrery::planning
