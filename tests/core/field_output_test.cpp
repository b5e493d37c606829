// What a table says of itself: schema, dumps, the reference page.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "orrery/core/fields.hpp"
#include "orrery/core/random.hpp"

namespace orrery::field_output_test {

using Json = nlohmann::json;

namespace {

enum class Mode : std::uint8_t { slow, fast };

struct Inner {
  double ratio = 0.25;
  std::optional<int> depth;
};
struct Outer {
  std::string title;
  std::string colour = "red";
  int count = 3;
  std::int64_t wide = 4;
  double weight = 1.5;
  double gain = 2;
  bool on = true;
  Mode mode = Mode::fast;
  Time delay{1'000};
  std::vector<int> sizes{1, 2};
  std::vector<std::string> words;
  std::optional<Bytes> room;
  std::optional<Inner> maybe;
  Inner inner;
  std::vector<Inner> inners;
};

const Fields<Inner>& inner_fields() {
  static const auto table =
      Fields<Inner>("inner", "Inside.").add("ratio", &Inner::ratio, "of it").add("depth", &Inner::depth, "how deep");
  return table;
}
const Fields<Outer>& outer_fields() {
  static const auto table = Fields<Outer>("outer", "Outside.")
                                .shorthand("title")
                                .add("title", &Outer::title, "name")
                                .required()
                                .add("colour", &Outer::colour, "of the door")
                                .one_of({"red", "blue"})
                                .add("count", &Outer::count, "how many")
                                .at_least(1)
                                .add("wide", &Outer::wide, "64 bits")
                                .add("weight", &Outer::weight, "in kg")
                                .number_range(1, 2)
                                .add("gain", &Outer::gain, "factor")
                                .positive()
                                .add("on", &Outer::on, "switch")
                                .choice("mode", &Outer::mode, {{"slow", Mode::slow}, {"fast", Mode::fast}}, "speed")
                                .add("delay", &Outer::delay, "wait")
                                .add("sizes", &Outer::sizes, "each")
                                .range(0, 9)
                                .add("words", &Outer::words, "said")
                                .add("room", &Outer::room, "left")
                                .section("maybe", &Outer::maybe, inner_fields(), "or not")
                                .section("inner", &Outer::inner, inner_fields(), "one")
                                .section("inners", &Outer::inners, inner_fields(), "many");
  return table;
}

}  // namespace

TEST_CASE("the schema of each kind of field") {
  const Json schema = Json::parse(json_schema(outer_fields(), "https://x/outer"));
  CHECK(schema["$id"] == "https://x/outer");
  CHECK(schema["title"] == "outer");
  CHECK(schema["description"] == "Outside.");
  REQUIRE(schema["anyOf"].size() == 2);
  CHECK(schema["anyOf"][1] == Json{{"type", "string"}, {"description", "name"}});
  const Json& map = schema["anyOf"][0];
  CHECK(map["required"] == Json::array({"title"}));
  const Json& p = map["properties"];
  CHECK(p.size() == 15);
  CHECK(p["title"] == Json{{"type", "string"}, {"description", "name"}});  // required: no default
  CHECK(p["colour"] ==
        Json{{"type", "string"}, {"enum", {"red", "blue"}}, {"description", "of the door"}, {"default", "red"}});
  CHECK(p["count"] == Json{{"type", "integer"},
                           {"minimum", 1},
                           {"maximum", 2'147'483'647},
                           {"description", "how many"},
                           {"default", 3}});
  CHECK(p["wide"] == Json{{"type", "integer"}, {"description", "64 bits"}, {"default", 4}});  // any of 64 bits
  CHECK(p["weight"] ==
        Json{{"type", "number"}, {"minimum", 1.0}, {"maximum", 2.0}, {"description", "in kg"}, {"default", 1.5}});
  CHECK(p["gain"] == Json{{"type", "number"}, {"exclusiveMinimum", 0.0}, {"description", "factor"}, {"default", 2.0}});
  CHECK(p["on"] == Json{{"type", "boolean"}, {"description", "switch"}, {"default", true}});
  CHECK(p["mode"] ==
        Json{{"type", "string"}, {"enum", {"slow", "fast"}}, {"description", "speed"}, {"default", "fast"}});
  CHECK(p["delay"]["type"] == "string");
  CHECK(p["delay"]["default"] == "1 ns");
  CHECK(p["sizes"] == Json{{"type", "array"},
                           {"items", {{"type", "integer"}, {"minimum", 0}, {"maximum", 9}}},
                           {"description", "each"},
                           {"default", {1, 2}}});
  CHECK(p["words"]["default"] == Json::array());
  CHECK_FALSE(p["room"].contains("default"));  // not said
  CHECK_FALSE(p["maybe"].contains("default"));
  CHECK_FALSE(p["inner"].contains("default"));  // its keys have their own
  CHECK(p["inner"]["description"] == "one");
  CHECK(p["inner"]["properties"]["ratio"]["default"] == 0.25);
  CHECK_FALSE(p["inner"].contains("required"));
  CHECK(p["inners"]["type"] == "array");
  CHECK(p["inners"]["items"]["properties"] == p["inner"]["properties"]);
}

TEST_CASE("a dump leaves out what is not said and keeps what is empty") {
  Outer o;
  o.title = "a title";
  o.inners = {{}, {0.5, 7}};
  CHECK(dump_yaml(outer_fields(), &o) ==
        "title: a title\ncolour: red\ncount: 3\nwide: 4\nweight: 1.5\ngain: 2.0\non: true\nmode: fast\ndelay: 1 ns\n"
        "sizes: [1, 2]\nwords: []\ninner:\n  ratio: 0.25\ninners:\n  - ratio: 0.25\n  - ratio: 0.5\n    depth: 7\n");
  o.inners.clear();
  o.room = Bytes{1 << 20};
  o.maybe = Inner{};
  o.words = {"plain", "two words", "a: b", "[x", "7", ""};
  const std::string text = dump_yaml(outer_fields(), &o);
  CHECK(text.find("words: [plain, two words, \"a: b\", \"[x\", \"7\", \"\"]\n") != std::string::npos);
  CHECK(text.find("room: 1 MiB\nmaybe:\n  ratio: 0.25\ninner:\n  ratio: 0.25\ninners: []\n") != std::string::npos);
  // An object of nothing but what is not said.
  struct Empty {
    std::optional<int> a;
  };
  struct Holder {
    Empty one;
    std::vector<Empty> many{{}, {}};
  };
  const auto empty = Fields<Empty>("empty", "").add("a", &Empty::a, "");
  const auto holder =
      Fields<Holder>("holder", "").section("one", &Holder::one, empty, "").section("many", &Holder::many, empty, "");
  const Holder none;
  CHECK(dump_yaml(holder, &none) == "one: {}\nmany:\n  - {}\n  - {}\n");
  CHECK(dump_json(holder, &none) == "{\n  \"one\": {},\n  \"many\": [\n    {},\n    {}\n  ]\n}\n");
}

TEST_CASE("a dump in JSON has numbers as numbers and quantities as texts") {
  Outer o;
  o.title = "t";
  o.room = Bytes{80LL << 30};
  const Json json = Json::parse(dump_json(outer_fields(), &o));
  CHECK(json["count"] == 3);
  CHECK(json["on"] == true);
  CHECK(json["mode"] == "fast");
  CHECK(json["room"] == "80 GiB");
  CHECK(json["sizes"] == Json{1, 2});
  CHECK_FALSE(json.contains("maybe"));
}

TEST_CASE("whatever a text holds, its dump reads back the same") {
  const std::string letters = "ab1.-_/ :#[]{}'\"&*!|>%@`,?~=\\\n\té";
  Random random(7);
  for (int round = 0; round < 3000; ++round) {
    Outer o;
    for (auto n = random.below(6); n > 0; --n) {
      const std::uint64_t at = random.below(letters.size() - 1);
      o.title += at == letters.size() - 2 ? "é" : letters.substr(at, 1);
    }
    o.words = {o.title, "x" + o.title, o.title + "x"};
    const std::string text = dump_yaml(outer_fields(), &o);
    CAPTURE(text);
    const Result<YamlTree> tree = read_yaml_text(text, "dump");
    REQUIRE_MESSAGE(tree.ok(), render(tree.errors()));
    const Result<Outer> back = read(outer_fields(), *tree, tree->root());
    REQUIRE_MESSAGE(back.ok(), render(back.errors()));
    CHECK(back->title == o.title);
    CHECK(back->words == o.words);
  }
}

TEST_CASE("texts that other readers of YAML take for something else are in quotes") {
  for (const char* word : {"null", "Null", "NULL", "true", "false", ".5", ".nan", "-", "- a", "-x", " a", "a ", "a#b",
                           "é", "1.5", "-7", "1e9"}) {
    Outer o;
    o.title = word;
    CHECK(dump_yaml(outer_fields(), &o).starts_with("title: \"" + o.title + "\"\n"));
  }
  for (const char* word : {"a", "a.b/c_d-e 5", "7x", "v1.5", "True story", "nullable"}) {
    Outer o;
    o.title = word;
    CHECK(dump_yaml(outer_fields(), &o).starts_with("title: " + o.title + "\n"));
  }
}

TEST_CASE("the reference page: required, defaults, nothing, and a heading for each section") {
  const std::string page = markdown(outer_fields());
  CHECK(page.starts_with("## outer\n\nOutside.\n\nA text is shorthand for `{title: text}`.\n\n| key |"));
  for (const char* row :
       {"| `title` | a text | required | name |\n", "| `colour` | one of red, blue | `red` | of the door |\n",
        "| `count` | an integer of at least 1 | `3` | how many |\n", "| `wide` | an integer | `4` | 64 bits |\n",
        "| `weight` | a number from 1 to 2 | `1.5` | in kg |\n", "| `gain` | a number above 0 | `2.0` | factor |\n",
        "| `on` | true or false | `true` | switch |\n", "| `mode` | one of slow, fast | `fast` | speed |\n",
        "| `sizes` | a list, each item an integer from 0 to 9 | `[1,2]` | each |\n",
        "| `words` | a list, each item a text | `[]` | said |\n", "| `room` | a size such as 80 GiB | — | left |\n",
        "| `inner` | a map of keys | — | one |\n", "| `inners` | a list, each item a map of keys | — | many |\n"}) {
    CAPTURE(row);
    CHECK(page.find(row) != std::string::npos);
  }
  const std::string inner =
      "Inside.\n\n| key | value | default | meaning |\n|---|---|---|---|\n| `ratio` | a number | `0.25` | of it |\n"
      "| `depth` | an integer | — | how deep |\n\n";
  CHECK(page.ends_with("### maybe\n\n" + inner + "### inner\n\n" + inner + "### inners\n\n" + inner));
  struct Text {
    std::string empty;
  };
  CHECK(markdown(Fields<Text>("t", "").add("empty", &Text::empty, "e")).find("| `empty` | a text | empty | e |\n") !=
        std::string::npos);
}

TEST_CASE("a description says the bounds that are not those of the type") {
  struct S {
    int i = 0;
    std::int64_t l = 0;
    double d = 0;
    Flops f;
  };
  const auto of = [](const Fields<S>& table) { return describe(table.fields().front()); };
  const auto integer = [] { return Fields<S>("", "").add("l", &S::l, ""); };
  const auto number = [] { return Fields<S>("", "").add("d", &S::d, ""); };
  constexpr double kMost = std::numeric_limits<double>::max();
  CHECK(of(Fields<S>("", "").add("i", &S::i, "")) == "an integer");
  CHECK(of(Fields<S>("", "").add("i", &S::i, "").range(-5, 2'147'483'646)) == "an integer from -5 to 2147483646");
  CHECK(of(Fields<S>("", "").add("f", &S::f, "")) == "a number of operations such as 2 GFLOP");
  CHECK(of(integer()) == "an integer");
  CHECK(of(integer().positive()) == "an integer of at least 1");
  CHECK(of(integer().at_least(-2)) == "an integer of at least -2");
  CHECK(of(integer().at_least(5).positive()) == "an integer of at least 5");
  CHECK(of(integer().range(std::numeric_limits<std::int64_t>::min(), 6)) == "an integer of at most 6");
  CHECK(of(number()) == "a number");
  CHECK(of(number().at_least(2)) == "a number of at least 2");
  CHECK(of(number().positive()) == "a number above 0");
  CHECK(of(number().number_range(-kMost, 3.5)) == "a number of at most 3.5");
  CHECK(of(number().number_range(-1, 3.5)) == "a number from -1 to 3.5");
  CHECK(of(number().range(1, 100)) == "a number from 1 to 100");
  CHECK(of(number().range(1, 100).positive()) == "a number above 0 and at most 100");
}

}  // namespace orrery::field_output_test
