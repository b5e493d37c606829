// Charts of plans, as SVG.
#pragma once
#include <string>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/error.hpp"
#include "orrery/planning/answer.hpp"

namespace orrery::planning {

// Loss against compute with the envelope, against tokens and against parameters, each with the others fixed at
// (parameters, tokens), by Hoffmann et al. approach 3.
Result<std::string> loss_chart(double parameters, double tokens, Catalogue& catalogue = Catalogue::shared());
// Training compute of published models as bars.
Result<std::string> compute_chart(Catalogue& catalogue = Catalogue::shared());
// The picture of an answer: losses of a budget, days and cost of numbers of GPUs, a table of published models, bytes
// of a fit. An error where there is none.
Result<std::string> chart_of(const Answer& answer, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::planning
