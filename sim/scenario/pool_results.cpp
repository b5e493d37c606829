#include "pool_results.hpp"

#include <limits>
#include <set>

namespace orrery::scenario {

std::vector<report::PoolResult> pool_results(const Run& run, const report::RunResult& result) {
  const Scenario& s = run.scenario();
  std::vector<report::PoolResult> pools(s.pools.size());
  if (pools.empty()) return pools;
  using program::Category;
  std::vector<Int128> bubble(pools.size()), work(pools.size());
  std::vector<std::set<int>> stages(pools.size());
  for (std::size_t p = 0; p < pools.size(); ++p) {
    pools[p].name = s.cluster.pools[p].shown(), pools[p].gpu = s.pools[p].gpu.name;
    pools[p].headroom = std::numeric_limits<std::int64_t>::max();
  }
  for (std::size_t d = 0; d < result.program.devices.size(); ++d) {
    const program::Device& device = result.program.devices[d];
    const std::size_t p = program::gpu_kind(run.input(), device.ranks.front());  // a class is on one kind of GPU
    const auto of = [&](Category c) { return result.split[d][static_cast<std::size_t>(c)]; };
    const auto ranks = static_cast<std::int64_t>(device.ranks.size());
    pools[p].ranks += ranks;
    stages[p].insert(device.pipeline_rank());
    bubble[p] += Int128{ranks} * of(Category::bubble);
    work[p] += Int128{ranks} * (of(Category::compute) + of(Category::recompute) + of(Category::optimizer));
    const std::int64_t used = checked_add(result.reserved[d], result.context_memory.value);
    pools[p].headroom = std::min(pools[p].headroom, result.usable_on(d).value - used);
  }
  for (std::size_t p = 0; p < pools.size(); ++p) {
    pools[p].stages.assign(stages[p].begin(), stages[p].end());
    const double whole = static_cast<double>(pools[p].ranks) * static_cast<double>(result.timeline.step_time.value);
    if (pools[p].ranks == 0)
      pools[p].headroom = (s.pools[p].gpu.usable_memory - s.outside_allocator(s.pools[p].gpu)).value;
    if (whole <= 0) continue;
    pools[p].bubble_fraction = static_cast<double>(bubble[p]) / whole;
    pools[p].work_fraction = static_cast<double>(work[p]) / whole;
  }
  return pools;
}

}  // namespace orrery::scenario
