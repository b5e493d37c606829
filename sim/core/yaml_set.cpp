// --set key.path=value on a tree.
#include <fmt/format.h>

#include "core/yaml_builder.hpp"
#include "core/yaml_path.hpp"
#include "orrery/core/show.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery {

namespace {

constexpr const char* kExample = "for example --set layout.tensor=4";

Diagnostics refuse(std::string_view assignment, std::size_t column, std::string_view path, std::string message,
                   std::string help = {}) {
  Diagnostic d;
  d.place = {"--set", 0, static_cast<int>(column) + 1};
  d.path = path;
  d.message = std::move(message);
  d.help = std::move(help);
  d.source_line = assignment;
  return {d};
}

// The value, read in its column of the whole assignment so that places fit what was typed.
Result<YamlTree> read_value(std::string_view assignment, std::size_t equals) {
  const std::string_view path = assignment.substr(0, equals);
  if (assignment.find('\n') != std::string_view::npos)
    return refuse(assignment, 0, path, "a value must stand on one line");
  const std::string_view text = assignment.substr(equals + 1);
  if (text.find_first_not_of(' ') == std::string_view::npos)
    return refuse(assignment, equals, path, "has no value", kExample);
  Result<YamlTree> read = read_yaml_text(std::string(equals + 1, ' ') + std::string(text), "--set");
  if (read) return read;
  Diagnostics errors = read.errors();
  for (Diagnostic& d : errors) {
    d.place.line = 0;
    d.path = std::string(path) + (d.path.empty() || d.path.front() == '[' ? "" : ".") + d.path;
    d.source_line = assignment;
  }
  return errors;
}

}  // namespace

// One step down from `node`: the child, made if it is missing; kNoNode when a list has no such item.
NodeId YamlTree::step_into(NodeId node, std::string_view step, YamlMark mark) {
  if ((*this)[node].kind == NodeKind::sequence) {
    const std::vector<YamlEntry>& items = (*this)[node].entries;
    const std::size_t index = path_index(step, items.size());
    return index < items.size() ? items[index].value : kNoNode;
  }
  if ((*this)[node].kind == NodeKind::scalar) {  // becomes {type: text}
    const NodeId text = add(YamlNode((*this)[node]));
    YamlNode map{NodeKind::map, false, (*this)[text].mark, {}, {}};
    map.entries.push_back({"type", map.mark, text});
    nodes_[static_cast<std::size_t>(node)] = std::move(map);
  }
  if (const NodeId known = find(node, step); known != kNoNode) return known;
  const NodeId fresh = add({NodeKind::map, false, mark, {}, {}});
  nodes_[static_cast<std::size_t>(node)].entries.push_back({std::string(step), mark, fresh});
  return fresh;
}

Diagnostics YamlTree::set(std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string_view path = assignment.substr(0, equals);
  if (equals == std::string_view::npos || !is_path(path))
    return refuse(assignment, 0, "", "expected key.path=value", kExample);
  Result<YamlTree> value = read_value(assignment, equals);
  if (!value) return value.errors();

  const auto source = static_cast<std::int32_t>(sources_.size());
  sources_.push_back({"--set", false, {std::string(assignment)}});
  NodeId node = root_;
  std::size_t depth = 0;
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view step = next_path_step(rest);
    const auto column = static_cast<std::size_t>(step.data() - assignment.data());
    if (++depth >= kMaxYamlDepth)
      return refuse(assignment, column, path, fmt::format("nested deeper than {} levels", kMaxYamlDepth));
    const std::size_t items = (*this)[node].entries.size();
    node = step_into(node, step, {source, 1, static_cast<int>(column) + 1});
    if (node == kNoNode)
      return refuse(assignment, column, path, fmt::format("'{}' is no item of a list of {}", in_short(step), items),
                    "items are numbered from 0");
  }
  const NodeId fresh = copy(*value, value->root(), source);
  nodes_[static_cast<std::size_t>(node)] = YamlNode((*this)[fresh]);
  return {};
}

}  // namespace orrery
