// Where the source tree and the build lie, known to one file only so that the others compile to the same object
// anywhere.
#pragma once
#include <string>

namespace orrery::testing {

const std::string& source_dir();
const std::string& build_dir();

}  // namespace orrery::testing
