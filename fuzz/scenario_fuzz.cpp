// Any bytes as a scenario: read or refused with words, and what is read says itself again as the same scenario.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "orrery/scenario/run.hpp"

namespace {

void must(bool holds, const char* what, const std::string& text) {
  if (holds) return;
  std::cerr << "fuzz: " << what << "\n" << text << "\n";
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace orrery;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Result<scenario::Scenario> scenario = scenario::read_scenario_text(text, "fuzz.yaml");
  if (scenario) {
    const std::string resolved = scenario::to_json(*scenario);  // JSON is YAML
    const Result<scenario::Scenario> again = scenario::read_scenario_text(resolved, "resolved.json");
    must(again.ok(), "a resolved scenario that is refused", again ? "" : resolved + render(again.errors()));
    must(scenario::to_json(*again) == resolved, "a resolved scenario that reads back as another", resolved);
    return 0;
  }
  must(!scenario.errors().empty(), "refused without a word", "");
  for (const Diagnostic& d : scenario.errors())
    must(!d.message.empty() && !d.place.file.empty(), "an error without message or file", render(d));
  return 0;
}
