# Writes the version and the git hash of the source tree to OUTPUT; only when they changed, so that little is rebuilt.
# Run at each build: cmake -DSOURCE=… -DVERSION=… -DOUTPUT=… -P version.cmake
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --exclude=* --abbrev=12
  OUTPUT_VARIABLE hash OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(hash unknown)  # a source archive, not a checkout
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [=[
#include "orrery/core/version.hpp"

namespace orrery {

const char* version() { return "@VERSION@"; }
const char* git_hash() { return "@hash@"; }

}  // namespace orrery
]=])
