// Amounts as people write them, and as they are printed.
#include "orrery/planning/amounts.hpp"

#include <cmath>
#include <limits>

#include "answers.hpp"
#include "orrery/planning/mix.hpp"

namespace orrery::planning::amounts_test {
namespace {

const CountFormat kSize{"--parameters", "405B", 1e3};

TEST_CASE("counts take K, M, B and T, blanks, fractions and exponents") {
  struct Expected {
    const char* text;
    double count;
  };
  for (const Expected& e : {Expected{"1K", 1e3},
                            {"7M", 7e6},
                            {"20B", 20e9},
                            {"1.5T", 1.5e12},
                            {"0.5 B", 0.5e9},
                            {" 13 B ", 13e9},
                            {"1e9", 1e9},
                            {"1.5e9", 1.5e9},
                            {"2e3B", 2e12},
                            {"1000", 1000}}) {
    CAPTURE(e.text);
    CHECK(value_of(read_count(e.text, kSize)) == doctest::Approx(e.count).epsilon(1e-15));
  }
}

TEST_CASE("what is no count is refused with how it is written") {
  for (const char* text : {"", " ", "B", "x", "-5B", "nan", "inf", "--5", "1e999", "B20"}) {
    CAPTURE(text);
    const Diagnostic wrong = mistake_of(read_count(text, kSize));
    CHECK(wrong.path == "--parameters");
    CHECK(wrong.help.find("--parameters 405B") != std::string::npos);
  }
  // Units that are not known, and those that are known by a larger letter.
  CHECK(mistake_of(read_count("20b", kSize)).help == "write 20B");
  CHECK(mistake_of(read_count("1.5t", kSize)).help == "write 1.5T");
  CHECK(mistake_of(read_count("7 m", kSize)).help == "write 7M");
  CHECK(mistake_of(read_count("20GB", kSize)).message.find("unknown unit 'GB'") != std::string::npos);
  CHECK(mistake_of(read_count("20,5B", kSize)).message.find("unknown unit") != std::string::npos);
  CHECK(mistake_of(read_count("1 000B", kSize)).message.find("unknown unit") != std::string::npos);
  // Less than can be meant: a letter was left out.
  CHECK(mistake_of(read_count("999", kSize)).help == "did you mean 999B or 999T?");
  CHECK(mistake_of(read_count("0", kSize)).help == "write it such as --parameters 405B");
  CHECK(mistake_of(read_count("0B", kSize)).message == "0B is less than 1 K");
}

TEST_CASE("tokens are a count, or the size of their text over the bytes of each") {
  CHECK(value_of(read_tokens("15T", 4)) == 15e12);
  CHECK(value_of(read_tokens("4GB", 4)) == 1e9);
  CHECK(value_of(read_tokens("60TB", 4)) == 15e12);
  CHECK(value_of(read_tokens("60TB", 3)) == 20e12);
  CHECK(value_of(read_tokens("1PB", 4)) == 2.5e14);
  CHECK(value_of(read_tokens("4TiB", 4)) == std::pow(2, 40));
  // B alone is a thousand million, not a byte.
  CHECK(value_of(read_tokens("15B", 4)) == 15e9);
  CHECK(mistake_of(read_tokens("15", 4)).help == "did you mean 15B or 15T?");
  CHECK(mistake_of(read_tokens("15Tb", 4)).path == "--tokens");
  CHECK(mistake_of(read_tokens("-15T", 4)).path == "--tokens");
}

TEST_CASE("deadlines take hours to years; a month has 30 days, a year 365") {
  struct Expected {
    const char* text;
    std::int64_t seconds;
  };
  for (const Expected& e : {Expected{"12h", 43'200},
                            {"1 hour", 3600},
                            {"36 hours", 129'600},
                            {"30d", 2'592'000},
                            {"1 day", 86'400},
                            {"1.5 days", 129'600},
                            {"2w", 1'209'600},
                            {"6 weeks", 3'628'800},
                            {"1 month", 2'592'000},
                            {"3 months", 7'776'000},
                            {"1y", 31'536'000},
                            {"2 years", 63'072'000}}) {
    CAPTURE(e.text);
    CHECK(value_of(read_deadline(e.text)).value == e.seconds);
  }
  for (const char* text : {"", "30", "d", "-3d", "0d", "30 fortnights", "1e10 y", "30D", "nan d"}) {
    CAPTURE(text);
    CHECK(mistake_of(read_deadline(text)).help.find("--deadline 30d") != std::string::npos);
  }
}

TEST_CASE("budgets are petaFLOP/s-days, FLOPs or dollars") {
  CHECK(value_of(read_budget("1PFs-day")).flops == 8.64e19);
  for (const char* text : {"10 PFs-days", "10PF-day", "10PF-days", "10 petaFLOP/s-day", "10 petaFLOP/s-days"})
    CHECK(value_of(read_budget(text)).flops == doctest::Approx(8.64e20));
  for (const char* text : {"5.76e23", "5.76e23 FLOP", "5.76e23FLOPs"})
    CHECK(value_of(read_budget(text)).flops == doctest::Approx(5.76e23));
  for (const char* text : {"$2M", "2M$", "$2000000", "$ 2M", "$2000K", "$0.002B"}) {
    CAPTURE(text);
    CHECK(value_of(read_budget(text)).usd == doctest::Approx(2e6));
    CHECK(value_of(read_budget(text)).flops == 0);
  }
  for (const char* text :
       {"", "2M", "$", "$0", "$-5", "0PFs-day", "-1PFs-day", "12", "1e14", "$2m", "2 EUR", "1e999"}) {
    CAPTURE(text);
    CHECK(mistake_of(read_budget(text)).path == "--budget");
  }
}

TEST_CASE("amounts are printed as they are said") {
  CHECK(count_text(405e9) == "405 B");
  CHECK(count_text(15e12) == "15 T");
  CHECK(count_text(1.92e12) == "1.92 T");
  CHECK(count_text(999) == "999");
  CHECK(count_text(1000) == "1 K");
  CHECK(count_text(999'949) == "999.9 K");
  CHECK(count_text(999'950) == "1 M");  // not 1000 K
  CHECK(flops_text(6.075e24) == "6.075E+24 FLOPs");
  CHECK(grouped_text(0) == "0");
  CHECK(grouped_text(999) == "999");
  CHECK(grouped_text(1000) == "1,000");
  CHECK(grouped_text(1234567) == "1,234,567");
  CHECK(petaflop_days_text(8.64e19 * 2.079) == "2.08");
  CHECK(petaflop_days_text(8.64e19 * 3640) == "3,640");
  CHECK(money_text(11'899'038.4615) == "$11,899,038.46");
  CHECK(money_text(0.005) == "$0.01");
  CHECK(money_text(0) == "$0.00");
  CHECK(gigabytes_text(40e9) == "40.00 GB");
  CHECK(corpus_text(60e12) == "60 TB");
  CHECK(corpus_text(4e9) == "4 GB");
  CHECK(corpus_text(999.6e9) == "1 TB");  // not 1e+03 GB
  CHECK(corpus_text(2e15) == "2 PB");
}

TEST_CASE("times are printed in the largest unit that says something") {
  CHECK(seconds_text({90}) == "1.5 min");
  CHECK(seconds_text({7200}) == "2 h");
  CHECK(seconds_text({36 * 3600}) == "36 h");
  CHECK(seconds_text({48 * 3600}) == "2 days");
  CHECK(seconds_text({75 * kSecondsPerDay + 60'000}) == "75.7 days");
  CHECK(seconds_text({12'345 * kSecondsPerDay}) == "12,345 days");
}

TEST_CASE("seconds are rounded up, exactly, and do not wrap") {
  CHECK(run_time(0, Time{5}).value == 0);
  CHECK(run_time(1, Time{1'000'000'000'000}).value == 1);
  CHECK(run_time(1, Time{1'000'000'000'001}).value == 2);
  // 9 · 10¹⁸ steps of 104 days: beyond 64 bits in seconds.
  CHECK_THROWS_AS(run_time(std::numeric_limits<std::int64_t>::max(), Time{9'000'000'000'000'000'000}), OverflowError);
  CHECK(whole_seconds(0).value == 0);
  CHECK(whole_seconds(0.001).value == 1);
  CHECK(whole_seconds(2).value == 2);
  CHECK_THROWS_AS(whole_seconds(-1), OverflowError);
  CHECK_THROWS_AS(whole_seconds(1e19), OverflowError);
}

TEST_CASE("more than there is of anything is a slip") {
  CHECK(mistake_of(read_count("2e18", {"--parameters", "405B", 1e3})).message == "2e18 is more than 1e+18");
  CHECK(value_of(read_count("1e18", {"--parameters", "405B", 1e3})) == 1e18);
  CHECK(mistake_of(read_tokens("1e300", 4)).path == "--tokens");
  CHECK(mistake_of(read_budget("1e36")).message == "'1e36' is more than 1e+35 FLOPs");
  // 1e35 / 8.64e19 = 1.157e15 petaFLOP/s-days.
  CHECK(mistake_of(read_budget("1.2e15PFs-day")).message == "'1.2e15PFs-day' is more than 1e+35 FLOPs");
  CHECK(value_of(read_budget("1.1e15PFs-day")).flops == doctest::Approx(9.504e34));
}

TEST_CASE("mixes of any number of parts make up the whole") {
  const AnswerPart three = value_of(mix_of("50/30/20", 1e12));
  REQUIRE(three.tables[0].rows.size() == 3);
  CHECK(number(three.tables[0].rows[2][2].value) == 2e11);
  CHECK(value_of(mix_of("100", 1e9)).tables[0].rows.size() == 1);
  CHECK(number(value_of(mix_of("33.3/66.7", 1e12)).tables[0].rows[0][2].value) == doctest::Approx(3.33e11));
  for (const char* text : {"", "51", "0/100", "-1/101", "51/49/", "51:49", "50/50/50"}) {
    CAPTURE(text);
    CHECK(mistake_of(mix_of(text, 1e9)).help == "such as --mix 51/49");
  }
}

TEST_CASE("the size of a model is its exact count, an unknown one is a mistake of --model") {
  CHECK(value_of(size_of_model("gpt2")) == 124'439'808);
  CHECK(mistake_of(size_of_model("gpt9")).path == "--model");
}

}  // namespace
}  // namespace orrery::planning::amounts_test
