#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "paths.hpp"

const std::string& orrery::testing::source_dir() {
  static const std::string dir = ORRERY_SOURCE_DIR;
  return dir;
}

const std::string& orrery::testing::build_dir() {
  static const std::string dir = ORRERY_BINARY_DIR;
  return dir;
}
