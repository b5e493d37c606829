#include "orrery/planning/glossary.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/core/yaml.hpp"
#include "orrery/planning/amounts.hpp"
#include "run_figures.hpp"
#include "tables.hpp"

namespace orrery::planning {
namespace {

const Fields<Term>& term_fields() {
  static const auto table = Fields<Term>("term", "A word and what it means.")
                                .add("term", &Term::term, "the word")
                                .required()
                                .add("also", &Term::also, "other ways to say it")
                                .add("figure", &Term::figure, "what a run shows for it")
                                .add("is", &Term::is, "a sentence")
                                .required();
  return table;
}

const Fields<Glossary>& glossary_fields() {
  static const auto table =
      Fields<Glossary>("glossary", "What words mean.").section("terms", &Glossary::terms, term_fields(), "the words");
  return table;
}

// Letters and digits alone, small: "Micro-batch" and "micro_batch" are one word.
std::string plain(const std::string& word) {
  std::string out;
  for (const char c : word) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

bool names(const Term& term, const std::string& word) {
  const std::string asked = plain(word);
  return plain(term.term) == asked ||
         std::any_of(term.also.begin(), term.also.end(), [&](const std::string& w) { return plain(w) == asked; });
}

Diagnostic unknown(const Glossary& glossary, const std::string& word) {
  std::vector<std::string> known;
  for (const Term& t : glossary.terms) {
    known.push_back(t.term);
    known.insert(known.end(), t.also.begin(), t.also.end());
  }
  const std::string near = did_you_mean(word, known);
  return wrong_option("TERM", fmt::format("'{}' is not in the glossary", word),
                      near.empty() ? "`orrery glossary` lists all terms" : near);
}

AnswerPart part_of(const Term& term, const PlayedRun* run) {
  AnswerPart part{plain(term.term), {}};
  const std::string figure = run == nullptr || term.figure.empty() ? std::string() : run_figure(term.figure, *run);
  part.figures.push_back({"term", term.term, "", ""});
  part.figures.push_back({"is", term.is, "", ""});
  if (!figure.empty()) part.figures.push_back({"figure", figure, "", ""});
  part.drawing.push_back(term.term + (figure.empty() ? "" : ": " + figure));
  part.drawing.push_back(">" + term.is);
  return part;
}

}  // namespace

Result<Glossary> load_glossary(Catalogue& catalogue) {
  return load_table("glossary", glossary_fields(), catalogue);
}

Result<Answer> explain_terms(const std::string& term, const PlayedRun* run, Catalogue& catalogue) {
  const auto glossary = load_glossary(catalogue);
  if (!glossary.ok()) return glossary.errors();
  Answer answer{"orrery.glossary/1", ""};
  for (const Term& t : glossary->terms)
    if (term.empty() || names(t, term)) answer.parts.push_back(part_of(t, run));
  if (answer.parts.empty()) return unknown(*glossary, term);
  return answer;
}

}  // namespace orrery::planning
