// One function per kind of file: the rows with their figures. Errors are about the file itself.
#pragma once
#include "orrery/core/csv.hpp"
#include "orrery/validation/validate.hpp"

namespace orrery::validation {

Result<std::vector<Row>> run_rows(const CsvTable& table, const Options& options);
Result<std::vector<Row>> plan_rows(const CsvTable& table, const Options& options);
Result<std::vector<Row>> schedule_rows(const CsvTable& table, const Options& options);
Result<std::vector<Row>> collective_rows(const CsvTable& table);
Result<std::vector<Row>> kernel_rows(const CsvTable& table);
Result<std::vector<Row>> expert_layer_rows(const CsvTable& table);
Result<std::vector<Row>> expert_exchange_rows(const CsvTable& table);
Result<std::vector<Row>> flow_rows(std::string_view text, const std::string& name, const std::string& expected);

// Rows in the groups that the ways (columns, joined by commas) make, in place of those they are in. Errors: unknown
// columns.
Diagnostics group_rows_by(const CsvTable& table, const std::vector<std::string>& ways, std::vector<Row>& rows);
// Of a table of runs: the row of this id, and as many as `most` others of its stack that differ least from it in
// configuration and are measured, nearest first.
Result<CsvTable> nearest_rows(const CsvTable& table, const std::string& id, std::size_t most);
// Columns of the configuration in which its rows are not all alike.
std::vector<std::string> differing_columns(const CsvTable& table);

// What went wrong with a row, in one line.
std::string reason(const Diagnostics& errors);
// Groups and their statistics, out of the rows.
std::vector<Group> groups_of(const std::vector<Row>& rows);

}  // namespace orrery::validation
