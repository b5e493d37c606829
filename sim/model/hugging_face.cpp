#include <filesystem>
#include <fstream>

#include "hugging_face_reader.hpp"

namespace orrery::model {
namespace {

using nlohmann::json;

Result<std::string> contents(const std::string& file) {
  constexpr std::size_t kMost = std::size_t{1} << 20;
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(file, error);  // opening a pipe would wait for ever
  std::ifstream in;
  if (regular) in.open(file, std::ios::binary);
  std::string text(kMost + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  Diagnostic d;
  d.place.file = file;
  if (!in.is_open() || in.bad() || in.gcount() == 0) {
    d.message = "cannot be read, or is empty";
    return d;
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMost) {
    d.message = "is larger than 1 MiB: no config.json of a model";
    return d;
  }
  return text;
}

}  // namespace

Result<ModelChoice> load_hugging_face(const std::string& file) {
  const Result<std::string> text = contents(file);
  if (!text) return text.errors();
  // Depth is bounded before the parser recurses.
  int depth = 0, deepest = 0;
  for (const char c : *text) {
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  const json config = deepest > 64 ? json(json::value_t::discarded) : json::parse(*text, nullptr, false);
  if (config.is_discarded()) {
    Diagnostic d;
    d.place.file = file, d.message = "is not JSON";
    return d;
  }
  return ConfigReader(config, file).read();
}

}  // namespace orrery::model
