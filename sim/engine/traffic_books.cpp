#include <fmt/format.h>

#include <algorithm>

#include "orrery/core/error.hpp"
#include "orrery/engine/account.hpp"

namespace orrery::engine {
namespace {

using namespace program;
using Mistakes = std::vector<std::string>;

void check_call(const Call& call, TemplateId of, Mistakes& wrong) {
  const network::Traffic& t = call.traffic;
  const auto say = [&](const std::string& what) {
    wrong.push_back(fmt::format("{} of template {} {}", name_of(call.collective), of, what));
  };
  if (t.sent != t.received && !t.switches_add)
    say(fmt::format("sends {} bytes and receives {}", t.sent.value, t.received.value));
  if (t.sent < t.must_send || t.received < t.must_receive)
    say(fmt::format("sends {} bytes and receives {}, it must {} and {}", t.sent.value, t.received.value,
                    t.must_send.value, t.must_receive.value));
  if (call.took < call.alone || call.alone < t.wire)
    say(fmt::format("takes {} ps, alone {} ps, its links at full rate {} ps", call.took.value, call.alone.value,
                    t.wire.value));
}

// The longest that the calls of one kind of a template need on the wire: each kind has a lane of its own.
std::int64_t wire_of(const Program& program, const TaskTemplate& t) {
  std::int64_t longest = 0;
  for (std::uint32_t i = t.calls.first; i < t.calls.first + t.calls.count; ++i)
    longest = std::max(longest, program.calls[i].traffic.wire.value);
  return longest;
}

struct Load {
  std::vector<Bytes> bytes;  // [link]
  std::int64_t uses = 0;     // each rounded down to whole bytes
};

// Of all transfers, or of those that end at a host or begin there.
Load load_of(const Program& program, const Timeline& timeline, std::size_t links, bool of_hosts = false) {
  std::vector<std::int64_t> times(program.transfers.size(), 0);
  for (TaskId task = 0; task < program.tasks(); ++task) {
    const TaskTemplate& t = program.template_of(task);
    if (t.transfer != kNone && (!of_hosts || t.category == Category::offload_comm))
      ++times[program.transfer_of(task, {timeline.start[task]})];
  }
  Load load{std::vector<Bytes>(links), 0};
  for (std::size_t i = 0; i < times.size(); ++i)
    for (const network::Phase& phase : program.transfers[i].phases) {
      load.uses += times[i] * std::ssize(phase.links);
      for (const network::LinkUse use : phase.links)
        load.bytes[static_cast<std::size_t>(use.link)] +=
            Bytes{checked_mul(phase.bytes.value, use.multiplicity) / phase.divisor} * times[i];
    }
  return load;
}

// What enters a NIC or switch leaves it.
void check_vertices(const std::vector<Bytes>& carried, std::int64_t tolerance, std::span<const hardware::Link> links,
                    int devices, Mistakes& wrong) {
  hardware::VertexId vertices = 0;
  for (const hardware::Link& link : links) vertices = std::max({vertices, link.from + 1, link.to + 1});
  std::vector<std::int64_t> kept(static_cast<std::size_t>(vertices), 0);
  for (std::size_t l = 0; l < links.size(); ++l) {
    kept[static_cast<std::size_t>(links[l].to)] += carried[l].value;
    kept[static_cast<std::size_t>(links[l].from)] -= carried[l].value;
  }
  for (std::size_t v = static_cast<std::size_t>(devices); v < kept.size(); ++v)
    if (kept[v] > tolerance || kept[v] < -tolerance)
      wrong.push_back(fmt::format("vertex {} of the network receives {} bytes more than it passes on", v, kept[v]));
}

// What a link can carry in [0, end), in bytes · 10^12: its bandwidth over the stretches of the step.
Int128 can_carry(const Stretches& s, const hardware::Link& link, std::size_t id, std::int64_t end) {
  Int128 sum = 0;
  for (std::size_t i = 0; i <= s.begin.size(); ++i) {
    const std::int64_t from = i == 0 ? 0 : s.begin[i - 1].value;
    const std::int64_t to = i == s.begin.size() ? end : std::min(end, s.begin[i].value);
    std::int64_t bandwidth = link.bandwidth.value;
    for (std::size_t k = 0; i > 0 && k < s.links[s.state[i - 1]].size(); ++k)
      if (const Stretches::LinkRate& rate = s.links[s.state[i - 1]][k]; rate.link == static_cast<hardware::LinkId>(id))
        bandwidth = rate.bandwidth.value;
    if (to > from) sum += Int128{bandwidth} * (to - from);
  }
  return sum;
}

void check_links(const Program& program, const Timeline& timeline, std::span<const hardware::Link> links, int devices,
                 Mistakes& wrong) {
  const Load load = load_of(program, timeline, links.size());
  const std::vector<Bytes>& expected = load.bytes;
  for (std::size_t l = 0; l < links.size(); ++l) {
    if (timeline.carried[l] != expected[l])
      wrong.push_back(fmt::format("link {} carried {} bytes, its transfers are of {}", l, timeline.carried[l].value,
                                  expected[l].value));
    const Int128 most = can_carry(program.stretches, links[l], l, timeline.makespan.value + 1) / kPicosecondsPerSecond;
    if (timeline.carried[l].value > most + most / 1'000'000'000 + 1)
      wrong.push_back(fmt::format("link {} carried {} bytes in {} ps, more than it can", l, timeline.carried[l].value,
                                  timeline.makespan.value));
  }
  const bool copies = std::any_of(program.calls.begin(), program.calls.end(),
                                  [](const Call& call) { return call.traffic.switches_add; });
  if (copies) return;
  std::vector<Bytes> passed_on = timeline.carried;
  const Load of_hosts = load_of(program, timeline, links.size(), true);
  for (std::size_t l = 0; l < links.size(); ++l) passed_on[l] = passed_on[l] - of_hosts.bytes[l];
  check_vertices(passed_on, load.uses, links, devices, wrong);
}

}  // namespace

Mistakes audit_traffic(const Program& program, const Timeline& timeline, std::span<const hardware::Link> links,
                       int devices) {
  Mistakes wrong;
  std::vector<std::int64_t> wire;
  for (TemplateId of = 0; of < program.templates.size(); ++of) {
    const TaskTemplate& t = program.templates[of];
    for (std::uint32_t i = t.calls.first; i < t.calls.first + t.calls.count; ++i)
      check_call(program.calls[i], of, wrong);
    wire.push_back(wire_of(program, t));
  }
  // From the latest to send to the last to arrive, who may have sent before: no less than any member's takes.
  for (const auto& [of, number] : program.levels.number)
    if (const auto& own = program.levels.takes[number - 1];
        program.templates[of].duration.value < std::ranges::max(own))
      wire[of] = std::min(wire[of], std::ranges::min(own));
  const auto passes = [&](TaskId task) {  // its times are held to its stretches (audit_bounds)
    return program.stretches.any() && program.stretches.pace[task] != kNone;
  };
  for (TaskId task = 0; task < program.tasks(); ++task)
    if (!passes(task) && timeline.end[task] - timeline.start[task] < wire[program.task_template[task]])
      wrong.push_back(fmt::format("task {} takes {} ps, its links at full rate {} ps", task,
                                  timeline.end[task] - timeline.start[task], wire[program.task_template[task]]));
  if (!timeline.carried.empty()) check_links(program, timeline, links, devices, wrong);
  return wrong;
}

}  // namespace orrery::engine
