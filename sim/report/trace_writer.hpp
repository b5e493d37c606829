// Chrome trace events as text, in parts. Texts are identifiers and names of ours: nothing in them needs quoting.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

namespace orrery::report {

// Picoseconds to the nearest nanosecond. Monotone, so what did not overlap does not afterwards.
constexpr std::int64_t nanoseconds(std::int64_t ps) {
  return ps / 1000 + (ps % 1000 >= 500 ? 1 : 0);
}

// Where a slice stands: process, thread, time.
struct TracePoint {
  std::int64_t pid = 0, tid = 0, ns = 0;
};

// Microseconds with at most three decimals, as text: a double would not hold nanoseconds for long.
struct Microseconds {
  std::int64_t ns;
};

// Members of the object `args`, as JSON text.
class TraceArguments {
 public:
  template <class Value>
  void add(std::string_view key, const Value& value) {
    begin(key);
    fmt::format_to(std::back_inserter(text_), "{}", value);
  }
  void add_text(std::string_view key, std::string_view value) {
    begin(key);
    fmt::format_to(std::back_inserter(text_), "\"{}\"", value);
  }
  // Up to four digits, however large: no viewer's sums need more.
  void add_real(std::string_view key, double value) {
    begin(key);
    fmt::format_to(std::back_inserter(text_), "{:.4g}", value);
  }
  std::string_view text() const { return {text_.data(), text_.size()}; }
  void clear() { text_.clear(); }

 private:
  void begin(std::string_view key) {
    fmt::format_to(std::back_inserter(text_), "{}\"{}\":", text_.size() == 0 ? "" : ",", key);
  }
  fmt::memory_buffer text_;
};

class TraceWriter {
 public:
  // `head`: members of the outer object that stand before the events, as JSON text without braces.
  TraceWriter(const std::function<void(std::string_view)>& write, std::string_view head) : write_(write) {
    append("{{{},\n\"traceEvents\": [", head);
  }
  void process(std::int64_t pid, std::int64_t position, std::string_view name);
  void thread(std::int64_t pid, std::int64_t tid, std::string_view name);
  // `colour` is a reserved name of catapult's palette.
  void slice(const TracePoint& at, std::int64_t end_ns, std::string_view name, std::string_view category,
             std::string_view colour, const TraceArguments& arguments);
  // `from` strictly inside its slice, `to` at the start of its slice: the one reading all viewers agree on.
  void arrow(const TracePoint& from, const TracePoint& to, std::string_view name, std::string_view category);
  void counter(std::int64_t pid, std::int64_t ns, std::string_view name, std::string_view series);
  void instant(const TracePoint& at, std::string_view name);
  // Any event, as JSON text.
  void raw(std::string_view event_text);
  void close();
  std::int64_t events() const { return events_; }

 private:
  template <class... Arguments>
  void append(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Arguments>(arguments)...);
  }
  template <class... Arguments>
  void event(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    append("{}", events_++ == 0 ? "\n" : ",\n");
    append(format, std::forward<Arguments>(arguments)...);
    if (buffer_.size() > kPart) flush();
  }
  void flush();

  static constexpr std::size_t kPart = 1 << 16;
  const std::function<void(std::string_view)>& write_;
  fmt::memory_buffer buffer_;
  std::int64_t events_ = 0, arrows_ = 0;
};

}  // namespace orrery::report

template <>
struct fmt::formatter<orrery::report::Microseconds> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const orrery::report::Microseconds& time, Context& context) const {
    const std::int64_t part = time.ns % 1000;
    return part == 0 ? fmt::format_to(context.out(), "{}", time.ns / 1000)
                     : fmt::format_to(context.out(), "{}.{:03}", time.ns / 1000, part);
  }
};
