// orrery topology, orrery collective.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace orrery::topology_test {

using orrery::testing::check_golden;
using orrery::testing::kBuild;
using orrery::testing::Outcome;
using orrery::testing::run_orrery;
using orrery::testing::run_shell;

TEST_CASE("orrery topology counts what the SuperPOD reference architecture counts") {
  const Outcome text = run_orrery("topology dgx-h100 --nodes 64 2>&1");
  CHECK(text.code == 0);
  check_golden("tests/cli/golden/topology.txt", text.text);
  // NVIDIA DGX SuperPOD (H100), node counts 64 and 127+1: 16 leaves and 8 spines, 32 and 16.
  const auto one = nlohmann::json::parse(run_orrery("topology dgx-h100 --nodes 64 --json").text);
  CHECK(one["schema"] == "orrery.topology/1");
  CHECK(one["switches"]["leaf"] == 16);
  CHECK(one["switches"]["spine"] == 8);
  CHECK(one["switches"]["core"] == 0);
  CHECK(one["bisection_bytes_per_s"] == 256 * 50'000'000'000);  // non-blocking: half the 512 NICs of 400 Gb/s
  const auto two = nlohmann::json::parse(run_orrery("topology dgx-h100 --nodes 128 --json").text);
  CHECK(two["switches"]["leaf"] == 32);
  CHECK(two["switches"]["spine"] == 16);
}

TEST_CASE("orrery topology writes graphs, and overwrites none") {
  const Outcome dot = run_orrery("topology dgx-a100 --nodes 2 --dot - 2>&1");
  CHECK(dot.text.starts_with("graph"));
  // One edge a cable.
  const auto summary = nlohmann::json::parse(run_orrery("topology dgx-a100 --nodes 2 --json").text);
  std::size_t edges = 0;
  for (std::size_t at = dot.text.find("--"); at != std::string::npos; at = dot.text.find("--", at + 1)) ++edges;
  CHECK(edges == summary["cables"]);
  const Outcome again =
      run_shell("d=$(mktemp -d); for i in 1 2; do " + kBuild +
                "/orrery topology dgx-a100 --nodes 1 --graphml $d/g.xml >/dev/null 2>$d/errors; echo $?; done; "
                "grep -c 'exists already' $d/errors; head -c 5 $d/g.xml; rm -r $d");
  CHECK(again.text == "0\n2\n1\n<?xml");
  CHECK(run_orrery("topology dgx-a10 2>&1").text.find("did you mean 'dgx-a100'?") != std::string::npos);
  CHECK(run_orrery("topology dgx-a10 2>/dev/null").code == 2);
  CHECK(run_orrery("topology dgx-a100 --nodes 0 2>/dev/null").code == 2);
}

TEST_CASE("orrery collective prints the table of nccl-tests") {
  const Outcome text = run_orrery(
      "collective all_reduce --cluster dgx-h100 --gpus 64 --bytes 1MiB..4MiB --algorithm ring --protocol ideal 2>&1");
  CHECK(text.code == 0);
  check_golden("tests/cli/golden/collective.txt", text.text);
  const auto json = nlohmann::json::parse(
      run_orrery("collective all_reduce --cluster dgx-h100 --gpus 64 --bytes 1MiB..8GiB --json").text);
  CHECK(json["schema"] == "orrery.collective/1");
  REQUIRE(json["results"].size() == 14);  // 2^20 … 2^33
  double before = 0;
  for (const auto& row : json["results"]) {
    const double time = row["time_us"], algbw = row["algbw_gb_per_s"], bytes = row["bytes"];
    CHECK(algbw == doctest::Approx(bytes / time / 1000));
    CHECK(row["busbw_gb_per_s"] == doctest::Approx(algbw * 2 * 63 / 64));  // nccl-tests, doc/PERFORMANCE.md
    CHECK(time > before);
    before = time;
  }
}

TEST_CASE("a message without protocol costs takes latency + bytes over the NIC") {
  const auto json = nlohmann::json::parse(
      run_orrery("collective send_receive --cluster dgx-h100 --gpus 16 --bytes 1MB,2MB --protocol ideal --json")
          .text)["results"];
  CHECK(json[1]["time_ps"].get<std::int64_t>() - json[0]["time_ps"].get<std::int64_t>() ==
        20'000'000);  // 1 MB over 50 GB/s
  CHECK(json[0]["busbw_gb_per_s"] == json[0]["algbw_gb_per_s"]);
}

TEST_CASE("what a collective cannot be is said, with exit code 2") {
  const std::string start = "collective all_reduce --cluster dgx-h100 ";
  const auto on_a100 = [](const std::string& options) {  // whose switches do not add
    const Outcome outcome = run_orrery("collective all_reduce --cluster dgx-a100 --bytes 1GiB " + options + " 2>&1");
    CHECK(outcome.code == 2);
    return outcome.text;
  };
  check_golden("tests/cli/golden/collective_errors.txt",
               run_orrery(start + "--gpus 8 --bytes 1 2>&1").text +
                   run_orrery(start + "--gpus 8 --bytes 2MiB..1MiB 2>&1").text +
                   run_orrery(start + "--gpus 8 --bytes 1MiB, 2>&1").text +
                   run_orrery(start + "--gpus 8 --bytes 0B 2>&1").text + run_orrery(start + "--gpus 100000 2>&1").text +
                   run_orrery(start + "--gpus 16 --algorithm nvls 2>&1").text + on_a100("--gpus 8 --algorithm nvls") +
                   on_a100("--gpus 16 --algorithm nvls_tree") + on_a100("--gpus 16 --algorithm collnet"));
  for (const char* wrong : {"--gpus 8 --bytes 1", "--gpus 8 --bytes -1MiB", "--gpus 8 --bytes 1EiB", "--gpus 1", "",
                            "--gpus 16 --algorithm nvls", "--gpus 8 --algorithm rings"})
    CHECK(run_orrery(start + wrong + " 2>/dev/null").code == 2);
}

}  // namespace orrery::topology_test
