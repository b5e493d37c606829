// orrery trace diff A B: two steps side by side, each of a scenario or of a trace that PyTorch's profiler made.
#include <memory>

#include "orrery/report/trace_diff.hpp"
#include "orrery/scenario/simulate.hpp"
#include "progress.hpp"
#include "scenario_options.hpp"

namespace orrery::cli {
namespace {

struct TraceCommand {
  std::string what, a, b;
  MemoryLimit memory_limit;
  bool json = false;
};

bool names_scenario(const std::string& path) {
  return path.ends_with(".yaml") || path.ends_with(".yml");
}

Result<std::vector<report::TracedRank>> side(const std::string& path, const TraceCommand& o, const Console& console) {
  if (!names_scenario(path)) {
    const Result<report::TracedRank> rank = report::read_kineto(path);
    if (!rank.ok()) return rank.errors();
    return std::vector<report::TracedRank>{*rank};
  }
  Progress progress(console, "trace");
  const Result<scenario::Run> run = scenario::load_run(path, {}, Catalogue::shared(), {.memory_limit = o.memory_limit});
  if (!run.ok()) return run.errors();
  scenario::RunOptions how;
  how.what_if = false;
  how.memory_limit = o.memory_limit;
  how.phase = [&](std::string_view name) { progress.phase(name); };
  const Result<report::RunResult> result = scenario::simulate(*run, how);
  progress.clear();
  if (!result.ok()) return result.errors();
  return report::traced(*result, path);
}

int diff(const TraceCommand& o, const Console& console) {
  const auto a = side(o.a, o, console);
  if (!a.ok()) return console.refuse(a.errors());
  const auto b = side(o.b, o, console);
  if (!b.ok()) return console.refuse(b.errors());
  const Result<std::string> text = o.json ? report::diff_json(*a, *b) : report::diff_text(*a, *b);
  if (!text.ok()) return console.refuse(text.errors());
  console.print(*text);
  return kOk;
}

}  // namespace

Action add_trace(Arguments& app, const Console& console) {
  auto o = std::make_shared<TraceCommand>();
  app.add_option("WHAT", o->what, "what to do with traces").required().one_of({"diff"});
  app.add_option("A", o->a, "a scenario (YAML), or a trace of PyTorch's profiler (.json, .json.gz)").required();
  app.add_option("B", o->b, "another").required();
  app.add_flag("--json", o->json, "one JSON object instead of the tables");
  add_memory_limit(app, o->memory_limit);
  app.footer(
      "Kernels are classed as HolisticTraceAnalysis does, by their names: nccl* communication, Memcpy and Memset "
      "memory,\nall else compute; of a trace of several steps the last is left out. Exit code: 0 done; 2 the input is "
      "wrong.");
  return [o, &console] { return diff(*o, console); };
}

}  // namespace orrery::cli
