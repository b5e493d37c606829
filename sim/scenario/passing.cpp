#include "passing.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "orrery/engine/lateness.hpp"
#include "orrery/hardware/routing.hpp"
#include "playing.hpp"

namespace orrery::scenario {
namespace {

using hardware::Perturbation;

bool names(const Perturbation& p, hardware::DeviceId device, int per_node) {
  return p.link.empty() && (p.device >= 0 ? p.device == device : p.node == device / per_node);
}

program::Passing::State state_of(const std::vector<Perturbation>& now, const Places& places, int per_node) {
  program::Passing::State state;
  state.topology = hardware::while_perturbed(places.topology, now);
  for (const hardware::DeviceId device : places.placement) {
    double speed = 1;
    bool stands = false;
    for (const Perturbation& p : now) {
      if (!names(p, device, per_node)) continue;
      speed *= p.compute_factor;
      stands = stands || p.down;
    }
    state.speed.push_back(speed);
    state.stands.push_back(stands ? 1 : 0);
  }
  return state;
}

bool is_so(const Perturbation& p, Time at) {
  return p.passes() && p.from <= at && (!p.until || at < *p.until);
}

// States by what is so in them, each made once.
class States {
 public:
  States(const hardware::ClusterSpec& cluster, const Places& places) : cluster_(cluster), places_(places) {}

  std::uint32_t of(const std::vector<char>& so) {
    if (std::ranges::none_of(so, [](char c) { return c != 0; })) return 0;
    const auto [it, fresh] = known_.try_emplace(so, static_cast<std::uint32_t>(states.size() + 1));
    if (!fresh) return it->second;
    std::vector<Perturbation> now;
    for (std::size_t i = 0; i < so.size(); ++i)
      if (so[i] != 0) now.push_back(cluster_.perturb[i]);
    states.push_back(state_of(now, places_, cluster_.gpus_per_node));
    return it->second;
  }

  std::vector<program::Passing::State> states;

 private:
  const hardware::ClusterSpec& cluster_;
  const Places& places_;
  std::map<std::vector<char>, std::uint32_t> known_;
};

// [rank] a number for each set of perturbations that pass and name its GPU.
std::vector<std::int32_t> apart(const hardware::ClusterSpec& cluster, const Places& places) {
  std::vector<std::int32_t> classes;
  std::map<std::vector<char>, std::int32_t> known;
  std::vector<char> named;
  for (const hardware::DeviceId device : places.placement) {
    named.clear();
    for (const Perturbation& p : cluster.perturb)
      named.push_back(p.passes() && names(p, device, cluster.gpus_per_node) ? 1 : 0);
    classes.push_back(known.try_emplace(named, static_cast<std::int32_t>(known.size())).first->second);
  }
  return classes;
}

// Beyond so many states none is made for what the step would be but for one of many things.
constexpr std::size_t kMostStates = 64;

}  // namespace

program::Passing passing_of(const hardware::ClusterSpec& cluster, const Places& places) {
  std::set<Time> begins;
  for (const Perturbation& p : cluster.perturb) {
    if (!p.passes()) continue;
    begins.insert(p.from);
    if (p.until) begins.insert(*p.until);
  }
  program::Passing passing;
  States states(cluster, places);
  std::vector<std::vector<char>> so;  // [stretch][perturbation]
  for (const Time begin : begins) {
    so.emplace_back();
    for (const Perturbation& p : cluster.perturb) so.back().push_back(is_so(p, begin) ? 1 : 0);
    passing.begin.push_back(begin);
    passing.state.push_back(states.of(so.back()));
  }
  for (std::size_t i = 0; i < cluster.perturb.size(); ++i) {
    if (!cluster.perturb[i].passes()) continue;
    std::vector<std::uint32_t>& without = passing.without.emplace_back();
    for (std::vector<char> rest : so) {
      rest[i] = 0;
      if (states.states.size() >= kMostStates) break;
      without.push_back(states.of(rest));
    }
    if (without.size() < so.size()) without.clear();
  }
  passing.states = std::move(states.states);
  passing.apart = apart(cluster, places);
  return passing;
}

namespace {

// The GPU of a rank that the device stands for is what is slow.
bool itself(const Perturbation& p, const program::Device& device, const Run& run) {
  return std::ranges::any_of(device.ranks, [&](std::int32_t rank) {
    return names(p, run.input().placement[static_cast<std::size_t>(rank)], run.scenario().cluster.gpus_per_node);
  });
}

void play_without(const Perturbation& p, const std::vector<std::uint32_t>& states, const Run& run,
                  const RunOptions& options, report::RunResult& played, report::Fault& fault) {
  std::vector<std::uint32_t> with = std::exchange(played.program.stretches.state, states);
  const engine::Timeline without = timeline_of(run.input(), played.program, options);
  played.program.stretches.state = std::move(with);
  fault.without = without.step_time;
  const Time begin = engine::begin_of_last_step(played.program, without);
  const std::vector<engine::Lateness> late = engine::lateness_of(played.program, played.timeline, without);
  for (std::size_t d = 0; d < late.size(); ++d)
    if (late[d].ever())
      fault.late.push_back(
          {d, itself(p, played.program.devices[d], run), late[d].most, late[d].from - begin, late[d].until - begin});
  std::ranges::stable_sort(fault.late, {}, &report::Fault::Late::from);
}

}  // namespace

std::vector<report::Fault> faults_of(const Run& run, const RunOptions& asked, report::RunResult& played) {
  RunOptions options = asked;
  options.record_links = false;
  std::vector<report::Fault> faults;
  for (const Perturbation& p : run.scenario().cluster.perturb) {
    if (!p.passes()) continue;
    const std::vector<std::uint32_t>& without = run.input().passing.without[faults.size()];
    faults.push_back({text_of(p), p.from, p.until});
    if (asked.what_if && !without.empty() && played.program.tasks() <= kQuick)
      play_without(p, without, run, options, played, faults.back());
  }
  return faults;
}

}  // namespace orrery::scenario
