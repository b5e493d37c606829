#include "orrery/scenario/sensitivity.hpp"

#include "located.hpp"
#include "playing.hpp"
#include "run_maker.hpp"

namespace orrery::scenario {
namespace {

void more(BytesPerSecond& bandwidth) {
  bandwidth.value += bandwidth.value / 10;
}
void less(Time& time) {
  time.value = time.value * 10 / 11;
}

// Micro-batches of a replica beside the `m` it has: a tenth, rounded up.
std::int64_t more_micro_batches(std::int64_t m) {
  return ceil_div(m, 10);
}

// Those of the scenario and of its pools.
std::vector<hardware::Gpu*> gpus_of(Scenario& s) {
  std::vector<hardware::Gpu*> gpus{&s.gpu};
  for (program::GpuKind& pool : s.pools) gpus.push_back(&pool.gpu);
  return gpus;
}
std::vector<hardware::ClusterSpec*> clusters_of(Scenario& s) {
  std::vector<hardware::ClusterSpec*> clusters{&s.cluster};
  for (hardware::ClusterSpec& pool : s.cluster.of_pools) clusters.push_back(&pool);
  return clusters;
}

constexpr const char* kLatency = "latency";

void quicken(network::ProtocolTuning& p) {
  for (Time* time : {&p.base, &p.scale_up_hop, &p.network_hop, &p.network_base, &p.message}) less(*time);
}
void quicken(network::Tuning& t) {
  for (network::AlgorithmTuning* a : {&t.ring, &t.tree, &t.nvls, &t.nvls_tree_constants, &t.collnet, &t.direct, &t.pat})
    for (network::ProtocolTuning* p : {&a->ll, &a->ll128, &a->simple}) quicken(*p);
}

// Nothing is read again; latencies of the collective library are no part of the scenario.
Result<Run> grown(const Run& run, const Resource& resource) {
  Scenario s = run.scenario();
  resource.grow(s);
  s.network.mode =
      static_cast<NetworkModeChoice>(static_cast<int>(NetworkModeChoice::ideal) + static_cast<int>(run.input().mode));
  Result<Run> changed = RunMaker::again(run, std::move(s));
  if (!changed.ok() || resource.key != kLatency) return changed;
  program::StepInput input = changed->input();
  const auto quicker = [](std::shared_ptr<const network::Tuning>& tuning) {
    auto quick = std::make_shared<network::Tuning>(*tuning);
    quicken(*quick);
    tuning = std::move(quick);
  };
  quicker(input.tuning);
  for (auto& within : input.tunings) quicker(within);
  return RunMaker::make(changed->scenario(), std::move(input), changed->why_network());
}

}  // namespace

const std::vector<Resource>& resources() {
  static const std::vector<Resource> list{
      {"gpu_flops", "FLOP/s of the GPU",
       [](Scenario& s) {
         for (hardware::Gpu* gpu : gpus_of(s))
           for (FlopsPerSecond& peak : gpu->dense_peak) peak.value += peak.value / 10;
       }},
      {"memory_bandwidth", "memory bandwidth",
       [](Scenario& s) {
         for (hardware::Gpu* gpu : gpus_of(s)) more(gpu->memory_bandwidth);
       }},
      {"node_bandwidth", "bandwidth inside nodes",
       [](Scenario& s) {
         for (hardware::ClusterSpec* c : clusters_of(s)) more(c->scale_up.bandwidth);
       }},
      {"network_bandwidth", "bandwidth between nodes",
       [](Scenario& s) {
         for (hardware::ClusterSpec* c : clusters_of(s)) more(c->scale_out.nic_bandwidth), more(c->pcie_bandwidth);
         more(s.cluster.between.bandwidth);
       }},
      {kLatency, "latency of the network (less)",
       [](Scenario& s) {
         for (hardware::ClusterSpec* c : clusters_of(s)) {
           for (Time* time : {&c->scale_up.latency, &c->scale_out.nic_latency, &c->scale_out.switch_latency,
                              &c->scale_out.dragonfly.global_latency, &c->pcie_latency})
             less(*time);
           for (hardware::ExplicitGraph::Cable& cable : c->graph.cables) less(cable.latency);
         }
         less(s.cluster.between.latency);
       }},
      {"host", "speed of the host",
       [](Scenario& s) {
         cost::StackLaunch& l = s.stack.launch;
         for (Time* time : {&l.per_kernel, &l.per_kernel_backward, &l.per_expert_kernel, &l.per_collective,
                            &l.per_collective_rank, &l.per_micro_batch, &l.per_step})
           less(*time);
       }},
      {"micro_batches", "micro-batches a step",
       [](Scenario& s) {
         const std::int64_t more = more_micro_batches(s.micro_batches());
         s.training.global_batch += more * s.layout.data * s.training.micro_batch;
         for (std::int64_t& count : s.layout.micro_batches_per_replica) count += more;
       }},
  };
  return list;
}

std::vector<Sensitivity> sensitivities(const Run& run, const RunOptions& options) {
  std::vector<Sensitivity> all;
  const std::int64_t batch = run.scenario().training.global_batch;
  for (const Resource& resource : resources()) {
    if (options.phase) options.phase(std::string("with more ") + resource.name);
    const Result<Time> played = located(run.scenario(), [&]() -> Result<Time> {
      const Result<Run> changed = grown(run, resource);
      if (!changed.ok()) return changed.errors();
      const Result<Time> step = step_time_of(changed->input(), lower_options(changed->scenario(), options), options);
      if (!step.ok()) return step.errors();
      const std::int64_t now = changed->scenario().training.global_batch;
      return Time{checked_narrow(static_cast<Int128>(step->value) * batch / now)};
    });
    if (played.ok()) all.push_back({&resource, *played});
  }
  return all;
}

}  // namespace orrery::scenario
