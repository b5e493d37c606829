// The tasks of a pass: cut where collectives of the gradient group begin or end, and where the host reads what the
// device made; each piece fused or step by step.
#include <algorithm>
#include <array>

#include "block.hpp"
#include "dimension_calls.hpp"
#include "pass_clock.hpp"
#include "pipeline_lowering.hpp"

namespace orrery::program {

void PipelineLowering::emit_pass(const Team& team, const std::vector<std::vector<DataCall>>& calls) {
  std::vector<std::uint32_t> cuts{0, static_cast<std::uint32_t>(pass_[team.members.front()]->steps.size())};
  const bool slowable =
      input_.slowdown_class != 0 && !calls.empty() &&
      std::ranges::any_of(calls.front(), [](const DataCall& c) { return c.move == DataCall::Move::none; });
  for (const auto& of_member : calls)
    for (const DataCall& c : of_member) cuts.push_back(c.position);
  std::sort(cuts.begin(), cuts.end());
  const std::vector<std::uint32_t> of_calls = cuts;
  const std::vector<std::uint32_t>& reads = pass_[team.members.front()]->host_reads;
  cuts.insert(cuts.end(), reads.begin(), reads.end());
  std::inplace_merge(cuts.begin(), cuts.end() - static_cast<std::ptrdiff_t>(reads.size()), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  const bool gathers = std::ranges::any_of(
      calls, [](const std::vector<DataCall>& of_member) { return std::ranges::any_of(of_member, &DataCall::gather); });
  std::vector<Ahead> issued(calls.size());  // gathers of each member so far
  for (std::size_t i = 0; i + 1 < cuts.size() || i == 0; ++i) {
    for (std::size_t m = 0; gathers && m < calls.size(); ++m)
      gather_before(team.members[m], calls[m], cuts[i], issued[m]);
    if (i + 1 >= cuts.size()) break;
    for (const DeviceIndex d : team.members) wait_for_copies(d);
    emit_piece(team, cuts[i], cuts[i + 1], slowable);
    const bool by_call = std::binary_search(of_calls.begin(), of_calls.end(), cuts[i + 1]);
    const bool read = std::binary_search(reads.begin(), reads.end(), cuts[i + 1]);
    for (const DeviceIndex d : team.members) {
      if (by_call) history_[d].push_back(waits_[d].front());
      if (read) host_waits_[d].push_back(waits_[d].front());
    }
    for (std::size_t m = 0; m < calls.size(); ++m) reduce_after(team, m, calls[m], cuts[i + 1]);
  }
}

// How long kernels take that traffic beside them may slow is known only as they are played. One after another they are
// one task all the same; with calls beside them each is its own.
void PipelineLowering::emit_piece(const Team& team, std::uint32_t begin, std::uint32_t end, bool slowable) {
  slowable_ = slowable;
  if (input_.fuse && team.alike) {
    const Fused& f = fused(*pass_[team.members.front()], begin, end);
    if (!slowable || f.chain) return emit_fused(team.members, f);
  }
  emit_steps(team, begin, end);
}

// The new task waits for all the device's open inputs and becomes the one the next waits for.
void PipelineLowering::add_after(TaskId task, DeviceIndex device) {
  for (const TaskId before : waits_[device])
    if (before != kNone && before != task) builder_.add_edge(before, task);
  waits_[device].assign(1, task);
}

const PipelineLowering::Fused& PipelineLowering::fused(const Pass& pass, std::uint32_t begin, std::uint32_t end) {
  const FusedKey key{&pass, begin, end, slowable_};
  if (const auto it = fused_.find(key); it != fused_.end()) return it->second;
  const Block& block = block_of(pass, begin, end);
  const auto steps = std::span(pass.steps).subspan(begin, end - begin);
  const bool chain = std::ranges::none_of(steps, runs_beside);
  TaskTemplate t;
  t.duration = block.duration;
  t.category = block.segments.empty() ? Category::compute : block.segments.front().category;
  t.name = "pass";
  t.segments = builder_.add_segments(block.segments);
  t.effects = builder_.add_effects(block.effects);
  t.same_effects = block.number;
  t.calls = builder_.add_calls(block.calls);
  if (pass.inside) t.inside = builder_.add_inside(block.parts);
  if (slowable_ && chain) {
    t.slowdown_class = input_.slowdown_class;
    t.steps = builder_.add_kernel_ends(ends_of_chain(steps, builder_.slowdown(input_.slowdown_class)));
  }
  TaskTemplate host;
  host.category = Category::host;
  host.lane = host.partner_lane = Lane::host;
  host.name = "launch";
  Fused result{builder_.add_template(t), 0, 0, (block.host_before + block.host_after).value > 0, chain};
  host.duration = block.host_before;
  result.host_before = builder_.add_template(host);
  host.duration = block.host_after;
  result.host_after = builder_.add_template(host);
  return fused_.emplace(key, result).first->second;
}

// The host's part before a piece starts; it begins when the host is free and what it waits for has arrived.
void PipelineLowering::launch_before(TemplateId host, DeviceIndex device) {
  const TaskId launch = builder_.add_task(host, Participant{device, kNone});
  for (const TaskId message : host_waits_[device]) builder_.add_edge(message, launch);
  host_waits_[device].clear();
  waits_[device].push_back(launch);
}

void PipelineLowering::emit_fused(const std::vector<DeviceIndex>& members, const Fused& f) {
  std::vector<Participant> participants;
  for (const DeviceIndex d : members) {
    participants.push_back({d, operation_[d]});
    if (f.has_host) launch_before(f.host_before, d);
  }
  const TaskId task = builder_.add_task(f.task, participants);
  for (const DeviceIndex d : members) {
    add_after(task, d);
    if (f.has_host) builder_.add_task(f.host_after, Participant{d, kNone});
  }
}

// The launch of one step, ahead of the device.
TaskId PipelineLowering::launch_ahead(DeviceIndex device, Time launch) {
  const auto [it, fresh] = ahead_.try_emplace(launch.value);
  if (fresh)
    it->second = builder_.add_template(
        {launch, Category::host, Lane::host, Lane::host, 0, 0, "launch", {}, {}, kNone, kNone, {}, {}, {}});
  const TaskId task = builder_.add_task(it->second, Participant{device, kNone});
  for (const TaskId message : host_waits_[device]) builder_.add_edge(message, task);
  host_waits_[device].clear();
  return task;
}

// A blocking launch: time of the host in the device's own order.
TaskId PipelineLowering::blocking_launch(DeviceIndex device, Time launch, const std::vector<std::uint32_t>& before) {
  const auto [it, fresh] = launches_.try_emplace(launch.value);
  if (fresh)
    it->second = builder_.add_template(
        {launch, Category::host, Lane::compute, Lane::compute, 0, 0, "launch", {}, {}, kNone, kNone, {}, {}, {}});
  const TaskId task = builder_.add_task(it->second, Participant{device, operation_[device]});
  follow(before, task, device);
  return task;
}

TemplateId PipelineLowering::step_template(const Pass& pass, std::uint32_t index) {
  const TimedStep& s = pass.steps[index];
  const bool slowed = slowable_ && is_work(s.category);
  std::vector<TemplateId>& known = steps_[&pass][slowed ? 1 : 0];
  if (known.empty()) known.assign(pass.steps.size(), kNone);
  if (known[index] != kNone) return known[index];
  std::vector<MemoryEffect> effects;
  for (const MemoryChange& m : s.memory)
    effects.push_back({kNone, m.at_end, m.memory_class, {}, m.bytes.value, m.tensor, s.backward});
  TaskTemplate t{s.duration,
                 s.category,
                 s.lane,
                 s.lane,
                 slowed ? input_.slowdown_class : std::uint8_t{0},
                 0,
                 s.name,
                 {},
                 builder_.add_effects(effects),
                 s.transfer == nullptr ? kNone : builder_.add_transfer(*s.transfer),
                 builder_.add_inside(std::array{part_of(s, {}, s.duration)}),
                 s.bytes_sent,
                 s.lane == Lane::compute ? Range{} : builder_.add_calls({&s.call, 1}),
                 {}};
  if (slowed)
    t.steps = builder_.add_kernel_ends(
        std::array{KernelEnd{s.duration.value, builder_.slowdown(t.slowdown_class).slowed(s.duration.value)}});
  return known[index] = builder_.add_template(t);
}

// Members of unlike passes (experts of unlike loads) hold unlike tensors beside a call, which takes them all as long.
TemplateId PipelineLowering::call_template(const std::vector<DeviceIndex>& group, std::uint32_t index) {
  if (group.size() == 1) return step_template(*pass_[group.front()], index);
  std::vector<const Pass*> passes;
  for (const DeviceIndex d : group) passes.push_back(pass_[d]);
  const Pass& first = *passes.front();
  const auto alike = [&](const Pass* pass) {
    return pass == &first || std::ranges::equal(pass->steps[index].memory, first.steps[index].memory,
                                                [](const MemoryChange& a, const MemoryChange& b) {
                                                  return a.bytes == b.bytes && a.tensor == b.tensor;
                                                });
  };
  if (std::ranges::all_of(passes, alike)) return step_template(first, index);
  const auto [it, fresh] = calls_.try_emplace({passes, index});
  if (!fresh) return it->second;
  std::vector<MemoryEffect> effects;
  for (std::uint32_t member = 0; member < passes.size(); ++member) {
    const TimedStep& s = passes[member]->steps[index];
    check(s.duration == first.steps[index].duration, "a call takes its members unlike times");
    for (const MemoryChange& m : s.memory)
      effects.push_back({member, m.at_end, m.memory_class, {}, m.bytes.value, m.tensor, s.backward});
  }
  TaskTemplate t = builder_.template_at(step_template(first, index));
  t.effects = builder_.add_effects(effects);
  return it->second = builder_.add_template(t);
}

// The host's part of a piece is that of the fused one where the members go in lockstep. Else each step waits for its
// own launch: a member that begins when the host is sure to be ahead of its own steps would begin the sooner, and with
// it those that its calls wait for, the longer its last steps take.
void PipelineLowering::emit_steps(const Team& team, std::uint32_t begin, std::uint32_t end) {
  std::vector<std::vector<DeviceIndex>> alone;
  launch_steps_ = !team.alike;
  for (const DeviceIndex d : team.members) {
    alone.push_back({d});
    step_tasks_[d].clear();
    if (launch_steps_) continue;
    const Fused& f = fused(*pass_[d], begin, end);
    if (f.has_host) launch_before(f.host_before, d);
  }
  PassOrder order;
  for (std::uint32_t i = begin; i < end; ++i) {
    const TimedStep& step = pass_[team.members.front()]->steps[i];
    for (const auto& group : step.lane == Lane::compute ? alone : team.groups[dimension_of(step.lane)]) {
      if (!team.alike && step.beside > 0 && step.lane == Lane::context) meet(group, order.before_next());
      emit_step(group, i, order.before_next());
    }
    order.take(step);
  }
  const std::vector<std::uint32_t>& last = order.before_end();
  for (const DeviceIndex d : team.members) {
    TaskId exit = last.size() == 1 ? step_tasks_[d][last.front()] : kNone;
    if (exit == kNone) follow(last, exit = builder_.add_task(join_, Participant{d, operation_[d]}), d);
    waits_[d].assign(1, exit);
    if (launch_steps_) continue;
    const Fused& f = fused(*pass_[d], begin, end);
    if (f.has_host) builder_.add_task(f.host_after, Participant{d, kNone});
  }
}

void PipelineLowering::emit_step(const std::vector<DeviceIndex>& group, std::uint32_t index,
                                 const std::vector<std::uint32_t>& before) {
  const TimedStep& s = pass_[group.front()]->steps[index];
  participants_.clear(), blocking_.clear(), launched_.clear();
  for (const DeviceIndex d : group) {
    participants_.push_back({d, operation_[d]});
    if (s.before.value > 0) blocking_.push_back(blocking_launch(d, s.before, before));
    if (launch_steps_ && s.launch.value > 0) launched_.push_back(launch_ahead(d, s.launch));
  }
  const TaskId task = builder_.add_task(call_template(group, index), participants_);
  for (const TaskId launch : launched_) builder_.add_edge(launch, task);
  for (std::size_t m = 0; m < group.size(); ++m) {
    if (blocking_.empty())
      follow(before, task, group[m]);
    else
      builder_.add_edge(blocking_[m], task);
    step_tasks_[group[m]].push_back(task);
  }
}

// What is computed beside an exchange of keys and values needs those of the others: nobody begins before all do.
void PipelineLowering::meet(const std::vector<DeviceIndex>& group, const std::vector<std::uint32_t>& before) {
  participants_.clear();
  for (const DeviceIndex d : group) participants_.push_back({d, operation_[d]});
  const TaskId all = builder_.add_task(join_, participants_);
  for (const DeviceIndex d : group) {
    follow(before, all, d);
    for (const std::uint32_t step : before)
      if (step == PassOrder::kBefore)
        waits_[d].assign(1, all);
      else
        step_tasks_[d][step] = all;
  }
}

// Edges to a task from those of the steps of its piece that it follows.
void PipelineLowering::follow(const std::vector<std::uint32_t>& steps, TaskId task, DeviceIndex device) {
  for (const std::uint32_t step : steps) {
    if (step != PassOrder::kBefore) {
      builder_.add_edge(step_tasks_[device][step], task);
      continue;
    }
    for (const TaskId before : waits_[device])
      if (before != kNone) builder_.add_edge(before, task);
  }
}

}  // namespace orrery::program
