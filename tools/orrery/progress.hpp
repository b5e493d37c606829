// How far long work has come: one line on stderr, only where that is a terminal and -q is not given, renewed ten times
// a second at most, gone at the end. Nothing is said of the first half second.
#pragma once
#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "cli.hpp"

namespace orrery::cli {

class Progress {
 public:
  Progress(const Console& console, std::string what);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // "validate: 120 of 2006 rows, 41/s, 46 s left"; any thread may call it.
  void update(std::size_t done, std::size_t of, std::string_view units);
  // "run: playing 12 tasks, 3 s"
  void phase(std::string_view name);
  // Before anything else is written to the terminal.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void show(const std::string& line, bool at_once);

  std::string what_;
  bool on_, shown_ = false;
  Clock::time_point begin_, last_;
  std::mutex mutex_;
};

}  // namespace orrery::cli
