#include "orrery/scenario/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "core/parallel.hpp"
#include "described.hpp"
#include "hosts_used.hpp"
#include "located.hpp"
#include "long_run.hpp"
#include "notes.hpp"
#include "orrery/core/show.hpp"
#include "orrery/hardware/cluster.hpp"
#include "orrery/model/flops.hpp"
#include "passing.hpp"
#include "places.hpp"
#include "playing.hpp"
#include "pool_results.hpp"
#include "report/format.hpp"
#include "run_maker.hpp"
#include "sharing.hpp"
#include "size.hpp"
#include "varied.hpp"

namespace orrery::scenario {

program::LowerOptions lower_options(const Scenario& s, const RunOptions& options) {
  return {.fold = !options.every_rank,
          .fuse = options.fuse,
          .level = program::Levelling::each_hop,
          .steps = options.steps,
          .admit = [&s, &options](const program::Footprint& size) { return check_size(s, options, size); }};
}

engine::Segments segments_of(const Scenario& s) {
  return s.stack.expandable_segments ? engine::Segments::expandable : engine::Segments::fixed;
}

namespace {

// "h100-sxm-80gb", or the kinds of the pools.
std::string gpus_text(const Scenario& s) {
  if (s.pools.empty()) return s.gpu.name;
  std::vector<std::string> kinds;
  for (const program::GpuKind& pool : s.pools)
    if (std::find(kinds.begin(), kinds.end(), pool.gpu.name) == kinds.end()) kinds.push_back(pool.gpu.name);
  return fmt::format("{}", fmt::join(kinds, " + "));
}

}  // namespace

// That with the most memory for tensors.
const hardware::Gpu& largest_gpu(const Scenario& s) {
  const auto available = [&](const hardware::Gpu& gpu) { return gpu.usable_memory - s.outside_allocator(gpu); };
  const hardware::Gpu* largest = &s.gpu;
  for (const program::GpuKind& pool : s.pools)
    if (available(pool.gpu) > available(*largest)) largest = &pool.gpu;
  return *largest;
}

void fill_in(report::RunResult& result, const Run& run, program::LoweredStep&& lowered) {
  const Scenario& s = run.scenario();
  result.gpus = s.layout.ranks();
  result.gpu_name = gpus_text(s);
  result.sequences = s.training.global_batch;
  result.micro_batches = s.layout.unlike_micro_batches();
  result.tokens = checked_mul(s.training.global_batch, s.tokens_of_sequence());
  result.peak_flops_per_second = static_cast<double>(program::mean_peak(run.input()));
  const hardware::Gpu& largest = largest_gpu(s);
  result.usable_memory = largest.usable_memory;
  result.context_memory = s.outside_allocator(largest);
  result.flops = lowered.flops;
  if (s.training.flops == FlopsCount::causal)
    result.flops.model.attention -= model::causal_saving(run.input().graph->spec, s.lengths(), s.training.global_batch);
  result.program = std::move(lowered.program);
  result.stages = std::move(lowered.stages);
}

namespace {

std::string title_of(const Scenario& s) {
  const layout::Layout& l = s.layout;
  std::string degrees;
  const auto add = [&](std::string_view name, int degree) {
    if (degree > 1) degrees += fmt::format(" {}{}", name, degree);
  };
  const auto add_ranks = [&](const layout::DimensionFacts& along) {
    std::string name(along.short_name);
    for (char& c : name) c = static_cast<char>(c - 'a' + 'A');
    add(name, l.*along.degree);
  };
  constexpr layout::Dimension pipeline = layout::Dimension::pipeline;
  for (const auto& d : layout::kDimensionList)
    if (d.in_pass) add_ranks(d);
  add_ranks(layout::facts(pipeline));
  add("VP", l.virtual_stages);
  for (const auto& d : layout::kDimensionList)
    if (!d.in_pass && d.dimension != pipeline) add_ranks(d);
  std::string places;
  if (s.placement.kind != hardware::PlacementKind::packed)
    places = fmt::format(" · placement {}", hardware::name_of(s.placement.kind));
  if (const std::size_t n = s.cluster.perturb.size(); n > 0)
    places += fmt::format(" · {} perturbation{}", n, n == 1 ? "" : "s");
  const std::string title = fmt::format(
      "{} on {} × {} ({}):{}{} · {} · batch {} × {} tokens", s.model.name, report::integer_text(l.ranks()),
      gpus_text(s), s.cluster.name, degrees.empty() ? " one GPU" : degrees, places,
      s.schedule.file.empty() ? s.schedule.type : s.schedule.file, s.training.global_batch, lengths_text(s));
  return safe_to_show(title, Shown::one_line);
}

const char* name_of(program::NetworkMode mode) {
  constexpr const char* names[] = {"ideal", "steady", "flows"};
  return names[static_cast<std::size_t>(mode)];
}

// The step without what a user could change, played as it was itself: what the thing costs is the difference.
void play_without(const Run& of, const RunOptions& asked, report::RunResult& run) {
  const Scenario& s = of.scenario();
  const auto step_time = [&](Scenario other) {
    RunOptions options = asked;
    options.record_links = false;
    const Result<Run> changed = RunMaker::again(of, std::move(other));
    if (!changed.ok()) return Time{};
    const Result<Time> played = located(changed->scenario(), [&] {
      return step_time_of(changed->input(), lower_options(changed->scenario(), options), options);
    });
    return played.ok() ? *played : Time{};
  };
  if (!s.cluster.perturb.empty()) {
    Scenario other = s;
    other.cluster.perturb.clear();
    run.perturbations = perturbation_texts(s);
    run.unperturbed = step_time(std::move(other));
  }
  const bool waits = report::metrics_of(run).bubble_fraction >= 0.05;
  if (s.layout.pipeline > 1 && s.stack.communication.messages == layout::MessageMode::rendezvous && waits &&
      run.program.tasks() <= kQuick) {
    Scenario other = s;
    other.stack.communication.messages = layout::MessageMode::asynchronous;
    run.asynchronous = step_time(std::move(other));
  }
}

// What loads and capacities of the experts cost: against a step in which every expert is given as many.
void play_balanced(const Run& of, const RunOptions& asked, report::RunResult& run) {
  const program::StepInput& input = of.input();
  const layout::Routing& routing = input.pass.routing;
  if (input.graph->spec.experts.count == 0 || routing == layout::Routing{}) return;
  const std::int64_t tokens = layout::tokens_sent(input.layout, input.pass);
  run.experts.there = true;
  run.experts.load_factor = layout::load_factor(input.graph->spec, input.layout, tokens, routing);
  run.experts.dropped = layout::dropped_share(input.graph->spec, input.layout, tokens, routing);
  if (!asked.what_if) return;
  Scenario other = of.scenario();
  other.training.routing = {}, other.training.capacity = {}, other.training.pad_to_capacity = false;
  RunOptions options = asked;
  options.record_links = false, options.phase = {};
  const Result<Run> changed = RunMaker::again(of, std::move(other));
  if (!changed.ok()) return;
  program::Costs costs;
  const auto played = lower_and_play(changed->input(), lower_options(changed->scenario(), options), options, costs);
  if (!played.ok()) return;
  run.experts.balanced = played->timeline.step_time;
  for (const engine::DeviceMemory& m : engine::memory_of(played->step.program, played->timeline))
    run.experts.balanced_memory = std::max(run.experts.balanced_memory, Bytes{m.peak});
}

// Beside one another the accounts of a small step gain nothing, those of a large one take too much memory.
unsigned threads_for(std::size_t tasks, const RunOptions& options) {
  constexpr std::size_t kMuch = 1'000'000, kTooMuch = 32'000'000;
  if (options.threads > 0) return options.threads;
  return tasks > kMuch && tasks < kTooMuch ? processors() : 1;
}

// What the engine says of the timeline.
template <class Begins>
void look_at(const Scenario& s, const RunOptions& options, const Begins& begins, report::RunResult& run) {
  const unsigned threads = threads_for(run.program.tasks(), options);
  const std::array<std::function<void()>, 3> accounts{
      [&] {
        const Bytes capacity = run.usable_memory - run.context_memory;
        run.memory = engine::memory_of(run.program, run.timeline, capacity, segments_of(s));
      },
      [&] { run.split = engine::split_time(run.program, run.timeline); },
      [&] {
        run.critical = engine::critical_path(run.program, run.timeline);
        run.schedule_bubbles = engine::schedule_bubbles(run.program, run.timeline);
        run.timeline_hash = engine::timeline_hash(run.program, run.timeline);
      }};
  begins("accounting for time and memory of each device");
  for_each(accounts.size(), threads, [&](std::size_t i, std::size_t) { accounts[i](); });
  for (const engine::DeviceMemory& m : run.memory) run.reserved.push_back(m.reserved);
  begins("balancing the books");
  run.books = engine::audit(run.program, run.timeline, run.split, run.memory, threads);
}

Result<report::RunResult> play(const Run& of, const RunOptions& options) {
  const Scenario& s = of.scenario();
  const program::StepInput& input = of.input();
  const Places places{input.topology, input.placement, input.speed, input.gpu_of, input.passing};
  const auto begins = [&](const std::string& phase) {
    if (options.phase) options.phase(phase);
  };
  if (Diagnostics large = check_size(s, options); !large.empty()) return large;
  program::LowerOptions how = lower_options(s, options);
  program::Footprint expected;
  how.admit = [&](const program::Footprint& size) {
    expected = size;
    return check_size(s, options, size);
  };
  begins("laying out the step");
  program::Costs costs;
  Result<PlayedStep> played = lower_and_play(input, how, options, costs);
  if (!played.ok()) return played.errors();
  program::LoweredStep& lowered = played->step;

  report::RunResult run;
  run.timeline = std::move(played->timeline);
  run.title = title_of(s);
  run.expected = expected;
  run.scenario_json = to_json(s);
  run.network_mode = name_of(input.mode);
  take_notes(of, lowered, places, !options.every_rank, run);
  run.placement = placement_result(s, places);
  run.placement.devices = input.placement;
  run.placement.per_node = input.topology->devices_per_node();
  run.warnings = input.schedule->warnings;
  describe(run, of, costs);
  const std::vector<std::string> flops_book = lowered.flops_book;
  const std::vector<std::string> offload_book = program::audit_offload(lowered.program, lowered.moved);
  if (lowered.program.steps == kMostSteps && options.steps == 0 && !played->settled)
    run.notes.push_back(
        fmt::format("The step time has not settled after {} steps; it is that of the last.", kMostSteps));
  fill_in(run, of, std::move(lowered));

  if (input.mode == program::NetworkMode::flows) run.link_use = link_use(*input.topology, run.program, run.timeline);
  run.shared = shared_transfers(s, *input.topology, run.program, run.timeline);
  look_at(s, options, begins, run);
  run.hosts = host_use(of, run.program, run.timeline);
  run.books.insert(run.books.end(), flops_book.begin(), flops_book.end());
  run.books.insert(run.books.end(), offload_book.begin(), offload_book.end());
  for (std::string& wrong : report::audit_rates(run)) run.books.push_back(std::move(wrong));
  run.slow_ranks = slow_ranks(places);
  run.faults = faults_of(of, options, run);
  run.pools = pool_results(of, run);
  if (s.reliability.given()) run.long_run = long_run_of(s, run.timeline.step_time);
  if (options.what_if) play_without(of, options, run);
  if (options.what_if && s.variation.given()) {
    begins(fmt::format("playing {} steps of unlike GPUs", s.variation.count));
    Result<report::VariedSteps> varied = varied_steps(of, options);
    if (!varied.ok()) return varied.errors();
    run.varied = std::move(varied).value();
  }
  play_balanced(of, options, run);
  const hardware::Topology& topology = *input.topology;
  for (std::string& wrong : engine::audit_traffic(run.program, run.timeline, topology.links(), topology.devices()))
    run.books.push_back(std::move(wrong));
  return run;
}

Diagnostics examine(const Run& run, const RunOptions& options) {
  constexpr double kPlayedAtOnce = 20'000;  // tasks: made in a few milliseconds
  constexpr double kSafe = 9.2e15;          // a thousandth of 64 bits: sharing links does not slow a step so much
  if (Diagnostics large = check_size(run.scenario(), options); !large.empty()) return large;
  program::StepInput input = run.input();
  if (input.mode == program::NetworkMode::flows) input.mode = program::NetworkMode::ideal;  // whose size is known
  program::LowerOptions how = lower_options(run.scenario(), options);
  how.stage_times = how.inside = how.flops_book = false;
  program::Costs costs;
  const Result<program::StepExamination> seen = program::examine_step(input, how, costs);
  if (!seen.ok()) return seen.errors();
  if (Diagnostics large = how.admit(seen->footprint); !large.empty()) return large;
  if (seen->longest >= kSafe || seen->most_bytes >= kSafe) {
    const Result<report::RunResult> played = play(run, options);
    return played.ok() ? Diagnostics() : played.errors();
  }
  if (seen->footprint.tasks > kPlayedAtOnce) return {};
  const Result<program::LoweredStep> lowered = program::lower_step(input, how, costs);  // it may wait for itself
  return lowered.ok() ? Diagnostics() : lowered.errors();
}

}  // namespace

Diagnostics check_run(const Run& run, const RunOptions& options) {
  return located(run.scenario(), [&] { return examine(run, options); });
}

Result<report::RunResult> simulate(const Run& run, const RunOptions& options) {
  return located(run.scenario(), [&] { return play(run, options); });
}

}  // namespace orrery::scenario
