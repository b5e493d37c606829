// Any bytes as a YAML file: read or refused, never a crash, a hang or an empty message. What is read goes through a
// field table of every type, its dump must read back as itself, and the text is tried as the value of a --set.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "orrery/core/fields.hpp"

namespace {

using namespace orrery;

enum class Choice : std::uint8_t { one, two };
struct Inner {
  BytesPerSecond bandwidth{1};
  Time latency{};
};
struct All {
  std::string type = "a";
  std::int32_t integer = 1;
  std::uint64_t large = 1;
  double number = 0.5;
  bool boolean = false;
  Choice choice = Choice::one;
  Bytes bytes{};
  FlopsPerSecond rate{};
  Flops flops{};
  std::optional<double> optional;
  std::vector<std::string> texts;
  std::vector<std::int64_t> integers;
  Inner inner;
  std::vector<Inner> inners;
};

const Fields<Inner>& inner_fields() {
  static const auto table =
      Fields<Inner>("inner", "").add("bandwidth", &Inner::bandwidth, "").add("latency", &Inner::latency, "");
  return table;
}
const Fields<All>& all_fields() {
  static const auto table = Fields<All>("all", "")
                                .shorthand("type")
                                .add("type", &All::type, "")
                                .add("integer", &All::integer, "")
                                .add("large", &All::large, "")
                                .add("number", &All::number, "")
                                .add("boolean", &All::boolean, "")
                                .choice("choice", &All::choice, {{"one", Choice::one}, {"two", Choice::two}}, "")
                                .add("bytes", &All::bytes, "")
                                .add("rate", &All::rate, "")
                                .add("flops", &All::flops, "")
                                .add("optional", &All::optional, "")
                                .add("texts", &All::texts, "")
                                .add("integers", &All::integers, "")
                                .section("inner", &All::inner, inner_fields(), "")
                                .section("inners", &All::inners, inner_fields(), "");
  return table;
}

void must(bool holds, const char* what, const std::string& text) {
  if (holds) return;
  std::cerr << "fuzz: " << what << "\n" << text << "\n";
  std::abort();
}

void must_explain(const Diagnostics& errors) {
  must(!errors.empty(), "refused without a word", "");
  for (const Diagnostic& d : errors) must(!d.message.empty() && render(d).size() < 2000, "a poor message", render(d));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Result<YamlTree> tree = read_yaml_text(text, "fuzz.yaml");
  if (!tree) {
    must_explain(tree.errors());
    return 0;
  }
  const Result<All> all = read(all_fields(), *tree, tree->root());
  if (all) {
    const std::string dump = dump_yaml(all_fields(), &*all);
    const Result<YamlTree> again = read_yaml_text(dump, "dump.yaml");
    must(again.ok(), "a dump that cannot be read", dump);
    const Result<All> same = read(all_fields(), *again, again->root());
    must(same.ok() && dump_yaml(all_fields(), &*same) == dump, "a dump that reads back as something else", dump);
  } else {
    must_explain(all.errors());
  }
  const std::size_t line = text.find('\n');
  for (const std::string& assignment : {"inner.x=" + text.substr(0, line), text.substr(0, line)})
    if (const Diagnostics errors = tree->set(assignment); !errors.empty()) must_explain(errors);
  return 0;
}
