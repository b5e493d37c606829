#include "orrery/network/collective.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <stdexcept>
#include <utility>

#include "algorithms/algorithm.hpp"
#include "choose.hpp"
#include "orrery/core/error.hpp"
#include "orrery/network/call_planner.hpp"
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

Time time_at_rate(const Phase& phase, double rate, Time alone) {
  if (phase.bytes.value == 0 || !(rate > 0)) return alone;
  const double amount = static_cast<double>(phase.bytes.value) / phase.divisor;
  return std::max(alone, phase.latency + time_from_seconds(amount / rate));
}

std::vector<std::string> algorithm_names() {
  std::vector<std::string> names;
  for (const Algorithm* each : algorithms()) names.emplace_back(each->name);
  return names;
}

std::uint8_t algorithm_number(std::string_view name) {
  const auto& all = algorithms();
  const auto it = std::find_if(all.begin(), all.end(), [&](const Algorithm* each) { return each->name == name; });
  return it == all.end() ? std::uint8_t{0} : static_cast<std::uint8_t>(it - all.begin() + 1);
}

std::string_view algorithm_name(std::uint8_t number) {
  return number == 0 ? std::string_view() : std::string_view(algorithms().at(number - std::size_t{1})->name);
}

std::vector<std::string> protocol_names() {
  return {"ll", "ll128", "simple", "ideal"};
}

std::string lacks_switches(std::string_view algorithm, const Tuning& tuning) {
  if ((algorithm == "nvls" || algorithm == "nvls_tree") && !tuning.in_switch_reduction)
    return std::string(algorithm) +
           " needs a scale-up switch that adds (NVLink SHARP, Hopper and later), this cluster has none "
           "(scale_up.in_switch_reduction: false); ring and tree run on any";
  if (algorithm == "collnet" && !tuning.fabric_reduction)
    return "collnet needs switches between the nodes that add (SHARP), this cluster has none "
           "(scale_out.in_switch_reduction: false); ring and tree run on any";
  return "";
}

std::string unsupported(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning) {
  if (call.group.empty()) return "the group is empty";
  const auto names = protocol_names();
  if (!call.protocol.empty() && std::find(names.begin(), names.end(), call.protocol) == names.end()) {
    return "unknown protocol '" + call.protocol + "' (ll, ll128, simple, ideal)";
  }
  if (call.algorithm.empty()) return "";
  const Algorithm* algorithm = find_algorithm(call.algorithm);
  if (algorithm == nullptr) return "unknown algorithm '" + call.algorithm + "'";
  if (std::string why = lacks_switches(call.algorithm, tuning); !why.empty()) return why;
  return algorithm->unsupported(call.kind, Group(call.group, topology, call.near_nics));
}

namespace {

// One call of any size: the outline of each algorithm is drawn once.
class Planner {
 public:
  Planner(const CollectiveCall& call, const Group& group, const Tuning& tuning)
      : context_{call.kind, call.root >= 0 ? call.root : call.group.front(), group, call.chosen, call.rows},
        tuning_(tuning),
        tuner_(call.kind, group, tuning, {call.algorithm, call.protocol}) {}

  // What the library takes, the fastest of it by our times. Where a call of twice the size would then be faster, it is
  // taken for this one too: from the size on at which nothing at all is faster than half of it, down to this one.
  Choice choice(Bytes size) {
    const std::vector<Choice> open = tuner_.open(kAnySize);
    if (open.size() == 1) return open.front();
    std::vector<Timed> sizes{fastest(tuner_.takes(size), size)};
    for (Bytes twice = size * 2; twice < kEnough; twice = twice * 2) {
      if (fastest(open, twice).time >= sizes.back().time) break;
      sizes.push_back(fastest(tuner_.takes(twice), twice));
    }
    for (std::size_t i = sizes.size() - 1; i-- > 0;) {
      if (sizes[i + 1].time >= sizes[i].time) continue;
      const Bytes here{size.value << i};
      sizes[i] = {sizes[i + 1].choice, time(sizes[i + 1].choice, here)};
    }
    return sizes.front().choice;
  }
  bool like(Planner& other) {
    const auto same = [&](const Choice& open) { return outline(open.algorithm).like(other.outline(open.algorithm)); };
    return tuner_.like(other.tuner_) && std::ranges::all_of(tuner_.open(kAnySize), same);
  }
  const std::vector<LinkUse>& links(const std::string& algorithm, std::size_t phase) {
    return outline(algorithm).links(phase);
  }
  std::vector<Phase> phases(const Choice& choice, Bytes size) {
    return outline(choice.algorithm).phases(size, tuning_.of(choice.algorithm, choice.protocol));
  }

 private:
  static constexpr Bytes kEnough{std::int64_t{1} << 40}, kAnySize{std::numeric_limits<std::int64_t>::max()};
  struct Timed {
    Choice choice;
    Time time{};
  };
  Time time(const Choice& choice, Bytes size) {
    return outline(choice.algorithm).time(size, tuning_.of(choice.algorithm, choice.protocol));
  }
  Timed fastest(const std::vector<Choice>& choices, Bytes size) {
    Timed best{choices.front(), time(choices.front(), size)};
    for (std::size_t i = 1; i < choices.size(); ++i)
      if (const Time other = time(choices[i], size); other < best.time) best = {choices[i], other};
    return best;
  }
  const Outline& outline(const std::string& algorithm) {
    for (const auto& [name, drawn] : outlines_)
      if (name == algorithm) return drawn;
    auto& [name, drawn] = outlines_.emplace_back(algorithm, Outline(context_.group));
    find_algorithm(algorithm)->plan(context_, drawn);
    return drawn;
  }

  PlanContext context_;
  const Tuning& tuning_;
  Tuner tuner_;
  std::deque<std::pair<std::string, Outline>> outlines_;
};

}  // namespace

struct CallPlanner::Parts {
  Parts(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning)
      : group(call.group, topology, call.near_nics), planner(call, group, tuning) {}
  Group group;
  Planner planner;
};

CallPlanner::CallPlanner(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning) {
  if (const std::string why = unsupported(call, topology, tuning); !why.empty()) throw std::invalid_argument(why);
  parts_ = std::make_unique<Parts>(call, topology, tuning);
}
CallPlanner::~CallPlanner() = default;
CallPlanner::CallPlanner(CallPlanner&&) noexcept = default;

CollectivePlan CallPlanner::plan(Bytes bytes) {
  check(bytes.value >= 0, "a collective has negative bytes");
  const Choice choice = parts_->planner.choice(bytes);
  CollectivePlan plan{choice.algorithm, choice.protocol, {}};
  if (parts_->group.size() > 1) plan.phases = parts_->planner.phases(choice, bytes);
  return plan;
}

bool CallPlanner::like(CallPlanner& other) {
  return parts_->planner.like(other.parts_->planner);
}

const std::vector<LinkUse>& CallPlanner::links(const std::string& algorithm, std::size_t phase) {
  return parts_->planner.links(algorithm, phase);
}

CollectivePlan plan_collective(const CollectiveCall& call, const hardware::Topology& topology, const Tuning& tuning) {
  return CallPlanner(call, topology, tuning).plan(call.bytes);
}

}  // namespace orrery::network
