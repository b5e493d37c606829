// Guarded YAML: a file becomes a plain tree in which every key and value knows where it stands, or a list of errors.
//
// What YAML libraries take silently is refused here, with its place: anchors, aliases, tags, merge keys, duplicate and
// null keys, null values, plain text over several lines, a second document, anything after the end of the document,
// depth over 64, more than a million nodes, more than 16 MiB, NUL, invalid UTF-8, UTF-16, things that are not files.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/error.hpp"

namespace orrery {

using NodeId = std::int32_t;
inline constexpr NodeId kNoNode = -1;

enum class NodeKind : std::uint8_t { scalar, sequence, map };

// Where a key or value starts: a source (the file, or one --set), line and column from 1; line 0 = unknown.
struct YamlMark {
  std::int32_t source = 0;
  int line = 0;
  int column = 0;
};

struct YamlEntry {
  std::string key;  // empty in a sequence
  YamlMark mark;    // of the key
  NodeId value = kNoNode;
};

struct YamlNode {
  NodeKind kind = NodeKind::scalar;
  bool quoted = false;  // scalar in quotes or a block (| >): never a number or a truth value
  YamlMark mark;
  std::string text;                // scalar
  std::vector<YamlEntry> entries;  // sequence, map; in the order of the file
};

class YamlTree {
 public:
  NodeId root() const { return root_; }
  const YamlNode& operator[](NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  // The value under `key` of a map; kNoNode when there is none, or `map` is none or no map.
  NodeId find(NodeId map, std::string_view key) const;
  const YamlEntry* entry(NodeId map, std::string_view key) const;
  // A path said at `id`: relative to the file it stands in; said in a --set, to the working directory. What is absolute
  // stays as it is.
  std::string path_at(NodeId id, const std::string& path) const;
  // The name of the file the tree was read from.
  const std::string& name() const { return sources_.front().name; }

  // A diagnostic that points at a value, or at any mark of the tree.
  Diagnostic at(NodeId id, std::string path, std::string message, std::string help = {}) const;
  Diagnostic at(YamlMark mark, int length, std::string path, std::string message, std::string help = {}) const;
  // Gives diagnostics that know only their path ("layout.tensor", "links[2].bandwidth") the nearest place in this tree.
  void locate(Diagnostics& diagnostics) const;

  // --set key.path=value: the value is YAML; maps that are missing are made; a text on the way becomes {type: text};
  // a number on the way indexes a sequence. Empty when it worked.
  Diagnostics set(std::string_view assignment);
  // Lays `over` on this tree: maps are merged key by key, anything else is replaced.
  void merge(const YamlTree& over);

 private:
  friend class YamlBuilder;
  struct Source {
    std::string name;
    bool has_lines = true;  // false: one --set, which has no line numbers
    std::vector<std::string> lines;
  };
  NodeId add(YamlNode node);
  NodeId step_into(NodeId node, std::string_view step, YamlMark mark);
  NodeId copy(const YamlTree& from, NodeId id, std::int32_t source_shift);
  void merge_node(NodeId into, const YamlTree& over, NodeId from, std::int32_t source_shift);

  std::vector<YamlNode> nodes_;
  std::vector<Source> sources_;
  NodeId root_ = kNoNode;
};

// A regular file, or standard input for "-".
Result<YamlTree> read_yaml_file(const std::string& path);
Result<YamlTree> read_yaml_text(std::string text, const std::string& name);

// "did you mean 'tensor'?", or empty: the nearest of the known names within max(1, length/3) edits
// (Damerau-Levenshtein).
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace orrery
