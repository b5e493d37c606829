// Words of other tools and numbers as others write them; names of formats and calls; hashes and counts to their
// borders.
#include <doctest/doctest.h>

#include <limits>
#include <set>

#include "core/synonyms.hpp"
#include "orrery/core/collective.hpp"
#include "orrery/core/dtype.hpp"
#include "orrery/core/hash.hpp"
#include "orrery/core/memory.hpp"
#include "orrery/core/units.hpp"

namespace orrery::words_test {

TEST_CASE("capitals, dashes and blanks are no difference, other words are by their section") {
  const std::vector<std::string> known{"micro_batch", "tensor"};
  for (const char* same : {"MicroBatch", "micro-batch", "Micro Batch", "MICRO_BATCH", "microbatch"})
    CHECK(remedy_for_key("training", same, known) == "did you mean 'micro_batch'?");
  CHECK(remedy_for_key("training", "mbs", known) == "did you mean 'micro_batch'?");
  CHECK(remedy_for_key("training", "MBS", known) == "did you mean 'micro_batch'?");
  CHECK(remedy_for_key("layout", "mbs", {"pipeline"}) == "write training.micro_batch");
  CHECK(remedy_for_key("cluster", "tensor", {"nodes"}) == "`tensor` belongs in layout: layout.tensor");
  CHECK(remedy_for_key("training", "gradient_accumulation_steps", known) ==
        "follows from training: global_batch / (data ranks · micro_batch)");
  CHECK(remedy_for_key("training", "-", known).empty());
  CHECK(remedy_for_key("training", "", known).empty());
}

TEST_CASE("values of other tools, where the key has them") {
  const std::vector<std::string> zero{"none", "optimizer", "gradients", "parameters"};
  for (const auto& [word, means] : {std::pair{"0", "none"},
                                    {"1", "optimizer"},
                                    {"2", "gradients"},
                                    {"3", "parameters"},
                                    {"FULL_SHARD", "parameters"},
                                    {"ZeRO-1", "optimizer"}})
    CHECK(remedy_for_word("zero", word, zero) == std::string(word) + " is `" + means + "` here");
  CHECK(remedy_for_word("zero", "3", {"none"}).empty());  // not of this list
  CHECK(remedy_for_word("other", "3", zero).empty());     // not of this key
  CHECK(remedy_for_word("zero", "None", zero) == "write none");
  CHECK(remedy_for_word("zero", "optimiser", zero) == "did you mean 'optimizer'?");
}

TEST_CASE("numbers with a suffix or separators mean a number; quantities the nearest unit") {
  const auto integer = [](const char* text) { return remedy_for_number(FieldType::integer, text); };
  for (const auto& [text, number] : {std::pair{"8k", "8192"},
                                     {"8K", "8192"},
                                     {"8Ki", "8192"},
                                     {"2M", "2097152"},
                                     {"2Mi", "2097152"},
                                     {"1,234", "1234"},
                                     {"1_000_000", "1000000"},
                                     {"999999999999k", "1023999999998976"}})
    CHECK(integer(text) == std::string("write ") + number);
  for (const char* none : {"8", "08k", "0k", "_8k", ",8", "1000000000000k", "8 k", "8G", "-1k", "k", "8kk", "M"}) {
    CAPTURE(none);
    CHECK(integer(none).empty());
  }
  CHECK(remedy_for_number(FieldType::bandwidth, "25 GBps") == "write 25 GB/s");
  CHECK(remedy_for_number(FieldType::bandwidth, "100gbps") == "write 100 Gb/s");
  CHECK(remedy_for_number(FieldType::bandwidth, "100 parsecs").empty());
  CHECK(remedy_for_number(FieldType::bandwidth, "Gbps").empty());
  CHECK(remedy_for_number(FieldType::bandwidth, "1.5.5Gbps").empty());  // what would be written is none, too
  CHECK(remedy_for_number(FieldType::time, "25 GBps").empty());
}

TEST_CASE("formats and calls: a name and a size for each") {
  const std::pair<const char*, int> formats[] = {{"fp32", 32}, {"tf32", 32}, {"fp16", 16}, {"bf16", 16},
                                                 {"fp8", 8},   {"int8", 8},  {"fp4", 4}};
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    CHECK(name_of(kDTypes[i]) == formats[i].first);
    CHECK(bits_of(kDTypes[i]) == formats[i].second);
    if (kDTypes[i] == DType::fp4) continue;
    CHECK(size_of(kDTypes[i]) * 8 == formats[i].second);
    CHECK(stored_bytes(kDTypes[i], 1001) == 1001 * size_of(kDTypes[i]));
  }
  // Half a byte an element and a scale of a byte for each 16 begun.
  CHECK(stored_bytes(DType::fp4, 0) == 0);
  CHECK(stored_bytes(DType::fp4, 16) == 9);
  CHECK(stored_bytes(DType::fp4, 17) == 9 + 2);
  CHECK(stored_bytes(DType::fp4, std::int64_t{1} << 40) == 9 * (std::int64_t{1} << 36));
  CHECK_THROWS_AS(static_cast<void>(size_of(DType::fp4)), InternalError);
  CHECK(name_of(Collective::all_reduce) == "all_reduce");
  CHECK(name_of(Collective::all_gather) == "all_gather");
  CHECK(name_of(Collective::reduce_scatter) == "reduce_scatter");
  CHECK(name_of(Collective::all_to_all) == "all_to_all");
  CHECK(name_of(Collective::broadcast) == "broadcast");
  CHECK(name_of(Collective::send_receive) == "send_receive");
  CHECK(name_of(Collective::dispatch) == "dispatch");
}

TEST_CASE("a text of any length has words of its own in the hash, and hex its sixteen digits") {
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size < 40; ++size)
    for (const char c : {'\0', 'a', '\xFF'}) {
      Hash hash;
      hash.add(std::string(size, c));
      seen.insert(hash.value());
    }
  CHECK(seen.size() == 3 * 39 + 1);  // of no length they are one
  Hash high, text, view;
  text.add("ab");
  view.add(std::string_view("ab"));
  CHECK(text.value() == view.value());
  // A byte above 127 is a byte, not a negative number.
  high.add(std::string_view("\xFF"));
  Hash words;
  words.add(std::uint64_t{1});
  words.add(std::uint64_t{0xFF});
  CHECK(high.value() == words.value());
  Hash quantity, integer;
  quantity.add(Bytes{-5});
  integer.add(std::int64_t{-5});
  CHECK(quantity.value() == integer.value());
}

TEST_CASE("arithmetic of quantities at both ends of 64 bits") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  CHECK(checked_add(kMost, 0) == kMost);
  CHECK(checked_sub(kLeast, 0) == kLeast);
  CHECK(checked_mul(kLeast, 1) == kLeast);
  CHECK_THROWS_WITH_AS(checked_add(kMost, 1), "a quantity left the range of 64 bits in addition", OverflowError);
  CHECK_THROWS_WITH_AS(checked_sub(kLeast, 1), "a quantity left the range of 64 bits in subtraction", OverflowError);
  CHECK_THROWS_WITH_AS(checked_mul(kLeast, -1), "a quantity left the range of 64 bits in multiplication",
                       OverflowError);
  CHECK(checked_narrow(Int128{kMost}) == kMost);
  CHECK(checked_narrow(Int128{kLeast}) == kLeast);
  for (const Int128 beyond : {Int128{kMost} + 1, Int128{kLeast} - 1})
    CHECK_THROWS_WITH_AS(checked_narrow(beyond), "a quantity left the range of 64 bits in narrowing", OverflowError);
  Time t{7};
  t += Time{5};
  t -= Time{2};
  CHECK(t == Time{10});
  CHECK(3 * t == t * 3);
  CHECK(Time{3} < Time{4});
  CHECK(ceil_div(0, 5) == 0);
  CHECK(ceil_div(5, 5) == 1);
  CHECK(ceil_div(6, 5) == 2);
  CHECK(ceil_div(kMost, 1) == kMost);
  CHECK(seconds(Time{1'500'000'000'000}) == 1.5);
}

TEST_CASE("times of transfers and of seconds, at the borders") {
  CHECK(transfer_time({3}, {3'000'000'000'000}).value == 1);
  CHECK(transfer_time({4}, {3'000'000'000'000}).value == 2);
  for (const std::int64_t none : {0, -1}) CHECK_THROWS_AS(transfer_time({1}, {none}), OverflowError);
  CHECK_THROWS_AS(transfer_time({-1}, {1}), OverflowError);
  CHECK(time_from_seconds(1e-12).value == 1);
  CHECK(time_from_seconds(1e-13).value == 1);
  CHECK(time_from_seconds(9'000'000).value == 9'000'000'000'000'000'000);
  for (const double bad :
       {-1e-12, 9.3e6, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    CHECK_THROWS_AS(time_from_seconds(bad), OverflowError);
}

TEST_CASE("there is memory, and the default of a run leaves four tenths of it") {
  const std::int64_t all = available_memory().value, most = default_memory_limit().value;
  CHECK(all > 0);
  // Others take and give back memory between the two questions.
  CHECK(static_cast<double>(most) / static_cast<double>(all) == doctest::Approx(0.6).epsilon(0.2));
}

}  // namespace orrery::words_test
