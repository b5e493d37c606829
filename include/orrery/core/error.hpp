// Errors as values at the edges (files, scenarios, command line), and the check of our own invariants.
//
// A Diagnostic renders as
//   file:line:col: path.to.key: what is wrong, what is allowed
//       3 | the source line
//         | ^^^
//     help: did you mean 'tensor'?
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace orrery {

// Where a value stands. Line and column start at 1; 0 = unknown (the error is about the whole file).
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
};

struct Diagnostic {
  Place place;
  std::string path;         // key path, e.g. "layout.tensor"; may be empty
  std::string message;      // what is wrong, what is allowed
  std::string help;         // remedy, e.g. "did you mean 'tensor'?"; may be empty
  std::string source_line;  // text of the line, for the caret; may be empty
  int length = 1;           // characters to underline
};
using Diagnostics = std::vector<Diagnostic>;

std::string render(const Diagnostic& diagnostic);
std::string render(const Diagnostics& diagnostics);

// A value, or everything that is wrong with the input (never empty then).
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Diagnostics errors) : state_(std::in_place_index<1>, std::move(errors)) {}
  Result(Diagnostic error) : state_(std::in_place_index<1>, Diagnostics{std::move(error)}) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  const Diagnostics& errors() const { return std::get<1>(state_); }

 private:
  std::variant<T, Diagnostics> state_;
};

// A broken invariant of our own code: exit code 3, never the user's fault.
struct InternalError : std::logic_error {
  using std::logic_error::logic_error;
};
[[noreturn]] void internal_error(std::string_view what);
inline void check(bool holds, const char* what) {
  if (!holds) internal_error(what);
}

}  // namespace orrery
