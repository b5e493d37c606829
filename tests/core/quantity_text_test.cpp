// Numbers and quantities as texts: every unit by its definition, the borders of 64 and 128 bits, the only notation.
#include <doctest/doctest.h>

#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "orrery/core/fields.hpp"

namespace orrery::quantity_text_test {

namespace {

std::string wrong(FieldType type, const std::string& text) {
  std::int64_t value = 0;
  return parse_quantity(type, text, value);
}

std::int64_t value_of(FieldType type, const std::string& text) {
  std::int64_t value = -1;
  const std::string problem = parse_quantity(type, text, value);
  CHECK_MESSAGE(problem.empty(), text << " " << problem);
  return value;
}

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

}  // namespace

TEST_CASE("every unit is what its prefix says") {
  struct Case {
    FieldType type;
    const char* text;
    std::int64_t value;
  };
  const std::vector<Case> cases{{FieldType::bytes, "3 B", 3},
                                {FieldType::bytes, "3 KB", 3'000},
                                {FieldType::bytes, "3 MB", 3'000'000},
                                {FieldType::bytes, "3 GB", 3'000'000'000},
                                {FieldType::bytes, "3 TB", 3'000'000'000'000},
                                {FieldType::bytes, "3 PB", 3'000'000'000'000'000},
                                {FieldType::bytes, "3 KiB", 3 * 1'024},
                                {FieldType::bytes, "3 MiB", 3 * 1'048'576},
                                {FieldType::bytes, "3 GiB", 3 * 1'073'741'824LL},
                                {FieldType::bytes, "3 TiB", 3 * 1'099'511'627'776LL},
                                {FieldType::bytes, "3 PiB", 3 * 1'125'899'906'842'624LL},
                                {FieldType::bandwidth, "3 B/s", 3},
                                {FieldType::bandwidth, "3 KB/s", 3'000},
                                {FieldType::bandwidth, "3 MB/s", 3'000'000},
                                {FieldType::bandwidth, "3 GB/s", 3'000'000'000},
                                {FieldType::bandwidth, "3 TB/s", 3'000'000'000'000},
                                {FieldType::bandwidth, "3 PB/s", 3'000'000'000'000'000},
                                {FieldType::bandwidth, "3 KiB/s", 3 * 1'024},
                                {FieldType::bandwidth, "3 MiB/s", 3 * 1'048'576},
                                {FieldType::bandwidth, "3 GiB/s", 3 * 1'073'741'824LL},
                                {FieldType::bandwidth, "3 TiB/s", 3 * 1'099'511'627'776LL},
                                {FieldType::bandwidth, "24 b/s", 3},  // eight bits a byte
                                {FieldType::bandwidth, "3 Kb/s", 375},
                                {FieldType::bandwidth, "3 Mb/s", 375'000},
                                {FieldType::bandwidth, "3 Gb/s", 375'000'000},
                                {FieldType::bandwidth, "3 Tb/s", 375'000'000'000},
                                {FieldType::time, "3 ps", 3},
                                {FieldType::time, "3 ns", 3'000},
                                {FieldType::time, "3 us", 3'000'000},
                                {FieldType::time, "3 ms", 3'000'000'000},
                                {FieldType::time, "3 s", 3'000'000'000'000},
                                {FieldType::rate, "3 FLOP/s", 3},
                                {FieldType::rate, "3 KFLOP/s", 3'000},
                                {FieldType::rate, "3 MFLOP/s", 3'000'000},
                                {FieldType::rate, "3 GFLOP/s", 3'000'000'000},
                                {FieldType::rate, "3 TFLOP/s", 3'000'000'000'000},
                                {FieldType::rate, "3 PFLOP/s", 3'000'000'000'000'000},
                                {FieldType::rate, "3 EFLOP/s", 3'000'000'000'000'000'000},
                                {FieldType::flops, "3 FLOP", 3},
                                {FieldType::flops, "3 KFLOP", 3'000},
                                {FieldType::flops, "3 MFLOP", 3'000'000},
                                {FieldType::flops, "3 GFLOP", 3'000'000'000},
                                {FieldType::flops, "3 TFLOP", 3'000'000'000'000},
                                {FieldType::flops, "3 PFLOP", 3'000'000'000'000'000},
                                {FieldType::flops, "3 EFLOP", 3'000'000'000'000'000'000}};
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(value_of(c.type, c.text) == c.value);
  }
}

TEST_CASE("the last value that fits and the first that does not") {
  CHECK(value_of(FieldType::bytes, "9223372036854775807 B") == kMost);
  CHECK(wrong(FieldType::bytes, "9223372036854775808 B") == "is beyond 64 bits");
  CHECK(value_of(FieldType::bytes, "8191 PiB") == 8191LL << 50);
  CHECK(wrong(FieldType::bytes, "8192 PiB") == "is beyond 64 bits");           // 2^13 · 2^50 = 2^63
  CHECK(value_of(FieldType::bandwidth, "73786976294838206456 b/s") == kMost);  // 8 · (2^63 - 1): beyond 64 bits in bits
  CHECK(wrong(FieldType::bandwidth, "73786976294838206464 b/s") == "is beyond 64 bits");
  CHECK(wrong(FieldType::bytes, std::string(40, '1') + " B") == "is beyond 64 bits");  // 10^39 > 2^127
  CHECK(wrong(FieldType::bytes, "17014118346046923173168730371588410 PB") == "is beyond 64 bits");
  CHECK(wrong(FieldType::bytes, "1e1001 B") == "is beyond 64 bits");
  CHECK(value_of(FieldType::bytes, "0e1000 PiB") == 0);
  CHECK(value_of(FieldType::bytes, "0." + std::string(50, '0') + " B") == 0);
}

TEST_CASE("decimals and exponents move the point, exactly") {
  CHECK(value_of(FieldType::bytes, "1.0 B") == 1);
  CHECK(value_of(FieldType::bytes, "1e3 B") == 1'000);
  CHECK(value_of(FieldType::bytes, "1E+3 B") == 1'000);
  CHECK(value_of(FieldType::bytes, "1e-3 KB") == 1);
  CHECK(value_of(FieldType::bytes, "1.25e2 B") == 125);
  CHECK(value_of(FieldType::bytes, "0.5 KiB") == 512);
  CHECK(value_of(FieldType::time, "0.000000000001 s") == 1);
  CHECK(value_of(FieldType::time, "1000000.000001 us") == 1'000'000'000'001);
  CHECK(value_of(FieldType::bytes, "7B") == 7);
  CHECK(value_of(FieldType::bytes, "7   B") == 7);
  CHECK(wrong(FieldType::bytes, "1.5 B") == "is not a whole number of B");
  CHECK(wrong(FieldType::bytes, "1e-3 B") == "is not a whole number of B");
  CHECK(wrong(FieldType::bytes, "0.3 KiB") == "is not a whole number of B");  // 307.2
  CHECK(wrong(FieldType::rate, "0.1 FLOP/s") == "is not a whole number of FLOP/s");
  CHECK(wrong(FieldType::flops, "0.1 FLOP") == "is not a whole number of FLOP");
  CHECK(wrong(FieldType::bandwidth, "1 b/s") == "is not a whole number of B/s");
}

TEST_CASE("what is no quantity says why") {
  CHECK(wrong(FieldType::bytes, "") == "does not start with a decimal number");
  CHECK(wrong(FieldType::bytes, "-") == "does not start with a decimal number");
  CHECK(wrong(FieldType::bytes, "00 B") == "does not start with a decimal number");
  CHECK(wrong(FieldType::bytes, "5. B") == "does not start with a decimal number");
  CHECK(wrong(FieldType::bytes, "-0 B") == "is negative");
  // The unit is looked at first: who writes "-5" forgot it, too.
  CHECK(wrong(FieldType::time, "-5") == "has no unit, write one of ps, ns, us, ms, s, min, h, d");
  const std::string rates = "write one of FLOP/s, KFLOP/s, MFLOP/s, GFLOP/s, TFLOP/s, PFLOP/s, EFLOP/s";
  CHECK(wrong(FieldType::rate, "312e TFLOP/s") == "has the unknown unit 'e TFLOP/s', " + rates);
  CHECK(wrong(FieldType::rate, "312 e") == "has the unknown unit 'e', " + rates);
  CHECK(wrong(FieldType::rate, "312e+ FLOP/s") == "has the unknown unit 'e+ FLOP/s', " + rates);
  CHECK(wrong(FieldType::flops, "2 GFLOP/s") ==
        "has the unknown unit 'GFLOP/s', write one of FLOP, KFLOP, MFLOP, GFLOP, TFLOP, PFLOP, EFLOP");
  CHECK(wrong(FieldType::time, "2\ts") == "has the unknown unit '\ts', write one of ps, ns, us, ms, s, min, h, d");
  CHECK(wrong(FieldType::time, "2 " + std::string(300, 'x')) ==
        "has the unknown unit '" + std::string(40, 'x') + "…', write one of ps, ns, us, ms, s, min, h, d");
  CHECK_THROWS_AS(wrong(FieldType::integer, "2"), InternalError);
}

TEST_CASE("the shortest of the exact texts, and of equally short ones the smaller unit's") {
  const auto bytes = [](std::int64_t value) { return format_quantity(FieldType::bytes, value); };
  const auto time = [](std::int64_t value) { return format_quantity(FieldType::time, value); };
  CHECK(bytes(0) == "0 B");
  CHECK(bytes(999) == "999 B");
  CHECK(bytes(1'000) == "1 KB");
  CHECK(bytes(1'024) == "1 KiB");   // 1.024 KB is longer
  CHECK(bytes(1'536) == "1536 B");  // 1.5 KiB is longer
  CHECK(bytes(1'001'000) == "1001 KB");
  CHECK(bytes(kMost) == "9223372036854775807 B");
  CHECK(bytes(1LL << 62) == "4096 PiB");
  CHECK(time(1'234) == "1234 ps");
  CHECK(time(1'230'000) == "1230 ns");   // as long as 1.23 us
  CHECK(time(12'300'000) == "12.3 us");  // 12300 ns is longer
  CHECK(time(10'500'000'000) == "10.5 ms");
  CHECK(time(10'050'000'000) == "10050 us");
  CHECK(time(1'000'500'000'000'000) == "1000.5 s");
  CHECK(time(1'000'000'500'000) == "1000000.5 us");  // four decimals of a second are one too many
  CHECK(format_quantity(FieldType::bandwidth, 1'500) == "1500 B/s");
  CHECK(format_quantity(FieldType::bandwidth, 125) == "125 B/s");  // never in bits
  CHECK(format_quantity(FieldType::rate, 1'979'000'000'000'000) == "1979 TFLOP/s");
  CHECK(format_quantity(FieldType::rate, 1'000'000'000'000'000'000) == "1 EFLOP/s");
  CHECK(format_quantity(FieldType::flops, 2'000'000'000) == "2 GFLOP");
}

TEST_CASE("integers are digits, from the least to the largest of 64 bits") {
  std::int64_t value = 0;
  CHECK(parse_integer("9223372036854775807", value).empty());
  CHECK(value == kMost);
  CHECK(parse_integer("-9223372036854775808", value).empty());
  CHECK(value == kLeast);
  CHECK(parse_integer("0", value).empty());
  CHECK(value == 0);
  for (const char* beyond : {"9223372036854775808", "-9223372036854775809"})
    CHECK(parse_integer(beyond, value) == "is beyond 64 bits");
  for (const char* bad : {"", "-", "1-", "--1", "01", "-01", "1.0", "1e2", " 1", "1 ", "+1"}) {
    CAPTURE(bad);
    CHECK(parse_integer(bad, value) == "is not a plain decimal integer");
  }
}

TEST_CASE("numbers are what a double can hold") {
  double value = 0;
  const auto read = [&](const char* text) {
    CHECK_MESSAGE(parse_number(text, value).empty(), text);
    return value;
  };
  CHECK(read("-1.5e-3") == -0.0015);
  CHECK(read("0.1") == 0.1);
  CHECK(read("1e308") == 1e308);
  CHECK(read("12E+2") == 1200.0);
  CHECK(read("-0") == 0.0);
  for (const char* beyond : {"1e309", "-1e309", "1e99999999999"})
    CHECK(parse_number(beyond, value) == "is beyond the range of a double");
  for (const char* bad : {"", "1.", ".1", "1e", "1e+", "1e1.5", "nan", "inf", "1,5", "1_0", "0x1", "1 "}) {
    CAPTURE(bad);
    CHECK(parse_number(bad, value) == "is not a plain decimal number");
  }
}

// An editor that checks a scenario by the schema says what the reader says.
TEST_CASE("the pattern of the schema takes the same units and notation as the reader") {
  struct Quantities {
    Bytes bytes;
    BytesPerSecond bandwidth;
    Time time;
    FlopsPerSecond rate;
    Flops flops;
  };
  const auto table = Fields<Quantities>("q", "")
                         .add("bytes", &Quantities::bytes, "")
                         .add("bandwidth", &Quantities::bandwidth, "")
                         .add("time", &Quantities::time, "")
                         .add("rate", &Quantities::rate, "")
                         .add("flops", &Quantities::flops, "");
  const std::string schema = json_schema(table, "q");
  std::vector<std::string> units{"",  "B/s/s", "BB",    "Ki", "minutes", "min", "d",
                                 "h", "KiBps", "Bytes", "EB", "EiB",     "ks",  "fs"};
  for (const char* prefix : {"", "K", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "p", "n", "u", "m", "k"})
    for (const char* base : {"B", "b", "B/s", "b/s", "s", "FLOP", "FLOP/s"})
      units.push_back(std::string(prefix) + base);
  int taken = 0;
  for (const Field& field : table.fields()) {
    const std::size_t at = schema.find("\"pattern\": \"", schema.find("\"" + field.name + "\": {")) + 12;
    std::string pattern = schema.substr(at, schema.find("\"", at) - at);
    for (std::size_t i = pattern.find("\\\\"); i != std::string::npos; i = pattern.find("\\\\", i + 1))
      pattern.erase(i, 1);  // an escaped backslash
    const std::regex regex(pattern);
    for (const std::string& unit : units)
      for (const char* number : {"8", "8 ", "0.8e1", "8E+0  ", "08", ".8", "8.", "+8", "8e", "8 e3 "}) {
        const std::string text = number + unit;
        CAPTURE(text);
        CAPTURE(pattern);
        CHECK(std::regex_match(text, regex) == wrong(field.type, text).empty());
        taken += wrong(field.type, text).empty() ? 1 : 0;
      }
  }
  // Four notations are taken, of the 10 + 15 + 8 + 7 + 7 units that are listed here (PiB is not).
  CHECK(taken == 4 * 47);
}

}  // namespace orrery::quantity_text_test
