// The run as one JSON object. nlohmann's integers end at 2^64 and sums over a big cluster do not, so the outer object
// is put together here, key by key, and nlohmann writes the values.
#include "core/json.hpp"

#include <fmt/format.h>

#include "faults.hpp"
#include "host_use.hpp"
#include "long_run.hpp"
#include "orrery/core/error.hpp"
#include "orrery/report/run_result.hpp"
#include "waterfall.hpp"

namespace orrery::report {
namespace {

using nlohmann::ordered_json;

// An object whose values are JSON texts, one key a line. A line break never stands inside a JSON string, so a value is
// indented by text.
class ObjectText {
 public:
  explicit ObjectText(int indent) : indent_(static_cast<std::size_t>(indent), ' ') {}
  void add_text(std::string_view key, std::string_view value) {
    text_ += fmt::format("{}\n{}\"{}\": ", text_.empty() ? "{" : ",", indent_, key);
    for (const char c : value) {
      text_ += c;
      if (c == '\n') text_ += "  ";
    }
  }
  void add(std::string_view key, const ordered_json& value) { add_text(key, dump(value, 2)); }
  void add_wide(std::string_view key, Int128 value) { add_text(key, fmt::format("{}", value)); }
  std::string close() const { return text_ + "\n" + indent_.substr(2) + "}"; }

 private:
  std::string indent_, text_;
};

template <class Values>
ordered_json by_category(const Values& values) {
  ordered_json object = ordered_json::object();
  for (std::size_t c = 0; c < program::kCategories; ++c) object[std::string(program::kCategoryNames[c])] = values[c];
  return object;
}

std::string total_text(const Metrics& m) {
  ObjectText object(2);
  for (std::size_t c = 0; c < program::kCategories; ++c) object.add_wide(program::kCategoryNames[c], m.total[c]);
  return object.close();
}

std::string flops_text(const program::StepFlops& flops) {
  ObjectText object(2);
  object.add_wide("model_linear", flops.model.linear);
  object.add_wide("model_attention", flops.model.attention);
  object.add_wide("executed_linear", flops.executed.linear);
  object.add_wide("executed_attention", flops.executed.attention);
  object.add_wide("recomputed", flops.again.total());
  object.add_wide("korthikanti_eq8", flops.korthikanti);
  return object.close();
}

std::string waterfall_text(const RunResult& run) {
  const Waterfall w = waterfall_of(run);
  ObjectText object(2);
  object.add_wide("peak", w.whole);
  for (const Loss& loss : w.losses) object.add_wide(loss.key, loss.time);
  object.add_wide("model", w.model);
  return object.close();
}

ordered_json stages_json(const RunResult& run) {
  ordered_json list = ordered_json::array();
  for (const program::StageSummary& s : run.stages)
    list.push_back({{"stage", list.size()},
                    {"first_layer", s.span.first_layer},
                    {"layers", s.span.layers},
                    {"embedding", s.span.embedding},
                    {"head", s.span.head},
                    {"parameters", s.parameters},
                    {"forward_s", seconds(s.forward)},
                    {"backward_s", seconds(s.backward)}});
  return list;
}

ordered_json device_json(const RunResult& run, std::size_t d, int in_flight) {
  const program::Device& device = run.program.devices[d];
  ordered_json memory = ordered_json::object();
  for (std::size_t c = 0; c < program::kMemoryClasses; ++c)
    memory[std::string(program::kMemoryClassNames[c])] = run.memory[d].at_peak[c];
  ordered_json object{{"ranks", device.ranks}, {"stage", device.pipeline_rank()}};
  for (const layout::DimensionFacts& along : layout::kDimensionList)
    if (along.dimension != layout::Dimension::pipeline && !along.folded)
      object[fmt::format("{}_rank", along.name)] = device.at[along.dimension];
  object["breakdown_ps"] = by_category(run.split[d]);
  object["in_flight"] = in_flight;
  object["peak_memory_bytes"] = run.memory[d].peak;
  object["reserved_bytes"] = run.reserved[d];
  object["alloc_retries"] = run.memory[d].retries;
  object["context_bytes"] = run.context_memory.value;
  object["usable_memory_bytes"] = run.usable_on(d).value;
  object["memory_bytes"] = memory;
  return object;
}

// One device a line: thousands of them stay readable, and a diff names the device.
std::string devices_text(const RunResult& run) {
  std::string text = "[";
  const std::vector<int> in_flight = peak_in_flight(run);
  for (std::size_t d = 0; d < run.program.devices.size(); ++d)
    text += (d == 0 ? "\n  " : ",\n  ") + dump(device_json(run, d, in_flight[d]), -1);
  return text + "\n]";
}

ordered_json pools_json(const RunResult& run) {
  ordered_json list = ordered_json::array();
  for (const PoolResult& pool : run.pools)
    list.push_back({{"name", pool.name},
                    {"gpu", pool.gpu},
                    {"ranks", pool.ranks},
                    {"stages", pool.stages},
                    {"work_fraction", pool.work_fraction},
                    {"bubble_fraction", pool.bubble_fraction},
                    {"headroom_bytes", pool.headroom}});
  return list;
}

ordered_json shared_json(const RunResult& run) {
  ordered_json list = ordered_json::array();
  for (const SharedTransfers& s : run.shared)
    list.push_back({{"category", program::kCategoryNames[static_cast<std::size_t>(s.category)]},
                    {"collective", name_of(s.collective)},
                    {"took_s", s.took_s},
                    {"alone_s", s.alone_s},
                    {"slowdown", s.took_s / s.alone_s},
                    {"level", name_of(s.level)},
                    {"link", s.link},
                    {"oversubscription", s.oversubscription}});
  return list;
}

ordered_json placement_json(const PlacementResult& placement) {
  ordered_json object{{"type", placement.type}};
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (!d.folded || placement.domains[d.dimension] > 1)
      object[fmt::format("{}_domains", d.name)] = placement.domains[d.dimension];
  return object;
}

ordered_json expert_loads_json(const RunResult& run) {
  ordered_json object = ordered_json::object();
  const ExpertLoads& e = run.experts;
  if (!e.there) return object;
  object["load_factor"] = e.load_factor;
  object["dropped_fraction"] = e.dropped;
  if (e.balanced.value == 0) return object;
  object["balanced_step_time_s"] = seconds(e.balanced);
  object["balanced_peak_memory_bytes"] = e.balanced_memory.value;
  return object;
}

ordered_json link_use_json(const RunResult& run) {
  ordered_json object = ordered_json::object();
  for (const LevelUse& use : run.link_use) object[std::string(name_of(use.level))] = use.mean;
  return object;
}

ordered_json varied_json(const RunResult& run) {
  ordered_json object = ordered_json::object();
  if (!run.varied) return object;
  const VariedSteps& v = *run.varied;
  object = {{"steps", v.steps},        {"mean_s", v.mean_s},      {"p50_s", seconds(v.p50)},
            {"p95_s", seconds(v.p95)}, {"p99_s", seconds(v.p99)}, {"slowest_s", seconds(v.slowest)}};
  object["waited_for"] = ordered_json::array();
  for (const auto& [rank, share] : v.waited_for) object["waited_for"].push_back({{"rank", rank}, {"share", share}});
  return object;
}

ordered_json long_run_json(const RunResult& run) {
  ordered_json object = ordered_json::object();
  if (!run.long_run) return object;
  for (const auto& [key, value] : long_run_figures(*run.long_run)) object[key] = value;
  object["checkpoint_interval_steps"] = run.long_run->steps;
  object["causes"] = ordered_json::array();
  for (const reliability::Job::Cause& c : run.long_run->job.causes)
    object["causes"].push_back({{"cause", c.name}, {"failures_per_day", 86400 * c.rate}, {"recovery_s", c.recovery}});
  object["about"] = run.long_run->about;
  return object;
}

std::string hex(std::uint64_t hash) {
  return fmt::format("{:016x}", hash);
}

}  // namespace

std::string to_json(const RunResult& run) {
  const Metrics m = metrics_of(run);
  const ordered_json scenario = ordered_json::parse(run.scenario_json, nullptr, false);
  check(!scenario.is_discarded(), "the resolved scenario is not JSON");
  ObjectText object(2);
  object.add("schema", "orrery.run/1");
  object.add("scenario", scenario);
  object.add("setting", run.setting);
  object.add("parameters", run.parameters);
  object.add("head_parameters", run.head_parameters);
  object.add("model_kind", run.model_kind);
  object.add("gpus", run.gpus);
  object.add("sequences", run.sequences);
  object.add("tokens", run.tokens);
  object.add("peak_flops_per_s", run.peak_flops_per_second);
  object.add("usable_memory_bytes", run.usable_memory.value);
  object.add("network_mode", run.network_mode);
  object.add("placement", placement_json(run.placement));
  object.add("pools", pools_json(run));
  object.add("faults", faults_json(run));
  object.add("evaluated_by", run.timeline.one_pass ? "one-pass" : "events");
  object.add("step_time_s", m.step_time_s);
  object.add("step_time_ps", run.timeline.step_time.value);
  object.add("bubble_fraction", m.bubble_fraction);
  object.add("schedule_bubble_fraction", run.schedule_bubbles.bubble());
  object.add("span_bubble_fraction", run.schedule_bubbles.span_bubble());
  object.add("mfu", m.mfu);
  object.add("hfu", m.hfu);
  object.add("hfu_korthikanti_eq8", m.hfu_korthikanti);
  object.add("tokens_per_s", m.tokens_per_s);
  object.add("tokens_per_s_per_gpu", m.tokens_per_s_per_gpu);
  object.add_wide("model_flops", run.flops.model.total());
  object.add_wide("hardware_flops", run.flops.executed.total());
  object.add_text("flops", flops_text(run.flops));
  object.add_text("waterfall_gpu_ps", waterfall_text(run));
  object.add("fits", m.fits());
  object.add("verdict", name_of(m.verdict));
  object.add("limit", what_limits(run, m));
  object.add("varied_steps", varied_json(run));
  object.add("long_run", long_run_json(run));
  object.add("critical_path_ps", by_category(run.critical.of));
  object.add_text("breakdown_ps", total_text(m));
  object.add("breakdown_s", by_category(m.mean_s));
  object.add("shared_links", shared_json(run));
  object.add("link_use", link_use_json(run));
  object.add("expert_loads", expert_loads_json(run));
  object.add("hosts", host_use_json(run));
  object.add("stages", stages_json(run));
  object.add_text("devices", devices_text(run));
  object.add("warnings", run.warnings);
  object.add("notes", run.notes);
  object.add("timeline_hash", hex(run.timeline_hash));
  object.add("simulation", {{"tasks", run.program.tasks()},
                            {"events", run.timeline.events},
                            {"devices", run.program.devices.size()},
                            {"steps", run.program.steps}});
  return object.close() + "\n";
}

}  // namespace orrery::report
