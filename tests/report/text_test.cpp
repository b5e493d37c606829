#include <doctest/doctest.h>

#include <sstream>

#include "example.hpp"
#include "report/format.hpp"
#include "report/text_parts.hpp"

namespace orrery::report::text_test {

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string without_colour(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = text.find('m', i);
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::string limit_of(const RunResult& run) {
  return what_limits(run, metrics_of(run));
}

// That percentage of every device's time, and of the critical path, to `category`, the rest to compute.
void split(RunResult& run, program::Category category, std::int64_t percent) {
  const std::int64_t step = run.timeline.makespan.value;
  run.critical.of = {};
  run.critical.of[static_cast<std::size_t>(category)] = step / 100 * percent;
  run.critical.of[0] = step - step / 100 * percent;
  for (engine::Breakdown& parts : run.split) {
    parts = {};
    parts[static_cast<std::size_t>(category)] = step / 100 * percent;
    parts[0] = step - parts[static_cast<std::size_t>(category)];
  }
}

}  // namespace

TEST_CASE("figures are written as people write them") {
  CHECK(time_text(13'750'000'000'000) == "13.75 s");
  CHECK(time_text(812'000'000'000) == "812.0 ms");
  CHECK(time_text(1'500'000) == "1.500 us");
  CHECK(time_text(2'000) == "2.000 ns");
  CHECK(time_text(7) == "7 ps");
  CHECK(time_text(123'456'000'000'000'000) == "123456 s");
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(1023) == "1023 B");
  CHECK(bytes_text(67'200LL << 20) == "65.6 GiB");
  CHECK(bytes_text(-(3LL << 29)) == "-1.50 GiB");
  CHECK(count_text(9532.8) == "9,533");
  CHECK(count_text(148.95) == "148.9");  // 148.95 in binary is below
  CHECK(count_text(12'345'678) == "12.3 M");
  CHECK(integer_text(0) == "0");
  CHECK(integer_text(1'234'567) == "1,234,567");
  CHECK(integer_text(-123) == "-123");
  CHECK(integer_text(-1234) == "-1,234");
  CHECK(parameters_text(1'300'000'000) == "1.30 B");
  CHECK(parameters_text(512) == "512");
  CHECK(percent_text(0.5123) == "51.2 %");
  CHECK(percent_text(0.0001) == "< 0.1 %");
  CHECK(percent_text(0) == "0.0 %");
}

TEST_CASE("lists of ranks are short") {
  using Ranks = std::vector<std::int32_t>;
  CHECK(rank_list(Ranks{3}) == "3");
  CHECK(rank_list(Ranks{0, 1, 2, 3}) == "0-3");
  CHECK(rank_list(Ranks{0, 2, 4, 5, 6}) == "0, 2, 4-6");
  CHECK(rank_list(Ranks{0, 2, 4, 6}) == "0, 2, 4, 6");
  CHECK(rank_list(Ranks{0, 2, 4, 6, 8, 9}) == "0, 2, 4, 6, … (6 ranks)");
}

TEST_CASE("text wraps at blanks and counts code points") {
  CHECK(columns("a█ µ") == 4);
  CHECK(wrap("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(wrap("takes 1.00 GiB, so", 13) == std::vector<std::string>{"takes", "1.00 GiB, so"});
  CHECK(wrap("takes 19.2 % of", 11) == std::vector<std::string>{"takes", "19.2 % of"});
  CHECK(wrap("unbreakable", 4) == std::vector<std::string>{"unbreakable"});
  CHECK(wrap("", 4) == std::vector<std::string>{""});
}

// 1F1B, 2 ranks, 4 micro-batches, F 1 ms, B 2 ms, messages 0.1 ms: (m + p − 1) · 3 ms + 4 messages on the critical path
// = 15.4 ms; 4000 tokens / 15.4 ms = 259 740; model FLOPs 1.248 T / (15.4 ms · 312 T) = 25.97 %.
TEST_CASE("the report of a small run, to the letter") {
  CHECK("\n" + to_text(testing::run_example(), {}) == R"(
toy model on 2 GPUs: pipeline 2, 1f1b

  step time 15.40 ms   tokens/s 259,740   tokens/s/GPU 129,870   MFU 26.0 %   HFU 32.5 %
  FLOPs a step: 2.50e12 of the model (attention 0), 3.12e12 run (attention 0, recomputation
  6.24e11). HFU by Korthikanti et al. eq. 8: 32.5 %.
  fits: 46.0 GiB of 79.0 GiB on the fullest GPU (rank 0), 33.0 GiB free
  at its peak: weights 10.0 GiB, optimizer 30.0 GiB, activations 4.00 GiB, allocator slack
  1.00 GiB, CUDA context 1.00 GiB

  ███████████████████████████████████████████████████████████████████████████▄▄▄░░░░░░░░░░░░░░░░░░
  █ compute 77.9 %   ▄ pipeline_comm 2.9 %   ░ bubble 19.2 %

  Limit: The pipeline bubble takes 19.2 % of the step (4 micro-batches over 2 pipeline ranks):
  more micro-batches or virtual stages would shrink it.

  From peak to MFU: of 2 GPUs at 312 TFLOP/s each
  clock under load                                  -3.9 %                                      ▒▒
  matrix products: main loop                       -35.1 %                         ▒▒▒▒▒▒▒▒▒▒▒▒▒
  matrix products: tiles, waves                    -12.9 %                    ▒▒▒▒▒
  pipeline communication                            -3.0 %                   ▒
  bubble                                           -19.1 %           ▒▒▒▒▒▒▒▒
  MFU                                               26.0 %  █████████

  ranks  stage  layers           parameters         F         B      peak  reserved  in flight
  0          0  embedding + 0-3      1.30 B  1.000 ms  2.000 ms  44.0 GiB  45.0 GiB          2
  1          1  4-7 + head           1.30 B  1.000 ms  2.000 ms  42.0 GiB  43.0 GiB          1

  4 sequences and 4,000 tokens a step; 2 GPUs, network steady.
)");
}

TEST_CASE("a report keeps to its width and colour changes no word") {
  const RunResult run =
      testing::run_example({.schedule = "interleaved_1f1b", .ranks = 4, .chunks = 2, .micro_batches = 8});
  for (const int width : {50, 60, 80, 100, 160}) {
    std::istringstream lines(to_text(run, {.colour = true, .width = width}));
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      CHECK(columns(without_colour(line)) <= width);
    }
  }
  const std::string plain = to_text(run, {.colour = false, .width = 100});
  CHECK_FALSE(has(plain, "\x1b"));
  const std::string coloured = without_colour(to_text(run, {.colour = true, .width = 100}));
  CHECK(coloured.substr(coloured.find("Limit")) == plain.substr(plain.find("Limit")));
  CHECK(has(to_text(run, {.colour = false, .width = 80}), "in flight"));
  CHECK_FALSE(has(to_text(run, {.colour = false, .width = 80}), "reserved\n"));
}

TEST_CASE("what is wrong stands out") {
  RunResult run = testing::run_example();
  run.warnings = {"this schedule runs at a loss"};
  run.books = {"a picosecond is missing"};
  const std::string text = to_text(run, {.colour = true, .width = 100});
  CHECK(has(text, "\x1b[1;31mwarning:\x1b[0m this schedule"));
  CHECK(has(text, "\x1b[1;31mthe books do not balance:\x1b[0m a picosecond"));
}

TEST_CASE("durations, of seconds to years") {
  for (const auto& [seconds, text] : {std::pair{0.25, "250.0 ms"},
                                      {59.0, "59 s"},
                                      {60.0, "1 min"},
                                      {3599.0, "60 min"},
                                      {3600.0, "1 h"},
                                      {47.0 * 3600, "47 h"},
                                      {48.0 * 3600, "2 days"},
                                      {999.0 * 86400, "999 days"},
                                      {1000.0 * 86400, "1,000 days"}})
    CHECK(duration_text(seconds) == text);
}

TEST_CASE("the bar fills its width whatever the shares") {
  RunResult run = testing::run_example();
  for (std::int64_t percent = 0; percent <= 100; percent += 7) {
    split(run, program::Category::data_comm, percent);
    CHECK(columns(time_bar(metrics_of(run), {}).front()) == 2 + 96);
  }
}

TEST_CASE("folded and unfolded, the table is the same") {
  RunResult folded = testing::run_example();
  RunResult unfolded = folded;
  folded.program.devices[0].ranks = {0, 1};
  folded.program.devices[1].ranks = {2, 3};
  unfolded.program.devices[0].ranks = {0};
  unfolded.program.devices[1].ranks = {2};
  for (std::size_t d = 0; d < 2; ++d) {  // the partners: devices 2 and 3, same operations
    unfolded.program.devices.push_back(unfolded.program.devices[d]);
    unfolded.program.devices.back().ranks[0] += 1;
    for (std::size_t i = 0, n = unfolded.program.operations.size(); i < n; ++i)
      if (unfolded.program.operations[i].device == d) {
        program::Operation copy = unfolded.program.operations[i];
        copy.device = static_cast<program::DeviceIndex>(d + 2);
        unfolded.program.operations.push_back(copy);
      }
    unfolded.split.push_back(unfolded.split[d]);
    unfolded.memory.push_back(unfolded.memory[d]);
    unfolded.reserved.push_back(unfolded.reserved[d]);
  }
  CHECK(stage_table(folded, {}) == stage_table(unfolded, {}));
}

TEST_CASE("a long pipeline shows its ends and its fullest rank") {
  RunResult run = testing::run_example({.ranks = 32, .micro_batches = 8});
  run.reserved[20] += testing::kGiB * 20;
  const std::vector<std::string> table = stage_table(run, {});
  CHECK(table.size() == 1 + 10 + 1 + 1 + 1 + 4);
  CHECK(table[11] == "  …");
  CHECK(table[12].substr(0, 4) == "  20");
}

TEST_CASE("in flight equals the memory of the schedule oracles' convention") {
  for (const char* name : {"gpipe", "1f1b", "interleaved_1f1b"}) {
    const RunResult run = testing::run_example(
        {.schedule = name, .ranks = 4, .chunks = std::string(name) == "interleaved_1f1b" ? 2 : 1, .micro_batches = 8});
    const auto table = stage_table(run, {});
    for (std::size_t d = 0; d < 4; ++d) {
      // Each activation is 2 GiB in the example.
      const std::int64_t held = run.memory[d].at_peak[static_cast<std::size_t>(program::MemoryClass::activations)];
      const std::string& row = table[1 + d * (run.stages.size() / 4)];
      CHECK(row.substr(row.rfind(' ') + 1) == std::to_string(held / (2 * testing::kGiB)));
    }
  }
}

TEST_CASE("the limit is the largest loss, and right about why") {
  RunResult run = testing::run_example();
  CHECK(has(limit_of(run), "pipeline bubble takes 19.2 % of the step (4 micro-batches over 2 pipeline ranks)"));

  split(run, program::Category::data_comm, 30);
  CHECK(has(limit_of(run), "Data-parallel communication takes 30.0 % of the step"));
  split(run, program::Category::recompute, 30);
  CHECK(has(limit_of(run), "33.0 GiB are free"));
  run.usable_memory = {47 * testing::kGiB};
  CHECK(has(limit_of(run), "the memory to keep them is what lacks"));
  split(run, program::Category::host, 3);
  CHECK(
      has(limit_of(run), "Arithmetic: it fills 97.0 % of the step, at 33.5 % of the GPUs' peak rate"));  // 32.47 / 0.97

  run.usable_memory = {40 * testing::kGiB};
  CHECK(
      limit_of(run) ==
      "Memory: the fullest GPU needs 6.00 GiB more than it has; the most of it, 30.0 GiB, is optimizer: more tensor or "
      "pipeline ranks, or sharding over the data ranks, would shrink them.");
}

TEST_CASE("a bubble of unequal stages is told from one of the schedule") {
  RunResult run = testing::run_example({.ranks = 2, .micro_batches = 64});
  CHECK_FALSE(has(limit_of(run), "unequal"));
  // Rank 0 works a fifth of the step, rank 1 four: of the 50 % bubble, 80 − 50 = 30 % is the difference.
  const std::int64_t step = run.timeline.makespan.value;
  run.split[0] = {step / 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, step - step / 5};
  run.split[1] = {step / 5 * 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, step - step / 5 * 4};
  CHECK(has(limit_of(run), "stages are unequal: pipeline rank 1 works 60.0 % longer than the average"));
  for (program::Device& device : run.program.devices) device.at[layout::Dimension::pipeline] = 0;
  CHECK(has(limit_of(run), "the GPUs wait for the slowest among them"));
}

TEST_CASE("what does not fit, warnings and broken books are said") {
  RunResult run = testing::run_example();
  run.usable_memory = {45 * testing::kGiB};
  run.warnings = {"the schedule runs at a loss"};
  const std::string text = to_text(run, {});
  CHECK(has(text, "does not fit: 46.0 GiB of 45.0 GiB on the fullest GPU (rank 0), 1.00 GiB too much"));
  CHECK(has(text, "warning: the schedule runs at a loss"));
  CHECK_FALSE(has(text, "books"));
  CHECK(has(books_text(run), "24 tasks, 48 edges"));
  run.books = {"memory of device 1"};
  CHECK(has(to_text(run, {}), "the books do not balance: memory of device 1"));
  CHECK(books_text(run) == "The books do not balance (1):\n  memory of device 1\n");
}

}  // namespace orrery::report::text_test
