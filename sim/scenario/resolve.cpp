#include <algorithm>
#include <memory>
#include <utility>

#include "batch_split.hpp"
#include "given.hpp"
#include "located.hpp"
#include "orrery/core/kept.hpp"
#include "orrery/network/tuning.hpp"
#include "orrery/scenario/resolver.hpp"
#include "parts.hpp"
#include "places.hpp"
#include "pool_choice.hpp"
#include "rules.hpp"
#include "run_maker.hpp"
#include "running.hpp"
#include "size.hpp"

namespace orrery::scenario {
namespace {

void fill_in(Scenario& s, const ResolveOptions& options) {
  if (s.schedule.type.empty() && s.schedule.file.empty()) s.schedule.type = default_schedule(s);
  if (s.network.mode == NetworkModeChoice::automatic) s.network.mode = options.automatic;
  s.cluster = hardware::allocated(std::move(s.cluster));
  if (s.model.has_two_stacks() && s.layout.partition == layout::Partition::balanced && s.layout.encoder_stages == 0 &&
      s.layout.pipeline >= 1 && s.layout.virtual_stages >= 1 && s.model.encoder_layers < s.model.layers)
    s.layout.encoder_stages = layout::encoder_stages_by_cost(s.model, s.layout, s.lengths());
}

Diagnostics check_values(const Scenario& s, const ResolveOptions& options) {
  if (Diagnostics missing = check_given(s); !missing.empty()) return missing;
  if (Diagnostics broken = check_rules(s); !broken.empty()) return broken;
  RunOptions sized;
  sized.memory_limit = options.memory_limit;
  return check_size(s, sized, {}, options.evaluated ? Made::evaluation : Made::run);
}

// Of every collective that can be served so.
std::string named(const std::string& choice) {
  return choice == "auto" ? std::string() : choice;
}

struct HashOfCluster {
  std::size_t operator()(const hardware::ClusterSpec& c) const { return static_cast<std::size_t>(c.nodes); }
};

struct GraphKey {
  model::ModelSpec spec;
  model::GraphOptions options;
  friend bool operator==(const GraphKey&, const GraphKey&) = default;
  void add_to(Hash& hash) const { hash.add((spec.hidden << 20) + spec.layers + (spec.vocab << 32)); }
};

struct HashOfRequest {
  std::size_t operator()(const schedule::ScheduleRequest& r) const {
    Hash hash;
    hash.add((static_cast<std::int64_t>(r.ranks) << 32) + r.chunks);
    hash.add(r.micro_batches);
    return static_cast<std::size_t>(hash.value());
  }
};

}  // namespace

struct Resolver::Parts {
  Catalogue& catalogue;
  ResolveOptions options;
  Kept<hardware::ClusterSpec, const hardware::Topology, HashOfCluster> topologies{16};
  Kept<hardware::ClusterSpec, const network::Tuning, HashOfCluster> tunings{16};
  Kept<GraphKey, const model::ModelGraph> graphs{64};
  // Those found to be right, and of them those that do not block with messages that do.
  Kept<schedule::ScheduleRequest, const schedule::Schedule, HashOfRequest> schedules{256}, unblocked{256};
};

namespace {

// Of the collectives of a run: among all GPUs, and within each pool of unlike ones.
struct Tunings {
  std::shared_ptr<const network::Tuning> all;
  std::vector<std::shared_ptr<const network::Tuning>> of_pools;
};

template <class T>
using Shared = Result<std::shared_ptr<const T>>;

// What `make` gives where that is no error.
template <class Value, class Key, class HashOf, class Make>
Shared<Value> of(Kept<Key, const Value, HashOf>& kept, const Key& key, const Make& make) {
  Diagnostics errors;
  std::shared_ptr<const Value> value = kept.of(key, [&]() -> std::shared_ptr<const Value> {
    auto made = make();
    if (!made.ok()) return errors = made.errors(), nullptr;
    if constexpr (requires { made->get(); })
      return std::move(made).value();
    else
      return std::make_shared<const Value>(std::move(made).value());
  });
  if (!value) return errors;
  return value;
}

Shared<hardware::Topology> topology_of(const Scenario& s, Resolver::Parts& parts) {
  return of(parts.topologies, s.cluster, [&] { return hardware::build_topology(s.cluster, s.cluster.nodes); });
}

// What partition and placement need to know of unlike GPUs.
Diagnostics know_pools(Scenario& s, const schedule::Schedule& made, Resolver::Parts& parts) {
  if (s.pools.empty() && s.placement.kind != hardware::PlacementKind::automatic) return {};
  const auto topology = topology_of(s, parts);
  if (!topology.ok()) return topology.errors();
  return choose_pools(s, made, **topology);
}

Result<program::StepInput> input_of(const Scenario& s, Schedules schedules, Tunings tunings, Resolver::Parts& parts) {
  const auto topology = topology_of(s, parts);
  if (!topology.ok()) return topology.errors();
  Result<Places> places = make_places(s, *topology);
  if (!places.ok()) return places.errors();
  program::StepInput input;
  input.pass = pass_options(s);
  const GraphKey graph{model::pad_vocab(s.model, s.layout.tensor), layout::graph_options(input.pass)};
  input.graph = parts.graphs.of(
      graph, [&] { return std::make_shared<const model::ModelGraph>(model::model_graph(graph.spec, graph.options)); });
  input.layout = running_layout(s);
  input.state = state_widths(s);
  input.schedule = std::move(schedules.fullest);
  input.of_replicas = std::move(schedules.of_replicas);
  input.stack = running_stack(s);
  input.gpu = s.gpu;
  input.kernels = running_kernels(s, s.kernels);
  input.topology = std::move(places->topology);
  input.tuning = std::move(tunings.all);
  input.tunings = std::move(tunings.of_pools);
  input.placement = std::move(places->placement);
  input.speed = std::move(places->speed);
  input.passing = std::move(places->passing);
  for (const program::GpuKind& pool : s.pools)
    input.unlike_gpus.push_back({pool.gpu, running_kernels(s, pool.kernels)});
  input.gpu_of = std::move(places->pool);
  input.mode = network_mode(s).mode;
  input.algorithm = named(s.network.algorithm);
  input.protocol = named(s.network.protocol);
  input.offload = s.training.offload;
  input.host = s.cluster.host;
  return input;
}

// A searched schedule is found for the real times of the stages: those of the step under the one that stands in.
Result<schedule::StageTimes> times_of_stages(program::StepInput plain) {
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
  return times;
}

Shared<schedule::Schedule> checked(const Scenario& s, Result<schedule::Schedule> made) {
  if (!made.ok()) return made.errors();
  if (Diagnostics blocked = check_messages(s, *made); !blocked.empty()) return blocked;
  return std::make_shared<const schedule::Schedule>(std::move(made).value());
}

// A file may change, and what a search finds depends on the times of the stages.
Shared<schedule::Schedule> schedule_of(const Scenario& s, std::int64_t micro_batches, Resolver::Parts& parts) {
  if (is_searched(s)) return checked(s, stand_in_schedule(s));
  if (!s.schedule.file.empty()) return checked(s, make_schedule(s, micro_batches));
  const schedule::ScheduleRequest request = schedule_request(s, micro_batches);
  Shared<schedule::Schedule> made = of(parts.schedules, request, [&] { return make_schedule(s, micro_batches); });
  if (!made.ok() || s.stack.communication.messages != layout::MessageMode::rendezvous) return made;
  return of(parts.unblocked, request, [&]() -> Shared<schedule::Schedule> {
    if (Diagnostics blocked = check_messages(s, **made); !blocked.empty()) return blocked;
    return made;
  });
}

Result<Tunings> tunings_of(const hardware::ClusterSpec& cluster, Resolver::Parts& parts) {
  const auto found = [&](const hardware::ClusterSpec& c) -> Shared<network::Tuning> {
    return of(parts.tunings, c, [&] { return network::tuning_for(c, parts.catalogue); });
  };
  Tunings tunings;
  for (const hardware::ClusterSpec& pool : cluster.of_pools) {
    Shared<network::Tuning> within = found(pool);
    if (!within.ok()) return within.errors();
    tunings.of_pools.push_back(std::move(within).value());
  }
  if (!tunings.of_pools.empty()) {
    tunings.all = std::make_shared<const network::Tuning>(network::slowest_of(tunings.of_pools));
    return tunings;
  }
  Shared<network::Tuning> all = found(cluster);
  if (!all.ok()) return all.errors();
  tunings.all = std::move(all).value();
  return tunings;
}

// `tunings` are empty where they are those of the cluster.
Result<Run> run_of(Scenario s, Tunings tunings, Resolver::Parts& parts) {
  if (s.layout.batch_split == layout::BatchSplit::balanced) s.layout.micro_batches_per_replica.clear();
  s.cluster.host_links = s.training.offload.any();
  if (Diagnostics wrong = check_values(s, parts.options); !wrong.empty()) return wrong;
  if (Diagnostics wrong = read_loads(s); !wrong.empty()) return wrong;
  if (is_searched(s) && parts.options.phase) parts.options.phase("searching a schedule");
  const auto making = [&](std::int64_t micro_batches) { return schedule_of(s, micro_batches, parts); };
  Result<Schedules> schedules = schedules_of(s, making);
  if (!schedules.ok()) return schedules.errors();
  if (Diagnostics wrong = know_pools(s, *schedules->fullest, parts); !wrong.empty()) return wrong;
  if (s.layout.batch_split == layout::BatchSplit::balanced) {
    const auto topology = topology_of(s, parts);
    if (!topology.ok()) return topology.errors();
    schedules = balanced_schedules(s, schedules->fullest->placement, **topology, making);
    if (!schedules.ok()) return schedules.errors();
    if (Diagnostics wrong = check_rules(s); !wrong.empty()) return wrong;  // of the numbers, now that they are chosen
  }
  if (const auto spans = layout::partition_layers(s.model, s.layout); !spans.ok()) return spans.errors();
  if (!tunings.all) {
    Result<Tunings> found = tunings_of(s.cluster, parts);
    if (!found.ok()) return found.errors();
    tunings = std::move(found).value();
  }
  Result<program::StepInput> input = input_of(s, std::move(schedules).value(), std::move(tunings), parts);
  if (!input.ok()) return input.errors();
  // Links that are down may leave no way between ranks that must talk: which do is for the lowering to say.
  if (!s.cluster.perturb.empty())
    if (Diagnostics cut = program::check_step(*input); !cut.empty()) return cut;
  if (is_searched(s)) {
    const Result<schedule::StageTimes> times = times_of_stages(*input);
    if (!times.ok()) return times.errors();
    const auto searched = [&](std::int64_t m) { return checked(s, make_schedule(s, m, *times)); };
    Result<Schedules> fitted = schedules_of(s, searched);
    if (!fitted.ok()) return fitted.errors();
    input->schedule = std::move(fitted->fullest);
    input->of_replicas = std::move(fitted->of_replicas);
  }
  std::string why = network_mode(s).why;
  return RunMaker::make(std::move(s), std::move(input).value(), std::move(why));
}

}  // namespace

const char* default_schedule(const Scenario& s) {
  return s.layout.virtual_stages > 1 ? "interleaved_1f1b" : "1f1b";
}

Resolver::Resolver(Catalogue& catalogue, ResolveOptions options)
    : parts_(new Parts{.catalogue = catalogue, .options = std::move(options)}) {}
Resolver::~Resolver() = default;
Resolver::Resolver(Resolver&&) noexcept = default;
Resolver& Resolver::operator=(Resolver&&) noexcept = default;

Result<Run> Resolver::resolve(const Scenario& scenario) {
  Scenario s = scenario;
  fill_in(s, parts_->options);
  return located(scenario, [&] { return run_of(std::move(s), {}, *parts_); });
}

Result<Run> resolve(const Scenario& scenario, Catalogue& catalogue, const ResolveOptions& options) {
  return Resolver(catalogue, options).resolve(scenario);
}

Result<Run> RunMaker::again(const Run& run, Scenario changed) {
  return located(run.scenario(), [&] {
    Resolver::Parts parts{.catalogue = Catalogue::shared(), .options = {}};  // which gives nothing: the tuning is there
    return run_of(std::move(changed), {run.input().tuning, run.input().tunings}, parts);
  });
}

}  // namespace orrery::scenario
