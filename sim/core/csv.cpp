#include "orrery/core/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/read_file.hpp"

namespace orrery {

namespace {

class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Result<CsvTable> read() {
    CsvTable table;
    table.name = name_;
    while (at_ < text_.size() && text_[at_] == '#') skip_line();
    if (at_ >= text_.size()) return error(1, 1, "is empty, it must start with a header");
    table.header = record();
    std::set<std::string> titles;
    for (const CsvCell& cell : table.header)
      if (!titles.insert(cell.text).second) refuse(cell, fmt::format("column '{}' is given twice", cell.text));
    while (at_ < text_.size() && errors_.empty()) {
      const int line = line_;
      std::vector<CsvCell> row = record();
      if (!errors_.empty()) break;
      if (row.size() != table.header.size())
        return error(line, 1, fmt::format("{} fields, but the header has {}", row.size(), table.header.size()));
      table.rows.push_back(std::move(row));
    }
    if (!errors_.empty()) return errors_;
    return table;
  }

 private:
  Diagnostic error(int line, int column, std::string message) const {
    Diagnostic d;
    d.place = {name_, line, column};
    d.message = std::move(message);
    return d;
  }
  void refuse(const CsvCell& cell, std::string message) {
    errors_.push_back(error(cell.line, cell.column, std::move(message)));
  }

  void skip_line() {
    at_ = std::min(text_.find('\n', at_), text_.size() - 1) + 1;
    start_ = at_;
    ++line_;
  }
  bool line_ends() const { return at_ >= text_.size() || text_[at_] == '\n' || text_.substr(at_, 2) == "\r\n"; }

  std::vector<CsvCell> record() {
    std::vector<CsvCell> row;
    for (;;) {
      row.push_back(field());
      if (!errors_.empty()) return row;
      if (line_ends()) break;
      ++at_;  // the comma
    }
    if (at_ < text_.size()) skip_line();
    return row;
  }

  CsvCell field() {
    CsvCell cell{{}, line_, static_cast<int>(at_ - start_) + 1};
    if (at_ < text_.size() && text_[at_] == '"') {
      quoted(cell);
      return cell;
    }
    const std::size_t begin = at_;
    while (!line_ends() && text_[at_] != ',') {
      if (text_[at_] == '"') refuse(cell, "a quote inside a field that is not in quotes");
      ++at_;
    }
    cell.text = text_.substr(begin, at_ - begin);
    return cell;
  }

  void quoted(CsvCell& cell) {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"' && text_.substr(at_, 2) != "\"\"") break;
      if (text_[at_] == '"') ++at_;
      cell.text += text_[at_];
      if (text_[at_] == '\n') {
        ++line_;
        start_ = at_ + 1;
      }
    }
    if (at_ >= text_.size()) {
      refuse(cell, "a quote is not closed");
      return;
    }
    ++at_;
    if (!line_ends() && text_[at_] != ',') refuse(cell, "text after the closing quote");
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0, start_ = 0;  // start_ of the line
  int line_ = 1;
  Diagnostics errors_;
};

}  // namespace

int CsvTable::column(std::string_view title) const {
  for (std::size_t i = 0; i < header.size(); ++i)
    if (header[i].text == title) return static_cast<int>(i);
  return -1;
}

Diagnostic CsvTable::at(std::size_t row, std::size_t column, std::string message, std::string help) const {
  const CsvCell& cell = rows[row][column];
  Diagnostic d;
  d.place = {name, cell.line, cell.column};
  d.path = header[column].text;
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

Result<CsvTable> read_csv_text(std::string_view text, const std::string& name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return CsvReader(text, name).read();
}

Result<CsvTable> read_csv_file(const std::string& path) {
  Result<std::string> text = read_file(path, kMaxFileBytes);
  if (!text) return text.errors();
  return read_csv_text(*text, path);
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace orrery
