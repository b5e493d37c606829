// Every result that the course notes print, from the arithmetic they use.
#include "orrery/planning/rule_of_thumb.hpp"

#include <cmath>

#include "answers.hpp"
#include "orrery/planning/amounts.hpp"

namespace orrery::planning::rule_of_thumb_test {
namespace {

std::string text_of(const Answer& answer, const std::string& part, const std::string& key) {
  return figure(answer, key, part).text;
}

Answer fit(double parameters, Purpose purpose, const char* precision = "", std::int64_t gb = 32) {
  return value_of(thumb_fit({parameters, {gb * 1'000'000'000}, {32'000'000'000}, purpose, precision}));
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

TEST_CASE("what the notes' table does not have is refused") {
  const auto wrong = [](const ThumbPlan& plan) { return mistake_of(thumb_plan(plan)); };
  CHECK(wrong({"llama3.1-405b", {}, 15e12, "h100", 0.5}).message ==
        "'h100' is not in the notes' table: t4, v100, a100");
  CHECK(wrong({"llama3.1-405b", {}, 15e12, "", 0.5}).message == "is missing: the notes' table has t4, v100, a100");
  CHECK(wrong({"llama9", {}, 15e12, "a100", 0.5}).path == "--model");
  ThumbFit fit{1e9, {}, {}, Purpose::training, "fp16"};
  CHECK(mistake_of(thumb_fit(fit)).message == "the notes have no rule for training in fp16");
  fit.precision = "fp8";
  CHECK(mistake_of(thumb_fit(fit)).message.find("is not in the notes") != std::string::npos);
  fit = {1e9, {}, {}, Purpose::fine_tuning, "int8"};
  CHECK(mistake_of(thumb_fit(fit)).help == "write --precision fp16");
}

TEST_CASE("the notes' table is theirs, and named apart from the catalogue") {
  const ThumbTable table = value_of(load_thumb_table());
  REQUIRE(table.gpus.size() == 3);
  struct Expected {
    const char* name;
    double price, tera;
    std::int64_t gigabytes;
  };
  for (const Expected& e : {Expected{"t4", 0.21, 8.1, 16}, {"v100", 0.84, 16.4, 32}, {"a100", 1.10, 312, 80}})
    for (const ThumbGpu& gpu : table.gpus)
      if (gpu.name == e.name) {
        CHECK(gpu.price_usd_per_hour == e.price);
        CHECK(static_cast<double>(gpu.peak.value) == doctest::Approx(e.tera * 1e12));
        CHECK(gpu.memory.value == e.gigabytes * 1'000'000'000);
        CHECK_FALSE(gpu.peak_is.empty());
      }
  CHECK(table.source.find("course notes") != std::string::npos);
  // Sizes as the notes take them, else the exact count.
  CHECK(value_of(parameters_of("llama3.1-405b", table, Catalogue::shared())) == 405e9);
  CHECK(value_of(parameters_of("gpt2", table, Catalogue::shared())) == 124'439'808);
}

TEST_CASE("hours and money go by efficiency, FLOPs do not") {
  const Answer half = value_of(thumb_plan({"", 1e9, 20e9, "a100", 0.5})),
               quarter = value_of(thumb_plan({"", 1e9, 20e9, "a100", 0.25}));
  CHECK(number(half, "flops", "n_d") == 2e19);
  CHECK(number(quarter, "flops", "n_d") == 2e19);
  CHECK(number(half, "flops", "six_n_d") == 1.2e20);
  CHECK(number(half, "petaflop_days", "six_n_d") == doctest::Approx(1.2e20 / 8.64e19));
  CHECK(number(half, "gpu_hours", "n_d") == doctest::Approx(2e19 / (312e12 * 0.5 * 3600)));
  CHECK(number(quarter, "gpu_hours", "n_d") == doctest::Approx(2 * number(half, "gpu_hours", "n_d")));
  CHECK(number(quarter, "cost_usd", "n_d") == doctest::Approx(1.10 * number(quarter, "gpu_hours", "n_d")));
}

TEST_CASE("whether it fits is told by the byte, in the notes' words") {
  // 16 B parameters of 2 bytes are 32 GB.
  CHECK(text_of(fit(16e9, Purpose::inference), "", "answer") == "Yes, fits on the GPU");
  CHECK(text_of(fit(16.000001e9, Purpose::inference), "", "answer") == "Yes, but fit needs both CPU and GPU");
  CHECK(text_of(fit(32e9, Purpose::inference), "", "answer") == "Yes, but fit needs both CPU and GPU");
  const Answer none = fit(33e9, Purpose::inference);
  CHECK(text_of(none, "", "answer") == "Nope, does not fit available memory");
  // 66 GB on GPUs of 32: 2 + 1 more by rounding down, 3 in all hold them.
  CHECK(text_of(none, "", "more_gpus") == "1.0 more GPUs");
  CHECK(number(none, "more_gpus_that_hold_it") == 2);
  CHECK(says(none, "it takes 2 more, not 1"));
}

}  // namespace
}  // namespace orrery::planning::rule_of_thumb_test
