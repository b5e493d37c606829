// One table of fields per struct: gives parser, defaults, JSON Schema, did-you-mean, resolved dump and documentation.
//
//   struct Link { BytesPerSecond bandwidth{}; Time latency{500'000}; };
//   struct Node { int gpus = 8; Zero zero = Zero::none; std::vector<Link> links; std::optional<double> price; };
//
//   const Fields<Link>& link_fields() {
//     static const auto table = Fields<Link>("link", "One direction of a cable.")
//         .add("bandwidth", &Link::bandwidth, "data rate").required()
//         .add("latency", &Link::latency, "from the first bit sent to the first received");
//     return table;
//   }
//   const Fields<Node>& node_fields() {
//     static const auto table = Fields<Node>("node", "A server.").shorthand("type")
//         .add("gpus", &Node::gpus, "GPUs in the server").range(1, 64)
//         .choice("zero", &Node::zero, {{"none", Zero::none}, {"optimizer", Zero::optimizer}}, "what is sharded")
//         .section("links", &Node::links, link_fields(), "its links")
//         .add("price", &Node::price, "dollars an hour")
//         .rule("gpus", [](const Node& n) { return n.gpus % 2 ? std::string("must be even") : std::string(); });
//     return table;
//   }
//   Result<Node> node = read(node_fields(), tree, tree.root());      // defaults are those of Node{}
//   std::string text = dump_yaml(node_fields(), &*node);
//
// The type of the member decides: integers, double, bool, std::string, Bytes, BytesPerSecond, Time, FlopsPerSecond,
// Flops, and std::optional or std::vector of these. Modifiers (range, required, …) apply to the field before them.
// Integers are of the member's range unless said otherwise; quantities are never negative and must carry a unit.
#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "orrery/core/field_table.hpp"
#include "orrery/core/field_traits.hpp"

namespace orrery {

template <class S>
class Fields : public FieldTable {
 public:
  Fields(std::string name, std::string doc) : FieldTable(std::move(name), std::move(doc)) {
    with_default_ = [](const std::function<void(const void*)>& use) {
      const S object{};
      use(&object);
    };
  }

  // A member whose type says what it is, of the struct or of a base of it.
  template <class M, class B>
  Fields& add(std::string name, M B::*of, std::string doc) {
    M S::*const member = of;
    using E = internal::Element<typename internal::Shape<M>::Element>;
    Field& field = start(std::move(name), member, std::move(doc), E::type);
    field.min = E::min;
    field.max = E::max;
    convert(field, member, E::store, E::load);
    return *this;
  }

  // An enumeration by the names of its values (in a list, optional, or plain).
  template <class M, class B>
  Fields& choice(std::string name, M B::*of,
                 std::vector<std::pair<std::string, typename internal::Shape<M>::Element>> values, std::string doc) {
    M S::*const member = of;
    using T = typename internal::Shape<M>::Element;
    Field& field = start(std::move(name), member, std::move(doc), FieldType::choice);
    for (const auto& [text, value] : values) field.allowed.push_back(text);
    auto store = [values](T& to, const FieldValue& v) {
      to = values[static_cast<std::size_t>(std::get<std::int64_t>(v))].second;
    };
    auto load = [values](const T& from) -> FieldValue {
      std::size_t i = 0;
      while (i < values.size() && values[i].second != from) ++i;
      check(i < values.size(), "a value of an enumeration has no name in its field table");
      return static_cast<std::int64_t>(i);
    };
    convert(field, member, std::move(store), std::move(load));
    return *this;
  }

  // A nested struct with a table of its own; std::vector<Struct> is a list, std::optional<Struct> may be absent.
  template <class M>
  Fields& section(std::string name, M S::*member, const Fields<typename internal::Shape<M>::Element>& table,
                  std::string doc) {
    using Shape = internal::Shape<M>;
    Field& field = start(std::move(name), member, std::move(doc), FieldType::section);
    field.fields = &table;
    field.open = [member](void* object) -> void* { return &Shape::make(static_cast<S*>(object)->*member); };
    field.view = [member](const void* object, std::size_t i) -> const void* {
      return &Shape::get(static_cast<const S*>(object)->*member, i);
    };
    return *this;
  }

  // Modifiers of the field before them.
  Fields& required() {
    last().required = true;
    return *this;
  }
  Fields& range(std::int64_t min, std::int64_t max) {
    last().min = min;
    last().max = max;
    last().min_number = static_cast<double>(min);
    last().max_number = static_cast<double>(max);
    return *this;
  }
  Fields& number_range(double min, double max) {
    last().min_number = min;
    last().max_number = max;
    return *this;
  }
  Fields& at_least(std::int64_t min) {
    last().min = min;
    last().min_number = static_cast<double>(min);
    return *this;
  }
  Fields& positive() {
    last().min = std::max<std::int64_t>(last().min, 1);
    last().min_number = 0;
    last().above_min = true;
    return *this;
  }
  Fields& one_of(std::vector<std::string> names) {
    last().allowed = std::move(names);
    return *this;
  }

  // Of the table: a text stands for {field: text}; a condition over several fields (what is wrong, or empty).
  Fields& shorthand(std::string field) {
    shorthand_ = std::move(field);
    return *this;
  }
  Fields& rule(std::string field, std::function<std::string(const S&)> broken) {
    rules_.push_back(
        {std::move(field), [broken](const void* object) { return broken(*static_cast<const S*>(object)); }});
    return *this;
  }

 private:
  template <class M>
  Field& start(std::string name, M S::*member, std::string doc, FieldType type) {
    using Shape = internal::Shape<M>;
    Field& field = fields_.emplace_back();
    field.name = std::move(name);
    field.doc = std::move(doc);
    field.type = type;
    field.list = Shape::list;
    field.optional = Shape::optional;
    field.reset = [member](void* object) { Shape::reset(static_cast<S*>(object)->*member); };
    field.count = [member](const void* object) { return Shape::count(static_cast<const S*>(object)->*member); };
    return field;
  }
  template <class M, class Store, class Load>
  void convert(Field& field, M S::*member, Store store, Load load) {
    using Shape = internal::Shape<M>;
    field.store = [member, store](void* object, const FieldValue& value) {
      if constexpr (std::is_same_v<M, std::vector<bool>>) {
        (static_cast<S*>(object)->*member).push_back(std::get<bool>(value));
      } else {
        store(Shape::make(static_cast<S*>(object)->*member), value);
      }
    };
    field.load = [member, load](const void* object, std::size_t i) -> FieldValue {
      return load(Shape::get(static_cast<const S*>(object)->*member, i));
    };
  }
};

// A struct from the map `node`; path is that of the node ("" at the root).
template <class S>
Result<S> read(const Fields<S>& table, const YamlTree& tree, NodeId node, const std::string& path = {}) {
  S object{};
  Diagnostics errors;
  read_fields(table, tree, node, path, false, &object, errors);
  if (!errors.empty()) return errors;
  return object;
}

// Lays the map `node` over an object that has its values already (a preset): nothing is required then.
template <class S>
Diagnostics read_over(const Fields<S>& table, const YamlTree& tree, NodeId node, const std::string& path, S& object) {
  Diagnostics errors;
  read_fields(table, tree, node, path, true, &object, errors);
  return errors;
}

}  // namespace orrery
