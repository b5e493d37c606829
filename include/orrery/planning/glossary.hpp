// What the words of reports and scenarios mean, a sentence each (scenarios/planning/glossary.yaml), with the figure of
// a run where one is given.
#pragma once
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/planning/answer.hpp"
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::planning {

struct Term {
  std::string term, is, figure;
  std::vector<std::string> also;
};
struct Glossary {
  std::vector<Term> terms;
};
Result<Glossary> load_glossary(Catalogue& catalogue = Catalogue::shared());

struct PlayedRun {
  const scenario::Scenario& scenario;
  const report::RunResult& result;
};
// All terms, or the one asked for in any of its spellings; an unknown one is an error with the nearest. With a run,
// terms of which it has a figure show it.
Result<Answer> explain_terms(const std::string& term, const PlayedRun* run, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::planning
