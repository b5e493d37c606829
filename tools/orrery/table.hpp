// Tables for a terminal: columns apart by two blanks, numbers to the right.
#pragma once
#include <string>
#include <vector>

#include "orrery/report/numbers.hpp"

namespace orrery::cli {

struct Column {
  std::string title;
  bool right = false;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Header and rows; the last column is not padded.
  std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Figures as data sheets write them: "2.04 TB/s", "312" TFLOP/s. Others are written as orrery/report/numbers.hpp does.
std::string bandwidth_text(double bytes_per_second);
std::string tera_text(double per_second);

}  // namespace orrery::cli
