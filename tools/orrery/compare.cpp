// orrery compare SCENARIO: the scenario under each pipeline schedule, each at its best within the same memory. For
// every micro-batch and number of chunks that the schedule takes, recomputation grows until the step fits, by the
// verdict of `orrery run` on GPUs of that memory; the fastest counts. Where the stack's messages block, schedules of
// which there is no such implementation get asynchronous ones.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>

#include "compare_output.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/scenario/simulate.hpp"
#include "progress.hpp"
#include "report_option.hpp"
#include "scenario_options.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

struct CompareCommand {
  ScenarioOptions scenario;
  std::string schedules = "all", memory;
  std::string report;
  bool json = false, force = false;
};

class Comparison {
 public:
  Comparison(const scenario::Scenario& base, std::int64_t limit, MemoryLimit memory_limit)
      : base_(base), limit_(limit), memory_limit_(memory_limit) {}
  Outcome best_of(const schedule::ScheduleKind& kind) const;

 private:
  std::vector<std::int64_t> micro_batches() const;
  std::vector<std::int64_t> chunks_of(const schedule::ScheduleKind& kind) const;
  std::optional<Best> run(const Variant& variant, Outcome& outcome) const;
  void adapt(Variant variant, Outcome& outcome) const;

  const scenario::Scenario& base_;
  std::int64_t limit_;        // bytes of a GPU
  MemoryLimit memory_limit_;  // of this machine
};

// The scenario's, half and twice it, and 1; as far as the batch divides.
std::vector<std::int64_t> Comparison::micro_batches() const {
  const std::int64_t said = base_.training.micro_batch, per_rank = base_.training.global_batch / base_.layout.data;
  std::vector<std::int64_t> sizes{said};
  for (const std::int64_t size : {said / 2, 2 * said, std::int64_t{1}})
    if (size >= 1 && per_rank % size == 0 && std::find(sizes.begin(), sizes.end(), size) == sizes.end())
      sizes.push_back(size);
  return sizes;
}

// The scenario's and those that divide the layers, up to eight; where none does (a model whose ends count as layers),
// up to four as far as there are layers.
std::vector<std::int64_t> Comparison::chunks_of(const schedule::ScheduleKind& kind) const {
  if (kind.chunks > 0) return {kind.chunks};
  const std::int64_t p = base_.layout.pipeline, layers = base_.model.layers;
  std::vector<std::int64_t> chunks;
  const auto add = [&](std::int64_t v, bool fits) {
    if (v > 1 && fits && std::find(chunks.begin(), chunks.end(), v) == chunks.end()) chunks.push_back(v);
  };
  add(base_.layout.virtual_stages, true);
  for (std::int64_t v = 2; v <= 8; ++v) add(v, layers % (v * p) == 0);
  for (std::int64_t v = 2; v <= 4 && chunks.empty(); ++v) add(v, v * p <= layers + 2);
  if (chunks.empty()) chunks.push_back(2);  // refused, with its reason
  return chunks;
}

std::optional<Best> Comparison::run(const Variant& v, Outcome& outcome) const {
  scenario::Scenario s = base_;
  s.schedule = {.type = v.schedule, .file = {}, .memory_cap = v.memory_cap};
  s.layout.virtual_stages = static_cast<int>(v.chunks);
  s.training.micro_batch = v.micro_batch;
  s.training.recompute = v.recompute;
  s.training.recompute_every = s.training.recompute_num_layers = 1;
  s.training.recompute_method = layout::RecomputeMethod::uniform;
  s.gpu.usable_memory.value = limit_;
  if (v.asynchronous) s.stack.communication.messages = layout::MessageMode::asynchronous;
  const auto refuse = [&](const Diagnostics& errors) {
    if (outcome.why.empty()) outcome.why = errors.front().message;
    return std::nullopt;
  };
  const Result<scenario::Run> ready = scenario::resolve(
      s, Catalogue::shared(), {.automatic = scenario::NetworkModeChoice::steady, .memory_limit = memory_limit_});
  if (!ready.ok()) return refuse(ready.errors());
  scenario::RunOptions how;
  how.what_if = false;
  how.memory_limit = memory_limit_;
  const Result<report::RunResult> played = scenario::simulate(*ready, how);
  if (!played.ok()) return refuse(played.errors());
  check(played->books.empty(), "the books of a compared run do not balance");
  ++outcome.simulated;
  const report::Metrics metrics = report::metrics_of(*played);
  return Best{v, metrics, played->usable_memory.value - metrics.headroom};
}

// More is recomputed until it fits; what fits with less is faster, so the search ends there.
void Comparison::adapt(Variant variant, Outcome& outcome) const {
  for (const auto recompute : {layout::Recompute::none, layout::Recompute::selective, layout::Recompute::full}) {
    variant.recompute = recompute;
    const std::optional<Best> result = run(variant, outcome);
    if (!result) return;
    if (result->metrics.fits()) {
      if (!outcome.best || result->metrics.tokens_per_s > outcome.best->metrics.tokens_per_s) outcome.best = result;
      return;
    }
    if (!outcome.leanest || result->memory < outcome.leanest->memory) outcome.leanest = result;
  }
}

Outcome Comparison::best_of(const schedule::ScheduleKind& kind) const {
  Outcome outcome{kind.name, {}, {}, {}, 0};
  const double p = base_.layout.pipeline;
  const bool searched = outcome.schedule == "zb_auto";
  const bool asynchronous =
      base_.stack.communication.messages == layout::MessageMode::rendezvous && !kind.exchanges_block;
  for (const std::int64_t micro_batch : micro_batches())
    for (const std::int64_t chunks : chunks_of(kind))
      for (const double cap : searched ? std::vector<double>{p, 1.5 * p, 2 * p} : std::vector<double>{0})
        adapt({kind.name, micro_batch, chunks, cap, {}, asynchronous}, outcome);
  if (outcome.leanest)
    outcome.why = fmt::format("does not fit: {} at its leanest, with {}", report::bytes_text(outcome.leanest->memory),
                              parameters_of(outcome.leanest->variant));
  return outcome;
}

// "all", or names apart by commas; zb_1p and zb_2p are zb_auto with a cap, which it tries by itself.
Result<std::vector<schedule::ScheduleKind>> read_schedules(const std::string& text) {
  std::vector<schedule::ScheduleKind> chosen;
  std::vector<std::string> names;
  for (const schedule::ScheduleKind& kind : schedule::schedule_kinds()) names.emplace_back(kind.name);
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    bool known = false;
    for (const schedule::ScheduleKind& kind : schedule::schedule_kinds()) {
      const std::string name = kind.name;
      if (name != part && (part != "all" || name == "zb_1p" || name == "zb_2p")) continue;
      chosen.push_back(kind);
      known = true;
    }
    if (known) continue;
    Diagnostic wrong;
    wrong.path = "--schedules";
    wrong.message = fmt::format("unknown schedule '{}'; `orrery list schedules` lists them, 'all' takes all", part);
    wrong.help = did_you_mean(part, names);
    return wrong;
  }
  return chosen;
}

int run(const CompareCommand& options, const Console& console) {
  if (const Diagnostics wrong = check_report(options.report, options.force); !wrong.empty())
    return console.refuse(wrong);
  const Result<scenario::Scenario> base = scenario::load_scenario(options.scenario.path, options.scenario.sets,
                                                                  {.memory_limit = options.scenario.memory_limit});
  if (!base.ok()) return console.refuse(base.errors());
  const auto kinds = read_schedules(options.schedules);
  if (!kinds.ok()) return console.refuse(kinds.errors());
  if (base->layout.pipeline == 1) {
    console.complain("orrery compare: with one pipeline rank all schedules are the same",
                     "--set layout.pipeline=4 makes it four");
    return kWrong;
  }
  std::int64_t limit = base->gpu.usable_memory.value;
  if (!options.memory.empty()) {
    if (const std::string what = parse_quantity(FieldType::bytes, options.memory, limit); !what.empty()) {
      console.complain(fmt::format("orrery compare: --memory '{}': {}", options.memory, what), "--memory 40GiB");
      return kWrong;
    }
  }
  const Comparison comparison(*base, limit, options.scenario.memory_limit);
  Compared all{*base, limit, {}, {}};
  Progress progress(console, "compare");
  for (const schedule::ScheduleKind& kind : *kinds) {
    progress.phase(
        fmt::format("{} of {} schedules, {}", all.ranked.size() + all.refused.size() + 1, kinds->size(), kind.name));
    Outcome outcome = comparison.best_of(kind);
    progress.clear();
    if (console.verbosity > 0) console.say(fmt::format("{}: {} runs\n", kind.name, outcome.simulated));
    (outcome.best ? all.ranked : all.refused).push_back(std::move(outcome));
  }
  std::stable_sort(all.ranked.begin(), all.ranked.end(), [](const Outcome& a, const Outcome& b) {
    return a.best->metrics.tokens_per_s > b.best->metrics.tokens_per_s;
  });
  if (!options.report.empty())
    if (const int code = write_report(compare_page(all), options.report, options.force, console); code != kOk)
      return code;
  console.print(options.json ? compare_json(all, options.scenario.path) : compare_text(all));
  return all.ranked.empty() ? kNo : kOk;
}

}  // namespace

Action add_compare(Arguments& app, const Console& console) {
  auto o = std::make_shared<CompareCommand>();
  add_scenario_options(app, o->scenario);
  app.add_option("--schedules", o->schedules, "names apart by commas (orrery list schedules), or all");
  app.add_option("--memory", o->memory, "most memory a GPU may use, such as 40GiB; default: what the GPU has");
  app.add_flag("--json", o->json, "one JSON object instead of the table");
  add_report_option(app, o->report);
  app.add_flag("--force", o->force, "replace an existing report");
  return [o, &console] { return run(*o, console); };
}

}  // namespace orrery::cli
