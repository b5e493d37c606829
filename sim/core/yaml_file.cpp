#include "core/read_file.hpp"
#include "core/yaml_builder.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery {

namespace {

Result<YamlTree> parse_checked(std::string text, const std::string& name) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // a byte order mark of UTF-8 says nothing
  return YamlBuilder(name, text).parse();
}

}  // namespace

Result<YamlTree> read_yaml_text(std::string text, const std::string& name) {
  if (Diagnostics errors = check_text(text, name, kMaxFileBytes); !errors.empty()) return errors;
  return parse_checked(std::move(text), name);
}

Result<YamlTree> read_yaml_file(const std::string& path) {
  Result<std::string> text = read_file(path, kMaxFileBytes);
  if (!text) return text.errors();
  return parse_checked(std::move(*text), shown_name(path));
}

}  // namespace orrery
