#include "orrery/core/show.hpp"

#include <doctest/doctest.h>

#include <string>

namespace orrery::show_test {

TEST_CASE("what a terminal would obey is shown instead") {
  CHECK(safe_to_show("gpt3 · 8 × A100 ▓") == "gpt3 · 8 × A100 ▓");
  CHECK(safe_to_show("\x1b]0;title\a") == "\\u001b]0;title\\u0007");
  CHECK(safe_to_show("\x7f\r\b") == "\\u007f\\u000d\\u0008");
  CHECK(safe_to_show("\xc2\x9b"
                     "31m") == "\\u009b31m");  // C1: CSI in one character
  CHECK(safe_to_show("a\xe2\x80\xae"
                     "b") == "a\\u202eb");
  CHECK(safe_to_show("\xef\xbf\xbe") == "\\ufffe");
  CHECK(safe_to_show("a\x9b\xff\xc3") == "a\\x9b\\xff\\xc3");
  CHECK(safe_to_show(std::string(1, '\0')) == "\\u0000");
}

TEST_CASE("line feeds stay in a text, and colours where they are ours to give") {
  CHECK(safe_to_show("a\n\tb") == "a\n\tb");
  CHECK(safe_to_show("a\n\tb", Shown::one_line) == "a\\u000a\\u0009b");
  CHECK(safe_to_show("\x1b[1;31mred\x1b[0m\x1b[2J", Shown::coloured) == "\x1b[1;31mred\x1b[0m\\u001b[2J");
  CHECK(safe_to_show("\x1b[1;31mred", Shown::lines) == "\\u001b[1;31mred");
}

TEST_CASE("of a long text the first 40 bytes are shown, and no half of a letter") {
  const std::string letters(38, 'a');
  CHECK(in_short("") == "");
  CHECK(in_short(letters + "bc") == letters + "bc");
  CHECK(in_short(letters + "bcd") == letters + "bc…");
  CHECK(in_short(letters + "b\u00e4") == letters + "b…");
  CHECK(in_short(letters + "\u00e4b") == letters + "\u00e4…");
}

TEST_CASE("any bytes become text that a terminal shows, and stay so") {
  std::uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 24; ++i) text += static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
    for (const Shown shown : {Shown::lines, Shown::coloured, Shown::one_line}) {
      const std::string safe = safe_to_show(text, shown);
      CHECK(safe_to_show(safe, shown) == safe);
      for (const char c : safe) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t'));
    }
  }
}

}  // namespace orrery::show_test
