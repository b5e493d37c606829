#include "orrery/core/comparison.hpp"

namespace orrery {
namespace {

std::string trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

std::optional<Comparison> split_comparison(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const std::string_view op : {">=", "<=", "==", "!=", ">", "<"})
      if (text.substr(at).starts_with(op))
        return Comparison{trimmed(text.substr(0, at)), std::string(op), trimmed(text.substr(at + op.size()))};
  return {};
}

bool compare(double left, std::string_view op, double right) {
  if (op == ">") return left > right;
  if (op == ">=") return left >= right;
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  return (left == right) == (op == "==");
}

}  // namespace orrery
