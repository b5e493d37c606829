// Text cases of max-min sharing, and the solver run on them.
//
//   case NAME
//   link NAME BYTES_PER_S LATENCY_S
//   flow NAME START_S BYTES RATE_CAP LINK[,LINK…]     (cap 0 = none)
//   end
// and the expected completions, one a line: CASE FLOW TIME_S FRACTION_S
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/error.hpp"
#include "orrery/core/units.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/network/link_use.hpp"

namespace orrery::network {

struct MaxminFlow {
  std::string name;
  Time start{};
  Bytes bytes{};
  BytesPerSecond rate_cap{};
  Time latency{};  // of its path
  std::vector<LinkUse> uses;
};

struct MaxminCase {
  std::string name;
  std::vector<hardware::Link> links;
  std::vector<std::string> link_names;
  std::vector<MaxminFlow> flows;
};

struct MaxminCompletion {
  std::string case_name, flow_name;
  // Expected seconds as an exact fraction.
  std::int64_t numerator = 0, denominator = 1;
};

Result<std::vector<MaxminCase>> parse_maxmin_cases(std::string_view text, const std::string& file);
Result<std::vector<MaxminCompletion>> parse_maxmin_expected(std::string_view text, const std::string& file);

struct MaxminOutcome {
  Time completion{};
  int preceding_events = 0;  // starts and ends before it, in the whole case: each may add 1 ps of rounding
};
// Completion of each flow, in the order of the case.
std::vector<MaxminOutcome> run_maxmin_case(const MaxminCase& each);
// |completion − expected| ≤ tolerance ps, decided in integers.
bool equal_within(Time completion, const MaxminCompletion& expected, std::int64_t tolerance_ps);

}  // namespace orrery::network
