// Where the files that come with Orrery lie: topologies/ (GPUs, clusters, kernels) and scenarios/ (models, stacks,
// runs). A collection is searched in this order: the folder in an environment variable, the source tree, the installed
// tree.
#pragma once
#include <string>
#include <vector>

#include "orrery/core/yaml.hpp"

namespace orrery {

struct DataCollection {
  const char* variable;   // environment variable that names a folder of the user's, e.g. "ORRERY_SCENARIOS"
  const char* folder;     // in the source and installed tree, e.g. "scenarios"
  const char* subfolder;  // e.g. "stacks"; may be empty
  const char* what;       // for messages: "stack"
};

// The file of `name`: NAME.yaml in the collection, or `name` itself if it holds a '/' or ends in .yaml. An unknown name
// is an error that says which there are and the nearest of them.
Result<std::string> find_data_file(const DataCollection& collection, const std::string& name);

// Whether it is a path, and no name: it holds a '/' or ends in .yaml.
bool names_a_file(const std::string& name);

// A name, or a path made relative to the file of `tree` it is said in, at `node`.
std::string said_in(const YamlTree& tree, NodeId node, const std::string& name);

// Names of all files, sorted; a file of the user's hides one of the same name that comes with Orrery.
std::vector<std::string> list_data_files(const DataCollection& collection);

}  // namespace orrery
