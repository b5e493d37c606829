// Tokens of the parts of a mix, and the size of a model by name.
#pragma once
#include <string>

#include "orrery/core/catalogue.hpp"
#include "orrery/planning/answer.hpp"

namespace orrery::planning {

// "51/49": the tokens of each part. The parts must make up 100.
Result<AnswerPart> mix_of(const std::string& text, double tokens);

// Parameters of a preset; errors name --model.
Result<double> size_of_model(const std::string& name, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::planning
