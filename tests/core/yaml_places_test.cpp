// Where the values of a tree stand after reading, --set and merge, and what a wrong one is called.
#include <doctest/doctest.h>

#include "orrery/core/yaml.hpp"

namespace orrery::yaml_places_test {

namespace {

YamlTree tree_of(const std::string& text, const std::string& name = "t.yaml") {
  Result<YamlTree> tree = read_yaml_text(text, name);
  REQUIRE_MESSAGE(tree.ok(), render(tree.errors()));
  return std::move(tree).value();
}
std::string message_of(const std::string& text) {
  const Result<YamlTree> tree = read_yaml_text(text, "t.yaml");
  const std::string errors = tree ? "fine" : render(tree.errors());
  return errors.substr(0, errors.find('\n'));
}
NodeId at(const YamlTree& tree, std::initializer_list<const char*> keys) {
  NodeId node = tree.root();
  for (const char* key : keys) node = tree.find(node, key);
  return node;
}
// "source:line:column" of what an error at this path would point at, and how much it underlines.
std::string located(const YamlTree& tree, const std::string& path) {
  Diagnostic d;
  d.path = path;
  Diagnostics all{d};
  tree.locate(all);
  return all[0].place.file + ":" + std::to_string(all[0].place.line) + ":" + std::to_string(all[0].place.column) + "+" +
         std::to_string(all[0].length);
}

}  // namespace

TEST_CASE("an error is located at the value, at the key of a list or map, or at what of its path is there") {
  const YamlTree tree = tree_of("aa: 123\nbb:\n  - x\n  - {k: 'vw', l: [7]}\ncc: {dd: {ee: long}}\n");
  CHECK(located(tree, "aa") == "t.yaml:1:5+3");
  CHECK(located(tree, "bb") == "t.yaml:2:1+2");  // a list: its key
  CHECK(located(tree, "bb[0]") == "t.yaml:3:5+1");
  CHECK(located(tree, "bb[1].k") == "t.yaml:4:9+2");
  CHECK(located(tree, "bb[1].l[0]") == "t.yaml:4:19+1");
  CHECK(located(tree, "bb[1].m") == "t.yaml:4:5+1");  // item 1 has no key: where the item begins
  CHECK(located(tree, "bb[2]") == "t.yaml:2:1+2");
  CHECK(located(tree, "bb[x]") == "t.yaml:2:1+2");
  CHECK(located(tree, "cc.dd.ee") == "t.yaml:5:15+4");
  CHECK(located(tree, "cc.dd.ff") == "t.yaml:5:6+2");
  CHECK(located(tree, "cc.dd.ee.ff") == "t.yaml:5:15+4");
  CHECK(located(tree, "zz") == "t.yaml:0:0+1");
  CHECK(located(tree, "") == "t.yaml:0:0+1");
  // One that has a place keeps it.
  Diagnostic d;
  d.path = "aa";
  d.place = {"other.yaml", 7, 8};
  Diagnostics all{d};
  tree.locate(all);
  CHECK(all[0].place.file == "other.yaml");
  CHECK(all[0].place.line == 7);
}

TEST_CASE("what is underlined of a value: its text with its quotes, of a map or list the first character") {
  const YamlTree tree = tree_of("a: abc\nb: 'abc'\nc: {x: 1}\nd: ''\n");
  const auto length = [&](const char* key) { return tree.at(at(tree, {key}), "", "").length; };
  CHECK(length("a") == 3);
  CHECK(length("b") == 5);
  CHECK(length("c") == 1);
  CHECK(length("d") == 2);
  const Diagnostic none = tree.at(kNoNode, "p", "m", "h");
  CHECK(render(none) == "t.yaml: p: m\n  help: h\n");
}

TEST_CASE("nothing is found below what is no map") {
  const YamlTree tree = tree_of("a: 1\nb: [c]\n");
  CHECK(tree.find(at(tree, {"a"}), "a") == kNoNode);
  CHECK(tree.find(at(tree, {"b"}), "c") == kNoNode);
  CHECK(tree.find(kNoNode, "a") == kNoNode);
  CHECK(tree.entry(tree.root(), "A") == nullptr);
  CHECK(tree.name() == "t.yaml");
}

TEST_CASE("a path is relative to the file that says it, or to where the command was typed") {
  YamlTree tree = tree_of("a: x.yaml\n", "dir/sub/t.yaml");
  REQUIRE(tree.set("b=y.yaml").empty());
  CHECK(tree.path_at(at(tree, {"a"}), "x.yaml") == "dir/sub/x.yaml");
  CHECK(tree.path_at(at(tree, {"a"}), "/x.yaml") == "/x.yaml");
  CHECK(tree.path_at(at(tree, {"b"}), "y.yaml") == "y.yaml");
  CHECK(tree.path_at(kNoNode, "z.yaml") == "dir/sub/z.yaml");
}

TEST_CASE("after a merge each value is of the file it came from, and later files win") {
  YamlTree base = tree_of("a: 1\nm: {x: 1, s: text, l: [1, 2, 3]}\n", "base.yaml");
  const YamlTree over = tree_of("m:\n  s: {t: 5}\n  l: 9\n  n: {deep: 1}\na: [1]\n", "over.yaml");
  base.merge(over);
  base.merge(tree_of("m: {n: {deep: 2, more: 3}}\n", "last.yaml"));
  CHECK(located(base, "m.x") == "base.yaml:2:8+1");
  CHECK(located(base, "m.s.t") == "over.yaml:2:10+1");  // a map in place of a text
  CHECK(base[at(base, {"m", "l"})].kind == NodeKind::scalar);
  CHECK(located(base, "m.l") == "over.yaml:3:6+1");
  CHECK(located(base, "a[0]") == "over.yaml:5:5+1");
  CHECK(located(base, "m.n.deep") == "last.yaml:1:15+1");
  CHECK(located(base, "m.n.more") == "last.yaml:1:24+1");
  CHECK(base[at(base, {"m"})].entries.size() == 4);
  CHECK(base.name() == "base.yaml");
}

TEST_CASE("--set: each assignment is a source of its own, the last one counts") {
  YamlTree tree = tree_of("a: {b: 1}\nl: [{c: 1}, {c: 2}]\n");
  REQUIRE(tree.set("a.b=22").empty());
  REQUIRE(tree.set("l[1].c= 'x'").empty());
  CHECK(located(tree, "a.b") == "--set:0:5+2");
  CHECK(located(tree, "l[1].c") == "--set:0:9+1");
  CHECK(located(tree, "l[0].c") == "t.yaml:2:9+1");
  REQUIRE(tree.set("a.b=333").empty());
  CHECK(tree[at(tree, {"a", "b"})].text == "333");
  REQUIRE(tree.set("a={d: 4}").empty());  // replaces the whole map
  CHECK(at(tree, {"a", "b"}) == kNoNode);
  CHECK(tree[at(tree, {"a", "d"})].text == "4");
  // A text on the way becomes the type of a map, and stands where it stood.
  REQUIRE(tree.set("l[0].c.d=5").empty());
  CHECK(located(tree, "l[0].c.type") == "t.yaml:2:9+1");
  CHECK(located(tree, "l[0].c.d") == "--set:0:10+1");
}

TEST_CASE("--set refuses what no tree holds") {
  const auto error = [](const std::string& assignment) {
    YamlTree tree = tree_of("a: 1\nl: [1, 2]\n");
    return render(tree.set(assignment));
  };
  const std::string example = "  help: for example --set layout.tensor=4\n";
  CHECK(error("") == "--set: expected key.path=value\n" + example);
  CHECK(error("a=") == "--set: a: has no value\n      | a=\n      |  ^\n" + example);
  CHECK(error("a=1\nb=2").starts_with("--set: a: a value must stand on one line\n"));
  CHECK(error("l.x=1") ==
        "--set: l.x: 'x' is no item of a list of 2\n      | l.x=1\n      |   ^\n  help: items are numbered from 0\n");
  CHECK(error("l[2]=1").starts_with("--set: l[2]: '2' is no item of a list of 2\n"));
  CHECK(error("l." + std::string(300, 'x') + "=1").find("'" + std::string(40, 'x') + "…' is no item") <
        std::string::npos);
  CHECK(error("a=[1, ~]").starts_with("--set: a[1]: this item has no value\n"));
  CHECK(error("a=1 # remark").empty());
  CHECK(error("a=b: c: d").starts_with("--set: a"));
  std::string deep = "k";
  for (int i = 0; i < 62; ++i) deep += ".k";
  CHECK(error(deep + "=1").empty());  // 63 steps
  CHECK(error(deep + ".k=1").starts_with("--set: " + deep + ".k: nested deeper than 64 levels\n"));
}

TEST_CASE("values that YAML would give a meaning, as they are here") {
  const YamlTree tree = tree_of(
      "a: yes\nb: 0x10\nc: '~'\nd: \"null\"\ne: |\n  two\n  lines\nf: >-\n  one\n  line\ng: ''\nh: 2024-01-01\n");
  const auto text = [&](const char* key) { return tree[at(tree, {key})].text; };
  CHECK(text("a") == "yes");
  CHECK(text("b") == "0x10");
  CHECK(text("c") == "~");
  CHECK(text("d") == "null");
  CHECK(text("e") == "two\nlines\n");
  CHECK(text("f") == "one line");
  CHECK(text("g").empty());
  CHECK(text("h") == "2024-01-01");
  for (const char* quoted : {"c", "d", "e", "f", "g"}) CHECK(tree[at(tree, {quoted})].quoted);
  for (const char* plain : {"a", "b", "h"}) CHECK_FALSE(tree[at(tree, {plain})].quoted);
}

TEST_CASE("errors name the item and key they are in") {
  CHECK(message_of("- 1\n- a: ~\n") == "t.yaml:2:3: [1].a: has no value");
  CHECK(message_of("a:\n  - b\n  -\n").ends_with(": a[1]: this item has no value"));
  CHECK(message_of("a: {b: {c: 1, c: 2}}") == "t.yaml:1:15: a.b.c: is given twice, first at line 1");
  CHECK(message_of("a:\n  b: 1\nc: 1\na: 2\n") == "t.yaml:4:1: a: is given twice, first at line 1");
  CHECK(message_of("a: {b: 1}\nc: {b: 1}\n") == "fine");  // two maps
  CHECK(message_of("[{a: 1}, {a: 2}]") == "fine");
  CHECK(message_of("a: [1, {b: *x}]") == "t.yaml:1:12: a[1].b: aliases (*name) are not allowed");
  CHECK(message_of("a: [1, [2, !t 3]]") == "t.yaml:1:12: a[1][1]: tags (!name) are not allowed");
  CHECK(message_of("{[a]: 1}") == "t.yaml:1:2: a key must be a text, not a list or a map");
  CHECK(message_of("'<<': 1") == "fine");  // in quotes it is a text
}

}  // namespace orrery::yaml_places_test
