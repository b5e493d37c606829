// An answer of the planning room, printed: as text, or as one JSON object with the same figures.
#pragma once
#include <string>

#include "cli.hpp"
#include "orrery/planning/answer.hpp"

namespace orrery::cli {

// Words on lines of at most 100 characters, each behind `indent` blanks.
std::string wrapped(const std::string& text, std::size_t indent);

std::string answer_text(const planning::Answer& answer);
std::string answer_json(const planning::Answer& answer);

// Writes its picture; kWrong where it has none.
int plot_answer(const std::string& path, const planning::Answer& answer, bool force, const Console& console);

// Prints the answer, or refuses with its errors; kNo where the answer is no.
int print_answer(const Result<planning::Answer>& answer, bool json, const Console& console);

}  // namespace orrery::cli
