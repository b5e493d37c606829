// The tests' own main: each process has a folder for temporary files to itself, so that two trees may be tested at
// once.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "paths.hpp"

const std::string& orrery::testing::source_dir() {
  static const std::string dir = ORRERY_SOURCE_DIR;
  return dir;
}

const std::string& orrery::testing::build_dir() {
  static const std::string dir = ORRERY_BINARY_DIR;
  return dir;
}

int main(int argc, char** argv) {
  std::string folder = (std::filesystem::temp_directory_path() / "orrery_tests_XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  ::setenv("TMPDIR", folder.c_str(), 1);
  const int result = doctest::Context(argc, argv).run();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return result;
}
