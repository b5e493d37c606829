// When tasks end that are not as quick all through the step (program::Stretches).
//
// Of a task that takes D as its template says and T in a state, D/T picoseconds of D are done in one of that state. It
// ends at the least picosecond at which all of D is done. Counted in 2^-60 ps of D, D/T rounded up: of a state that
// lasts, the end is start + T exactly, as long as T² < 2^60 D.
#pragma once
#include <cstdint>
#include <vector>

#include "orrery/program/program.hpp"

namespace orrery::engine {

class Paces {
 public:
  explicit Paces(const program::Program& program);

  std::int64_t end_of(program::TaskId task, std::int64_t start) const {
    return end_of(task, start, program_.template_of(task).duration.value);
  }
  // With so much of its template's duration left to do.
  std::int64_t end_of(program::TaskId task, std::int64_t start, std::int64_t left) const;
  // Of its template's duration, what is done in [from, to), rounded down.
  std::int64_t done(program::TaskId task, std::int64_t from, std::int64_t to) const;

 private:
  static constexpr int kShift = 60;
  static constexpr Int128 kAtOnce = -1;

  // Of a stretch, by how many have begun: 0 = before the first.
  std::int64_t end(std::size_t stretch) const;
  Int128 speed(program::TaskId task, std::size_t stretch) const;

  const program::Program& program_;
  const program::Stretches& stretches_;
  std::vector<Int128> speeds_;  // [pace · states + state] 2^-60 ps of its duration in a picosecond
};

}  // namespace orrery::engine
