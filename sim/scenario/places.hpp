// Where the ranks run and what is slow or down there: the sections `placement` and `perturb`.
#pragma once
#include <memory>
#include <vector>

#include "orrery/core/yaml.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/report/run_result.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::scenario {

// The list under `perturb`.
Result<std::vector<hardware::Perturbation>> read_perturbations(const YamlTree& tree, NodeId node);

struct Places {
  std::shared_ptr<const hardware::Topology> topology;  // of the whole cluster, perturbed
  std::vector<hardware::DeviceId> placement;           // [rank]
  std::vector<double> speed;                           // [rank] of its kernels; empty: all 1
  std::vector<std::int32_t> pool;                      // [rank] where there are pools
  program::Passing passing;                            // what is so for a part of the step
};
// `topology` is that of the scenario's cluster.
Result<Places> make_places(const Scenario& scenario, std::shared_ptr<const hardware::Topology> topology);

// GFLOP/s of matrix products that one GPU reaches.
double speed_of_gpu(const program::GpuKind& kind, DType type);

// Of each pipeline rank, where the cluster has pools: GFLOP/s of all its GPUs at the pace of the slowest, and the pools
// that they are of. Of each replica, too: GFLOP/s of its slowest GPU there.
struct StagesOnPools {
  std::vector<std::int64_t> speeds;
  std::vector<std::vector<std::size_t>> pools;
  std::vector<std::vector<double>> of_replicas;  // [replica][pipeline rank]
};
Result<StagesOnPools> stages_on_pools(const Scenario& scenario, const hardware::Topology& topology);

// What is slow or down of what the run may use, in words, and the ranks on GPUs slower than the fastest.
std::string text_of(const hardware::Perturbation& perturbation);
std::vector<std::string> perturbation_texts(const Scenario& scenario);
std::vector<std::int32_t> slow_ranks(const Places& places);

// How far the groups reach: a tensor group within one domain is fast, one over several is not.
report::PlacementResult placement_result(const Scenario& scenario, const Places& places);

// A sentence for each link, device or node that is down and that routes of the run went through: what goes round it.
std::vector<std::string> rerouted(const Scenario& scenario, const Places& places);

}  // namespace orrery::scenario
