#include "report/waterfall.hpp"

#include <doctest/doctest.h>

#include "example.hpp"

namespace orrery::report::waterfall_test {

namespace {

// Two GPUs of 1e6 FLOP/s: a FLOP takes 1e6 ps at the peak.
RunResult run_of_a_million() {
  RunResult run = testing::run_example();
  run.peak_flops_per_second = 1e6;
  run.flops.model = {20'000, 4'000};
  run.kernels.products = {20'000, 21'500'000'000, 21'000'000'000, 20'500'000'000, 0};
  run.kernels.attention = {2'000, 2'300'000'000, 2'200'000'000, 2'100'000'000, 0};
  run.kernels.memory_bound = 100'000'000;
  return run;
}

std::string line_with(const std::vector<std::string>& lines, std::string_view label) {
  for (const std::string& line : lines)
    if (line.find(label) != std::string::npos) return line;
  return {};
}

}  // namespace

// 1F1B of the example: 15.4 ms on 2 GPUs, of which 2 · 12 ms compute, 2 · 0.45 ms messages and 2 · 2.95 ms bubble. At
// 1e6 FLOP/s a FLOP takes 1e6 ps: the model's 24 000 need 24 ms of the 30.8. The products run their 20 000 in 21.5 ms:
// 0.5 to the clock, 0.5 to the main loop, 0.5 to tiles; attention runs 2 000 of its 4 000 in 2.3 ms: 0.1 to the clock,
// 0.1 and 0.1 to itself; 0.1 ms are memory-bound; the compute lacks 24 − 21.5 − 2.3 − 0.1 = 0.1 ms, which slowed
// something.
TEST_CASE("each loss is time less the time of the FLOPs at the peak") {
  const RunResult run = run_of_a_million();
  const Waterfall w = waterfall_of(run);
  CHECK(w.whole == 30'800'000'000);
  CHECK(w.model == 24'000'000'000);
  std::vector<std::pair<std::string, Int128>> seen;
  Int128 left = w.whole;
  for (const Loss& loss : w.losses) {
    left -= loss.time;
    if (loss.time != 0) seen.emplace_back(loss.key, loss.time);
  }
  CHECK(left == w.model);
  const Int128 messages = metrics_of(run).total[static_cast<std::size_t>(program::Category::pipeline_comm)];
  const Int128 bubble = metrics_of(run).total[static_cast<std::size_t>(program::Category::bubble)];
  CHECK(messages + bubble == 6'800'000'000);
  CHECK(seen == std::vector<std::pair<std::string, Int128>>{{"clock", 600'000'000},
                                                            {"main_loop", 500'000'000},
                                                            {"shape", 500'000'000},
                                                            {"attention", 200'000'000},
                                                            {"memory_bound", 100'000'000},
                                                            {"slowed", 100'000'000},
                                                            {"pipeline_comm", messages},
                                                            {"bubble", bubble},
                                                            {"not_run", -2'000'000'000}});
}

TEST_CASE("the lines go from 100 % to the MFU of the report") {
  const RunResult run = run_of_a_million();
  const auto lines = waterfall_lines(run, {false, 100});
  CHECK(lines.front() == "  From peak to MFU: of 2 GPUs at 1e-06 TFLOP/s each");
  CHECK(line_with(lines, "counted, not run").find("+6.5 %") != std::string::npos);  // 2 of 30.8
  CHECK(line_with(lines, "MFU  ").find("77.9 %") != std::string::npos);             // 24 of 30.8
  CHECK(line_with(lines, "context").empty());                                       // nothing is no line
  for (const std::string& line : waterfall_lines(run, {false, 60})) CHECK(line.size() <= 60);
  const std::vector<std::int64_t> tenths = tenths_of(waterfall_of(run));
  std::int64_t sum = 0;
  for (const std::int64_t t : tenths) sum += t;
  CHECK(sum == 1000);
  CHECK(to_text(run, {}).find("From peak to MFU") != std::string::npos);
}

}  // namespace orrery::report::waterfall_test
