// What tests read of the answers of planning.
#pragma once
#include <doctest/doctest.h>

#include <string>

#include "orrery/core/error.hpp"
#include "orrery/planning/answer.hpp"

namespace orrery::planning {

template <class T>
T value_of(Result<T> result) {
  REQUIRE_MESSAGE(result.ok(), (result.ok() ? std::string() : render(result.errors())));
  return std::move(result).value();
}

// The first mistake of what must be refused.
template <class T>
Diagnostic mistake_of(const Result<T>& result) {
  REQUIRE_FALSE(result.ok());
  const Diagnostic& first = result.errors().front();
  CHECK((!first.help.empty() || first.message.find("; known: ") != std::string::npos));  // a remedy
  return result.errors().front();
}

inline double number(const AnswerValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  return std::get<double>(value);
}

inline const Figure& figure(const Answer& answer, const std::string& key, const std::string& part = {}) {
  for (const AnswerPart& p : answer.parts)
    for (const Figure& f : p.figures)
      if (p.key == part && f.key == key) return f;
  FAIL("no figure " << key);
  throw 0;
}
inline double number(const Answer& answer, const std::string& key, const std::string& part = {}) {
  return number(figure(answer, key, part).value);
}
inline bool has_figure(const Answer& answer, const std::string& key) {
  for (const AnswerPart& p : answer.parts)
    for (const Figure& f : p.figures)
      if (f.key == key) return true;
  return false;
}

inline const AnswerTable* find_table(const Answer& answer, const std::string& key) {
  for (const AnswerPart& p : answer.parts)
    for (const AnswerTable& t : p.tables)
      if (t.key == key) return &t;
  return nullptr;
}
inline const AnswerTable& table(const Answer& answer, const std::string& key) {
  const AnswerTable* found = find_table(answer, key);
  REQUIRE_MESSAGE(found != nullptr, "no table " << key);
  return *found;
}

// The cell of a row, which is found by the text of its first cell, in the column of that key.
inline const AnswerCell& cell_of(const AnswerTable& table, const std::string& row, const std::string& column) {
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    for (const auto& cells : table.rows)
      if (table.columns[c].key == column && cells[0].text == row) return cells[c];
  FAIL("no " << column << " of " << row);
  throw 0;
}

inline bool says(const Answer& answer, const std::string& words) {
  for (const std::string& note : answer.notes)
    if (note.find(words) != std::string::npos) return true;
  return false;
}

}  // namespace orrery::planning
