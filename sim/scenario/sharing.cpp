#include "sharing.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>

namespace orrery::scenario {
namespace {

using hardware::LinkId;
using hardware::LinkLevel;
using program::Call;
using program::Program;
using program::TaskId;

constexpr std::size_t kLevels = 6;

std::size_t index_of(LinkLevel level) {
  return static_cast<std::size_t>(level);
}

struct CallsOfKind {
  Int128 took = 0, alone = 0;                           // ps, over all ranks
  std::vector<std::array<std::int64_t, kLevels>> lost;  // [device] of one of its ranks, once something is lost
};

std::size_t kind_of(const Call& call) {
  return static_cast<std::size_t>(call.category) * kCollectives + static_cast<std::size_t>(call.collective);
}

class Sharing {
 public:
  Sharing(const hardware::Topology& topology, const Program& program, const engine::Timeline& timeline)
      : topology_(topology), program_(program), timeline_(timeline) {
    for (const program::Device& device : program.devices) ranks_ += static_cast<std::int64_t>(device.ranks.size());
    each_call([&](const Call& call, std::span<const program::Participant> who) { add(call, who); });
  }

  std::vector<report::SharedTransfers> result(bool fat_tree) const {
    std::vector<report::SharedTransfers> all;
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      const CallsOfKind& calls = kinds_[i];
      if (calls.took <= calls.alone) continue;
      report::SharedTransfers shared;
      shared.category = static_cast<program::Category>(i / kCollectives);
      shared.collective = static_cast<Collective>(i % kCollectives);
      shared.took_s = mean_seconds(calls.took);
      shared.alone_s = mean_seconds(calls.alone);
      name_link(i, shared);
      if (fat_tree) shared.oversubscription = oversubscription(shared.level);
      all.push_back(std::move(shared));
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.took_s - a.alone_s > b.took_s - b.alone_s; });
    return all;
  }

 private:
  double mean_seconds(Int128 ps) const {
    return static_cast<double>(ps) / static_cast<double>(ranks_ * program_.steps) / 1e12;
  }

  template <class Visit>
  void each_call(const Visit& visit) const {
    for (TaskId task = 0; task < program_.tasks(); ++task) {
      const program::TaskTemplate& t = program_.template_of(task);
      const std::span who(program_.participants.begin() + program_.participant_begin[task],
                          program_.participants.begin() + program_.participant_begin[task + 1]);
      for (std::uint32_t i = t.calls.first; i < t.calls.first + t.calls.count; ++i) {
        Call call = program_.calls[i];
        if (t.transfer != program::kNone && !timeline_.limited_by.empty()) {  // how it went, not how it was planned
          call.took = {timeline_.end[task] - timeline_.start[task]};
          call.link = timeline_.limited_by[task];
        }
        visit(call, who);
      }
    }
  }
  void add(const Call& call, std::span<const program::Participant> who) {
    CallsOfKind& calls = kinds_[kind_of(call)];
    const bool lost = call.link >= 0 && call.took > call.alone;
    if (lost && calls.lost.empty()) calls.lost.resize(program_.devices.size());
    for (const program::Participant& p : who) {
      const auto ranks = static_cast<Int128>(program_.devices[p.device].ranks.size());
      calls.took += call.took.value * ranks;
      calls.alone += call.alone.value * ranks;
      if (lost) calls.lost[p.device][level_of(call.link)] += (call.took - call.alone).value;
    }
  }
  std::size_t level_of(LinkId link) const { return index_of(topology_.links()[static_cast<std::size_t>(link)].level); }

  // The level that cost most, and its worst link to the rank that lost most there: the first of those that lost as
  // much, which stands for itself however the others are folded.
  void name_link(std::size_t of, report::SharedTransfers& shared) const {
    const CallsOfKind& calls = kinds_[of];
    std::array<Int128, kLevels> of_level{};
    for (std::size_t d = 0; d < calls.lost.size(); ++d)
      for (std::size_t level = 0; level < kLevels; ++level)
        of_level[level] += static_cast<Int128>(calls.lost[d][level]) * program_.devices[d].ranks.size();
    const auto worst = static_cast<std::size_t>(std::max_element(of_level.begin(), of_level.end()) - of_level.begin());
    shared.level = static_cast<LinkLevel>(worst);
    if (of_level[worst] == 0) return;
    const auto device = static_cast<program::DeviceIndex>(
        std::max_element(calls.lost.begin(), calls.lost.end(),
                         [&](const auto& a, const auto& b) { return a[worst] < b[worst]; }) -
        calls.lost.begin());
    std::map<LinkId, std::int64_t> lost;
    each_call([&](const Call& call, std::span<const program::Participant> who) {
      if (kind_of(call) != of || call.link < 0 || call.took <= call.alone || level_of(call.link) != worst) return;
      for (const program::Participant& p : who)
        if (p.device == device) lost[call.link] += (call.took - call.alone).value;
    });
    const auto most =
        std::max_element(lost.begin(), lost.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    shared.link = topology_.link_name(most->first);
  }

  // Bandwidth of the NICs over that of a level above them.
  double oversubscription(LinkLevel level) const {
    if (level != LinkLevel::leaf && level != LinkLevel::spine) return 0;
    double nics = 0, own = 0;
    for (const hardware::Link& link : topology_.links()) {
      if (link.level == LinkLevel::nic) nics += static_cast<double>(link.bandwidth.value);
      if (link.level == level) own += static_cast<double>(link.bandwidth.value);
    }
    return nics / own;
  }

  const hardware::Topology& topology_;
  const Program& program_;
  const engine::Timeline& timeline_;
  std::int64_t ranks_ = 0;
  std::array<CallsOfKind, program::kCategories * kCollectives> kinds_;
};

// Bytes per second of each level over time, from the changes of rates. Whole numbers, so that what ends leaves nothing.
class LevelLoads {
 public:
  LevelLoads(const hardware::Topology& topology, const Program& program, const engine::Timeline& timeline,
             std::vector<report::LevelUse>& use, const std::array<double, kLevels>& capacity)
      : links_(topology.links()), program_(program), timeline_(timeline), use_(use), capacity_(capacity) {
    at_.fill(use.size());
    for (std::size_t i = 0; i < use.size(); ++i) at_[index_of(use[i].level)] = i;
    for (const program::Transfer& transfer : program.transfers) {
      first_phase_.push_back(multiplicity_.size());
      for (const network::Phase& phase : transfer.phases) {
        auto& sums = multiplicity_.emplace_back();
        for (const network::LinkUse use_of : phase.links)
          sums[index_of(links_[static_cast<std::size_t>(use_of.link)].level)] += use_of.multiplicity;
      }
    }
    phase_.assign(program.tasks(), 0);
    rate_.assign(program.tasks(), 0);
  }

  void play(const std::vector<network::RateChange>& changes) {
    for (report::LevelUse& use : use_) use.samples.push_back({0, 0});
    for (std::size_t i = 0; i < changes.size(); ++i) {
      apply(changes[i]);
      if (i + 1 == changes.size() || changes[i + 1].at != changes[i].at) sample(changes[i].at.value);
    }
  }

 private:
  void apply(const network::RateChange& change) {
    const auto task = static_cast<std::size_t>(change.tag);
    const auto rate =
        change.rate == 0 ? std::int64_t{0} : static_cast<std::int64_t>(std::clamp(change.rate, 1.0, 1e15));
    const std::uint32_t of = program_.transfer_of(static_cast<TaskId>(task), {timeline_.start[task]});
    const auto& sums = multiplicity_[first_phase_[of] + phase_[task]];
    for (std::size_t level = 0; level < kLevels; ++level) load_[level] += sums[level] * (rate - rate_[task]);
    rate_[task] = rate;
    if (change.ended) ++phase_[task];
  }
  void sample(std::int64_t time) {
    for (std::size_t level = 0; level < kLevels; ++level) {
      if (at_[level] == use_.size()) continue;
      auto& samples = use_[at_[level]].samples;
      const double fraction = static_cast<double>(load_[level]) / capacity_[level];
      if (samples.back().time == time) samples.pop_back();
      if (samples.empty() || samples.back().fraction != fraction) samples.push_back({time, fraction});
    }
  }

  const std::vector<hardware::Link>& links_;
  const Program& program_;
  const engine::Timeline& timeline_;
  std::vector<report::LevelUse>& use_;
  const std::array<double, kLevels>& capacity_;
  std::array<std::size_t, kLevels> at_{};
  std::vector<std::size_t> first_phase_;                         // [transfer]
  std::vector<std::array<std::int64_t, kLevels>> multiplicity_;  // of each phase of each transfer
  std::vector<std::uint16_t> phase_;                             // [task]
  std::vector<std::int64_t> rate_;                               // [task] bytes per second now
  std::array<std::int64_t, kLevels> load_{};
};

}  // namespace

std::vector<report::SharedTransfers> shared_transfers(const Scenario& s, const hardware::Topology& topology,
                                                      const program::Program& program,
                                                      const engine::Timeline& timeline) {
  const bool fat_tree = s.cluster.graph.cables.empty() && s.cluster.scale_out.fabric == hardware::FabricKind::fat_tree;
  return Sharing(topology, program, timeline).result(fat_tree);
}

std::vector<report::LevelUse> link_use(const hardware::Topology& topology, const program::Program& program,
                                       const engine::Timeline& timeline) {
  std::array<double, kLevels> capacity{}, bytes{};
  for (std::size_t l = 0; l < timeline.carried.size(); ++l) {
    if (timeline.carried[l].value == 0) continue;
    const hardware::Link& link = topology.links()[l];
    capacity[index_of(link.level)] += static_cast<double>(link.bandwidth.value);
    bytes[index_of(link.level)] += static_cast<double>(timeline.carried[l].value);
  }
  std::vector<report::LevelUse> use;
  for (std::size_t level = 0; level < kLevels; ++level)
    if (capacity[level] > 0)
      use.push_back({static_cast<LinkLevel>(level), bytes[level] / capacity[level] / seconds(timeline.makespan), {}});
  if (!timeline.rates.empty()) LevelLoads(topology, program, timeline, use, capacity).play(timeline.rates);
  return use;
}

}  // namespace orrery::scenario
