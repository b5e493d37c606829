#include "orrery/core/data_files.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace orrery::data_files_test {
namespace {

namespace fs = std::filesystem;

TEST_CASE("data files: the user's folder first, unknown names with the nearest known one") {
  const fs::path folder = fs::temp_directory_path() / "orrery_data_files_test";
  fs::remove_all(folder);
  fs::create_directories(folder / "things");
  std::ofstream(folder / "things" / "lever.yaml") << "a: 1\n";
  std::ofstream(folder / "things" / "wheel.yaml") << "a: 1\n";
  std::ofstream(folder / "things" / "notes.txt") << "no data\n";
  ::setenv("ORRERY_TEST_THINGS", folder.c_str(), 1);
  const DataCollection things{"ORRERY_TEST_THINGS", "no-such-folder", "things", "thing"};

  CHECK(list_data_files(things) == std::vector<std::string>{"lever", "wheel"});
  CHECK(find_data_file(things, "wheel").value() == (folder / "things" / "wheel.yaml").string());
  CHECK(find_data_file(things, "./some.yaml").value() == "./some.yaml");
  const auto missing = find_data_file(things, "weel");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.errors().front().message == "unknown thing 'weel'; known: lever, wheel");
  CHECK(missing.errors().front().help == "did you mean 'wheel'?");
  ::unsetenv("ORRERY_TEST_THINGS");
  CHECK(list_data_files(things).empty());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace orrery::data_files_test
