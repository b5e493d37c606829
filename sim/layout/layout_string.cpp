#include "layout_string.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace orrery::layout {
namespace {

constexpr std::size_t kMost = 1 << 16;  // letters of what is written out

Diagnostic wrong(std::string message) {
  Diagnostic d;
  d.message = std::move(message), d.help = "such as Et*4|(t*4|)*14tmL: E, t, m, L, | and (…), each perhaps with *n";
  return d;
}

// Writes repetitions out, from `at` to the end or the bracket that closes.
class Expansion {
 public:
  explicit Expansion(std::string_view text) : text_(text) {}

  Result<std::string> run() {
    const std::string all = sequence(0);
    if (!error_.empty()) return wrong(error_);
    if (at_ != text_.size()) return wrong(fmt::format("')' at {} closes nothing", at_ + 1));
    return all;
  }

 private:
  std::string sequence(int depth) {
    std::string all;
    while (error_.empty() && at_ < text_.size() && text_[at_] != ')') {
      const std::string part = item(depth);
      const std::size_t times = repetitions();
      if (all.size() + part.size() * times > kMost) error_ = "is too long";
      for (std::size_t i = 0; i < times && error_.empty(); ++i) all += part;
    }
    return all;
  }

  std::string item(int depth) {
    const char c = text_[at_++];
    if (std::string_view("EtmL|").find(c) != std::string_view::npos) return std::string(1, c);
    if (c != '(' || depth > 8) {
      error_ = fmt::format("'{}' at {} is none of E, t, m, L, | and (…)", c, at_);
      return {};
    }
    std::string inner = sequence(depth + 1);
    if (error_.empty() && at_ == text_.size()) error_ = "a '(' is not closed";
    ++at_;
    return inner;
  }

  std::size_t repetitions() {
    if (at_ >= text_.size() || text_[at_] != '*') return 1;
    std::size_t times = 0, digits = 0;
    for (++at_; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && digits < 6; ++at_, ++digits)
      times = times * 10 + static_cast<std::size_t>(text_[at_] - '0');
    if (digits == 0) error_ = fmt::format("a number must follow '*' at {}", at_);
    return times;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string error_;
};

std::string times(const std::string& what, std::int64_t n) {
  return n == 1 ? what : fmt::format("{}*{}", what, n);
}

}  // namespace

Result<std::vector<std::int64_t>> read_layout_string(std::string_view text) {
  const Result<std::string> all = Expansion(text).run();
  if (!all.ok()) return all.errors();
  std::vector<std::int64_t> layers{0};
  bool predicts = false, ends = false;
  for (std::size_t i = 0; i < all->size(); ++i) {
    const char c = (*all)[i];
    if ((c == 'E') != (i == 0)) return wrong("the embedding, E, stands at the beginning, and there alone");
    if (ends) return wrong("the loss, L, stands at the end");
    if (c == 't' && predicts) return wrong("a layer behind what predicts further tokens, m, is not described");
    if (c == '|' && predicts) return wrong("what predicts further tokens, m, apart from the loss is not described");
    if (c == 't') ++layers.back();
    if (c == '|') layers.push_back(0);
    predicts = predicts || c == 'm', ends = ends || c == 'L';
  }
  if (!ends) return wrong("the loss, L, is missing at the end");
  return layers;
}

std::string layout_string(const std::vector<std::int64_t>& layers, std::int64_t prediction_layers) {
  std::string text = "E";
  for (std::size_t i = 0; i < layers.size();) {
    std::size_t alike = 1;
    while (i > 0 && i + alike + 1 < layers.size() && layers[i + alike] == layers[i]) ++alike;
    const std::string stage =
        (layers[i] > 0 ? times("t", layers[i]) : std::string()) + (i + 1 < layers.size() ? "|" : "");
    text += alike == 1 ? stage : fmt::format("({})*{}", stage, alike);
    i += alike;
  }
  return text + (prediction_layers > 0 ? times("m", prediction_layers) : "") + "L";
}

}  // namespace orrery::layout
