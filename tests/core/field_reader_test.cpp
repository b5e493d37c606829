// Corners of reading by a field table: presets, absent sections, shorthands, lists, and where each error stands.
#include <doctest/doctest.h>

#include "orrery/core/fields.hpp"

namespace orrery::field_reader_test {

namespace {

struct Cable {
  BytesPerSecond bandwidth{};
  int strands = 1;
};
struct Server {
  std::string name = "plain";
  std::int64_t serial = 0;
  std::int8_t slot = 0;
  std::uint8_t rack = 0;
  bool spare = false;
  double load = 0.5;
  Time uptime{};
  std::vector<double> lamps;
  std::vector<std::string> tags;
  std::optional<int> age;
  std::optional<Cable> uplink;
  Cable console{{1}, 1};
  std::vector<Cable> cables{{{7}, 7}};
};

const Fields<Cable>& cable_fields() {
  static const auto table = Fields<Cable>("cable", "")
                                .shorthand("bandwidth")
                                .add("bandwidth", &Cable::bandwidth, "")
                                .required()
                                .add("strands", &Cable::strands, "")
                                .positive();
  return table;
}
const Fields<Server>& server_fields() {
  static const auto table =
      Fields<Server>("server", "")
          .shorthand("name")
          .add("name", &Server::name, "")
          .add("serial", &Server::serial, "")
          .add("slot", &Server::slot, "")
          .add("rack", &Server::rack, "")
          .add("spare", &Server::spare, "")
          .add("load", &Server::load, "")
          .positive()
          .add("uptime", &Server::uptime, "")
          .range(1'000, 5'000)
          .add("lamps", &Server::lamps, "")
          .add("tags", &Server::tags, "")
          .add("age", &Server::age, "")
          .section("uplink", &Server::uplink, cable_fields(), "")
          .section("console", &Server::console, cable_fields(), "")
          .section("cables", &Server::cables, cable_fields(), "")
          .rule("rack", [](const Server& s) { return s.rack > 40 ? std::string("is too high") : std::string(); })
          .rule("age", [](const Server& s) { return s.spare && s.age ? std::string("of a spare") : std::string(); });
  return table;
}

// The sections that must be there.
const std::string kRest = "console: {bandwidth: 1 B/s}\n";

Result<Server> read_server(const std::string& text) {
  const Result<YamlTree> tree = read_yaml_text(text, "s.yaml");
  REQUIRE_MESSAGE(tree.ok(), render(tree.errors()));
  return read(server_fields(), *tree, tree->root());
}
// Place, path, message and remedy of the errors, without the excerpt.
std::string errors_of(const std::string& text) {
  const Result<Server> server = read_server(text);
  if (server) return "fine";
  std::string all;
  for (Diagnostic d : server.errors()) {
    d.source_line.clear();
    all += render(d);
  }
  return all;
}

}  // namespace

TEST_CASE("lists replace the default, one element after the other") {
  const auto server = read_server(kRest + "lamps: [1, 0, 0.5]\ntags: [a, \"7\", 'true']\ncables: []\n");
  REQUIRE(server.ok());
  CHECK(server->lamps == std::vector<double>{1, 0, 0.5});
  CHECK(server->tags == std::vector<std::string>{"a", "7", "true"});
  CHECK(server->cables.empty());
  CHECK(read_server(kRest)->cables.size() == 1);
  const auto two = read_server(kRest + "cables: [{bandwidth: 2 B/s}, 24 b/s]\n");
  REQUIRE(two.ok());
  REQUIRE(two->cables.size() == 2);
  CHECK(two->cables[0].bandwidth.value == 2);
  CHECK(two->cables[0].strands == 1);  // of Cable{}, not of the default list
  CHECK(two->cables[1].bandwidth.value == 3);
  CHECK(errors_of(kRest + "tags: a\n") ==
        "s.yaml:2:7: tags: expected a list, each item a text, got 'a'\n  help: a list of one is written [a]\n");
  CHECK(errors_of(kRest + "tags: " + std::string(300, 'a') + "\n")
            .ends_with("help: a list of one is written [" + std::string(40, 'a') + "…]\n"));
  CHECK(errors_of(kRest + "lamps: [1, no, {a: 1}]\n") ==
        "s.yaml:2:12: lamps[1]: expected a number, got 'no'\n"
        "s.yaml:2:16: lamps[2]: expected a number, got a map\n");
}

TEST_CASE("a section that may be absent is made when it is named") {
  CHECK_FALSE(read_server(kRest)->uplink.has_value());
  const auto server = read_server(kRest + "uplink: {bandwidth: 5 B/s}\nage: 0\n");
  REQUIRE(server.ok());
  CHECK(server->uplink->bandwidth.value == 5);
  CHECK(server->age == 0);
  CHECK(errors_of(kRest + "uplink: {}\n") ==
        "s.yaml:2:9: uplink.bandwidth: is missing, expected a bandwidth such as 900 GB/s or 400 Gb/s\n");
  // A plain section is there even when nobody names it: what it requires is missing at its map, or in the file.
  CHECK(errors_of("console: {strands: 2}\n") ==
        "s.yaml:1:10: console.bandwidth: is missing, expected a bandwidth such as 900 GB/s or 400 Gb/s\n");
  CHECK(errors_of("rack: 1\n") ==
        "s.yaml: console.bandwidth: is missing, expected a bandwidth such as 900 GB/s or 400 Gb/s\n");
}

TEST_CASE("over a preset nothing is required, and what is not named stays") {
  Server server;
  server.console = {{9}, 9};
  server.uplink = Cable{{4}, 4};
  server.age = 3;
  const Result<YamlTree> tree = read_yaml_text("console: {strands: 8}\nuplink: {strands: 2}\nrack: 5\n", "s.yaml");
  CHECK(read_over(server_fields(), *tree, tree->root(), "", server).empty());
  CHECK(server.console.bandwidth.value == 9);
  CHECK(server.console.strands == 8);
  CHECK(server.uplink->bandwidth.value == 4);
  CHECK(server.uplink->strands == 2);
  CHECK(server.age == 3);
  CHECK(server.cables.size() == 1);
  CHECK(server.rack == 5);
  // An error leaves the member as it was, and unknown keys are errors here, too.
  const Result<YamlTree> bad = read_yaml_text("rack: x\nracks: 1\n", "s.yaml");
  const Diagnostics errors = read_over(server_fields(), *bad, bad->root(), "base", server);
  REQUIRE(errors.size() == 2);
  CHECK(errors[0].path == "base.racks");
  CHECK(errors[1].path == "base.rack");
  CHECK(server.rack == 5);
}

TEST_CASE("a text stands for the section's shorthand; type: does where the table has no type of its own") {
  CHECK(read_server(kRest + "uplink: 3 B/s\n")->uplink->bandwidth.value == 3);
  // What `--set uplink.strands=4` beside a text leaves.
  const auto typed = read_server(kRest + "uplink: {type: 3 B/s, strands: 4}\n");
  REQUIRE(typed.ok());
  CHECK(typed->uplink->bandwidth.value == 3);
  CHECK(typed->uplink->strands == 4);
  CHECK(read_server(kRest + "uplink: {type: 3 B/s, bandwidth: 5 B/s}\n")->uplink->bandwidth.value == 5);
  CHECK(errors_of(kRest + "uplink: fast\n") ==
        "s.yaml:2:9: uplink.bandwidth: expected a bandwidth such as 900 GB/s or 400 Gb/s, but 'fast' does not start "
        "with a decimal number\n");
  CHECK(errors_of(kRest + "uplink: [3 B/s]\n") ==
        "s.yaml:2:9: uplink: expected a map of keys, or a text for its 'bandwidth', got a list\n"
        "  help: allowed keys: bandwidth, strands\n");
}

TEST_CASE("integers are of the member's own range, and the error says the range") {
  const auto slot = [](const std::string& text) { return errors_of(kRest + "slot: " + text); };
  CHECK(read_server(kRest + "slot: -128\nrack: 0\n")->slot == -128);
  CHECK(read_server(kRest + "slot: 127\n")->slot == 127);
  CHECK(slot("128") == "s.yaml:2:7: slot: expected an integer from -128 to 127, got '128'\n");
  CHECK(slot("-129") == "s.yaml:2:7: slot: expected an integer from -128 to 127, got '-129'\n");
  CHECK(errors_of(kRest + "rack: 256") == "s.yaml:2:7: rack: expected an integer from 0 to 255, got '256'\n");
  CHECK(read_server(kRest + "serial: -9223372036854775808\n")->serial == std::numeric_limits<std::int64_t>::min());
  CHECK(read_server(kRest + "age: -2147483648\n")->age == std::numeric_limits<int>::min());
  for (const char* beyond : {"2147483648", "-2147483649"})
    CHECK(errors_of(kRest + "age: " + beyond) ==
          std::string("s.yaml:2:6: age: expected an integer from -2147483648 to 2147483647, got '") + beyond + "'\n");
  CHECK(errors_of(kRest + "cables: [{bandwidth: 1 B/s, strands: 2147483648}]") ==
        "s.yaml:2:38: cables[0].strands: expected an integer of at least 1 and at most 2147483647, got '2147483648'\n");
}

TEST_CASE("quantities and numbers at their borders") {
  CHECK(read_server(kRest + "uptime: 1 ns\n")->uptime.value == 1'000);
  CHECK(read_server(kRest + "uptime: \"5 ns\"\n")->uptime.value == 5'000);  // quotes do not hurt a quantity
  CHECK(errors_of(kRest + "uptime: 999 ps") == "s.yaml:2:9: uptime: must be at least 1 ns, got '999 ps'\n");
  CHECK(errors_of(kRest + "uptime: 5001 ps") == "s.yaml:2:9: uptime: must be at most 5 ns, got '5001 ps'\n");
  CHECK(errors_of(kRest + "load: 0") == "s.yaml:2:7: load: expected a number above 0, got '0'\n");
  CHECK(errors_of(kRest + "load: -1e-9") == "s.yaml:2:7: load: expected a number above 0, got '-1e-9'\n");
  CHECK(read_server(kRest + "load: 1e-300\n")->load == 1e-300);
  CHECK(errors_of(kRest + "load: '1'") ==
        "s.yaml:2:7: load: expected a number above 0, got the text \"1\"\n  help: remove the quotes\n");
  CHECK(errors_of(kRest + "spare: \"true\"") ==
        "s.yaml:2:8: spare: expected true or false, got the text \"true\"\n  help: remove the quotes\n");
  CHECK(errors_of(kRest + "spare: True") ==
        "s.yaml:2:8: spare: expected true or false, got 'True'\n  help: write true\n");
}

TEST_CASE("a text that looks like something else must be in quotes") {
  for (const char* typed : {"true", "false", "7", "-1.5", "1e3"})
    CHECK(errors_of(kRest + "name: " + typed) == "s.yaml:2:7: name: expected a text, got '" + std::string(typed) +
                                                     "'\n  help: put it in quotes if a text is meant\n");
  for (const char* text : {"\"7\"", "v7", "7 x", "True"}) CHECK(errors_of(kRest + "name: " + text) == "fine");
  // What is shown of a long text ends after 40 bytes.
  CHECK(errors_of(kRest + "rack: " + std::string(41, 'x')) ==
        "s.yaml:2:7: rack: expected an integer from 0 to 255, but '" + std::string(40, 'x') +
            "…' is not a plain decimal integer\n");
  CHECK(errors_of(kRest + "rack: " + std::string(40, 'x')) ==
        "s.yaml:2:7: rack: expected an integer from 0 to 255, but '" + std::string(40, 'x') +
            "' is not a plain decimal integer\n");
}

TEST_CASE("rules are asked when all fields are good, and point at their key or its map") {
  CHECK(errors_of(kRest + "rack: 41\n") == "s.yaml:2:7: rack: is too high\n");
  CHECK(errors_of(kRest + "rack: 41\nspare: true\nage: 1\n") ==
        "s.yaml:2:7: rack: is too high\ns.yaml:4:6: age: of a spare\n");
  CHECK(errors_of(kRest + "rack: 41\nslot: x\n") ==
        "s.yaml:3:7: slot: expected an integer from -128 to 127, but 'x' is not a plain decimal integer\n");
  Server old;
  old.age = 4;
  const Result<YamlTree> tree = read_yaml_text("  spare: true\n", "s.yaml");
  const Diagnostics errors = read_over(server_fields(), *tree, tree->root(), "", old);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].path == "age");  // not in the text: the map
  CHECK(errors[0].place.line == 1);
  CHECK(errors[0].place.column == 3);
}

}  // namespace orrery::field_reader_test
