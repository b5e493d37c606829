#include "orrery/core/yaml.hpp"

#include <algorithm>
#include <filesystem>

#include "core/yaml_path.hpp"

namespace orrery {

const YamlEntry* YamlTree::entry(NodeId map, std::string_view key) const {
  if (map == kNoNode || (*this)[map].kind != NodeKind::map) return nullptr;
  for (const YamlEntry& e : (*this)[map].entries)
    if (e.key == key) return &e;
  return nullptr;
}

NodeId YamlTree::find(NodeId map, std::string_view key) const {
  const YamlEntry* found = entry(map, key);
  return found ? found->value : kNoNode;
}

NodeId YamlTree::add(YamlNode node) {
  nodes_.push_back(std::move(node));
  return static_cast<NodeId>(nodes_.size() - 1);
}

Diagnostic YamlTree::at(YamlMark mark, int length, std::string path, std::string message, std::string help) const {
  const Source& source = sources_[static_cast<std::size_t>(mark.source)];
  Diagnostic d;
  d.place = {source.name, source.has_lines ? mark.line : 0, mark.column};
  d.path = std::move(path);
  d.message = std::move(message);
  d.help = std::move(help);
  d.length = length;
  const auto index = static_cast<std::size_t>(mark.line - 1);
  if (mark.line > 0 && index < source.lines.size()) {
    d.source_line = source.lines[index];
    // The caret stays within its line.
    const int room = static_cast<int>(d.source_line.size()) - mark.column + 1;
    d.length = std::clamp(length, 1, std::max(room, 1));
  }
  return d;
}

Diagnostic YamlTree::at(NodeId id, std::string path, std::string message, std::string help) const {
  if (id == kNoNode) return at(YamlMark{}, 1, std::move(path), std::move(message), std::move(help));
  const YamlNode& node = (*this)[id];
  const std::size_t size = node.kind == NodeKind::scalar ? node.text.size() + (node.quoted ? 2 : 0) : 1;
  return at(node.mark, static_cast<int>(std::max<std::size_t>(size, 1)), std::move(path), std::move(message),
            std::move(help));
}

std::string YamlTree::path_at(NodeId id, const std::string& path) const {
  const Source& source = sources_[static_cast<std::size_t>(id == kNoNode ? 0 : (*this)[id].mark.source)];
  if (!source.has_lines) return path;
  return (std::filesystem::path(source.name).parent_path() / path).string();
}

void YamlTree::locate(Diagnostics& diagnostics) const {
  for (Diagnostic& d : diagnostics) {
    if (!d.place.file.empty()) continue;
    std::string_view rest = d.path;
    NodeId node = root_;
    YamlMark mark{};
    int length = 1;
    for (std::string_view step = next_path_step(rest); !step.empty(); step = next_path_step(rest)) {
      const YamlNode& here = (*this)[node];
      const YamlEntry* found = entry(node, step);
      if (here.kind == NodeKind::sequence) {
        const std::size_t index = path_index(step, here.entries.size());
        found = index < here.entries.size() ? &here.entries[index] : nullptr;
      }
      if (!found) break;
      node = found->value;
      mark = (*this)[node].kind == NodeKind::scalar ? (*this)[node].mark : found->mark;
      length = static_cast<int>((*this)[node].kind == NodeKind::scalar ? (*this)[node].text.size() : found->key.size());
    }
    const Diagnostic placed = at(mark, length, d.path, d.message, d.help);
    d.place = placed.place;
    d.source_line = placed.source_line;
    d.length = placed.length;
  }
}

NodeId YamlTree::copy(const YamlTree& from, NodeId id, std::int32_t source_shift) {
  YamlNode node = from[id];
  node.mark.source += source_shift;
  for (YamlEntry& e : node.entries) {
    e.mark.source += source_shift;
    e.value = copy(from, e.value, source_shift);  // depth is bounded by the reader
  }
  return add(std::move(node));
}

void YamlTree::merge_node(NodeId into, const YamlTree& over, NodeId from, std::int32_t source_shift) {
  const YamlNode& source = over[from];
  if ((*this)[into].kind != NodeKind::map || source.kind != NodeKind::map) {
    const NodeId fresh = copy(over, from, source_shift);
    nodes_[static_cast<std::size_t>(into)] = (*this)[fresh];
    return;
  }
  for (const YamlEntry& e : source.entries) {
    if (const NodeId known = find(into, e.key); known != kNoNode) {
      merge_node(known, over, e.value, source_shift);
      continue;
    }
    YamlEntry added = e;
    added.mark.source += source_shift;
    added.value = copy(over, e.value, source_shift);
    nodes_[static_cast<std::size_t>(into)].entries.push_back(std::move(added));
  }
}

void YamlTree::merge(const YamlTree& over) {
  const auto shift = static_cast<std::int32_t>(sources_.size());
  sources_.insert(sources_.end(), over.sources_.begin(), over.sources_.end());
  merge_node(root_, over, over.root_, shift);
}

}  // namespace orrery
