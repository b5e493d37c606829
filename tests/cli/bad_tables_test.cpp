// Every way a table of `orrery validate` and a file of the catalogue can be wrong, and where output cannot go.
#include <filesystem>
#include <fstream>
#include <regex>
#include <vector>

#include "program.hpp"

namespace orrery::bad_tables_test {

using orrery::testing::check_golden;
using orrery::testing::kBuild;
using orrery::testing::kOrrery;
using orrery::testing::kSource;
using orrery::testing::Outcome;
using orrery::testing::run_shell;

namespace {

const std::string kFolder = kBuild + "/bad_tables";

// In the folder of the files; what it says on both streams.
Outcome in_tables(const std::string& command) {
  return run_shell("cd " + kFolder + " && " + command + " 2>&1");
}

// Files that are no text, or none at all, named `what`.EXTENSION.
void make_odd_files(const std::string& extension) {
  const std::string e = "." + extension;
  const std::string make = "rm -rf " + kFolder + " && mkdir -p " + kFolder + "/directory" + e + " && cd " + kFolder +
                           " && : > empty" + e + " && head -c 4096 /dev/zero > zeros" + e +
                           " && printf '\\211PNG\\r\\n\\032\\n' > binary" + e +
                           " && printf 'name: \\377\\376\\n' > not_utf8" + e + " && truncate -s 100M 100MB" + e +
                           " && mkfifo fifo" + e + " && ln -s loop" + e + " loop" + e +
                           " && { for i in $(seq 100000); do printf '['; done; } > nested" + e + " && echo made";
  REQUIRE(run_shell(make).text == "made\n");
}

using Columns = std::vector<std::pair<std::string, std::string>>;

// A row that is played, before it is spoilt.
Columns sound() {
  return {{"id", "a-1"},
          {"model", "gpt"},
          {"layers", "24"},
          {"hidden", "2048"},
          {"heads", "16"},
          {"vocab", "51200"},
          {"seq_len", "1024"},
          {"gpu", "a100-sxm-80gb"},
          {"cluster", "selene"},
          {"gpus", "8"},
          {"gpus_per_node", "8"},
          {"tp", "2"},
          {"pp", "2"},
          {"dp", "2"},
          {"micro_batch", "1"},
          {"global_batch", "16"},
          {"schedule", "1f1b"},
          {"recompute", "none"},
          {"attention", "unfused"},
          {"dtype", "bf16"},
          {"stack", "megatron-2022"},
          {"sequence_parallel", "1"},
          {"step_time_s", "1.0"},
          {"memory_kind", ""}};
}

void write_table(const std::string& name, const Columns& columns) {
  std::ofstream file(kFolder + "/" + name, std::ios::binary);
  for (std::size_t i = 0; i < columns.size(); ++i) file << (i > 0 ? "," : "") << columns[i].first;
  file << '\n';
  for (std::size_t i = 0; i < columns.size(); ++i) file << (i > 0 ? "," : "") << columns[i].second;
  file << '\n';
}

std::string shortened(std::string text) {
  if (text.size() > 1500) text = text.substr(0, 1500) + "…\n";
  return text;
}

}  // namespace

TEST_CASE("a table that is broken is refused with its place; a row that cannot be played, with the reason") {
  make_odd_files("csv");
  std::string all;
  for (const char* name : {"missing.csv", "empty.csv", "zeros.csv", "binary.csv", "not_utf8.csv", "100MB.csv",
                           "fifo.csv", "loop.csv", "directory.csv", "nested.csv", "/dev/null", "- <&-"}) {
    const Outcome outcome = in_tables("timeout 20 " + kOrrery + "validate " + name);
    CHECK(outcome.code == 2);
    all += std::string("## ") + name + "\n" + shortened(outcome.text) + "\n";
  }
  const std::vector<std::pair<std::string, std::string>> spoilt{{"layers", "two"},
                                                                {"layers", "0"},
                                                                {"layers", "-24"},
                                                                {"layers", "nan"},
                                                                {"layers", "inf"},
                                                                {"layers", "024"},
                                                                {"layers", "0x18"},
                                                                {"layers", "24.5"},
                                                                {"layers", "24x"},
                                                                {"layers", "1e3"},
                                                                {"layers", ""},
                                                                {"layers", "99999999999999999999"},
                                                                {"sequence_parallel", "yes"},
                                                                {"step_time_s", "fast"},
                                                                {"step_time_s", "-1"},
                                                                {"step_time_s", "0"},
                                                                {"step_time_s", "nan"},
                                                                {"step_time_s", "1e-320"},
                                                                {"step_time_s", "1e300"}};
  for (const auto& [column, value] : spoilt) {
    Columns columns = sound();
    for (auto& [title, cell] : columns)
      if (title == column) cell = value;
    write_table("table.csv", columns);
    const Outcome outcome = in_tables(kOrrery + "validate table.csv");
    CAPTURE(column + " = " + value);
    CHECK(outcome.code == 2);
    all += "## " + column + " = '" + value + "'\n" + outcome.text + "\n";
  }
  const std::vector<std::pair<std::string, std::string>> unplayable{{"tp", "3"},
                                                                    {"global_batch", "17"},
                                                                    {"pp", "48"},
                                                                    {"heads", "15"},
                                                                    {"schedule", "2f2b"},
                                                                    {"gpu", "h999"},
                                                                    {"cluster", "selena"},
                                                                    {"stack", "megatron-1999"},
                                                                    {"gpus", "16"},
                                                                    {"dtype", "int3"},
                                                                    {"recompute", "most"},
                                                                    {"attention", "linear"},
                                                                    {"memory_kind", "guessed"}};
  for (const auto& [column, value] : unplayable) {
    Columns columns = sound();
    for (auto& [title, cell] : columns)
      if (title == column) cell = value;
    write_table("table.csv", columns);
    const Outcome outcome = in_tables(kOrrery + "validate table.csv");
    CAPTURE(column + " = " + value);
    CHECK(outcome.code == 1);
    CHECK(outcome.text.find("1 refused") != std::string::npos);
    CHECK(outcome.text.find("no row was predicted") != std::string::npos);
    all += "## row with " + column + " = '" + value + "'\n" + shortened(outcome.text) + "\n";
  }
  const auto table = [&](const char* title, Columns columns) {
    write_table("table.csv", columns);
    const Outcome outcome = in_tables(kOrrery + "validate table.csv");
    CHECK(outcome.code == 2);
    all += std::string("## ") + title + "\n" + outcome.text + "\n";
  };
  Columns columns = sound();
  columns.erase(columns.begin() + 3);
  table("no column hidden", columns);
  columns = sound();
  columns.push_back({"layers", "24"});
  table("a column twice", columns);
  columns = sound();
  columns.push_back({"overlap_pd", "1"});
  table("a column misspelt", columns);
  table("no table known here", {{"a", "1"}, {"b", "2"}});
  columns = sound();
  columns[1].second = "\"unclosed";
  table("a quote not closed", columns);
  columns = sound();
  columns[1].second = "gpt,more";
  table("a cell too many", columns);
  check_golden("tests/cli/golden/bad_tables.txt", all);
}

TEST_CASE("files of the catalogue that are no text, or none at all, are refused as scenarios are") {
  make_odd_files("yaml");
  std::string all;
  for (const char* what : {"cluster: ./{}", "cluster: {type: selene, nodes: 1, gpu: ./{}}", "stack: ./{}"})
    for (const char* name : {"missing.yaml", "empty.yaml", "zeros.yaml", "binary.yaml", "not_utf8.yaml", "100MB.yaml",
                             "fifo.yaml", "loop.yaml", "directory.yaml", "nested.yaml"}) {
      std::string line = what;
      line.replace(line.find("{}"), 2, name);
      {
        std::ofstream file(kFolder + "/scenario.yaml", std::ios::binary);
        file << "model: gpt3-1.3b\ntraining: {sequence_length: 2048, global_batch: 16}\n" << line << '\n';
        if (line.starts_with("stack")) file << "cluster: {type: selene, nodes: 1}\n";
      }
      const Outcome outcome = in_tables("timeout 20 " + kOrrery + "check scenario.yaml");
      CAPTURE(line);
      CHECK(outcome.code == 2);
      all += "## " + line + "\n" + shortened(outcome.text) + "\n";
    }
  check_golden("tests/cli/golden/bad_catalogue.txt", all);
}

TEST_CASE("where output cannot go, it is said, and nothing half-written is left") {
  make_odd_files("yaml");
  const std::string scenario = kSource + "/scenarios/quickstart-8gpu.yaml ";
  const std::string full = "error: standard output cannot be written: No space left on device\n";
  for (const std::string& command :
       {"run " + scenario, "run " + scenario + "--json", "schema" + std::string(), "list models" + std::string(),
        "topology selene" + std::string(), "schedule 1f1b -p 4 -m 8" + std::string()}) {
    CAPTURE(command);
    const Outcome outcome = in_tables("{ " + kOrrery + command + " > /dev/full; }");
    CHECK(outcome.code == 2);
    CHECK(outcome.text == full);
  }
  for (const char* target : {"/dev/full", "no_folder/trace.json", "directory.yaml"}) {
    CAPTURE(target);
    CHECK(in_tables(kOrrery + "run " + scenario + "--trace " + target).code == 2);
  }
  // A limit on the size of files stands for a disk that fills up halfway: the error is said, and the part is removed.
  const Outcome limited = in_tables("mkdir part && (ulimit -f 4; " + kOrrery + "run " + scenario +
                                    "--trace part/trace.json; echo code $?; ls part)");
  CHECK(limited.text.find("part/trace.json: cannot be written: File too large") != std::string::npos);
  CHECK(limited.text.ends_with("code 2\n"));
  // A closed pipe ends it silently, with the code a shell reports for that.
  CHECK(in_tables("{ (" + kOrrery + "list models; echo code $? >&2) | true; }").text == "code 141\n");
}

// The line of progress is for a terminal only; `script` lends one.
TEST_CASE("progress is shown on a terminal, cleared at the end, and silent with -q or without a terminal") {
  // Without `script`, or where it gets no terminal (a chroot without /dev/pts), there is nothing to look at.
  if (run_shell("script -qec true /dev/null </dev/null >/dev/null 2>&1 && echo yes").text.empty()) return;
  make_odd_files("csv");
  const std::string run = kOrrery + "run " + kSource + "/scenarios/quickstart-8gpu.yaml --every-rank ";
  const auto on_terminal = [&](const std::string& more) {
    return in_tables("script -qec '" + run + more + " > /dev/null' /dev/null < /dev/null").text;
  };
  const std::string shown = on_terminal("");
  CHECK(
      std::regex_search(shown, std::regex("\rrun: laying out the step, [0-9]+ s\x1b\\[K")));  // 0 s, if it has the CPU
  CHECK(shown.ends_with("\r\x1b[K"));
  CHECK(on_terminal("-q").empty());
  CHECK(in_tables(run + "> /dev/null").text.empty());
}

}  // namespace orrery::bad_tables_test
