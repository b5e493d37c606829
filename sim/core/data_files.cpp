#include "orrery/core/data_files.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/synonyms.hpp"

namespace orrery {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders_of(const DataCollection& collection) {
  std::vector<fs::path> folders;
  if (const char* own = std::getenv(collection.variable); own != nullptr && *own != '\0') {
    folders.push_back(fs::path(own) / collection.subfolder);
  }
  for (const char* root : {ORRERY_SOURCE_DATA, ORRERY_INSTALLED_DATA}) {
    folders.push_back(fs::path(root) / collection.folder / collection.subfolder);
  }
  return folders;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

bool names_a_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".yaml");
}

std::string said_in(const YamlTree& tree, NodeId node, const std::string& name) {
  return names_a_file(name) ? tree.path_at(node, name) : name;
}

Result<std::string> find_data_file(const DataCollection& collection, const std::string& name) {
  if (names_a_file(name)) return name;
  for (const fs::path& folder : folders_of(collection)) {
    const fs::path file = folder / (name + ".yaml");
    std::error_code ignored;
    if (fs::exists(file, ignored)) return file.string();
  }
  const std::vector<std::string> known = list_data_files(collection);
  Diagnostic unknown;
  unknown.message = "unknown " + std::string(collection.what) + " '" + name + "'; known: " + joined(known);
  unknown.help = remedy_for_word(collection.what, name, known);
  return unknown;
}

std::vector<std::string> list_data_files(const DataCollection& collection) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders_of(collection)) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->path().extension() == ".yaml") names.push_back(entry->path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace orrery
