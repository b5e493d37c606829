#include "orrery/core/fields.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "orrery/core/random.hpp"

namespace orrery::fields_test {

namespace {

enum class Zero : std::uint8_t { none, optimizer, gradients };

struct Link {
  BytesPerSecond bandwidth{};
  Time latency{500'000};
};
struct Node {
  std::string type = "dgx";
  int gpus = 8;
  bool mesh = false;
  Zero zero = Zero::none;
  double efficiency = 0.9;
  Bytes memory{80LL << 30};
  FlopsPerSecond peak{312'000'000'000'000};
  std::vector<std::int64_t> layers;
  std::optional<double> price;
  Link port;
  std::vector<Link> links;
};

const Fields<Link>& link_fields() {
  static const auto table = Fields<Link>("link", "One direction of a cable.")
                                .add("bandwidth", &Link::bandwidth, "data rate")
                                .positive()
                                .add("latency", &Link::latency, "first bit to first bit");
  return table;
}
const Fields<Node>& node_fields() {
  static const auto table =
      Fields<Node>("node", "A server.")
          .shorthand("type")
          .add("type", &Node::type, "preset")
          .one_of({"dgx", "hgx"})
          .add("gpus", &Node::gpus, "GPUs in the server")
          .range(1, 64)
          .add("mesh", &Node::mesh, "linked without a switch")
          .choice("zero", &Node::zero,
                  {{"none", Zero::none}, {"optimizer", Zero::optimizer}, {"gradients", Zero::gradients}},
                  "what is sharded")
          .add("efficiency", &Node::efficiency, "share of the peak")
          .number_range(0, 1)
          .add("memory", &Node::memory, "of one GPU")
          .add("peak", &Node::peak, "of one GPU")
          .add("layers", &Node::layers, "layers a stage")
          .at_least(0)
          .add("price", &Node::price, "dollars an hour")
          .section("port", &Node::port, link_fields(), "to the fabric")
          .section("links", &Node::links, link_fields(), "inside the server")
          .rule("gpus", [](const Node& n) { return n.gpus % 2 ? std::string("must be even") : std::string(); });
  return table;
}

Result<Node> read_node(const std::string& text) {
  const Result<YamlTree> tree = read_yaml_text(text, "n.yaml");
  if (!tree) return tree.errors();
  return read(node_fields(), *tree, tree->root());
}
std::string errors_of(const std::string& text) {
  const Result<Node> node = read_node(text);
  return node ? "fine" : render(node.errors());
}
// The first line of the only error, without file, line and column.
std::string message_of(const std::string& text) {
  const Result<Node> node = read_node(text);
  if (node) return "fine";
  REQUIRE(node.errors().size() == 1);
  return node.errors()[0].path + ": " + node.errors()[0].message;
}

}  // namespace

TEST_CASE("a map fills the struct and the rest keeps its defaults") {
  const Result<Node> n = read_node(
      "gpus: 4\nzero: gradients\nmesh: true\nmemory: 141 GB\nlayers: [3, 4]\nport: {bandwidth: 400 Gb/s}\n"
      "links:\n  - {bandwidth: 900 GB/s, latency: 0.3 us}\n  - bandwidth: 7.2 Tb/s\n");
  REQUIRE(n.ok());
  CHECK(n->gpus == 4);
  CHECK(n->zero == Zero::gradients);
  CHECK(n->mesh);
  CHECK(n->memory.value == 141'000'000'000);
  CHECK(n->peak.value == 312'000'000'000'000);
  CHECK(n->layers == std::vector<std::int64_t>{3, 4});
  CHECK_FALSE(n->price.has_value());
  CHECK(n->port.bandwidth.value == 50'000'000'000);
  CHECK(n->port.latency.value == 500'000);
  REQUIRE(n->links.size() == 2);
  CHECK(n->links[0].latency.value == 300'000);
  CHECK(n->links[1].bandwidth.value == n->links[0].bandwidth.value);  // 7.2 Tb/s / 8 = 900 GB/s
}

TEST_CASE("a text is shorthand for its type") {
  CHECK(read_node("hgx")->type == "hgx");
  CHECK(errors_of("hgxx") ==
        "n.yaml:1:1: type: expected one of dgx, hgx, got 'hgxx'\n"
        "    1 | hgxx\n"
        "      | ^^^^\n"
        "  help: did you mean 'hgx'?\n");
}

TEST_CASE("all errors of a file are told at once, each with place, remedy and caret") {
  CHECK(errors_of("gpuss: 4\nmesh: yes\nport:\n  bandwith: 400 Gb/s\nlinks: [{bandwidth: 5}]\n") ==
        "n.yaml:1:1: gpuss: unknown key, allowed are type, gpus, mesh, zero, efficiency, memory, peak, layers, price, "
        "port, links\n"
        "    1 | gpuss: 4\n"
        "      | ^^^^^\n"
        "  help: did you mean 'gpus'?\n"
        "n.yaml:2:7: mesh: expected true or false, got 'yes'\n"
        "    2 | mesh: yes\n"
        "      |       ^^^\n"
        "n.yaml:4:3: port.bandwith: unknown key, allowed are bandwidth, latency\n"
        "    4 |   bandwith: 400 Gb/s\n"
        "      |   ^^^^^^^^\n"
        "  help: did you mean 'bandwidth'?\n"
        "n.yaml:5:21: links[0].bandwidth: expected a bandwidth such as 900 GB/s or 400 Gb/s, but '5' has no unit, "
        "write one of B/s, "
        "KB/s, MB/s, GB/s, TB/s, PB/s, KiB/s, MiB/s, GiB/s, TiB/s, b/s, Kb/s, Mb/s, Gb/s, Tb/s\n"
        "    5 | links: [{bandwidth: 5}]\n"
        "      |                     ^\n");
}

TEST_CASE("integers are plain decimal and in range") {
  CHECK(message_of("gpus: 0") == "gpus: expected an integer from 1 to 64, got '0'");
  CHECK(message_of("gpus: 65") == "gpus: expected an integer from 1 to 64, got '65'");
  CHECK(message_of("gpus: 3") == "gpus: must be even");
  const std::string plain = "' is not a plain decimal integer";
  for (const char* bad : {"010", "0x10", "1_000", "1e3", "8.0", "+8", "8 x", ".nan", ".inf", "0o10", "--8", "true"})
    CHECK(message_of("gpus: " + std::string(bad)) ==
          "gpus: expected an integer from 1 to 64, but '" + std::string(bad) + plain);
  CHECK(message_of("gpus: 9223372036854775808") ==
        "gpus: expected an integer from 1 to 64, but '9223372036854775808' is beyond 64 bits");
  CHECK(message_of("gpus: \"8\"") == "gpus: expected an integer from 1 to 64, got the text \"8\"");
  CHECK(message_of("gpus: [8]") == "gpus: expected an integer from 1 to 64, got a list");
  CHECK(message_of("gpus: {a: 8}") == "gpus: expected an integer from 1 to 64, got a map");
  CHECK(message_of("layers: 3") == "layers: expected a list, each item an integer of at least 0, got '3'");
  CHECK(message_of("layers: [1, -3]") == "layers[1]: expected an integer of at least 0, got '-3'");
}

TEST_CASE("numbers are finite decimals in range") {
  CHECK(read_node("efficiency: 5e-1")->efficiency == 0.5);
  CHECK(read_node("efficiency: 1")->efficiency == 1.0);
  for (const char* bad : {"1.5", "-0.1", ".nan", ".inf", "1e400", "0x1p-3", "0.5%", "00.5", ".5", "5.", "1e"})
    CHECK(message_of("efficiency: " + std::string(bad)) ==
          "efficiency: expected a number from 0 to 1, got '" + std::string(bad) + "'");
  CHECK(message_of("price: 1e-400") == "price: expected a number, got '1e-400'");
}

TEST_CASE("texts, choices and sections say what they expect") {
  CHECK(message_of("type: 7") == "type: expected one of dgx, hgx, got '7'");
  CHECK(message_of("zero: optimiser") == "zero: expected one of none, optimizer, gradients, got 'optimiser'");
  CHECK(message_of("port: fast") == "port: expected a map of keys, got 'fast'");
  CHECK(message_of("port: {bandwidth: 0 B/s}") == "port.bandwidth: must be at least 1 B/s, got '0 B/s'");
  CHECK(message_of("links: {bandwidth: 1 B/s}") == "links: expected a list, each item a map of keys, got a map");
  CHECK(errors_of("port:\n  bandwidth:1\n") ==
        "n.yaml:2:3: port: expected a map of keys, got 'bandwidth:1'\n"
        "    2 |   bandwidth:1\n"
        "      |   ^^^^^^^^^^^\n"
        "  help: write a blank after each ':'\n");
}

TEST_CASE("a required key that is missing is named at its map") {
  struct S {
    int a = 0;
  };
  const auto table = Fields<S>("s", "").add("a", &S::a, "").required();
  const Result<YamlTree> tree = read_yaml_text("{}", "s.yaml");
  CHECK(render(read(table, *tree, tree->root()).errors()) ==
        "s.yaml:1:1: a: is missing, expected an integer\n"
        "    1 | {}\n"
        "      | ^\n");
  S preset{5};
  CHECK(read_over(table, *tree, tree->root(), "", preset).empty());
  CHECK(preset.a == 5);
}

TEST_CASE("quantities are exact to the unit") {
  const auto bytes_per_second = [](const char* text) {
    std::int64_t value = -1;
    CHECK(parse_quantity(FieldType::bandwidth, text, value).empty());
    return value;
  };
  CHECK(bytes_per_second("7.2 Tb/s") == 900'000'000'000);
  CHECK(bytes_per_second("900 GB/s") == 900'000'000'000);
  CHECK(bytes_per_second("900e9 B/s") == 900'000'000'000);
  CHECK(bytes_per_second("0.9TB/s") == 900'000'000'000);
  CHECK(bytes_per_second("9E+11 B/s") == 900'000'000'000);
  CHECK(bytes_per_second("8 b/s") == 1);
  const auto wrong = [](FieldType type, const char* text) {
    std::int64_t value = -1;
    return parse_quantity(type, text, value);
  };
  CHECK(wrong(FieldType::bandwidth, "9 b/s") == "is not a whole number of B/s");
  CHECK(wrong(FieldType::time, "0.5 ps") == "is not a whole number of ps");
  CHECK(wrong(FieldType::time, "107 days") == "has the unknown unit 'days', write one of ps, ns, us, ms, s, min, h, d");
  CHECK(wrong(FieldType::time, "9223373 s") == "is beyond 64 bits");  // 2^63 ps = 9223372.04 s
  CHECK(wrong(FieldType::time, "9223372 s").empty());
  CHECK(wrong(FieldType::time, "1e999999999999 s") == "is beyond 64 bits");
  CHECK(wrong(FieldType::time, "0e999 s").empty());
  CHECK(wrong(FieldType::time, "-1 s") == "is negative");
  CHECK(wrong(FieldType::time, "5") == "has no unit, write one of ps, ns, us, ms, s, min, h, d");
  CHECK(wrong(FieldType::bytes, "80 gib") ==
        "has the unknown unit 'gib', write one of B, KB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, PiB");
  CHECK(wrong(FieldType::bytes, "80 GiB x") ==
        "has the unknown unit 'GiB x', write one of B, KB, MB, GB, TB, PB, KiB, MiB, GiB, TiB, PiB");
  for (const char* bad : {"", "GiB", "nan B", "inf B", "0x10 B", "010 B", "1_000 B", ".5 B", "5. B", "+5 B"})
    CHECK_MESSAGE(!wrong(FieldType::bytes, bad).empty(), bad);
}

TEST_CASE("a quantity is written as the shortest text that reads back the same") {
  CHECK(format_quantity(FieldType::bytes, 80LL << 30) == "80 GiB");
  CHECK(format_quantity(FieldType::bytes, 141'000'000'000) == "141 GB");
  CHECK(format_quantity(FieldType::bandwidth, 900'000'000'000) == "900 GB/s");
  CHECK(format_quantity(FieldType::rate, 312'000'000'000'000) == "312 TFLOP/s");
  CHECK(format_quantity(FieldType::time, 1'500'000) == "1.5 us");
  CHECK(format_quantity(FieldType::time, 0) == "0 ps");
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::int64_t value =
        i % 2 ? random.between(0, std::int64_t{1} << 53) : random.between(0, 999) * 1'000'000'000;
    for (const FieldType type :
         {FieldType::bytes, FieldType::bandwidth, FieldType::time, FieldType::rate, FieldType::flops}) {
      std::int64_t back = -1;
      REQUIRE(parse_quantity(type, format_quantity(type, value), back).empty());
      REQUIRE(back == value);
    }
  }
}

TEST_CASE("the resolved dump shows every field and reads back as the same struct") {
  const Result<Node> n =
      read_node("gpus: 4\nlinks: [{bandwidth: 1 GB/s}, {bandwidth: 2 GB/s}]\nprice: 2.5\nlayers: [1, 2]\n");
  REQUIRE(n.ok());
  const std::string text = dump_yaml(node_fields(), &*n);
  CHECK(text ==
        "type: dgx\ngpus: 4\nmesh: false\nzero: none\nefficiency: 0.9\nmemory: 80 GiB\npeak: 312 TFLOP/s\nlayers: [1, "
        "2]\n"
        "price: 2.5\nport:\n  bandwidth: 0 B/s\n  latency: 500 ns\nlinks:\n  - bandwidth: 1 GB/s\n    latency: 500 ns\n"
        "  - bandwidth: 2 GB/s\n    latency: 500 ns\n");
  const Result<YamlTree> tree = read_yaml_text(text, "dump");
  Node again;
  Diagnostics errors = read_over(node_fields(), *tree, tree->root(), "", again);
  REQUIRE(errors.size() == 1);  // the port of Node{} has no bandwidth: a default that the table itself refuses
  CHECK(dump_yaml(node_fields(), &again) == text);
}

TEST_CASE("a text that spells a null, a number or a truth value is dumped in quotes") {
  for (const char* word : {"NULL", "Null", "null", "true", "7", "1e3", ""}) {
    Node n;
    n.type = word;
    n.port.bandwidth = {1};
    const std::string text = dump_yaml(node_fields(), &n);
    CHECK(text.starts_with(std::string("type: \"") + word + "\"\n"));
    const Result<YamlTree> tree = read_yaml_text(text, "dump");
    REQUIRE_MESSAGE(tree.ok(), text);
    CHECK((*tree)[tree->find(tree->root(), "type")].text == word);
  }
}

TEST_CASE("the schema is draft-07, closed, with defaults, enumerations and the shorthand") {
  const auto schema = nlohmann::json::parse(json_schema(node_fields(), "node.schema.json"));
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  const auto& map = schema["anyOf"][0];
  CHECK(map["additionalProperties"] == false);
  CHECK(
      map["properties"]["gpus"] ==
      nlohmann::json{
          {"type", "integer"}, {"minimum", 1}, {"maximum", 64}, {"default", 8}, {"description", "GPUs in the server"}});
  CHECK(map["properties"]["zero"]["enum"] == nlohmann::json{"none", "optimizer", "gradients"});
  CHECK(map["properties"]["links"]["items"]["properties"]["latency"]["default"] == "500 ns");
  CHECK(schema["anyOf"][1]["enum"] == nlohmann::json{"dgx", "hgx"});
}

TEST_CASE("the reference page lists every key with its default") {
  CHECK(markdown(link_fields()) ==
        "## link\n\nOne direction of a cable.\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
        "| `bandwidth` | a bandwidth such as 900 GB/s or 400 Gb/s | `0 B/s` | data rate |\n"
        "| `latency` | a time such as 1.5 us | `500 ns` | first bit to first bit |\n\n");
}

}  // namespace orrery::fields_test
