// Which Orrery this is. The hash stays out of results: the same input gives the same bytes from any build of the same
// code.
#pragma once

namespace orrery {

const char* version();   // "0.1.0"
const char* git_hash();  // of the commit built, "-dirty" with changes on top, "unknown" without git

}  // namespace orrery
