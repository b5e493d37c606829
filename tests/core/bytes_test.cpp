// Bytes in: UTF-8 by the table of RFC 3629, files with a limit, tables with their places, gzip to the last byte.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/read_file.hpp"
#include "core/utf8.hpp"
#include "orrery/core/csv.hpp"
#include "orrery/core/gzip.hpp"
#include "orrery/core/show.hpp"

namespace orrery::bytes_test {

namespace {

std::string utf8(std::uint32_t c) {
  const auto byte = [](std::uint32_t b) { return std::string(1, static_cast<char>(b)); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) return byte(0xC0 | c >> 6) + byte(0x80 | (c & 0x3F));
  if (c < 0x10000) return byte(0xE0 | c >> 12) + byte(0x80 | (c >> 6 & 0x3F)) + byte(0x80 | (c & 0x3F));
  return byte(0xF0 | c >> 18) + byte(0x80 | (c >> 12 & 0x3F)) + byte(0x80 | (c >> 6 & 0x3F)) + byte(0x80 | (c & 0x3F));
}

struct File {
  explicit File(const std::string& bytes)
      : path((std::filesystem::temp_directory_path() / ("orrery_bytes_" + std::to_string(::getpid()))).string()) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  ~File() { std::filesystem::remove(path); }
  std::string path;
};

}  // namespace

TEST_CASE("every character is its sequence, and only those are sequences") {
  // All characters of Unicode, in steps that meet every border and many between.
  for (std::uint32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 || (c > 0xD700 && c < 0xE100) || c > 0x10FF00 ? 1 : 37) {
    const std::string text = utf8(c) + "x";
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    const std::size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    REQUIRE(utf8_length(text, 0) == (surrogate ? 0 : length));
    if (!surrogate) REQUIRE(utf8_character(text, 0, length) == c);
    // Cut short it is none.
    if (length > 1) REQUIRE(utf8_length(std::string_view(text).substr(0, length - 1), 0) == 0);
  }
  for (const std::uint32_t beyond : {0x110000u, 0x13FFFFu, 0x1FFFFFu}) CHECK(utf8_length(utf8(beyond), 0) == 0);
  // Overlong forms of '/', of U+07FF and of U+FFFF; bytes that never begin one.
  for (const char* bad :
       {"\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\x80", "\xBF", "\xF5\x80\x80\x80", "\xFE", "\xFF",
        "\xC3x", "\xE2\x82x", "\xE2x\x82", "\xF0\x9F\x98x", "\xF0\x9Fx\x98"})
    CHECK(utf8_length(bad, 0) == 0);
  CHECK(utf8_length("aé", 1) == 2);
}

TEST_CASE("control characters and marks that mislead, from the first to the last") {
  const auto shown = [](std::uint32_t c) { return safe_to_show(utf8(c)); };
  for (const auto& [first, last] : {std::pair{0x00u, 0x08u},
                                    {0x0Bu, 0x1Fu},
                                    {0x7Fu, 0x9Fu},
                                    {0x061Cu, 0x061Cu},
                                    {0x200Eu, 0x200Fu},
                                    {0x202Au, 0x202Eu},
                                    {0x2066u, 0x2069u},
                                    {0xFFFEu, 0xFFFFu},
                                    {0x1FFFEu, 0x1FFFFu},
                                    {0x10FFFEu, 0x10FFFFu}}) {
    for (std::uint32_t c = first; c <= last; ++c) CHECK(shown(c).starts_with("\\u"));
    if (first > 0) CHECK((first == 0x0Bu || shown(first - 1) == utf8(first - 1)));
    if (last < 0x10FFFF) CHECK(shown(last + 1) == utf8(last + 1));
  }
  CHECK(shown(0x1FFFE) == "\\u1fffe");
  // Colours are ESC [ digits ; m alone.
  for (const char* none : {"\x1b[1;31", "\x1b[1,31m", "\x1b[?1m", "\x1b(m", "\x1b[31mm\x1b"})
    CHECK(safe_to_show(none, Shown::coloured).find("\\u001b") != std::string::npos);
  CHECK(safe_to_show("\x1b[m", Shown::coloured) == "\x1b[m");
}

TEST_CASE("a file is read to its limit and not a byte beyond") {
  constexpr std::size_t kLimit = 1 << 20;
  const File more(std::string(kLimit + 1, 'a'));
  CHECK(render(read_bytes(more.path, kLimit).errors()) == more.path + ": is larger than 1 MiB, the limit\n");
  CHECK(read_bytes(more.path, kLimit + 1)->size() == kLimit + 1);
  const File fits(std::string(kLimit, 'a'));
  CHECK(read_bytes(fits.path, kLimit)->size() == kLimit);
  CHECK(read_file(fits.path, kLimit)->size() == kLimit);
  const File binary(std::string("a\0b", 3));
  CHECK(read_bytes(binary.path, kLimit)->size() == 3);  // any bytes
  CHECK(render(read_file(binary.path, kLimit).errors()) ==
        binary.path + ":1:2: control character 0x00, expected a file of text\n");
  CHECK(shown_name("-") == "<stdin>");
  CHECK(shown_name("a") == "a");
}

TEST_CASE("what is no text is told by its first byte, with line and column") {
  const auto wrong = [](const std::string& text) { return render(check_text(text, "f", 100)); };
  CHECK(wrong("").empty());
  CHECK(wrong("tab\t, return\r, line\n, é, \xF0\x9F\x98\x80").empty());
  CHECK(wrong("a\nbc\x7F") == "f:2:3: control character 0x7F, expected a file of text\n");
  CHECK(wrong("é\x01") == "f:1:3: control character 0x01, expected a file of text\n");  // columns are bytes
  CHECK(wrong("a\r\n\n\xE2\x82") == "f:3:1: byte 0xE2 is not valid UTF-8\n");
  CHECK(wrong("\xFE\xFF") == "f: is UTF-16, it must be UTF-8\n  help: iconv -f UTF-16 -t UTF-8 converts it\n");
}

TEST_CASE("cells know their line and column behind quotes, line breaks and either line end") {
  const auto table = read_csv_text("\xEF\xBB\xBF# one\n# two\na,b\r\n\"x\r\ny\",1\r\n\"\",\"\"\"\"", "t.csv");
  REQUIRE(table.ok());
  CHECK(table->header[0].line == 3);
  CHECK(table->header[1].column == 3);
  REQUIRE(table->rows.size() == 2);
  CHECK(table->rows[0][0].text == "x\r\ny");
  CHECK(table->rows[0][1].line == 5);
  CHECK(table->rows[0][1].column == 4);
  CHECK(table->rows[1][0].text.empty());
  CHECK(table->rows[1][1].text == "\"");  // the last line needs no end
  CHECK(table->rows[1][1].line == 6);
  const auto error = [](const char* text) { return render(read_csv_text(text, "t.csv").errors()); };
  CHECK(error("# only\n# remarks\n") == "t.csv:1:1: is empty, it must start with a header\n");
  CHECK(error("a\n\"") == "t.csv:2:1: a quote is not closed\n");
  CHECK(error("a\n\"x\ny") == "t.csv:2:1: a quote is not closed\n");
  CHECK(error("a,a,a\n") == "t.csv:1:3: column 'a' is given twice\nt.csv:1:5: column 'a' is given twice\n");
  CHECK(error("a,b\n1,2\n\"3\n\",4,5\n") == "t.csv:3:1: 3 fields, but the header has 2\n");
  CHECK(read_csv_text("a\r\n1\r\n", "t.csv")->rows[0][0].text == "1");
  CHECK(read_csv_text("# x", "t.csv").errors().size() == 1);
  // A remark is one before the header alone.
  CHECK(read_csv_text("a\n# 1\n", "t.csv")->rows[0][0].text == "# 1");
  CHECK(csv_field("a\rb") == "\"a\rb\"");
  CHECK(csv_field("a#b") == "a#b");
}

TEST_CASE("a gzip of exactly what is allowed, of nothing, and with something behind it") {
  const auto packed = [](const std::string& text) {
    std::string bytes;
    GzipWriter gzip([&](std::string_view out) { bytes += out; });
    gzip.write(text);
    gzip.close();
    return bytes;
  };
  const std::string mega(1 << 20, 'm');
  CHECK(gunzip(packed(mega), "x", 1 << 20)->size() == mega.size());
  CHECK(render(gunzip(packed(mega + "m"), "x", 1 << 20).errors()) == "x: unpacks to more than 1 MiB\n");
  CHECK(render(gunzip("", "x", 10).errors()) ==
        "x: the gzip ends before its end: the file is truncated; write or copy it again\n");
  CHECK(render(gunzip("plain text", "x", 10).errors()) == "x: is damaged: no valid gzip\n");
  CHECK(render(gunzip(packed("one") + "two", "x", 10).errors()).starts_with("x: "));
  CHECK(is_gzip("\x1f\x8b"));
  for (const char* other : {"", "\x1f", "\x8b\x1f", "\x1f\x8c", "PK"}) CHECK_FALSE(is_gzip(other));
  // What comes out is consecutive: no part is lost where many fill the buffer.
  std::string noise;
  std::uint32_t state = 7;
  for (int i = 0; i < 300'000; ++i) noise += static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  CHECK(*gunzip(packed(noise), "x", 1 << 20) == noise);
}

}  // namespace orrery::bytes_test
