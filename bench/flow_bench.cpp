// CPU time per completed flow: a star of hosts with links of 50 GB/s, random pairs of hosts, 1–100 MB each, all at
// once. groups = 0: any pair; otherwise pairs within groups of that many hosts.
#include <benchmark/benchmark.h>

#include <array>
#include <random>

#include "orrery/network/flow.hpp"

namespace {

using namespace orrery;
using namespace orrery::network;

void star(benchmark::State& state) {
  const auto hosts = static_cast<std::uint64_t>(state.range(0));
  const auto flows = state.range(1);
  const auto group = state.range(2) > 0 ? static_cast<std::uint64_t>(state.range(2)) : hosts;
  // Links 0 … hosts − 1 go up, hosts … 2 · hosts − 1 down.
  const std::vector<hardware::Link> links(2 * hosts,
                                          {BytesPerSecond{50'000'000'000}, Time{}, hardware::LinkLevel::nic});
  std::vector<std::int64_t> finished;
  Time last{};
  for (auto _ : state) {
    std::mt19937_64 random(42);
    FlowNetwork network(links);
    for (std::int64_t i = 0; i < flows; ++i) {
      const std::uint64_t base = random() % (hosts / group) * group;
      const std::uint64_t from = random() % group, to = (from + 1 + random() % (group - 1)) % group;
      const std::array<LinkUse, 2> uses{LinkUse{static_cast<std::int32_t>(base + from), 1},
                                        LinkUse{static_cast<std::int32_t>(hosts + base + to), 1}};
      const auto bytes = static_cast<std::int64_t>(1'000'000 + random() % 99'000'001);
      network.start(Time{}, {Bytes{bytes}, uses, Time{}, BytesPerSecond{}, 1, i});
    }
    finished.clear();
    while (const auto next = network.next_event()) network.advance(last = *next, finished);
    benchmark::DoNotOptimize(finished.data());
  }
  state.counters["end_s"] = seconds(last);  // to hold against other simulators
  state.counters["per_flow"] = benchmark::Counter(
      static_cast<double>(flows), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

}  // namespace

BENCHMARK(star)->Name("Flow/uncoupled")->Args({1024, 1000, 0})->Unit(benchmark::kMillisecond);
BENCHMARK(star)->Name("Flow/groups_of_8")->Args({8192, 100'000, 8})->Unit(benchmark::kMillisecond);
BENCHMARK(star)->Name("Flow/coupled")->Args({1024, 10'000, 0})->Unit(benchmark::kMillisecond)->Iterations(1);
