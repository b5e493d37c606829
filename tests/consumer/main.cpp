#include <cstdio>
#include <orrery/core/units.hpp>
#include <orrery/core/version.hpp>
#include <orrery/core/yaml.hpp>

// Links yaml-cpp and fmt through the library: the reader refuses, and the time is exact.
int main() {
  const auto tree = orrery::read_yaml_text("a: 1\na: 2\n", "consumer.yaml");
  const bool refused = !tree.ok() && orrery::render(tree.errors()).starts_with("consumer.yaml:2:1: a: is given twice");
  const bool exact = orrery::transfer_time({1'000'000'000'000}, {900'000'000'000}).value == 1'111'111'111'112;
  std::printf("orrery %s\n", orrery::version());
  return refused && exact ? 0 : 1;
}
