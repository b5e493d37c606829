// How the type of a member becomes the type of a field: used by orrery/core/fields.hpp alone.
#pragma once
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "orrery/core/field_table.hpp"
#include "orrery/core/units.hpp"

namespace orrery {

namespace internal {

// The element type of a member, and how elements are reached.
template <class M>
struct Shape {
  using Element = M;
  static void reset(M&) {}
  static M& make(M& m) { return m; }
  static std::size_t count(const M&) { return 1; }
  static const M& get(const M& m, std::size_t) { return m; }
  static constexpr bool list = false, optional = false;
};
template <class T>
struct Shape<std::optional<T>> {
  using Element = T;
  static void reset(std::optional<T>& m) { m.reset(); }
  static T& make(std::optional<T>& m) { return m ? *m : m.emplace(); }
  static std::size_t count(const std::optional<T>& m) { return m ? 1 : 0; }
  static const T& get(const std::optional<T>& m, std::size_t) { return *m; }
  static constexpr bool list = false, optional = true;
};
template <class T>
struct Shape<std::vector<T>> {
  using Element = T;
  static void reset(std::vector<T>& m) { m.clear(); }
  static T& make(std::vector<T>& m) { return m.emplace_back(); }
  static std::size_t count(const std::vector<T>& m) { return m.size(); }
  static const T& get(const std::vector<T>& m, std::size_t i) { return m[i]; }
  static constexpr bool list = true, optional = false;
};

// How one element is typed and converted.
template <class T>
struct Element;
template <class T>
requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) struct Element<T> {
  static constexpr FieldType type = FieldType::integer;
  static constexpr std::int64_t min = std::numeric_limits<T>::min();
  static constexpr std::int64_t max = static_cast<std::int64_t>(
      std::min<std::uint64_t>(std::numeric_limits<T>::max(), std::numeric_limits<std::int64_t>::max()));
  static void store(T& to, const FieldValue& v) { to = static_cast<T>(std::get<std::int64_t>(v)); }
  static FieldValue load(const T& from) { return static_cast<std::int64_t>(from); }
};
template <FieldType kType, class T>
struct PlainElement {
  static constexpr FieldType type = kType;
  static constexpr std::int64_t min = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t max = std::numeric_limits<std::int64_t>::max();
  static void store(T& to, const FieldValue& v) { to = std::get<T>(v); }
  static FieldValue load(const T& from) { return from; }
};
template <>
struct Element<double> : PlainElement<FieldType::number, double> {};
template <>
struct Element<bool> : PlainElement<FieldType::boolean, bool> {};
template <>
struct Element<std::string> : PlainElement<FieldType::text, std::string> {};
template <FieldType kType, class T>
struct QuantityElement {
  static constexpr FieldType type = kType;
  static constexpr std::int64_t min = 0;
  static constexpr std::int64_t max = std::numeric_limits<std::int64_t>::max();
  static void store(T& to, const FieldValue& v) { to.value = std::get<std::int64_t>(v); }
  static FieldValue load(const T& from) { return from.value; }
};
template <>
struct Element<Bytes> : QuantityElement<FieldType::bytes, Bytes> {};
template <>
struct Element<BytesPerSecond> : QuantityElement<FieldType::bandwidth, BytesPerSecond> {};
template <>
struct Element<Time> : QuantityElement<FieldType::time, Time> {};
template <>
struct Element<FlopsPerSecond> : QuantityElement<FieldType::rate, FlopsPerSecond> {};
template <>
struct Element<Flops> : QuantityElement<FieldType::flops, Flops> {};

}  // namespace internal

}  // namespace orrery
