// Whole answers of commands. tests/cli/answers/NAME.txt has commands, each behind "$ ", and below each what it says on
// both streams; `orrery` is the program built. A command added there is held from the next `tools/test --update` on.
#include <sstream>

#include "program.hpp"

namespace orrery::testing::answers_test {

namespace {

std::string quoted(const std::string& script) {
  std::string text = "'";
  for (const char c : script) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

void check_answers(const std::string& name) {
  const std::string file = "tests/cli/answers/" + name + ".txt";
  std::istringstream said(read_text(kSource + "/" + file));
  std::string text;
  for (std::string line; std::getline(said, line);) {
    if (!line.starts_with("$ ")) continue;
    const Outcome outcome = run_shell("PATH=" + kBuild + ":$PATH bash -c " + quoted(line.substr(2)) + " 2>&1");
    text += line + "\n" + outcome.text;
    if (outcome.code != 0) text += "exit " + std::to_string(outcome.code) + "\n";
    text += "\n";
  }
  CHECK_FALSE(text.empty());
  check_golden(file, text);
}

}  // namespace

TEST_CASE("what a run says") {
  check_answers("run");
}
TEST_CASE("what explains a run") {
  check_answers("explain");
}
TEST_CASE("what compares schedules and scenarios") {
  check_answers("compare");
}
TEST_CASE("what goes over many layouts") {
  check_answers("sweep");
}
TEST_CASE("what holds the simulator against tables") {
  check_answers("validate");
}
TEST_CASE("what cells of tables may be") {
  check_answers("cells");
}
TEST_CASE("what is listed and checked") {
  check_answers("check");
}
TEST_CASE("what draws schedules") {
  check_answers("schedule");
}
TEST_CASE("what writes and reads traces") {
  check_answers("trace");
}
TEST_CASE("pages and pictures, by their checksums") {
  check_answers("page");
}
TEST_CASE("what a cluster is and moves") {
  check_answers("topology");
}

}  // namespace orrery::testing::answers_test
