#include "faults.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "format.hpp"

namespace orrery::report {
namespace {

std::size_t ranks_of(const RunResult& run, const std::vector<const Fault::Late*>& late) {
  std::size_t ranks = 0;
  for (const Fault::Late* of : late) ranks += run.program.devices[of->device].ranks.size();
  return ranks;
}

// "15 GPUs wait for it, rank 2 first, from 201 ms on, and rank 1 most, for 81 ms at a time"
std::string who_waits(const RunResult& run, const Fault& fault) {
  std::vector<const Fault::Late*> waiting;
  for (const Fault::Late& late : fault.late)
    if (!late.itself) waiting.push_back(&late);
  if (waiting.empty()) return "nobody waits for it";
  const Fault::Late& most = **std::ranges::max_element(waiting, {}, [](const Fault::Late* late) { return late->most; });
  const std::size_t ranks = ranks_of(run, waiting);
  const auto first = [&](const Fault::Late& late) { return run.program.devices[late.device].ranks.front(); };
  return fmt::format("{} GPU{} wait{} for it, that of rank {} first (from {} on), that of rank {} longest ({})", ranks,
                     ranks == 1 ? "" : "s", ranks == 1 ? "s" : "", first(*waiting.front()),
                     time_text(waiting.front()->from.value), first(most), time_text(most.most.value));
}

}  // namespace

std::string fault_name(const Fault& fault) {
  std::string text = fault.what + " from " + time_text(fault.from.value);
  return fault.until ? text + " until " + time_text(fault.until->value) : text + " on";
}

std::string fault_text(const RunResult& run, const Fault& fault) {
  const Time step = run.timeline.step_time;
  if (fault.from >= step)
    return fmt::format(" it begins after the step has ended ({}) and changes nothing.", time_text(step.value));
  if (fault.without.value == 0) return " the step was not played without it.";
  if (fault.late.empty()) return " nothing that runs meanwhile is slower for it.";
  const std::int64_t cost = (step - fault.without).value;
  const double part = static_cast<double>(cost) / static_cast<double>(fault.without.value);
  std::string text = cost == 0 ? fmt::format(" the step takes no longer for it ({})", time_text(step.value))
                               : fmt::format(" the step takes {} ({}) longer than without it ({})", time_text(cost),
                                             percent_text(part), time_text(fault.without.value));
  Time last{};
  for (const Fault::Late& late : fault.late) last = std::max(last, late.until);
  return text + fmt::format("; {}; the last task that it makes late ends at {}.", who_waits(run, fault),
                            last >= step ? "the end of the step" : time_text(last.value));
}

nlohmann::ordered_json faults_json(const RunResult& run) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Fault& fault : run.faults) {
    nlohmann::ordered_json late = nlohmann::ordered_json::array();
    for (const Fault::Late& of : fault.late)
      late.push_back({{"ranks", run.program.devices[of.device].ranks},
                      {"itself", of.itself},
                      {"most_s", seconds(of.most)},
                      {"from_s", seconds(of.from)},
                      {"until_s", seconds(of.until)}});
    nlohmann::ordered_json object{{"what", fault.what}, {"from_s", seconds(fault.from)}};
    if (fault.until) object["until_s"] = seconds(*fault.until);
    if (fault.without.value > 0) object["step_without_s"] = seconds(fault.without);
    object["late"] = std::move(late);
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace orrery::report
