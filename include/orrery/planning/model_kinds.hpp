// Kinds of transformer by what they are for (scenarios/planning/model_kinds.yaml).
#pragma once
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/model/spec.hpp"

namespace orrery::planning {

struct ModelKind {
  std::string name;  // decoder, encoder, encoder_decoder
  std::string is, trained, named_after, examples;
};
struct ModelKinds {
  std::vector<ModelKind> kinds;
};
Result<ModelKinds> load_model_kinds(Catalogue& catalogue = Catalogue::shared());

// The kind by its name; an unknown one is an error with those there are.
Result<ModelKind> model_kind(const std::string& name, Catalogue& catalogue = Catalogue::shared());

// The name of the kind that a model is of.
const char* kind_of(const model::ModelSpec& model);
// FLOPs of training for each parameter and token: 6, of encoder–decoders 3, where a token meets half of them (Brown et
// al. 2020, appendix D).
double flops_per(const model::ModelSpec& model);

}  // namespace orrery::planning
