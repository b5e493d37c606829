#include "orrery/scenario/simulate.hpp"

#include <fmt/format.h>

#include "orrery/core/show.hpp"
#include "orrery/hardware/cluster.hpp"
#include "orrery/model/flops.hpp"
#include "orrery/network/tuning.hpp"
#include "places.hpp"
#include "plan.hpp"
#include "rules.hpp"
#include "sharing.hpp"

namespace orrery::scenario {
namespace {

std::string title_of(const Scenario& s) {
  const layout::Layout& l = s.layout;
  std::string degrees;
  const auto add = [&](const char* name, int degree) {
    if (degree > 1) degrees += fmt::format(" {}{}", name, degree);
  };
  add("TP", l.tensor);
  add("CP", l.context);
  add("PP", l.pipeline);
  add("VP", l.virtual_stages);
  add("DP", l.data);
  std::string places;
  if (s.placement.kind != hardware::PlacementKind::packed)
    places = fmt::format(" · placement {}", hardware::name_of(s.placement.kind));
  if (const std::size_t n = s.cluster.perturb.size(); n > 0)
    places += fmt::format(" · {} perturbation{}", n, n == 1 ? "" : "s");
  const std::string title = fmt::format("{} on {} × {} ({}):{}{} · {} · batch {} × {} tokens", s.model.name, l.ranks(),
                                        s.gpu.name, s.cluster.name, degrees.empty() ? " one GPU" : degrees, places,
                                        s.schedule.file.empty() ? s.schedule.type : s.schedule.file,
                                        s.training.global_batch, s.training.sequence_length);
  return safe_to_show(title, Shown::one_line);
}

std::string_view named(const std::string& choice) {
  return choice == "auto" ? std::string_view() : std::string_view(choice);
}

// How the run was simulated, where that needs a reason.
std::vector<std::string> notes_of(const NetworkDecision& network, const program::LoweredStep& step, bool fold) {
  std::vector<std::string> notes;
  if (!network.why.empty()) notes.push_back(network.why + ".");
  if (step.ranks == 1 || !fold) return notes;
  if (network.mode == program::NetworkMode::flows) {
    notes.emplace_back(
        "Every rank is played: under flows, ranks that are alike by themselves may meet different traffic on their "
        "links, so none stands for another.");
  } else if (!step.splits.empty()) {
    std::string text;
    for (const std::string& split : step.splits) text += (text.empty() ? "" : ", ") + split;
    notes.push_back("Ranks of one place in the pipeline are played apart where they differ: " + text + ".");
  }
  return notes;
}

const char* name_of(program::NetworkMode mode) {
  constexpr const char* names[] = {"ideal", "steady", "flows"};
  return names[static_cast<std::size_t>(mode)];
}

// A searched schedule is found for the real times of the stages: those of the same step under 1F1B.
Diagnostics fit_to_times(const Scenario& s, const PlanParts& parts, const layout::Layout& layout,
                         const model::ModelSpec& model, const Places& places, const network::Tuning& tuning,
                         schedule::Schedule& schedule) {
  if (!is_searched(s)) return {};
  const program::NetworkMode mode = network_mode(s).mode;  // the times of flows are those of what is alone
  schedule::ScheduleRequest request;
  request.ranks = layout.pipeline;
  request.micro_batches = 1;
  const Result<schedule::Schedule> first = schedule::make_schedule(request);
  if (!first.ok()) return first.errors();
  const program::StepPlan plan{model,
                               layout,
                               parts.pass,
                               parts.state,
                               *first,
                               parts.execution,
                               s.gpu,
                               parts.kernels,
                               *places.topology,
                               tuning,
                               places.placement,
                               mode == program::NetworkMode::flows ? program::NetworkMode::ideal : mode,
                               true,
                               true,
                               places.speed,
                               named(s.network.algorithm),
                               named(s.network.protocol),
                               1};
  const Result<program::LoweredStep> lowered = program::lower_step(plan);
  if (!lowered.ok()) return lowered.errors();
  schedule::StageTimes times;
  for (const program::StageSummary& stage : lowered->stages) {
    times.forward.push_back(stage.forward.value);
    times.input_gradient.push_back(stage.input_gradient.value);
    times.weight_gradient.push_back(stage.weight_gradient.value);
  }
  for (const program::TaskTemplate& task : lowered->program.templates)
    if (task.lane == program::Lane::pipeline_send) times.message = std::max(times.message, task.duration.value);
  Result<schedule::Schedule> found = make_schedule(s, times);
  if (!found.ok()) return found.errors();
  schedule = std::move(found).value();
  return {};
}

// Beyond so many tasks the step is not played again for a sentence of the report.
constexpr std::size_t kQuick = 3'000'000;

// The step without what a user could change, played as it was itself: what the thing costs is the difference.
void play_without(const Scenario& s, const RunOptions& asked, report::RunResult& run) {
  const auto step_time = [&](const Scenario& other) {
    RunOptions options = asked;
    options.what_if = options.record_links = false;
    options.phase = {};
    const Result<report::RunResult> played = simulate(other, options);
    return played.ok() ? played->timeline.step_time : Time{};
  };
  if (!s.cluster.perturb.empty()) {
    Scenario other = s;
    other.cluster.perturb.clear();
    run.perturbations = perturbation_texts(s);
    run.unperturbed = step_time(other);
  }
  const bool waits = report::metrics_of(run).bubble_fraction >= 0.05;
  if (s.layout.pipeline > 1 && s.stack.communication.messages == cost::MessageKind::blocking && waits &&
      run.program.tasks() <= kQuick) {
    Scenario other = s;
    other.stack.communication.messages = cost::MessageKind::asynchronous;
    run.asynchronous = step_time(other);
  }
}

}  // namespace

Scenario for_sweep(Scenario scenario) {
  if (scenario.network.mode == NetworkModeChoice::automatic) scenario.network.mode = NetworkModeChoice::steady;
  return scenario;
}

Result<report::RunResult> simulate(const Scenario& s, const RunOptions& options) {
  const auto begins = [&](const std::string& phase) {
    if (options.phase) options.phase(phase);
  };
  if (is_searched(s)) begins("searching a schedule");
  Result<schedule::Schedule> schedule = make_schedule(s);
  if (!schedule.ok()) return schedule.errors();
  const Result<Places> places = make_places(s);
  if (!places.ok()) return places.errors();
  Result<network::Tuning> tuning = network::tuning_for(s.cluster);
  if (!tuning.ok()) return tuning.errors();

  const NetworkDecision network = network_mode(s);
  const PlanParts parts = plan_parts(s);
  const model::ModelSpec padded = model::pad_vocab(s.model, s.layout.tensor);
  const layout::Layout running = running_layout(s);
  if (const Diagnostics errors = fit_to_times(s, parts, running, padded, *places, *tuning, *schedule); !errors.empty())
    return errors;
  program::StepPlan plan{padded,
                         running,
                         parts.pass,
                         parts.state,
                         *schedule,
                         parts.execution,
                         s.gpu,
                         parts.kernels,
                         *places->topology,
                         *tuning,
                         places->placement,
                         network.mode,
                         !options.every_rank,
                         options.fuse,
                         places->speed,
                         named(s.network.algorithm),
                         named(s.network.protocol),
                         options.steps};
  begins("laying out the step");
  Result<program::LoweredStep> lowered = program::lower_step(plan);
  if (!lowered.ok()) return lowered.errors();

  report::RunResult run;
  run.title = title_of(s);
  run.scenario_json = to_json(s);
  run.network_mode = name_of(network.mode);
  run.notes = notes_of(network, *lowered, !options.every_rank);
  for (std::string& note : rerouted(s, *places)) run.notes.push_back(std::move(note));
  run.notes.insert(run.notes.end(), s.notes.begin(), s.notes.end());
  if (running.zero != s.layout.zero)
    run.notes.push_back(fmt::format(
        "{} keeps {} whole through the step and reduces once: only the optimizer is sharded, as with zero: optimizer.",
        s.stack.name, s.layout.zero == layout::Zero::parameters ? "parameters and gradients" : "gradients"));
  run.placement = placement_result(s, *places);
  run.warnings = schedule->warnings;
  run.gpus = s.layout.ranks();
  run.sequences = s.training.global_batch;
  run.tokens = s.training.global_batch * s.training.sequence_length;
  run.peak_flops_per_second = static_cast<double>(s.gpu.peak(parts.pass.compute).value);
  run.usable_memory = s.gpu.usable_memory;
  run.context_memory = s.gpu.context_memory;
  run.flops = lowered->flops;
  if (s.training.flops == FlopsCount::causal)
    run.flops.model.attention -= model::causal_saving(padded, s.training.sequence_length, s.training.global_batch);
  run.program = std::move(lowered->program);
  run.stages = std::move(lowered->stages);

  begins(fmt::format("playing {} tasks on {} devices", run.program.tasks(), run.program.devices.size()));
  if (network.mode == program::NetworkMode::flows) {
    run.timeline = engine::play_events(run.program, places->topology->links(), options.record_links);
    run.link_use = link_use(*places->topology, run.program, run.timeline);
  } else {
    const bool one_pass = !options.force_events && engine::one_pass_applies(run.program);
    run.timeline = one_pass ? engine::evaluate_one_pass(run.program) : engine::play_events(run.program);
  }
  run.shared = shared_transfers(s, *places->topology, run.program, run.timeline);
  begins("splitting the time of each device");
  run.split = engine::split_time(run.program, run.timeline);
  begins("following the memory of each device");
  run.memory = engine::memory_of(run.program, run.timeline, run.usable_memory - run.context_memory);
  for (const engine::DeviceMemory& m : run.memory) run.reserved.push_back(m.reserved);
  begins("balancing the books");
  run.critical = engine::critical_path(run.program, run.timeline);
  run.schedule_bubbles = engine::schedule_bubbles(run.program, run.timeline);
  run.timeline_hash = engine::timeline_hash(run.program, run.timeline);
  run.books = engine::audit(run.program, run.timeline, run.split, run.memory);
  run.books.insert(run.books.end(), lowered->flops_book.begin(), lowered->flops_book.end());
  for (std::string& wrong : report::audit_rates(run)) run.books.push_back(std::move(wrong));
  run.slow_ranks = slow_ranks(*places);
  if (options.what_if) play_without(s, options, run);
  const hardware::Topology& topology = *places->topology;
  for (std::string& wrong : engine::audit_traffic(run.program, run.timeline, topology.links(), topology.devices()))
    run.books.push_back(std::move(wrong));
  return run;
}

}  // namespace orrery::scenario
