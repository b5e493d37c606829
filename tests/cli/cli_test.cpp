// The command line as a user meets it: runs the real program.
#include <doctest/doctest.h>

#include <string>

#include "program.hpp"

namespace orrery::cli_test {

using orrery::testing::kBuild;
using orrery::testing::kSource;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;
using orrery::testing::run_shell;

namespace {

void expect(const std::string& arguments, int code, const std::string& text) {
  const Outcome outcome = run_orrery(arguments);
  INFO(arguments);
  CHECK(outcome.code == code);
  CHECK(outcome.text == text);
}

}  // namespace

TEST_CASE("a mistyped command, option or value ends with 2 and the nearest name") {
  expect("completoin 2>&1", 2, "error: no such command: 'completoin'\n  help: did you mean 'completion'?\n");
  expect("xyzzy 2>&1", 2, "error: no such command: 'xyzzy'\n  help: `orrery --help` lists the commands\n");
  expect("a.yaml 2>&1", 2, "error: no such command: 'a.yaml'\n  help: `orrery run a.yaml` simulates it\n");
  expect("completion bash --colour never 2>&1", 2,
         "error: orrery completion: unknown option '--colour'\n  help: did you mean '--color'?\n");
  expect(
      "completion bash --xyzzy=1 2>&1", 2,
      "error: orrery completion: unknown option '--xyzzy'\n  help: `orrery completion --help` lists what it takes\n");
  expect(
      "completion bash zsh 2>&1", 2,
      "error: orrery completion: unexpected argument 'zsh'\n  help: `orrery completion --help` lists what it takes\n");
  expect("completion 2>&1", 2,
         "error: orrery completion: SHELL is required\n  help: `orrery completion --help` lists what it takes\n");
  expect("--color never 2>&1", 2,
         "error: orrery: A subcommand is required\n  help: `orrery --help` lists what it takes\n");
  CHECK(run_orrery("completion csh 2>&1").code == 2);
  CHECK(run_orrery("--color mauve completion bash 2>&1").code == 2);
}

TEST_CASE("help and version go to stdout and end with 0") {
  const Outcome help = run_orrery("--help 2>/dev/null");
  CHECK(help.code == 0);
  CHECK(help.text.find("completion") != std::string::npos);
  const Outcome version = run_orrery("--version 2>/dev/null");
  CHECK(version.code == 0);
  CHECK(version.text.starts_with("orrery 0."));
  const Outcome sub = run_orrery("completion --help 2>/dev/null");
  CHECK(sub.code == 0);
  CHECK(sub.text.find("SHELL") != std::string::npos);
}

TEST_CASE("orrery alone, orrery help and orrery list alone help") {
  const std::string help = run_orrery("--help").text;
  CHECK(help.find("Exit code: 0 done; 1 it ran, and the answer is no") != std::string::npos);
  expect("", 0, help);
  expect("help", 0, help);
  expect("help run", 0, run_orrery("run --help").text);
  expect("list", 0, "models, gpus, clusters, schedules, stacks or reliability: `orrery list models`\n");
  // Every command says its exit codes.
  for (const char* command : {"run", "check", "explain", "list", "topology", "trace", "validate"})
    CHECK(run_orrery(std::string(command) + " --help").text.find("Exit code: 0") != std::string::npos);
}

TEST_CASE("completion offers the names that are listed") {
  const std::string script = run_orrery("completion bash").text;
  const std::pair<const char*, const char*> names[] = {{"--model", " gpt3-175b "},
                                                       {"--cluster", " dgx-h100 "},
                                                       {"--stack", " megatron-2022 "},
                                                       {"--schedules", " zb_h1 "}};
  for (const auto& [option, name] : names) {
    const std::size_t line = script.find(std::string("    ") + option + ") COMPREPLY=($(compgen -W '");
    REQUIRE(line != std::string::npos);
    CHECK(script.substr(line, script.find('\n', line) - line).find(name) != std::string::npos);
  }
}

TEST_CASE("colour follows --color, NO_COLOR, CLICOLOR_FORCE, then the terminal") {
  const std::string plain = "error: no such command: 'x'\n  help: `orrery --help` lists the commands\n";
  const std::string colored =
      "\x1b[1;31merror:\x1b[0m no such command: 'x'\n\x1b[1;36m  help:\x1b[0m `orrery --help` lists the commands\n";
  const auto under = [](const std::string& variables) {
    return run_shell(variables + " " + kBuild + "/orrery x 2>&1").text;
  };
  CHECK(under("") == plain);  // a pipe
  CHECK(under("CLICOLOR_FORCE=1") == colored);
  CHECK(under("CLICOLOR_FORCE=0") == plain);
  CHECK(under("CLICOLOR_FORCE=1 NO_COLOR=1") == plain);
  CHECK(under("CLICOLOR_FORCE=1 NO_COLOR=") == colored);  // empty counts as not set
}

TEST_CASE("a stdout that takes nothing is an error, never success") {
  CHECK(run_orrery("completion bash >/dev/full 2>/dev/null").code == 2);
  CHECK(run_orrery("completion bash >&- 2>/dev/null").code == 2);
  expect("completion bash 2>&1 >/dev/full", 2, "error: standard output cannot be written: No space left on device\n");
  // The reader of the pipe is gone before anything is written: quiet, with the code of a closed pipe.
  const Outcome closed = run_shell("(sleep 0.2; " + kBuild + "/orrery --version 2>&1; echo $? >&2) 2>&1 >/dev/full");
  CHECK(closed.text == "2\n");
  const Outcome pipe = run_shell("{ { sleep 0.2; " + kBuild + "/orrery --version; echo $? >&3; } | true; } 3>&1");
  CHECK(pipe.text == "141\n");
}

TEST_CASE("completion scripts are valid and complete names, options and values") {
  const auto complete = [](const std::string& line) {
    return run_shell("bash -c 'source <(" + kBuild + "/orrery completion bash); COMP_WORDS=(" + line +
                     "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _orrery; echo ${COMPREPLY[*]}'")
        .text;
  };
  CHECK(complete("orrery compl") == "completion\n");
  CHECK(complete("orrery completion z") == "zsh\n");
  CHECK(complete("orrery completion --col") == "--color\n");
  CHECK(complete("orrery --color a") == "auto always\n");
  CHECK(complete("orrery --color never completion f") == "fish\n");
  for (const std::string shell : {"zsh", "fish"}) {
    CHECK(run_orrery("completion " + shell).text.find("completion") != std::string::npos);
    // Where the shell is installed, it takes the script.
    const std::string check = "if command -v " + shell + " >/dev/null; then " + kBuild + "/orrery completion " + shell +
                              " | " + shell + " -n; fi";
    const Outcome checked = run_shell(check + " 2>&1");
    CHECK(checked.code == 0);
    CHECK(checked.text.empty());
  }
}

TEST_CASE("a scenario is checked and run; what is wrong with it ends with 2") {
  const std::string quickstart = kSource + "/scenarios/quickstart-8gpu.yaml";
  CHECK(run_orrery("check " + quickstart + " 2>/dev/null").code == 0);
  const Outcome run = run_orrery("run " + quickstart + " --json 2>/dev/null");
  CHECK(run.code == 0);
  CHECK(run.text.starts_with("{\n"));
  CHECK(run_orrery("run " + quickstart + " --json 2>/dev/null").text == run.text);  // the same bytes again
  expect("run /nonexistent.yaml 2>&1", 2, "/nonexistent.yaml: cannot be opened: No such file or directory\n");
  expect("check " + quickstart + " --set layout.pipeline=0 2>&1", 2,
         "--set: layout.pipeline: expected an integer from 1 to 1048576, got '0'\n"
         "      | layout.pipeline=0\n"
         "      |                 ^\n");
  CHECK(run_orrery("run " + quickstart + " >/dev/full 2>/dev/null").code == 2);
}

TEST_CASE("Ctrl-C ends with 130 and leaves no half-written trace") {
  const std::string folder = kBuild + "/cli_interrupt";
  // The trace goes to a pipe that nobody reads: the program hangs in its write until the signal comes.
  const std::string script = "rm -rf " + folder + "; mkdir " + folder + "; mkfifo " + folder +
                             "/pipe; sleep 5 >/dev/null <>" + folder + "/pipe & " + kBuild + "/orrery run " + kSource +
                             "/scenarios/quickstart-16gpu.yaml --trace " + folder +
                             "/pipe >/dev/null 2>&1 & p=$!; sleep 1; kill -INT $p; wait $p; echo $?; ls " + folder;
  const Outcome outcome = run_shell("bash -mc '" + script + "' 2>/dev/null");
  CHECK(outcome.text == "130\npipe\n");
}

}  // namespace orrery::cli_test
