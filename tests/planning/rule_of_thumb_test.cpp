// Every result that the course notes print, from the arithmetic they use.
#include "orrery/planning/rule_of_thumb.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "orrery/planning/amounts.hpp"

namespace orrery::planning {
namespace {

std::string text_of(const Answer& answer, const std::string& part, const std::string& key) {
  for (const AnswerPart& p : answer.parts)
    for (const Figure& f : p.figures)
      if (p.key == part && f.key == key) return f.text;
  return "no " + key;
}

Answer value_of(const Result<Answer>& answer) {
  REQUIRE_MESSAGE(answer.ok(), (answer.ok() ? std::string() : render(answer.errors())));
  return *answer;
}

Answer fit(double parameters, Purpose purpose, const char* precision = "", std::int64_t gb = 32) {
  return value_of(thumb_fit({parameters, {gb * 1'000'000'000}, {32'000'000'000}, purpose, precision}));
}

bool says(const Answer& answer, const std::string& words) {
  for (const std::string& note : answer.notes)
    if (note.find(words) != std::string::npos) return true;
  return false;
}

TEST_CASE(
    "llama 3.1 405B on 15 T tokens, A100 at half its peak, as the notes print it and with the six they leave out") {
  const Answer answer = value_of(thumb_plan({"llama3.1-405b", {}, 15e12, "a100", 0.5}));
  CHECK(text_of(answer, "n_d", "flops") == "6.075E+24 FLOPs");
  CHECK(text_of(answer, "n_d", "gpu_hours") == "1.08E+07");
  CHECK(text_of(answer, "n_d", "cost_usd") == "$11,899,038.46");
  CHECK(text_of(answer, "six_n_d", "flops") == "3.645E+25 FLOPs");
  CHECK(text_of(answer, "six_n_d", "cost_usd") == "$71,394,230.77");
  CHECK(says(answer, "take six"));
}

TEST_CASE("T4 and V100 by the same arithmetic") {
  // 6.075e24 / (8.1e12 · 0.25 · 3600) = 8.33e8 hours · 0.21; / (16.4e12 · 0.25 · 3600) = 4.116e8 · 0.84.
  const Answer t4 = value_of(thumb_plan({"llama3.1-405b", {}, 15e12, "t4", 0.25}));
  CHECK(text_of(t4, "n_d", "gpu_hours") == "8.33E+08");
  CHECK(text_of(t4, "n_d", "cost_usd") == "$175,000,000.00");
  const Answer v100 = value_of(thumb_plan({"", 405e9, 15e12, "v100", 0.25}));
  CHECK(text_of(v100, "n_d", "gpu_hours") == "4.12E+08");
  CHECK(text_of(v100, "n_d", "cost_usd") == "$345,731,707.32");
  CHECK(says(v100, "v100 here: 16.4 TFLOP/s, fp32"));
}

TEST_CASE("20B parameters on a GPU of 32 GB beside 32 GB") {
  const Answer held = fit(20e9, Purpose::inference);
  CHECK(text_of(held, "", "total_bytes") == "40.00 GB");
  CHECK(text_of(held, "", "answer") == "Yes, but fit needs both CPU and GPU");
  CHECK(held.yes);
  const Answer tuned = fit(20e9, Purpose::fine_tuning);
  CHECK(text_of(tuned, "", "weights_bytes") == "40.00 GB");
  CHECK(text_of(tuned, "", "gradients_bytes") == "20.00 GB");
  CHECK(text_of(tuned, "", "optimizer_bytes") == "240.00 GB");
  CHECK(text_of(tuned, "", "total_bytes") == "300.00 GB");
  CHECK(text_of(tuned, "", "answer") == "Nope, does not fit available memory");
  CHECK(text_of(tuned, "", "more_gpus") == "8.0 more GPUs");
  CHECK(text_of(tuned, "", "cost_usd_per_hour") == "$7.56/hr");
  CHECK_FALSE(tuned.yes);
  CHECK(says(tuned, "9 GPUs hold 288.00 GB, less than 300.00 GB: it takes 9 more, not 8"));
  CHECK(says(tuned, "gradients at one byte"));
}

TEST_CASE("1B parameters: 4 GB to hold in fp32, 24 against 80 to train") {
  CHECK(text_of(fit(1e9, Purpose::inference, "fp32"), "", "total_bytes") == "4.00 GB");
  CHECK(text_of(fit(1e9, Purpose::inference, "int8"), "", "answer") == "Yes, fits on the GPU");
  const Answer trained = fit(1e9, Purpose::training, "", 80);
  CHECK(text_of(trained, "", "total_bytes") == "24.00 GB");
  CHECK(says(trained, "80 bytes a parameter (80.00 GB)"));
  CHECK(says(fit(20e9, Purpose::fine_tuning, "", 24), "No price"));
}

TEST_CASE("amounts as people write them") {
  const CountFormat format{"--parameters", "405B", 1e3};
  CHECK(*read_count("405B", format) == 405e9);
  CHECK(*read_count("1.5 T", format) == 1.5e12);
  CHECK(*read_count("405000000000", format) == 405e9);
  CHECK(read_count("20b", format).errors().front().help == "write 20B");
  CHECK(read_count("15", format).errors().front().help == "did you mean 15B or 15T?");
  CHECK_FALSE(read_count("0", format).ok());
  CHECK_FALSE(read_count("-3B", format).ok());
  CHECK_FALSE(read_count("nan", format).ok());
  CHECK(*read_tokens("60TB", 4) == 15e12);
  CHECK(*read_tokens("2PB", 4) == 5e14);
  CHECK(read_tokens("15", 4).errors().front().help == "did you mean 15B or 15T?");
  CHECK(read_deadline("30d")->value == 30 * kSecondsPerDay);
  CHECK(read_deadline("6 weeks")->value == 42 * kSecondsPerDay);
  CHECK_FALSE(read_deadline("30").ok());
  CHECK(read_budget("3700PFs-day")->flops == doctest::Approx(3.1968e23));
  CHECK(read_budget("$2M")->usd == 2e6);
  CHECK(read_budget("2M$")->usd == 2e6);
  CHECK_FALSE(read_budget("2M").ok());
  CHECK(money_text(999.995) == "$1,000.00");
  CHECK(count_text(999'990'000) == "1 B");
  // A year of steps of 1.5 s; picoseconds end at 106 days.
  CHECK(run_time(21'024'000, Time{1'500'000'000'000}).value == 365 * kSecondsPerDay);
  CHECK(run_time(1, Time{1}).value == 1);
  CHECK_THROWS_AS(whole_seconds(std::nan("")), OverflowError);
}

}  // namespace
}  // namespace orrery::planning
