#include "orrery/planning/mix.hpp"
#include "orrery/planning/rule_of_thumb.hpp"
#include "tables.hpp"

namespace orrery::planning {
namespace {

const Fields<ThumbGpu>& gpu_fields() {
  using G = ThumbGpu;
  static const auto table = Fields<G>("gpu", "A GPU as the notes have it.")
                                .add("name", &G::name, "in the notes")
                                .required()
                                .add("price_usd_per_hour", &G::price_usd_per_hour, "of one GPU")
                                .required()
                                .number_range(0, 1e6)
                                .add("peak", &G::peak, "that the notes count with")
                                .required()
                                .positive()
                                .add("memory", &G::memory, "of one GPU")
                                .required()
                                .positive()
                                .add("peak_is", &G::peak_is, "which of the data sheet's peaks that is");
  return table;
}

const Fields<ThumbModel>& model_fields() {
  using M = ThumbModel;
  static const auto table = Fields<M>("model", "A model as the notes have it.")
                                .add("name", &M::name, "here")
                                .required()
                                .add("parameters", &M::parameters, "in the notes")
                                .required()
                                .number_range(1, 1e18);
  return table;
}

const Fields<ThumbTable>& fields() {
  using T = ThumbTable;
  static const auto table = Fields<T>("rule_of_thumb", "The notes' table.")
                                .add("source", &T::source, "where it is from")
                                .required()
                                .section("gpus", &T::gpus, gpu_fields(), "GPUs")
                                .section("models", &T::models, model_fields(), "models");
  return table;
}

}  // namespace

Result<ThumbTable> load_thumb_table(Catalogue& catalogue) {
  return load_table("rule_of_thumb", fields(), catalogue);
}

Result<double> parameters_of(const std::string& name, const ThumbTable& table, Catalogue& catalogue) {
  for (const ThumbModel& known : table.models)
    if (known.name == name) return known.parameters;
  return size_of_model(name, catalogue);
}

}  // namespace orrery::planning
