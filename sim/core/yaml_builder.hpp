// Turns the events of yaml-cpp's parser into a YamlTree, refusing what the guard refuses.
#pragma once
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "orrery/core/yaml.hpp"

namespace orrery {

inline constexpr std::size_t kMaxYamlDepth = 64;
inline constexpr std::size_t kMaxYamlNodes = 1'000'000;

class YamlBuilder : public YAML::EventHandler {
 public:
  YamlBuilder(std::string name, std::string_view text);

  // The tree, or what is wrong: parses the first document and refuses anything after it.
  Result<YamlTree> parse();

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { close(); }

 private:
  struct Refused {
    Diagnostic error;
  };
  // A collection that is not closed yet.
  struct Open {
    NodeId node;
    bool flow;
    std::unordered_map<std::string, YamlMark> keys;  // looked up, never walked
    std::optional<YamlEntry> pending;                // a key that waits for its value
  };

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string message, std::string help = {}, int length = 1) const;
  [[noreturn]] void refuse(YamlMark mark, std::string message, std::string help, int length) const;
  Diagnostic explain(const YAML::Exception& error) const;
  std::string unclosed() const;
  YamlMark place(const YAML::Mark& mark) const;
  std::string path() const;
  bool at_key() const;
  void guard(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const;
  std::string text_of(const YAML::Mark& mark, const std::string& raw) const;
  void check_plain(const YAML::Mark& mark, const std::string& value) const;
  void take_key(const YAML::Mark& mark, const std::string& value, bool quoted);
  NodeId attach(const YAML::Mark& mark, YamlNode node);
  void open(const YAML::Mark& mark, NodeKind kind, bool flow);
  void close();
  std::optional<YamlMark> trailing() const;
  std::size_t end_of_scalar(std::size_t at) const;

  std::string_view text_;
  YamlTree tree_;
  std::vector<Open> open_;
  std::size_t last_ = 0;  // offset of the last event that has a place
  bool last_scalar_ = false;
  int closers_after_last_ = 0;  // flow collections closed since
};

}  // namespace orrery
