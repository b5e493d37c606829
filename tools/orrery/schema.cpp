// orrery schema: the JSON Schema of scenarios, for completion and checks in an editor.
#include "cli.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::cli {

Action add_schema(Arguments&, const Console& console) {
  return [&console] {
    console.print(scenario::json_schema());
    return kOk;
  };
}

}  // namespace orrery::cli
