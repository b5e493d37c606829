// orrery compare SCENARIO: the scenario under each pipeline schedule, each at its best within the same memory. For
// every micro-batch and number of chunks that the schedule takes, recomputation grows until the step fits, by the
// verdict of `orrery run` on GPUs of that memory; the fastest counts. Where the stack's messages block, schedules of
// which there is no such implementation get asynchronous ones.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "json_text.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/scenario/simulate.hpp"
#include "progress.hpp"
#include "scenario_options.hpp"
#include "table.hpp"

namespace orrery::cli {
namespace {

using Json = nlohmann::ordered_json;

struct CompareCommand {
  ScenarioOptions scenario;
  std::string schedules = "all", memory;
  bool json = false;
};

// One way to run the step: what is set in the scenario.
struct Variant {
  std::string schedule;
  std::int64_t micro_batch = 1, chunks = 1;
  double memory_cap = 0;  // zb_auto only
  layout::Recompute recompute = layout::Recompute::none;
  bool asynchronous = false;  // messages, though the stack's block
};

struct Best {
  Variant variant;
  report::Metrics metrics;
  std::int64_t memory = 0;  // reserved + context on the fullest GPU
};

// What became of a schedule: its best way to run, or why there is none.
struct Outcome {
  std::string schedule, why;
  std::optional<Best> best;
  std::optional<Best> leanest;  // of those that do not fit
  int simulated = 0;
};

const char* name_of(layout::Recompute recompute) {  // of those that are tried
  return recompute == layout::Recompute::none        ? "none"
         : recompute == layout::Recompute::selective ? "selective"
                                                     : "full";
}

bool releases(const Best& best) {
  return best.metrics.verdict == report::Verdict::fits_by_releasing;
}

std::string parameters_of(const Variant& v) {
  std::string text = fmt::format("micro_batch {}, recompute {}", v.micro_batch, name_of(v.recompute));
  if (v.chunks > 1) text += fmt::format(", virtual {}", v.chunks);
  if (v.memory_cap > 0) text += fmt::format(", memory_cap {}", v.memory_cap);
  return v.asynchronous ? text + ", messages asynchronous" : text;
}

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

std::vector<std::int64_t> Comparison::chunks_of(const schedule::ScheduleKind& kind) const {
  if (kind.chunks > 0) return {kind.chunks};
  std::vector<std::int64_t> chunks;
  for (const std::int64_t v :
       {std::int64_t{base_.layout.virtual_stages}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4}})
    if (v > 1 && v * base_.layout.pipeline <= base_.model.layers + 2 &&
        std::find(chunks.begin(), chunks.end(), v) == chunks.end())
      chunks.push_back(v);
  if (chunks.empty()) chunks.push_back(2);  // refused, with its reason
  return chunks;
}

std::optional<Best> Comparison::run(const Variant& v, Outcome& outcome) const {
  scenario::Scenario s = base_;
  s.schedule = {.type = v.schedule, .file = {}, .memory_cap = v.memory_cap};
  s.layout.virtual_stages = static_cast<int>(v.chunks);
  s.training.micro_batch = v.micro_batch;
  s.training.recompute = v.recompute;
  s.training.recompute_every = 1;
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
    outcome.why = fmt::format("does not fit: {} at its leanest, with {}",
                              gibibytes_text(static_cast<double>(outcome.leanest->memory)),
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

std::string to_text(const scenario::Scenario& s, std::int64_t limit, const std::vector<Outcome>& ranked,
                    const std::vector<Outcome>& refused) {
  std::string text = fmt::format("{} on {} × {}: {} pipeline ranks, batch {} × {} tokens, at most {} a GPU\n\n",
                                 s.model.name, s.layout.ranks(), s.gpu.name, s.layout.pipeline, s.training.global_batch,
                                 s.training.sequence_length, gibibytes_text(static_cast<double>(limit)));
  Table table({{"#", true},
               {"schedule"},
               {"tokens/s", true},
               {"step", true},
               {"to the best", true},
               {"MFU", true},
               {"bubble", true},
               {"memory", true},
               {"with"}});
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    const Best& r = *ranked[i].best;
    table.add({std::to_string(i + 1), ranked[i].schedule, fmt::format("{:.0f}", r.metrics.tokens_per_s),
               fmt::format("{:.4g} s", r.metrics.step_time_s),
               fmt::format("{:.1f} %", 100 * (r.metrics.tokens_per_s / ranked[0].best->metrics.tokens_per_s - 1)),
               fmt::format("{:.1f} %", 100 * r.metrics.mfu), fmt::format("{:.1f} %", 100 * r.metrics.bubble_fraction),
               gibibytes_text(static_cast<double>(r.memory)) + (releases(r) ? " by releasing" : ""),
               parameters_of(r.variant)});
  }
  if (!ranked.empty()) text += table.text();
  const auto other_messages = [](const Outcome& o) { return o.best->variant.asynchronous; };
  if (std::any_of(ranked.begin(), ranked.end(), other_messages))
    text += fmt::format(
        "\nmessages asynchronous: those of {} block; only 1f1b, interleaved_1f1b and gpipe are run so\n", s.stack.type);
  if (std::any_of(ranked.begin(), ranked.end(), [](const Outcome& o) { return releases(*o.best); }))
    text += "\nby releasing: cached memory is given back to the GPU, which is slow and not in the step time\n";
  if (!refused.empty()) text += "\nnot possible:\n";
  for (const Outcome& o : refused) text += fmt::format("  {}: {}\n", o.schedule, o.why);
  return text;
}

std::string to_json(const CompareCommand& options, std::int64_t limit, const std::vector<Outcome>& ranked,
                    const std::vector<Outcome>& refused) {
  Json json{{"schema", "orrery.compare/1"},
            {"scenario", options.scenario.path},
            {"memory_limit_bytes", limit},
            {"results", Json::array()},
            {"refused", Json::array()}};
  for (const Outcome& o : ranked) {
    const Best& r = *o.best;
    Json entry{{"schedule", o.schedule},
               {"tokens_per_s", r.metrics.tokens_per_s},
               {"step_time_s", r.metrics.step_time_s},
               {"mfu", r.metrics.mfu},
               {"bubble_fraction", r.metrics.bubble_fraction},
               {"memory_bytes", r.memory},
               {"verdict", report::name_of(r.metrics.verdict)},
               {"micro_batch", r.variant.micro_batch},
               {"recompute", name_of(r.variant.recompute)},
               {"virtual", r.variant.chunks},
               {"simulated", o.simulated}};
    if (r.variant.memory_cap > 0) entry["memory_cap"] = r.variant.memory_cap;
    if (r.variant.asynchronous) entry["messages"] = "asynchronous";
    json["results"].push_back(entry);
  }
  for (const Outcome& o : refused) json["refused"].push_back({{"schedule", o.schedule}, {"why", o.why}});
  return json_text(json);
}

int run(const CompareCommand& options, const Console& console) {
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
  std::vector<Outcome> ranked, refused;
  Progress progress(console, "compare");
  for (const schedule::ScheduleKind& kind : *kinds) {
    progress.phase(fmt::format("{} of {} schedules, {}", ranked.size() + refused.size() + 1, kinds->size(), kind.name));
    Outcome outcome = comparison.best_of(kind);
    progress.clear();
    if (console.verbosity > 0) console.say(fmt::format("{}: {} runs\n", kind.name, outcome.simulated));
    (outcome.best ? ranked : refused).push_back(std::move(outcome));
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const Outcome& a, const Outcome& b) {
    return a.best->metrics.tokens_per_s > b.best->metrics.tokens_per_s;
  });
  console.print(options.json ? to_json(options, limit, ranked, refused) : to_text(*base, limit, ranked, refused));
  return ranked.empty() ? kNo : kOk;
}

}  // namespace

Action add_compare(Arguments& app, const Console& console) {
  auto o = std::make_shared<CompareCommand>();
  add_scenario_options(app, o->scenario);
  app.add_option("--schedules", o->schedules, "names apart by commas, or all");
  app.add_option("--memory", o->memory, "most memory a GPU may use, such as 40GiB; default: what the GPU has");
  app.add_flag("--json", o->json, "one JSON object instead of the table");
  return [o, &console] { return run(*o, console); };
}

}  // namespace orrery::cli
