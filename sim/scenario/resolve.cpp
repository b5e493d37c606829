#include <algorithm>

#include "given.hpp"
#include "located.hpp"
#include "orrery/network/tuning.hpp"
#include "parts.hpp"
#include "places.hpp"
#include "rules.hpp"
#include "run_maker.hpp"
#include "running.hpp"
#include "size.hpp"

namespace orrery::scenario {
namespace {

void fill_in(Scenario& s, const ResolveOptions& options) {
  if (s.schedule.type.empty() && s.schedule.file.empty()) s.schedule.type = default_schedule(s);
  if (s.network.mode == NetworkModeChoice::automatic) s.network.mode = options.automatic;
}

Diagnostics check_values(const Scenario& s, const ResolveOptions& options) {
  if (Diagnostics missing = check_given(s); !missing.empty()) return missing;
  if (Diagnostics broken = check_rules(s); !broken.empty()) return broken;
  RunOptions sized;
  sized.memory_limit = options.memory_limit;
  return check_size(s, sized);
}

// Of every collective that can be served so.
std::string named(const std::string& choice) {
  return choice == "auto" ? std::string() : choice;
}

Result<program::StepInput> input_of(const Scenario& s, schedule::Schedule schedule, network::Tuning tuning) {
  Result<Places> places = make_places(s);
  if (!places.ok()) return places.errors();
  program::StepInput input;
  input.pass = pass_options(s);
  input.graph = layout::graph_of(model::pad_vocab(s.model, s.layout.tensor), input.pass);
  input.layout = running_layout(s);
  input.state = state_widths(s);
  input.schedule = std::move(schedule);
  input.stack = running_stack(s);
  input.gpu = s.gpu;
  input.kernels = cost::with_stack(s.kernels, s.stack);
  input.topology = std::move(places->topology);
  input.tuning = std::move(tuning);
  input.placement = std::move(places->placement);
  input.speed = std::move(places->speed);
  input.mode = network_mode(s).mode;
  input.algorithm = named(s.network.algorithm);
  input.protocol = named(s.network.protocol);
  return input;
}

// A searched schedule is found for the real times of the stages: those of the step under the one that stands in.
Result<schedule::Schedule> search_schedule(const Scenario& s, program::StepInput plain) {
  if (plain.mode == program::NetworkMode::flows) plain.mode = program::NetworkMode::ideal;  // each transfer alone
  const Result<program::LoweredStep> lowered = program::lower_step(plain, program::LowerOptions{.steps = 1});
  if (!lowered.ok()) return lowered.errors();
  schedule::StageTimes times;
  for (const program::StageSummary& stage : lowered->stages) {
    times.forward.push_back(stage.forward.value);
    times.input_gradient.push_back(stage.input_gradient.value);
    times.weight_gradient.push_back(stage.weight_gradient.value);
  }
  for (const program::TaskTemplate& task : lowered->program.templates)
    if (task.lane == program::Lane::pipeline_send) times.message = std::max(times.message, task.duration.value);
  return make_schedule(s, times);
}

// `tuning_of` is asked once the values are known to be right.
template <class TuningOf>
Result<Run> run_of(Scenario s, const ResolveOptions& options, const TuningOf& tuning_of) {
  if (Diagnostics wrong = check_values(s, options); !wrong.empty()) return wrong;
  if (is_searched(s) && options.phase) options.phase("searching a schedule");
  Result<schedule::Schedule> made = is_searched(s) ? stand_in_schedule(s) : make_schedule(s);
  if (!made.ok()) return made.errors();
  if (Diagnostics blocked = check_messages(s, *made); !blocked.empty()) return blocked;
  if (const auto spans = layout::partition_layers(s.model, s.layout); !spans.ok()) return spans.errors();
  Result<network::Tuning> tuning = tuning_of(s.cluster);
  if (!tuning.ok()) return tuning.errors();
  Result<program::StepInput> input = input_of(s, std::move(made).value(), std::move(tuning).value());
  if (!input.ok()) return input.errors();
  // Links that are down may leave no way between ranks that must talk: which do is for the lowering to say.
  if (!s.cluster.perturb.empty())
    if (Diagnostics cut = program::check_step(*input); !cut.empty()) return cut;
  if (is_searched(s)) {
    Result<schedule::Schedule> fitted = search_schedule(s, *input);
    if (!fitted.ok()) return fitted.errors();
    if (Diagnostics blocked = check_messages(s, *fitted); !blocked.empty()) return blocked;
    input->schedule = std::move(fitted).value();
  }
  std::string why = network_mode(s).why;
  return RunMaker::make(std::move(s), std::move(input).value(), std::move(why));
}

}  // namespace

const char* default_schedule(const Scenario& s) {
  return s.layout.virtual_stages > 1 ? "interleaved_1f1b" : "1f1b";
}

Result<Run> resolve(const Scenario& scenario, Catalogue& catalogue, const ResolveOptions& options) {
  Scenario s = scenario;
  fill_in(s, options);
  return located(scenario, [&] {
    return run_of(std::move(s), options,
                  [&](const hardware::ClusterSpec& cluster) { return network::tuning_for(cluster, catalogue); });
  });
}

Result<Run> RunMaker::again(const Run& run, Scenario changed) {
  return located(run.scenario(), [&] {
    return run_of(std::move(changed), {},
                  [&](const hardware::ClusterSpec&) -> Result<network::Tuning> { return run.input().tuning; });
  });
}

}  // namespace orrery::scenario
