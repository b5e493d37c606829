// Golden files: what the program says now, held against a file that a person has read.
#pragma once
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "paths.hpp"

namespace orrery::testing {

inline bool updates_golden() {
  const char* update = std::getenv("ORRERY_UPDATE_GOLDEN");
  return update != nullptr && *update != '\0';
}

inline std::string read_text(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// To the file that `tools/test --update` prints at its end; without one, to the terminal.
inline void report_change(const std::string& text) {
  const char* report = std::getenv("ORRERY_GOLDEN_CHANGES");
  std::ofstream(report != nullptr ? report : "/dev/stdout", std::ios::binary | std::ios::app) << text;
}

// The text equals the file (relative to the source tree); ORRERY_UPDATE_GOLDEN=1 writes the file instead. `changes`
// says in words how two texts differ.
template <class Changes>
void check_golden(const std::string& file, const std::string& text, const Changes& changes) {
  const std::string path = source_dir() + "/" + file, golden = read_text(path);
  if (updates_golden()) {
    if (golden != text) report_change(file + "\n" + changes(golden, text));
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  INFO(file << " differs; `tools/test --update` rewrites it");
  if (golden != text) FAIL_CHECK(changes(golden, text));
}

}  // namespace orrery::testing
