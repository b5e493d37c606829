// Numbers as people write them, the same in every report, table and picture.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace orrery::report {

std::string time_text(std::int64_t ps);                      // four digits: "13.75 s", "812.0 us"
std::string seconds_text(double seconds);                    // the same
std::string duration_text(double seconds);                   // three: "31 s", "17.2 min", "3.1 h", "30.4 days"
std::string bytes_text(std::int64_t bytes);                  // three: "67.2 GiB", "512 MiB"
std::string integer_text(std::int64_t n);                    // "9,533"
std::string count_text(double count);                        // "9,533", "12.4 M", "150.6"
std::string parameters_text(std::int64_t n);                 // "1.30 B", "86.0 M"
std::string percent_text(double fraction);                   // "61.2 %", "< 0.1 %"
std::string rank_list(std::span<const std::int32_t> ranks);  // "3", "0-7", "0, 2, 4-6", "0, 2, 4, … (32 ranks)"

}  // namespace orrery::report
