// How deep a config.json may be nested: both sides of the bound.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "orrery/model/presets.hpp"

namespace orrery::nesting_test {

namespace {

// What is said of a config.json whose brackets go so deep.
std::string nested(int depth) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("orrery_deep_" + std::to_string(::getpid()))).string();
  std::ofstream(path) << "{\"x\": " << std::string(static_cast<std::size_t>(depth - 1), '[')
                      << std::string(static_cast<std::size_t>(depth - 1), ']') << "}";
  const auto model = model::load_hugging_face(path);
  std::filesystem::remove(path);
  REQUIRE(!model.ok());
  return model.errors().front().message;
}

}  // namespace

TEST_CASE("a config.json is read to a depth of 64") {
  CHECK(nested(2) != "is not JSON");
  CHECK(nested(64) != "is not JSON");
  CHECK(nested(65) == "is not JSON");
}

}  // namespace orrery::nesting_test
