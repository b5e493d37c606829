// One function per kind of file: the rows with their figures. Errors are about the file itself.
#pragma once
#include "orrery/core/csv.hpp"
#include "orrery/validation/validate.hpp"

namespace orrery::validation {

Result<std::vector<Row>> run_rows(const CsvTable& table, const Options& options);
Result<std::vector<Row>> schedule_rows(const CsvTable& table, const Options& options);
Result<std::vector<Row>> collective_rows(const CsvTable& table);
Result<std::vector<Row>> kernel_rows(const CsvTable& table);
Result<std::vector<Row>> flow_rows(std::string_view text, const std::string& name, const std::string& expected);

// What went wrong with a row, in one line.
std::string reason(const Diagnostics& errors);
// Groups and their statistics, out of the rows.
std::vector<Group> groups_of(const std::vector<Row>& rows);

}  // namespace orrery::validation
