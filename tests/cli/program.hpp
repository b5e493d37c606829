// Runs the real program, and holds what it prints against golden files.
#pragma once
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

#include "golden.hpp"
#include "paths.hpp"

namespace orrery::testing {

inline const std::string kSource = source_dir();
inline const std::string kBuild = build_dir();
inline const std::string kScenarios = kSource + "/scenarios/";
inline const std::string kOrrery = kBuild + "/orrery ";

struct Outcome {
  int code = 0;
  std::string text;
};

// stdout of a script, run by sh in the source tree; write 2>&1 to get both streams.
inline Outcome run_shell(const std::string& script) {
  const std::string command = "cd " + kSource + " && unset NO_COLOR CLICOLOR_FORCE && " + script;
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Outcome outcome;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    outcome.text.append(buffer.data(), got);
  outcome.code = WEXITSTATUS(::pclose(pipe));
  return outcome;
}

inline Outcome run_orrery(const std::string& arguments) {
  return run_shell(kOrrery + arguments);
}

// What a script says in a new folder of its own, on both streams.
inline Outcome run_in(const std::string& name, const std::string& script) {
  const std::string folder = kBuild + "/" + name;
  return run_shell("rm -rf " + folder + "; mkdir -p " + folder + "; cd " + folder + "; exec 2>&1; bash -c '" + script +
                   "'");
}

// The text equals the file (relative to the source tree), or rewrites it where golden files are updated.
inline void check_golden(const std::string& file, const std::string& text) {
  check_golden(file, text, [&](const std::string& golden, const std::string& now) {
    return updates_golden() ? std::string() : "was:\n" + golden + "is:\n" + now;
  });
}

}  // namespace orrery::testing
