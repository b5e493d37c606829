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

class TraceWriter {
 public:
  // `head`: members of the outer object that stand before the events, as JSON text without braces.
  TraceWriter(const std::function<void(std::string_view)>& write, std::string_view head) : write_(write) {
    append("{{{},\n\"traceEvents\": [", head);
  }
  void process(std::int64_t pid, std::string_view name);
  void thread(std::int64_t pid, std::int64_t tid, std::string_view name);
  // `arguments` is JSON text, members without braces; `colour` a reserved name of catapult's palette.
  void slice(const TracePoint& at, std::int64_t end_ns, std::string_view name, std::string_view category,
             std::string_view colour, std::string_view arguments);
  // `from` strictly inside its slice, `to` at the start of its slice: the one reading all viewers agree on.
  void arrow(const TracePoint& from, const TracePoint& to, std::string_view name, std::string_view category);
  void counter(std::int64_t pid, std::int64_t ns, std::string_view name, std::string_view series);
  void instant(const TracePoint& at, std::string_view name);
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
