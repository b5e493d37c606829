#include <doctest/doctest.h>

#include "example.hpp"
#include "report/text_parts.hpp"

namespace orrery::report::art_test {

using Lines = std::vector<std::string>;

// 1F1B on 2 ranks, 4 micro-batches, F 1 ms, B 2 ms, messages in no time: 15 ms, a column each.
// Rank 0: F0 [0, 1), F1, B0 [4, 6), F2, B1 [7, 9), F3, B2 [10, 12), B3 [13, 15); rank 1: F0 [1, 2), B0 [2, 4), F1 …
TEST_CASE("a terminal shows the passes of each stage, a letter a column") {
  const RunResult run = testing::run_example({.message = {}});
  CHECK(timeline_art(run, {false, 31}) == Lines{"  stage 0     FF··BBFBBFBB·BB",  //
                                                "  stage 1     ·FBBFBBFBBFBB··",  //
                                                "              0      15.00 ms"});
  for (const std::string& line : timeline_art(run, {true, 31}))
    CHECK((line.find('\x1b') != std::string::npos || line.ends_with("ms")));
}

// 45 GiB reserved and 1 of context on rank 0, 43 and 1 on rank 1, of 79: 11.6 and 11.1 of 20 columns.
TEST_CASE("bars of memory are as long as what is held") {
  const RunResult run = testing::run_example();
  CHECK(memory_art(run, {false, 60}) == Lines{"  memory 0    ████████████░░░░░░░░ 46.0 GiB of 79.0 GiB",
                                              "  memory 1    ███████████░░░░░░░░░ 44.0 GiB of 79.0 GiB"});
}

TEST_CASE("what is for developers stands in the verbose text alone, drawings where they are asked for") {
  RunResult run = testing::run_example();
  run.notes = {"How it was played.", "A key without effect."};
  run.simulation_notes = 1;
  const std::string plain = to_text(run, {}), verbose = to_text(run, {.verbose = true}),
                    drawn = to_text(run, {.art = true});
  CHECK(plain.find("How it was played.") == std::string::npos);
  CHECK(plain.find("24 tasks") == std::string::npos);
  CHECK(plain.find("A key without effect.") != std::string::npos);
  CHECK(plain.find("4 sequences and 4,000 tokens a step; 2 GPUs, network steady.\n") != std::string::npos);
  CHECK(verbose.find("How it was played.") != std::string::npos);
  CHECK(verbose.find("2 GPUs as 2 devices, 24 tasks, network steady, one pass.") != std::string::npos);
  CHECK(plain.find("  stage 0     F") == std::string::npos);
  CHECK(drawn.find("  stage 0     F") != std::string::npos);
  CHECK(drawn.find("  memory 1    █") != std::string::npos);
}

}  // namespace orrery::report::art_test
