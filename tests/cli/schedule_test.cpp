// orrery schedule, and schedule: {file: …} of a scenario.
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace orrery::schedule_test {

using orrery::testing::check_golden;
using orrery::testing::kOrrery;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;
using orrery::testing::run_shell;

namespace {

const std::string kTemp = "d=$(mktemp -d) && cd $d && ";
// 4 pipeline ranks · 2 data, 8 micro-batches.
const std::string kOwnOrder =
    "printf 'model: gpt3-2.7b\\ncluster: {type: selene, nodes: 1}\\nlayout: {pipeline: 4}\\n"
    "training: {sequence_length: 2048, global_batch: 16}\\nschedule: {file: own.csv}\\nstack: megatron-2024\\n' > "
    "s.yaml && ";

}  // namespace

TEST_CASE("orrery schedule draws one below the other") {
  const Outcome outcome =
      run_orrery("schedule 1f1b interleaved_1f1b zb_h1 dualpipev -p 4 -m 8 --chunks 2 --width 110 2>&1");
  CHECK(outcome.code == 0);
  check_golden("tests/cli/golden/schedule.txt", outcome.text);
}

TEST_CASE("orrery schedule --json gives closed forms") {
  // 1F1B, F = 2, B = 4, p = 4, m = 8: makespan (m + p - 1)(F + B) = 66, bubble (p - 1) / (m + p - 1) = 3/11.
  // zb_h1: (m + p - 1)(F + B) - (p - 1)·2W = 66 - 12 = 54; (p - 1)(F + I - W) = 6 idle of 54 per rank: 1/9.
  const auto json = nlohmann::json::parse(run_orrery("schedule 1f1b zb_h1 -p 4 -m 8 --times 2,2,2 --json").text);
  CHECK(json["schema"] == "orrery.schedule/1");
  CHECK(json["schedules"][0]["makespan"] == 66);
  CHECK(json["schedules"][0]["schedule_bubble_fraction"] == 3.0 / 11);
  CHECK(json["schedules"][0]["peak_inflight"] == nlohmann::json({4, 3, 2, 1}));
  CHECK(json["schedules"][1]["makespan"] == 54);
  CHECK(json["schedules"][1]["span_bubble_fraction"] == 6.0 / 54);
  // Messages of 1: each of the p - 1 hops on the way there and back is paid once: +2(p - 1) = 6 where nothing hides it;
  // in the steady state of 1F1B the round trips of the warm-up are paid again.
  const auto late = nlohmann::json::parse(run_orrery("schedule gpipe -p 4 -m 8 --times 2,2,2 --message 1 --json").text);
  CHECK(late["schedules"][0]["makespan"] == 66 + 6);
}

TEST_CASE("--equal-work gives every rank the same work, however it is cut") {
  // Work of a rank: m · (F + B) = 8 · 6 = 48 of the 66 of 1F1B; with v = 2 the bubble shrinks to (p - 1)(F + B)/v = 9.
  const auto json = nlohmann::json::parse(
      run_orrery("schedule 1f1b interleaved_1f1b -p 4 -m 8 --chunks 2 --times 1,1,1 --equal-work --json").text);
  CHECK(json["schedules"][0]["makespan"] == 66);
  CHECK(json["schedules"][1]["makespan"] == 48 + 9);
}

TEST_CASE("what a schedule cannot be is said, with exit code 2") {
  CHECK(run_orrery("schedule 1fb1 2>&1").text.find("did you mean '1f1b'?") != std::string::npos);
  CHECK(run_orrery("schedule 1fb1 2>/dev/null").code == 2);
  CHECK(run_orrery("schedule dualpipe -p 3 2>/dev/null").code == 2);  // an even number of ranks only
  CHECK(run_orrery("schedule 1f1b --times 1,1 2>/dev/null").code == 2);
  CHECK(run_orrery("schedule 1f1b --times 1,1,1,1 2>/dev/null").code == 2);
  CHECK(run_orrery("schedule 1f1b --stages 0 2>/dev/null").code == 2);
  CHECK(run_orrery("schedule none.csv 2>&1").text == "none.csv: cannot be opened: No such file or directory\n");
  CHECK(run_orrery("schedule none.csv 2>/dev/null").code == 2);
  CHECK(run_shell("d=$(mktemp -d) && mkfifo $d/pipe.csv && timeout 10 " + kOrrery +
                  "schedule $d/pipe.csv 2>/dev/null; echo $?; rm -r $d")
            .text == "2\n");
  CHECK(run_orrery("schedule 1f1b gpipe --export csv 2>/dev/null").code == 2);
}

TEST_CASE("an exported schedule drives a scenario and gives the result of its name") {
  const Outcome outcome =
      run_shell(kTemp + kOwnOrder + kOrrery + "schedule zb_h1 -p 4 -m 8 --export csv > own.csv && " + kOrrery +
                "run s.yaml --json > a && " + kOrrery +
                "run s.yaml --set schedule=zb_h1 --json > b && grep timeline_hash a b; rm -r $d");
  const std::string a = outcome.text.substr(0, outcome.text.find('\n')),
                    b = outcome.text.substr(outcome.text.find('\n') + 1);
  REQUIRE(a.find("timeline_hash") != std::string::npos);
  CHECK(a.substr(2) + "\n" == b.substr(2));
  // The file drawn is the schedule drawn, but for its name.
  const Outcome drawn = run_shell(kTemp + kOrrery + "schedule zb_h1 -p 2 -m 4 --export csv > own.csv && " + kOrrery +
                                  "schedule own.csv | tail -n +2 > a; " + kOrrery +
                                  "schedule zb_h1 -p 2 -m 4 | tail -n +2 | cmp - a && echo same; rm -r $d");
  CHECK(drawn.text == "same\n");
}

TEST_CASE("a schedule file that does not fit or does not run is refused with its place") {
  const auto errors = [](const std::string& csv, const std::string& set = {}) {
    return run_shell(kTemp + kOwnOrder + "printf '" + csv + "' > own.csv && " + kOrrery + "run s.yaml " + set +
                     " 2>&1; echo $?; rm -r $d")
        .text;
  };
  check_golden("tests/cli/golden/schedule_file_errors.txt",
               errors("0F0,0B0\\n1F0,1B0\\n") + errors("0F0,0Q0\\n1F0,1B0\\n") + errors("") +
                   errors("0F0,0F1,0B0\\n1F0,1F1,1B0\\n") + errors("0B0,0F0\\n") +
                   errors("0F0,0B0\\n", "--set schedule.type=1f1b") + errors("", "--set schedule.file=none.csv"));
}

}  // namespace orrery::schedule_test
