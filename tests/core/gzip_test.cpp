#include "orrery/core/gzip.hpp"

#include <doctest/doctest.h>

namespace orrery::gzip_test {

namespace {

std::string packed(const std::string& text, std::size_t part) {
  std::string bytes;
  GzipWriter gzip([&](std::string_view out) { bytes += out; });
  for (std::size_t i = 0; i < text.size(); i += part) gzip.write(std::string_view(text).substr(i, part));
  gzip.close();
  return bytes;
}

std::string error_of(const Result<std::string>& result) {
  REQUIRE(!result.ok());
  return render(result.errors());
}

}  // namespace

TEST_CASE("what is packed comes out again, however it was cut") {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i * 7919 % 10'007) + " ";
  for (const std::size_t part : {std::size_t{1}, std::size_t{1000}, text.size()}) {
    const std::string bytes = packed(text, part);
    CHECK(is_gzip(bytes));
    CHECK(bytes.size() < text.size() / 2);
    const auto back = gunzip(bytes, "x.gz", 1 << 20);
    REQUIRE(back.ok());
    CHECK(*back == text);
  }
  CHECK(!is_gzip("{}"));
  const auto nothing = gunzip(packed("", 1), "x.gz", 10);
  REQUIRE(nothing.ok());
  CHECK(nothing->empty());
}

TEST_CASE("members one behind the other are one text") {
  const auto both = gunzip(packed("one ", 4) + packed("two", 3), "x.gz", 100);
  REQUIRE(both.ok());
  CHECK(*both == "one two");
}

TEST_CASE("a gzip that is cut, damaged or too large is refused") {
  const std::string bytes = packed(std::string(100'000, 'a') + "b", 1000);
  for (const std::size_t kept : {std::size_t{2}, std::size_t{12}, bytes.size() - 8, bytes.size() - 1})
    CHECK(error_of(gunzip(bytes.substr(0, kept), "t.json.gz", 1 << 20)) ==
          "t.json.gz: the gzip ends before its end: the file is truncated; write or copy it again\n");
  std::string damaged = bytes;
  damaged[bytes.size() - 6] = static_cast<char>(damaged[bytes.size() - 6] ^ 1);  // the checksum
  CHECK(error_of(gunzip(damaged, "t.gz", 1 << 20)) == "t.gz: is damaged: no valid gzip\n");
  CHECK(error_of(gunzip(packed(std::string(3 << 20, 'a'), 1 << 20), "t.gz", 2 << 20)) ==
        "t.gz: unpacks to more than 2 MiB\n");
}

}  // namespace orrery::gzip_test
