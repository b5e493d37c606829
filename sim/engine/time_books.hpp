// The books of the time of a run: order, bounds, categories. Each says what does not balance.
#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "orrery/engine/account.hpp"

namespace orrery::engine {

// What a book finds: the first few in words, of a timeline that is wrong throughout the others are counted.
class Findings {
 public:
  Findings(std::vector<std::string>& wrong, const char* kind) : wrong_(wrong), kind_(kind) {}
  ~Findings() {
    if (count_ > kInWords) wrong_.push_back(fmt::format("and {} more of this kind: {}", count_ - kInWords, kind_));
  }
  Findings(const Findings&) = delete;
  Findings& operator=(const Findings&) = delete;
  template <class... Args>
  void add(fmt::format_string<Args...> text, Args&&... args) {
    if (++count_ <= kInWords) wrong_.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  static constexpr std::int64_t kInWords = 10;
  std::vector<std::string>& wrong_;
  const char* kind_;
  std::int64_t count_ = 0;
};

void audit_order(const program::Program& program, const Timeline& timeline, std::vector<std::string>& wrong);
void audit_bounds(const program::Program& program, const Timeline& timeline, std::vector<std::string>& wrong);
void audit_slowdown(const program::Program& program, const Timeline& timeline, std::vector<std::string>& wrong);
void audit_split(const program::Program& program, const Timeline& timeline, const std::vector<Breakdown>& split,
                 std::vector<std::string>& wrong);

}  // namespace orrery::engine
