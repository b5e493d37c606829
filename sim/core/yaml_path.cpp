#include "core/yaml_path.hpp"

#include <algorithm>
#include <charconv>

namespace orrery {

namespace {

bool separates(char c) {
  return c == '.' || c == '[' || c == ']';
}

}  // namespace

bool is_path(std::string_view path) {
  if (path.empty() || separates(path.front()) || path.back() == '.' || path.back() == '[') return false;
  bool open = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool doubled = i > 0 && separates(path[i]) && separates(path[i - 1]) && path[i - 1] != ']';
    if (doubled || (open && path[i] == '[') || (!open && path[i] == ']')) return false;
    if (path[i] == '[' || path[i] == ']') open = path[i] == '[';
  }
  return !open;
}

std::string_view next_path_step(std::string_view& path) {
  while (!path.empty() && separates(path.front())) path.remove_prefix(1);
  const std::size_t end = std::min(path.find_first_of(".[]"), path.size());
  const std::string_view step = path.substr(0, end);
  path.remove_prefix(end);
  if (path == "]") path = {};
  return step;
}

std::string child_path(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

std::size_t path_index(std::string_view step, std::size_t size) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  return error == std::errc() && end == step.data() + step.size() ? std::min(index, size) : size;
}

}  // namespace orrery
