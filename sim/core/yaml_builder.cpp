#include "core/yaml_builder.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>

#include "core/utf8.hpp"

namespace orrery {

namespace {

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

YamlBuilder::YamlBuilder(std::string name, std::string_view text) : text_(text) {
  tree_.sources_.push_back({std::move(name), true, split_lines(text)});
}

Result<YamlTree> YamlBuilder::parse() {
  try {
    std::istringstream stream{std::string(text_)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(*this) || tree_.root_ == kNoNode)
      refuse(YamlMark{}, "is empty, it must hold one YAML document", "", 1);
    // Never HandleNextDocument() twice: yaml-cpp 0.7 loops for ever on "," (fixed upstream in bc67157).
    if (parser) {
      const YamlMark mark = trailing().value_or(YamlMark{});
      refuse(
          mark, "content after the end of the document",
          "one document a file; in a list, write a blank after each '-'; a key stands at the column of its neighbours",
          1);
    }
  } catch (const Refused& refused) {
    return refused.error;
  } catch (const YAML::Exception& e) {
    return explain(e);
  }
  return std::move(tree_);
}

// The question to ask when something is wrong inside brackets; empty outside of them.
std::string YamlBuilder::unclosed() const {
  const auto flow = std::find_if(open_.rbegin(), open_.rend(), [](const Open& level) { return level.flow; });
  if (flow == open_.rend()) return {};
  const YamlNode& node = tree_[flow->node];
  const char* bracket = node.kind == NodeKind::map ? "{" : "[";
  return fmt::format("is the {} at line {}, column {} closed?", bracket, node.mark.line, node.mark.column);
}

// yaml-cpp's own errors, with the remedy for what usually is behind them.
Diagnostic YamlBuilder::explain(const YAML::Exception& e) const {
  const YamlMark mark = place(e.mark);
  const auto at = [&](std::string message, std::string help) {
    return tree_.at(mark, 1, path(), std::move(message), std::move(help));
  };
  // It says no more than "bad file" of what nests deeper than its own guard, and looks up aliases itself.
  if (e.msg == YAML::ErrorMsg::BAD_FILE) return at(fmt::format("nested deeper than {} levels", kMaxYamlDepth), "");
  if (e.msg == YAML::ErrorMsg::UNKNOWN_ANCHOR)
    return at("aliases (*name) are not allowed", "write the value out where it is used");
  const std::string message = "not valid YAML: " + e.msg;
  const std::string line = at(message, "").source_line;
  if (line.find('\t') < line.find_first_not_of(" \t")) return at(message, "indent with blanks, not with tabs");
  if (const std::string help = unclosed(); !help.empty()) return at(message, help);
  if (e.msg == YAML::ErrorMsg::MAP_VALUE) return at(message, "put a text that holds ': ' in quotes");
  if (e.msg == YAML::ErrorMsg::END_OF_MAP || e.msg == YAML::ErrorMsg::END_OF_SEQ)
    return at(message, "is the line indented like its neighbours, and every quote closed?");
  return at(message, "");
}

void YamlBuilder::refuse(YamlMark mark, std::string message, std::string help, int length) const {
  throw Refused{tree_.at(mark, length, path(), std::move(message), std::move(help))};
}
void YamlBuilder::refuse(const YAML::Mark& mark, std::string message, std::string help, int length) const {
  refuse(place(mark), std::move(message), std::move(help), length);
}

// yaml-cpp counts from 0, and -1 is unknown.
YamlMark YamlBuilder::place(const YAML::Mark& mark) const {
  return mark.line < 0 ? YamlMark{} : YamlMark{0, mark.line + 1, mark.column + 1};
}

std::string YamlBuilder::path() const {
  std::string text;
  for (const Open& level : open_) {
    const YamlNode& node = tree_[level.node];
    if (node.kind == NodeKind::sequence) {
      if (&level == &open_.back())
        text += fmt::format("[{}]", node.entries.size());
      else
        text += fmt::format("[{}]", node.entries.size() - 1);
      continue;
    }
    const std::string* key = level.pending ? &level.pending->key : nullptr;
    if (!key && &level != &open_.back() && !node.entries.empty()) key = &node.entries.back().key;
    if (key) text += (text.empty() ? "" : ".") + *key;
  }
  return text;
}

bool YamlBuilder::at_key() const {
  return !open_.empty() && tree_[open_.back().node].kind == NodeKind::map && !open_.back().pending;
}

void YamlBuilder::guard(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
  const auto offset = static_cast<std::size_t>(std::max(mark.pos, 0));
  const char first = offset < text_.size() ? text_[offset] : ' ';
  if (anchor != 0 || first == '&')
    refuse(mark, "anchors (&name) are not allowed", "write the value out where it is used");
  // Untagged plain values arrive with "?", quoted ones with "!", collections with either or nothing.
  const bool tagged = !(tag.empty() || tag == "?" || tag == "!") || first == '!';
  if (tagged) refuse(mark, "tags (!name) are not allowed", "the key decides the type of its value; remove the tag");
}

void YamlBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t) {
  refuse(mark, "aliases (*name) are not allowed", "write the value out where it is used");
}

void YamlBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  guard(mark, "", anchor);
  if (open_.empty()) {
    refuse(YamlMark{}, "is empty, it must hold one YAML document", "", 1);
  } else if (at_key()) {
    refuse(mark, "a key is missing before this value");
  } else if (tree_[open_.back().node].kind == NodeKind::sequence) {
    refuse(mark, "this item has no value", "write the value, or remove the comma or dash");
  }
  const YamlEntry& key = *open_.back().pending;
  refuse(key.mark, "has no value", "write a value after ':', or remove the key to use its default",
         static_cast<int>(key.key.size()));
}

void YamlBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& raw) {
  guard(mark, tag, anchor);
  const bool quoted = tag == "!";
  const std::string value = text_of(mark, raw);
  if (!quoted) check_plain(mark, value);
  if (at_key()) {
    take_key(mark, value, quoted);
  } else {
    YamlNode node;
    node.quoted = quoted;
    node.text = value;
    attach(mark, std::move(node));
  }
  last_scalar_ = true;
}

// The text of a scalar as UTF-8 without control characters; the file has none, so what is found here was an escape.
// yaml-cpp writes "\N" and "\_" as the bytes of Latin-1, which stand alone between whole characters of the file.
std::string YamlBuilder::text_of(const YAML::Mark& mark, const std::string& raw) const {
  std::string text;
  for (std::size_t at = 0; at < raw.size();) {
    const std::size_t length = utf8_length(raw, at);
    const auto byte = static_cast<unsigned char>(raw[at]);
    if (length == 0 && byte != 0x85 && byte != 0xA0)
      refuse(mark, fmt::format("the escaped byte 0x{:02X} is not valid UTF-8", byte), "write the character itself");
    const char32_t c = length == 0 ? byte : utf8_character(raw, at, length);
    if (is_control(c) && c != '\n' && c != '\t' && c != '\r')
      refuse(mark, fmt::format("control character U+{:04X}, written as an escape; expected printable text",
                               static_cast<unsigned>(c)));
    text += length == 0 ? std::string("\xC2") + raw[at] : raw.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return text;
}

// A plain text that is not in the file as it stands went over several lines: nearly always a missing blank after ':'.
void YamlBuilder::check_plain(const YAML::Mark& mark, const std::string& value) const {
  const auto offset = static_cast<std::size_t>(std::max(mark.pos, 0));
  if (offset > text_.size() || text_.substr(offset, value.size()) == value) return;
  std::string help = unclosed();
  if (help.empty())
    help = value.find(':') != std::string::npos ? "write a blank after each ':'"
                                                : "put it in quotes, or in a block after '>-'";
  refuse(mark, "unquoted text over several lines", help);
}

void YamlBuilder::take_key(const YAML::Mark& mark, const std::string& value, bool quoted) {
  Open& top = open_.back();
  const int length = std::max(1, static_cast<int>(value.size()) + (quoted ? 2 : 0));
  if (value == "<<" && !quoted) refuse(mark, "merge keys (<<) are not allowed", "write the keys out", 2);
  if (value.empty()) refuse(mark, "a key is missing before this value", "", length);
  const auto [known, fresh] = top.keys.emplace(value, place(mark));
  if (!fresh) {
    top.pending = YamlEntry{value, place(mark), kNoNode};
    refuse(mark, fmt::format("is given twice, first at line {}", known->second.line), "keep one of the two", length);
  }
  top.pending = YamlEntry{value, place(mark), kNoNode};
  last_ = static_cast<std::size_t>(std::max(mark.pos, 0));
  closers_after_last_ = 0;
}

NodeId YamlBuilder::attach(const YAML::Mark& mark, YamlNode node) {
  if (tree_.nodes_.size() >= kMaxYamlNodes) refuse(mark, fmt::format("more than {} values in one file", kMaxYamlNodes));
  last_ = static_cast<std::size_t>(std::max(mark.pos, 0));
  closers_after_last_ = 0;
  node.mark = place(mark);
  const NodeId id = tree_.add(std::move(node));
  if (open_.empty()) {
    tree_.root_ = id;
    return id;
  }
  Open& top = open_.back();
  YamlEntry entry = top.pending.value_or(YamlEntry{});
  if (!top.pending) entry.mark = tree_[id].mark;
  entry.value = id;
  tree_.nodes_[static_cast<std::size_t>(top.node)].entries.push_back(std::move(entry));
  top.pending.reset();
  return id;
}

void YamlBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                                  YAML::EmitterStyle::value style) {
  guard(mark, tag, anchor);
  open(mark, NodeKind::sequence, style == YAML::EmitterStyle::Flow);
}
void YamlBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value style) {
  guard(mark, tag, anchor);
  open(mark, NodeKind::map, style == YAML::EmitterStyle::Flow);
}

void YamlBuilder::open(const YAML::Mark& mark, NodeKind kind, bool flow) {
  if (at_key()) refuse(mark, "a key must be a text, not a list or a map", "is every bracket closed?");
  if (open_.size() >= kMaxYamlDepth) refuse(mark, fmt::format("nested deeper than {} levels", kMaxYamlDepth));
  YamlNode node;
  node.kind = kind;
  const NodeId id = attach(mark, std::move(node));
  last_scalar_ = false;
  open_.push_back({id, flow, {}, {}});
}

void YamlBuilder::close() {
  if (open_.back().flow) ++closers_after_last_;
  open_.pop_back();
}

// Where the first character stands that the parser left unread: after the last value, its closing brackets and
// comments.
std::optional<YamlMark> YamlBuilder::trailing() const {
  std::size_t at = last_scalar_ ? end_of_scalar(last_) : last_ + (closers_after_last_ > 0 ? 1 : 0);
  int closers = closers_after_last_;
  for (; at < text_.size(); ++at) {
    const char c = text_[at];
    if (c == '#') {
      at = std::min(text_.find('\n', at), text_.size() - 1);
    } else if ((c == ']' || c == '}') && closers > 0) {
      --closers;
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && !(c == ',' && closers > 0)) {
      break;
    }
  }
  if (at >= text_.size()) return std::nullopt;
  const std::string_view before = text_.substr(0, at);
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return YamlMark{0, static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
                  static_cast<int>(at - line_start) + 1};
}

std::size_t YamlBuilder::end_of_scalar(std::size_t at) const {
  if (at >= text_.size()) return at;
  const char quote = text_[at];
  if (quote != '"' && quote != '\'') {
    const YamlNode& last = tree_.nodes_.back();
    return at + (last.quoted ? 0 : last.text.size());
  }
  for (std::size_t i = at + 1; i < text_.size(); ++i) {
    if (quote == '"' && text_[i] == '\\') {
      ++i;
    } else if (text_[i] == quote) {
      if (quote == '"' || i + 1 >= text_.size() || text_[i + 1] != '\'') return i + 1;
      ++i;
    }
  }
  return text_.size();
}

}  // namespace orrery
