#include "orrery/planning/model_kinds.hpp"

#include <fmt/format.h>

#include "orrery/planning/amounts.hpp"
#include "tables.hpp"

namespace orrery::planning {
namespace {

const Fields<ModelKind>& kind_fields() {
  using K = ModelKind;
  static const auto table = Fields<K>("kind", "A kind of transformer.")
                                .add("name", &K::name, "of --kind")
                                .required()
                                .add("is", &K::is, "what it is for")
                                .required()
                                .add("trained", &K::trained, "how it is trained")
                                .required()
                                .add("named_after", &K::named_after, "why it is called so")
                                .required()
                                .add("examples", &K::examples, "models of the kind");
  return table;
}

const Fields<ModelKinds>& kinds_fields() {
  static const auto table = Fields<ModelKinds>("model_kinds", "Kinds of transformer.")
                                .section("kinds", &ModelKinds::kinds, kind_fields(), "the kinds");
  return table;
}

}  // namespace

Result<ModelKinds> load_model_kinds(Catalogue& catalogue) {
  return load_table("model_kinds", kinds_fields(), catalogue);
}

Result<ModelKind> model_kind(const std::string& name, Catalogue& catalogue) {
  const auto all = load_model_kinds(catalogue);
  if (!all.ok()) return all.errors();
  std::vector<std::string> names;
  std::string list;
  for (const ModelKind& kind : all->kinds) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
    list += (list.empty() ? "" : ", ") + kind.name;
  }
  const std::string near = did_you_mean(name, names);
  return wrong_option("--kind", fmt::format("'{}' is not known, allowed are {}", name, list),
                      near.empty() ? "such as --kind decoder" : near);
}

const char* kind_of(const model::ModelSpec& model) {
  constexpr const char* names[] = {"decoder", "encoder", "encoder_decoder"};
  return names[static_cast<std::size_t>(model.kind)];
}

double flops_per(const model::ModelSpec& model) {
  return model.has_two_stacks() ? 3 : 6;
}

}  // namespace orrery::planning
