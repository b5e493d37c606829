// The tables of tests/data/schedule, read for the tests.
#pragma once
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "orrery/schedule/replay.hpp"
#include "orrery/schedule/schedule.hpp"
#include "paths.hpp"

namespace orrery::schedule::testing {

using Row = std::map<std::string, std::string>;

inline std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (const char c : text) {
    if (c == '"')
      quoted = !quoted;
    else if (c == separator && !quoted)
      parts.emplace_back();
    else if (c != '\r')
      parts.back() += c;
  }
  return parts;
}

inline std::ifstream open_data(const std::string& file) {
  std::ifstream in(orrery::testing::source_dir() + "/tests/data/schedule/" + file);
  REQUIRE_MESSAGE(in, file);
  return in;
}

inline std::vector<Row> read_table(const std::string& file) {
  std::ifstream in = open_data(file);
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> names = split(line, ',');
  std::vector<Row> rows;
  while (std::getline(in, line)) {
    const std::vector<std::string> cells = split(line, ',');
    REQUIRE_MESSAGE(cells.size() == names.size(), line);
    Row row;
    for (std::size_t i = 0; i < names.size(); ++i) row[names[i]] = cells[i];
    rows.push_back(row);
  }
  return rows;
}

// sha -> the lines of schedule_orders.txt, one per rank, as to_csv writes them
inline std::map<std::string, std::string> read_orders() {
  std::ifstream in = open_data("schedule_orders.txt");
  std::map<std::string, std::string> orders;
  std::string line, sha;
  while (std::getline(in, line)) {
    if (line.rfind("# sha=", 0) == 0)
      sha = line.substr(6, 12);
    else if (!line.empty())
      orders[sha] += line + '\n';
  }
  return orders;
}

inline int integer(const std::string& text) {
  return text.empty() ? 0 : std::stoi(text);
}

inline std::vector<int> integers(const std::string& text, char separator) {
  std::vector<int> values;
  for (const std::string& part : split(text, separator)) values.push_back(integer(part));
  return values;
}

// Times of the tables come in halves, so everything is counted in half units.
inline std::int64_t half_units(const std::string& text) {
  const double twice = 2 * std::stod(text);
  REQUIRE(twice == static_cast<double>(static_cast<std::int64_t>(twice)));
  return static_cast<std::int64_t>(twice);
}

inline std::vector<std::int64_t> half_units_by_stage(const std::string& text) {
  std::vector<std::int64_t> values;
  for (const std::string& part : split(text, '|')) values.push_back(half_units(part));
  return values;
}

inline StageTimes times_of(const Row& row, int stages) {
  if (row.count("tF_by_stage") != 0) {
    return {half_units_by_stage(row.at("tF_by_stage")),
            half_units_by_stage(row.at("tI_by_stage")),
            half_units_by_stage(row.at("tW_by_stage")),
            half_units(row.at("tcomm")),
            {}};
  }
  StageTimes times = uniform_times(stages, half_units(row.at("tF")), half_units(row.at("tI")), half_units(row.at("tW")),
                                   half_units(row.at("tcomm")));
  if (!row.at("tX").empty()) times.overlapped.assign(static_cast<std::size_t>(stages), half_units(row.at("tX")));
  return times;
}

// "p", "1.5p", "2p", "inf" or "4" of the column memory_cap, in micro-batches.
inline double memory_cap_of(const Row& row) {
  const std::string& cap = row.at("memory_cap");
  const double p = std::stod(row.at("p"));
  if (cap == "inf") return std::numeric_limits<double>::infinity();
  if (cap == "p") return p;
  if (cap.back() == 'p') return std::stod(cap) * p;
  return std::stod(cap);
}

inline ScheduleRequest request_of(const Row& row) {
  ScheduleRequest request;
  request.name = row.at("schedule");
  request.ranks = integer(row.at("p"));
  request.chunks = integer(row.at("v"));
  request.micro_batches = integer(row.at("m"));
  if (row.count("group") != 0) request.group = integer(row.at("group"));
  if (row.count("notes") != 0 && row.at("notes").rfind("group=", 0) == 0)
    request.group = std::stoi(row.at("notes").substr(6));
  if (request.name.rfind("zb_auto", 0) == 0) {
    request.name = "zb_auto";
    request.memory_cap = memory_cap_of(row);
    request.times = times_of(row, request.ranks);
  }
  return request;
}

inline bool is_kind(const std::string& name) {
  for (const ScheduleKind& kind : schedule_kinds()) {
    if (name == kind.name) return true;
  }
  return false;
}

}  // namespace orrery::schedule::testing
