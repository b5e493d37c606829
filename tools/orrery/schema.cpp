// orrery schema [scenario|run|fields]: the JSON Schema of scenarios, for an editor, and of what `run --json` writes.
#include <memory>

#include "cli.hpp"
#include "orrery/report/json_document.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::cli {

Action add_schema(Arguments& app, const Console& console) {
  auto what = std::make_shared<std::string>("scenario");
  app.add_option("OF", *what,
                 "scenario (default); run: of the object that `orrery run --json` writes; fields: that, a line a field "
                 "with its unit and meaning")
      .one_of({"scenario", "run", "fields"});
  return [what, &console] {
    console.print(*what == "run"      ? report::run_json_schema()
                  : *what == "fields" ? report::run_json_document()
                                      : scenario::json_schema());
    return kOk;
  };
}

}  // namespace orrery::cli
