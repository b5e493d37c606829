#include "orrery/core/yaml.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace orrery::yaml_test {

namespace {

std::string errors_of(const std::string& text) {
  const Result<YamlTree> tree = read_yaml_text(text, "t.yaml");
  return tree ? "fine" : render(tree.errors());
}
// Place, path and message of the only error.
std::string message_of(const std::string& text) {
  const std::string errors = errors_of(text);
  return errors.substr(0, errors.find('\n'));
}
std::string set_error(const std::string& text, const std::string& assignment) {
  Result<YamlTree> tree = read_yaml_text(text, "t.yaml");
  REQUIRE(tree.ok());
  return render(tree->set(assignment));
}

// The tree as one line: scalars plain, quoted ones in quotes.
std::string flat(const YamlTree& tree, NodeId id) {
  const YamlNode& node = tree[id];
  if (node.kind == NodeKind::scalar) return node.quoted ? "'" + node.text + "'" : node.text;
  const bool map = node.kind == NodeKind::map;
  std::string text;
  for (const YamlEntry& e : node.entries)
    text += (text.empty() ? "" : ", ") + (map ? e.key + ": " : "") + flat(tree, e.value);
  return (map ? "{" : "[") + text + (map ? "}" : "]");
}
std::string flat(const std::string& text) {
  const Result<YamlTree> tree = read_yaml_text(text, "t.yaml");
  REQUIRE(tree.ok());
  return flat(*tree, tree->root());
}

}  // namespace

TEST_CASE("what is fine is read with its places") {
  CHECK(flat("a: 1 # c\nb:\n  - x\n  - {c: 'q', d: \"r\"}\ne: >-\n  long\n  text\n# end\n") ==
        "{a: 1, b: [x, {c: 'q', d: 'r'}], e: 'long text'}");
  CHECK(flat("%YAML 1.2\n---\na: 1\n...\n") == "{a: 1}");
  CHECK(flat("\xEF\xBB\xBF"
             "a: é\r\nb: 2\r\n") == "{a: é, b: 2}");
  const Result<YamlTree> tree = read_yaml_text("a: 1\nb:\n  cc: [x, yy]\n", "t.yaml");
  const YamlNode& yy = (*tree)[(*tree)[tree->find(tree->find(tree->root(), "b"), "cc")].entries[1].value];
  CHECK(yy.mark.line == 3);
  CHECK(yy.mark.column == 11);
  CHECK(tree->entry(tree->root(), "b")->mark.line == 2);
  CHECK(tree->find(tree->root(), "z") == kNoNode);
}

TEST_CASE("content that yaml-cpp drops silently is refused") {
  const std::string help =
      "  help: one document a file; in a list, write a blank after each '-'; a key stands at the column of its "
      "neighbours\n";
  CHECK(errors_of("- 1\n-2\n- 3") ==
        "t.yaml:2:1: content after the end of the document\n    2 | -2\n      | ^\n" + help);
  CHECK(message_of("- a\nb: 1") == "t.yaml:2:1: content after the end of the document");
  CHECK(message_of("{a: 1} b") == "t.yaml:1:8: content after the end of the document");
  CHECK(message_of("[1,2] x") == "t.yaml:1:7: content after the end of the document");
  CHECK(message_of("{a: 'it''s'} x") == "t.yaml:1:14: content after the end of the document");
  CHECK(message_of("- \"q\\\"\"\nx") == "t.yaml:2:1: content after the end of the document");
  CHECK(message_of("a: 1\n---\nb: 2") == "t.yaml:2:1: content after the end of the document");
  CHECK(message_of("a: 1\n...\ngarbage: [") == "t.yaml:2:1: content after the end of the document");
  CHECK(message_of("[[],{}] # c\n\nx") == "t.yaml:3:1: content after the end of the document");
  CHECK(message_of(",") == "t.yaml: is empty, it must hold one YAML document");
}

TEST_CASE("what looks like something else is refused") {
  CHECK(errors_of("[1,,2]") ==
        "t.yaml:1:4: [1]: this item has no value\n    1 | [1,,2]\n      |    ^\n"
        "  help: write the value, or remove the comma or dash\n");
  CHECK(errors_of("key: value\nother") ==
        "t.yaml:2:1: other: has no value\n    2 | other\n      | ^^^^^\n"
        "  help: write a value after ':', or remove the key to use its default\n");
  CHECK(errors_of("a:1\nb:2") ==
        "t.yaml:1:1: unquoted text over several lines\n    1 | a:1\n      | ^\n  help: write a blank after each ':'\n");
  CHECK(message_of("l:\n  a:1\n  b:2\n") == "t.yaml:2:3: l: unquoted text over several lines");
  CHECK(message_of("a: [1\nb") == "t.yaml:1:5: a[0]: unquoted text over several lines");
  CHECK(message_of("a: {b, c}") == "t.yaml:1:5: a.b: has no value");
  CHECK(message_of("a: ~") == "t.yaml:1:1: a: has no value");
  CHECK(message_of("a: null") == "t.yaml:1:1: a: has no value");
  CHECK(message_of("a:\nb: 1") == "t.yaml:1:1: a: has no value");
  CHECK(message_of("[a, [b, ~]]") == "t.yaml:1:9: [1][1]: this item has no value");
  CHECK(message_of("a: b: c") == "t.yaml:1:5: not valid YAML: illegal map value");
  CHECK(message_of("a: \"x") == "t.yaml:1:6: a: not valid YAML: illegal EOF in scalar");
}

TEST_CASE("invalid YAML comes with the usual remedy") {
  CHECK(errors_of("a: b: c") ==
        "t.yaml:1:5: not valid YAML: illegal map value\n    1 | a: b: c\n      |     ^\n  help: put a text that holds "
        "': ' in quotes\n");
  CHECK(errors_of("a:\n\tb: 1").ends_with("  help: indent with blanks, not with tabs\n"));
  CHECK(errors_of("a: {b: 1\nc: 2\n").ends_with("  help: is the { at line 1, column 4 closed?\n"));
  CHECK(errors_of("a: {b: [2}\n").ends_with("  help: is the [ at line 1, column 8 closed?\n"));
  CHECK(
      errors_of("a: 'x' y\n").ends_with("  help: is the line indented like its neighbours, and every quote closed?\n"));
}

TEST_CASE("anchors, aliases, tags, merge keys and odd keys are refused") {
  CHECK(errors_of("a: &x 1\nb: *x") ==
        "t.yaml:1:4: a: anchors (&name) are not allowed\n    1 | a: &x 1\n      |    ^\n  help: write the value out "
        "where it is used\n");
  CHECK(errors_of("a: !!str &x 1").find("anchors (&name) are not allowed") != std::string::npos);
  CHECK(message_of("&a [*a]") == "t.yaml:1:1: anchors (&name) are not allowed");
  CHECK(message_of("&a b: 1") == "t.yaml:1:1: anchors (&name) are not allowed");
  CHECK(message_of("a: *x") == "t.yaml:1:4: a: aliases (*name) are not allowed");
  CHECK(message_of("a: !!int 3") == "t.yaml:1:4: a: tags (!name) are not allowed");
  CHECK(message_of("a: ! 3") == "t.yaml:1:4: a: tags (!name) are not allowed");
  CHECK(message_of("!!map {a: 1}") == "t.yaml:1:1: tags (!name) are not allowed");
  CHECK(message_of("<<: {a: 1}") == "t.yaml:1:1: merge keys (<<) are not allowed");
  CHECK(message_of("~: 1") == "t.yaml:1:1: a key is missing before this value");
  CHECK(message_of(": 1") == "t.yaml:1:1: a key is missing before this value");
  CHECK(message_of("'': 1") == "t.yaml:1:1: a key is missing before this value");
  CHECK(message_of("? [a]\n: 1") == "t.yaml:1:3: a key must be a text, not a list or a map");
  CHECK(errors_of("x:\n  b: 1\n  'b': 2") ==
        "t.yaml:3:3: x.b: is given twice, first at line 2\n    3 |   'b': 2\n      |   ^^^\n  help: keep one of the "
        "two\n");
}

TEST_CASE("empty documents, depth and size have limits") {
  for (const char* empty : {"", "\n", "# only a comment\n", "---\n", "null", "~"})
    CHECK(errors_of(empty) == "t.yaml: is empty, it must hold one YAML document\n");
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "[";
    return text + "1" + std::string(static_cast<std::size_t>(depth), ']');
  };
  CHECK(errors_of(nested(64)) == "fine");
  CHECK(message_of(nested(65)).ends_with("nested deeper than 64 levels"));
  std::string blocks;
  for (int i = 0; i < 65; ++i) blocks += "- ";
  CHECK(message_of(blocks + "1").ends_with("nested deeper than 64 levels"));
  CHECK(errors_of(std::string(1'000'000, '[')).size() < 400);  // refused, and the excerpt is cut
  std::string many = "[";
  for (int i = 0; i < 1'000'000; ++i) many += "1,";
  CHECK(message_of(many + "1]").ends_with("more than 1000000 values in one file"));
  CHECK(errors_of(std::string((16u << 20) + 1, ' ')) == "t.yaml: is larger than 16 MiB, the limit\n");
}

TEST_CASE("bytes that are not text are refused") {
  CHECK(errors_of(std::string("a: 1\nb: \0", 9)) == "t.yaml:2:4: control character 0x00, expected a file of text\n");
  CHECK(errors_of("a: \x1B[31m") == "t.yaml:1:4: control character 0x1B, expected a file of text\n");
  CHECK(errors_of("a: \xC3") == "t.yaml:1:4: byte 0xC3 is not valid UTF-8\n");
  CHECK(errors_of("a: \xC0\x80") == "t.yaml:1:4: byte 0xC0 is not valid UTF-8\n");          // overlong
  CHECK(errors_of("a: \xED\xA0\x80") == "t.yaml:1:4: byte 0xED is not valid UTF-8\n");      // surrogate
  CHECK(errors_of("a: \xF4\x90\x80\x80") == "t.yaml:1:4: byte 0xF4 is not valid UTF-8\n");  // above U+10FFFF
  CHECK(errors_of("\xFF\xFE"
                  "a") == "t.yaml: is UTF-16, it must be UTF-8\n  help: iconv -f UTF-16 -t UTF-8 converts it\n");
}

TEST_CASE("what is not a regular file is refused without blocking") {
  const auto directory = std::filesystem::temp_directory_path() / ("orrery_yaml_test_" + std::to_string(::getpid()));
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  const auto error = [](const std::string& path) { return render(read_yaml_file(path).errors()); };
  const std::string fifo = directory / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(error(fifo) == fifo + ": is not a regular file\n");
  CHECK(error(directory) == directory.string() + ": is a directory, it must be a file\n");
  CHECK(error("/dev/zero") == "/dev/zero: is not a regular file\n");
  CHECK(error(directory / "none") == (directory / "none").string() + ": cannot be opened: No such file or directory\n");
  std::ofstream(directory / "good.yaml") << "a: 1\n";
  CHECK(read_yaml_file(directory / "good.yaml").ok());
  std::filesystem::remove_all(directory);
}

TEST_CASE("--set replaces, adds and makes the maps on the way") {
  const auto after = [](const std::string& text, const std::string& assignment) {
    Result<YamlTree> tree = read_yaml_text(text, "t.yaml");
    CHECK(render(tree->set(assignment)) == "");
    return flat(*tree, tree->root());
  };
  CHECK(after("a: 1", "a=2") == "{a: 2}");
  CHECK(after("a: 1", "b.c.d=[1, {x: y}]") == "{a: 1, b: {c: {d: [1, {x: y}]}}}");
  CHECK(after("model: gpt3", "model.layers=4") == "{model: {type: gpt3, layers: 4}}");
  CHECK(after("l: [1, {a: 2}]", "l.1.a=3") == "{l: [1, {a: 3}]}");
  CHECK(after("l: [1, {a: 2}]", "l[0]=x=y") == "{l: [x=y, {a: 2}]}");
}

TEST_CASE("--set is checked like a file and points into what was typed") {
  CHECK(set_error("a: 1", "a.b") ==
        "--set: expected key.path=value\n      | a.b\n      | ^\n  help: for example --set layout.tensor=4\n");
  for (const char* bad : {"=1", "a.=1", ".a=1", "a..b=1", "a[=1", "a]=1", "a[0=1", "[0]=1"})
    CHECK_MESSAGE(set_error("a: 1", bad).starts_with("--set: expected key.path=value\n"), bad);
  CHECK(set_error("a: 1", "a.b= ") ==
        "--set: a.b: has no value\n      | a.b= \n      |    ^\n  help: for example --set layout.tensor=4\n");
  CHECK(set_error("a: 1", "x.y={a: 1, a: 2}") ==
        "--set: x.y.a: is given twice, first at line 1\n      | x.y={a: 1, a: 2}\n      |            ^\n  help: keep "
        "one of the two\n");
  CHECK(set_error("a: 1", "a=&x 1") ==
        "--set: a: anchors (&name) are not allowed\n      | a=&x 1\n      |   ^\n  help: write the value out where it "
        "is used\n");
  CHECK(set_error("l: [1]", "l.1=2") ==
        "--set: l.1: '1' is no item of a list of 1\n      | l.1=2\n      |   ^\n  help: items are numbered from 0\n");
  Result<YamlTree> tree = read_yaml_text("a: 1", "t.yaml");
  REQUIRE(tree->set("b.c=4x").empty());
  const NodeId c = tree->find(tree->find(tree->root(), "b"), "c");
  CHECK(render(tree->at(c, "b.c", "wrong")) == "--set: b.c: wrong\n      | b.c=4x\n      |     ^^\n");
}

TEST_CASE("merge lays one tree over another") {
  Result<YamlTree> base = read_yaml_text("a: 1\nm: {x: 1, y: [1, 2]}\n", "base.yaml");
  const Result<YamlTree> over = read_yaml_text("m: {y: [3], z: 4}\nn: 5\n", "over.yaml");
  base->merge(*over);
  CHECK(flat(*base, base->root()) == "{a: 1, m: {x: 1, y: [3], z: 4}, n: 5}");
  const NodeId z = base->find(base->find(base->root(), "m"), "z");
  CHECK(render(base->at(z, "m.z", "wrong")) ==
        "over.yaml:1:16: m.z: wrong\n    1 | m: {y: [3], z: 4}\n      |                ^\n");
}

TEST_CASE("an error that knows its path finds its place") {
  const Result<YamlTree> tree = read_yaml_text("layout:\n  tensor: 16\n  links: [{a: 1}]\n", "t.yaml");
  const auto located = [&](const std::string& path) {
    Diagnostic d;
    d.path = path;
    d.message = "wrong";
    Diagnostics all{d};
    tree->locate(all);
    return std::to_string(all[0].place.line) + ":" + std::to_string(all[0].place.column);
  };
  CHECK(located("layout.tensor") == "2:11");
  CHECK(located("layout.pipeline") == "1:1");  // not said: the map it would stand in
  CHECK(located("layout.links[0].a") == "3:15");
  CHECK(located("other") == "0:0");
}

TEST_CASE("a misspelling finds the nearest name") {
  const std::vector<std::string> known{"pipeline", "tensor", "data"};
  CHECK(did_you_mean("pipelnie", known) == "did you mean 'pipeline'?");
  CHECK(did_you_mean("tensr", known) == "did you mean 'tensor'?");
  CHECK(did_you_mean("dta", known) == "did you mean 'data'?");
  CHECK(did_you_mean("expert", known) == "");
  CHECK(did_you_mean("", known) == "");
}

TEST_CASE("long lines and letters of several bytes keep the caret in place") {
  Diagnostic d;
  d.place = {"f", 1, 205};  // the b
  d.message = "wrong";
  d.source_line = std::string(200, 'a') + ": éb" + std::string(200, 'c');
  CHECK(render(d) == "f:1:205: wrong\n    1 | ..." + std::string(56, 'a') + ": éb" + std::string(49, 'c') +
                         "...\n      |    " + std::string(59, ' ') + "^\n");
}

TEST_CASE("every text is UTF-8 without control characters, whatever its escapes say") {
  const auto text = [](const std::string& yaml) {
    const Result<YamlTree> tree = read_yaml_text("a: \"" + yaml + "\"", "f");
    return tree ? (*tree)[tree->find(tree->root(), "a")].text : render(tree.errors());
  };
  CHECK(text("b\\_c") ==
        "b\xC2\xA0"
        "c");  // yaml-cpp: the single byte A0
  CHECK(text("é\\_") == "é\xC2\xA0");
  CHECK(text("\\L\\P\\x41\\u00e9\\U0001F600") ==
        "\xE2\x80\xA8\xE2\x80\xA9"
        "Aé\xF0\x9F\x98\x80");
  CHECK(text("1\\n2\\t3") == "1\n2\t3");
  for (const char* escape : {"\\N", "\\x85", "\\0", "\\a", "\\e", "\\x7f", "\\x9b"}) {
    CAPTURE(escape);
    CHECK(text(escape).starts_with("f:1:4: a: control character U+00"));
  }
  for (const char* escape : {"\\uD800", "\\uDFFF", "\\U00110000"})
    CHECK(text(escape).starts_with("f:1:"));  // no character at all
  const Result<YamlTree> key = read_yaml_text("\"\\_\": 1\n\"\\e\": 2\n", "f");
  CHECK(render(key.errors()).starts_with("f:2:1: control character U+001B, written as an escape"));
}

}  // namespace orrery::yaml_test
