#include "orrery/schedule/draw.hpp"

#include <doctest/doctest.h>

namespace orrery::schedule::draw_test {

namespace {

Schedule made(const char* name, int ranks, int micro_batches, int chunks = 1) {
  const Result<Schedule> schedule =
      make_schedule({.name = name, .ranks = ranks, .chunks = chunks, .micro_batches = micro_batches, .times = {}});
  REQUIRE_MESSAGE(schedule.ok(), render(schedule.errors()));
  return *schedule;
}

}  // namespace

TEST_CASE("a schedule in plain ASCII") {
  // 1f1b, p = 2, m = 3, F = I = W = 1 (B = 2), two columns a unit. Rank 1: F0 at 1, B0 2-4, F1 4, B1 5-7, F2 7, B2
  // 8-10. Rank 0: F0 0, F1 1, B0 4-6, F2 6, B1 7-9, B2 10-12. Busy 18 of 24: bubble (p-1)/(m+p-1) = 1/4.
  CHECK(draw(made("1f1b", 2, 3), {.colour = false, .width = 0, .times = {}}) ==
        "1f1b: 2 ranks, 2 stages, 3 micro-batches\n"
        "  rank 0 F0F1....B0  F2B1  ..B2  \n"
        "  rank 1 ..F0B0  F1B1  F2B2  ....\n"
        "  makespan 12  schedule bubble 25.0 % (1/4)  span bubble 25.0 % (1/4)  peak in flight 2 1\n");
}

TEST_CASE("small letters are every second chunk; schedules stack at one scale") {
  // interleaved_1f1b, p = 2, m = 2, v = 2: warm-up 2 + 2 on rank 0 (all), 2 on rank 1. Stages 0 2 | 1 3. Rank 1: f0 at
  // 3, b0 4-6, f1 6, b1 7-9; so on rank 0 b0 6-8, b1 9-11; B0 of rank 1 9-11, B1 11-13; of rank 0 11-13, 13-15.
  CHECK(draw({made("interleaved_1f1b", 2, 2, 2), made("zb_h1", 2, 2)}, {.colour = false, .width = 0, .times = {}}) ==
        "interleaved_1f1b: 2 ranks, 4 stages, 2 micro-batches\n"
        "  rank 0 F0F1f0f1....b0  ..b1  B0  B1  \n"
        "  rank 1 ..F0F1f0b0  f1b1  B0  B1  ....\n"
        "  makespan 15  schedule bubble 20.0 % (1/5)  span bubble 20.0 % (1/5)  peak in flight 4 3\n"
        "\n"
        "zb_h1: 2 ranks, 2 stages, 2 micro-batches\n"
        "  rank 0 F0F1..I0W0I1W1\n"
        "  rank 1 ..F0I0F1I1W0W1\n"
        "  makespan 7  schedule bubble 14.3 % (1/7)  span bubble 14.3 % (1/7)  peak in flight 2 2\n");
}

TEST_CASE("a picture fits into its width, with letters alone where numbers have no room") {
  const std::string text = draw(made("1f1b", 2, 3), {.colour = false, .width = 21, .times = {}});
  CHECK(text.find("  rank 0 FF..B0FB1.B2\n") != std::string::npos);
  const std::string narrow = draw(made("gpipe", 4, 64), {.colour = false, .width = 40, .times = {}});
  for (std::size_t at = narrow.find("  rank"); at != std::string::npos; at = narrow.find("  rank", at + 1)) {
    CHECK(narrow.find('\n', at) - at <= 40);
  }
}

TEST_CASE("colours are ANSI backgrounds, the same text between them") {
  const std::string text = draw(made("zbv", 2, 4), {.colour = true, .width = 0, .times = {}});
  CHECK(text.find("\x1b[30;44mF0\x1b[0m") != std::string::npos);
  CHECK(text.find("\x1b[30;104mf0\x1b[0m") != std::string::npos);
  std::string bare;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b')
      i = text.find('m', i);
    else
      bare += text[i];
  }
  std::string plain = draw(made("zbv", 2, 4), {.colour = false, .width = 0, .times = {}});
  const std::size_t rows = plain.find("  makespan");
  for (std::size_t i = 0; i < rows; ++i) plain[i] = plain[i] == '.' ? ' ' : plain[i];
  CHECK(bare == plain);
}

TEST_CASE("a deadlock is drawn as far as it gets and named") {
  Schedule schedule = made("1f1b", 2, 2);
  std::swap(schedule.order[0][1], schedule.order[0][2]);  // 0B0 before 0F1
  std::swap(schedule.order[1][1], schedule.order[1][2]);  // 1F1 before 1B0
  CHECK(draw(schedule, {.colour = false, .width = 0, .times = {}}) ==
        "1f1b: 2 ranks, 2 stages, 2 micro-batches\n"
        "  rank 0 F0\n"
        "  rank 1 ..F0\n"
        "  deadlock\n"
        "  rank 0 stands at 0B0 (position 1) and waits for 1B0 of rank 1\n"
        "  rank 1 stands at 1F1 (position 1) and waits for 0F1 of rank 0\n");
}

}  // namespace orrery::schedule::draw_test
