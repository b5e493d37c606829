#include "orrery/network/collective.hpp"

#include <algorithm>
#include <stdexcept>

#include "algorithms/algorithm.hpp"
#include "choose.hpp"
#include "orrery/core/error.hpp"
#include "orrery/network/flow.hpp"

namespace orrery::network {

Transfer transfer_of(const Phase& phase, std::int64_t tag) {
  return {phase.bytes, phase.links, phase.latency, phase.rate_cap, 1, tag, phase.divisor};
}

Time unshared_time(const Phase& phase, std::span<const hardware::Link> links) {
  return phase.latency + unshared_duration(transfer_of(phase, 0), links);
}

Time unshared_time(const CollectivePlan& plan, std::span<const hardware::Link> links) {
  Time total{};
  for (const Phase& phase : plan.phases) total += unshared_time(phase, links);
  return total;
}

Time time_at_rate(const Phase& phase, double rate, std::span<const hardware::Link> links) {
  const Time alone = unshared_time(phase, links);
  if (phase.bytes.value == 0 || !(rate > 0)) return alone;
  const double amount = static_cast<double>(phase.bytes.value) / phase.divisor;
  return std::max(alone, phase.latency + time_from_seconds(amount / rate));
}

std::vector<std::string> algorithm_names() {
  std::vector<std::string> names;
  for (const Algorithm* each : algorithms()) names.emplace_back(each->name);
  return names;
}

std::vector<std::string> protocol_names() {
  return {"ll", "ll128", "simple", "ideal"};
}

std::string unsupported(const CollectiveCall& call, const hardware::Topology& topology) {
  if (call.group.empty()) return "the group is empty";
  const auto names = protocol_names();
  if (!call.protocol.empty() && std::find(names.begin(), names.end(), call.protocol) == names.end()) {
    return "unknown protocol '" + call.protocol + "' (ll, ll128, simple, ideal)";
  }
  if (call.algorithm.empty()) return "";
  const Algorithm* algorithm = find_algorithm(call.algorithm);
  if (algorithm == nullptr) return "unknown algorithm '" + call.algorithm + "'";
  return algorithm->unsupported(call.kind, Group(call.group, topology));
}

namespace {

CollectivePlan plan_choice(const CollectiveCall& call, const Choice& choice, const Group& group, const Tuning& tuning) {
  CollectivePlan plan{choice.algorithm, choice.protocol, {}};
  const PlanContext context{call.kind, call.bytes, call.root >= 0 ? call.root : call.group.front(), group,
                            tuning.of(choice.algorithm, choice.protocol)};
  PlanBuilder builder(context);
  find_algorithm(choice.algorithm)->plan(context, builder);
  plan.phases = builder.take();
  return plan;
}

}  // namespace

CollectivePlan plan_collective(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning) {
  if (const std::string why = unsupported(call, topology); !why.empty()) throw std::invalid_argument(why);
  check(call.bytes.value >= 0, "a collective has negative bytes");
  const Group group(call.group, topology);
  const auto choices = choose(call.kind, call.bytes, group, tuning, {call.algorithm, call.protocol});
  if (group.size() < 2) return {choices.front().algorithm, choices.front().protocol, {}};
  CollectivePlan best = plan_choice(call, choices.front(), group, tuning);
  for (std::size_t i = 1; i < choices.size(); ++i) {
    CollectivePlan other = plan_choice(call, choices[i], group, tuning);
    if (unshared_time(other, topology.links()) < unshared_time(best, topology.links())) best = std::move(other);
  }
  return best;
}

}  // namespace orrery::network
