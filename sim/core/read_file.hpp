// Reading a whole file of text with a limit; directories, FIFOs and devices are refused without blocking.
#pragma once
#include <cstddef>
#include <string>

#include "orrery/core/error.hpp"

namespace orrery {

inline constexpr std::size_t kMaxFileBytes = 16 * 1024 * 1024;

// "-" is standard input. The text is valid UTF-8 without control characters but \n, \r and \t.
Result<std::string> read_file(const std::string& path, std::size_t limit);
// Any bytes, at most `limit` of them.
Result<std::string> read_bytes(const std::string& path, std::size_t limit);
Diagnostics check_text(const std::string& text, const std::string& name, std::size_t limit);
std::string shown_name(const std::string& path);  // "<stdin>" for "-"

}  // namespace orrery
