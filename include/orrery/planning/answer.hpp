// What a question of planning is answered with: figures and tables that carry both the text to show and the value for
// programs, so that the two cannot differ. tools/orrery/answer.hpp prints it.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace orrery::planning {

using AnswerValue = std::variant<bool, std::int64_t, double, std::string>;

struct Figure {
  std::string key;  // in the JSON; names its unit: gpu_hours, cost_usd
  AnswerValue value;
  std::string label;  // in the text
  std::string text;   // the value as it is shown; empty: only in the JSON
  std::string remark = {};
};

struct AnswerColumn {
  std::string key, title;
  bool right = true;
};
struct AnswerCell {
  AnswerValue value;
  std::string text;
};
struct AnswerTable {
  std::string key, heading;
  std::vector<AnswerColumn> columns;
  std::vector<std::vector<AnswerCell>> rows = {};
};

// A drawing (text only; a line that begins with '>' is prose to wrap), figures, then tables. A key makes them an object
// of their own in the JSON.
struct AnswerPart {
  std::string key, heading;
  std::vector<Figure> figures = {};
  std::vector<AnswerTable> tables = {};
  std::vector<std::string> drawing = {};
};

struct Answer {
  std::string schema;  // "orrery.plan/1"
  std::string title;
  std::vector<AnswerPart> parts = {};
  std::vector<std::string> notes = {};  // what was assumed, and what a figure is not
  bool yes = true;                      // false: it does not fit, or nothing that was asked about does
};

inline AnswerCell cell(std::string text) {
  return {text, text};
}

}  // namespace orrery::planning
