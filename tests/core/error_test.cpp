// How a diagnostic is shown, and what a result is.
#include "orrery/core/error.hpp"

#include <doctest/doctest.h>

namespace orrery::error_test {

namespace {

Diagnostic at(int line, int column, const std::string& source_line, int length = 1) {
  Diagnostic d;
  d.place = {"f", line, column};
  d.message = "m";
  d.source_line = source_line;
  d.length = length;
  return d;
}

}  // namespace

TEST_CASE("what is not known is left out") {
  Diagnostic d;
  d.message = "is wrong";
  CHECK(render(d) == "is wrong\n");
  d.path = "a.b";
  CHECK(render(d) == "a.b: is wrong\n");
  d.place.file = "f.yaml";
  CHECK(render(d) == "f.yaml: a.b: is wrong\n");
  d.place.column = 3;  // a column without a line is none
  CHECK(render(d) == "f.yaml: a.b: is wrong\n");
  d.place.line = 12;
  CHECK(render(d) == "f.yaml:12:3: a.b: is wrong\n");
  d.help = "make it right";
  CHECK(render(d) == "f.yaml:12:3: a.b: is wrong\n  help: make it right\n");
  CHECK(render(Diagnostics{d, d}) == render(d) + render(d));
  CHECK(render(Diagnostics{}).empty());
}

TEST_CASE("the caret is as long as what it underlines, within the line") {
  CHECK(render(at(3, 5, "abcdefgh", 3)) == "f:3:5: m\n    3 | abcdefgh\n      |     ^^^\n");
  CHECK(render(at(3, 8, "abcdefgh", 5)) == "f:3:8: m\n    3 | abcdefgh\n      |        ^\n");
  CHECK(render(at(3, 40, "abc", 5)) == "f:3:40: m\n    3 | abc\n      |    ^\n");
  CHECK(render(at(3, 0, "abc", 0)) == "f:3:0: m\n    3 | abc\n      | ^\n");
  CHECK(render(at(123456, 1, "abc")) == "f:123456:1: m\n123456 | abc\n      | ^\n");
  // Who typed it on the command line has no line number.
  CHECK(render(at(0, 3, "a=b")) == "f: m\n      | a=b\n      |   ^\n");
}

TEST_CASE("the caret counts letters, and stands below its own behind tabs") {
  CHECK(render(at(1, 2, "\tab", 2)) == "f:1:2: m\n    1 | \tab\n      | \t^^\n");
  CHECK(render(at(1, 1, "éab", 3)) == "f:1:1: m\n    1 | éab\n      | ^^\n");  // é: two bytes, one caret
  CHECK(render(at(1, 3, "éab", 1)) == "f:1:3: m\n    1 | éab\n      |  ^\n");
}

TEST_CASE("of a long line 110 bytes are shown, 60 of them before the caret") {
  const std::string digits = [] {
    std::string text;
    for (int i = 0; i < 200; ++i) text += static_cast<char>('0' + i % 10);
    return text;
  }();
  const auto shown = [&](std::size_t size, int column) {
    const std::string text = render(at(1, column, digits.substr(0, size)));
    const std::size_t begin = text.find(" | ") + 3;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  CHECK(shown(110, 100) == digits.substr(0, 110));
  CHECK(shown(111, 1) == digits.substr(0, 110) + "...");
  CHECK(shown(111, 61) == digits.substr(0, 110) + "...");  // 60 before it: nothing is cut off on the left
  CHECK(shown(111, 62) == "..." + digits.substr(1, 110));
  CHECK(shown(200, 100) == "..." + digits.substr(39, 110) + "...");
  CHECK(shown(200, 200) == "..." + digits.substr(139));
  // 3 dots, 60 digits, the caret.
  CHECK(render(at(1, 100, digits, 4)).ends_with("      | " + std::string(63, ' ') + "^^^^\n"));
  // No letter is cut in two: the window would begin (and end) in the middle of an é.
  const std::string letters = [] {
    std::string text;
    for (int i = 0; i < 100; ++i) text += "é";
    return text;
  }();
  const std::string cut = render(at(1, 102, letters));  // from byte 101 - 60 = 41, an é's second
  CHECK(cut.find("\\x") == std::string::npos);
}

TEST_CASE("names of the user say nothing to the terminal, and end no line") {
  Diagnostic d = at(1, 1, "\x1b[2J");
  d.place.file = "a\nb";
  d.path = "k\x1b[31m\n";
  d.message = "one\ntwo\x07";
  d.help = "\x1b]0;t";
  CHECK(render(d) ==
        "a\\u000ab:1:1: k\\u001b[31m\\u000a: one\ntwo\\u0007\n    1 | \\u001b[2J\n      | ^\n  help: \\u001b]0;t\n");
}

TEST_CASE("of a path of more than 240 bytes, as they are shown, the ends are") {
  Diagnostic wrong;
  wrong.message = "unknown key";
  const auto path_of = [&](const std::string& path) {
    wrong.path = path;
    return render(wrong).substr(0, render(wrong).find(": unknown key"));
  };
  const std::string letters(120, 'a'), more(120, 'b');
  CHECK(path_of(letters + more) == letters + more);
  CHECK(path_of(letters + "." + more) == letters + "..." + more);
  // 119 letters, then ä of two bytes: none is cut in half.
  const std::string umlaut = letters.substr(1) + "\u00e4" + more + "\u00e4" + more.substr(1);
  CHECK(path_of(umlaut) == letters.substr(1) + "..." + more.substr(1));
  // Six bytes each as they are shown.
  CHECK(path_of(std::string(100, '\r')).size() == 120 + 3 + 120);
}

TEST_CASE("a result is its value or what is wrong") {
  Result<std::string> good = std::string("text");
  CHECK(good.ok());
  CHECK(static_cast<bool>(good));
  CHECK(good->size() == 4);
  *good += "s";
  CHECK(good.value() == "texts");
  CHECK(std::move(good).value() == "texts");
  const Result<int> bad = at(1, 2, "");
  CHECK_FALSE(bad.ok());
  CHECK_FALSE(static_cast<bool>(bad));
  CHECK(bad.errors().size() == 1);
  CHECK(bad.errors().front().place.column == 2);
  CHECK(Result<int>(Diagnostics{at(1, 1, ""), at(1, 2, "")}).errors().size() == 2);
}

TEST_CASE("a broken invariant throws what it says") {
  CHECK_NOTHROW(check(true, "fine"));
  CHECK_THROWS_WITH_AS(check(false, "two is one"), "two is one", InternalError);
  CHECK_THROWS_WITH_AS(internal_error("no way"), "no way", InternalError);
}

}  // namespace orrery::error_test
