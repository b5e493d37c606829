#include "orrery/program/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace orrery::program {
namespace {

std::uint32_t index32(std::size_t size) {
  check(size < kNone, "a Program holds fewer than 2^32 - 1 of each thing");
  return static_cast<std::uint32_t>(size);
}

template <class T>
Range append(std::vector<T>& array, std::span<const T> items) {
  const Range range{index32(array.size()), index32(items.size())};
  array.insert(array.end(), items.begin(), items.end());
  return range;
}

template <class T>
std::uint32_t append_one(std::vector<T>& array, T item) {
  array.push_back(std::move(item));
  return index32(array.size() - 1);
}

// Edges grouped by one end: the classic counting sort.
template <class Edge, class Key>
std::vector<std::uint32_t> group_begin(std::size_t tasks, const std::vector<Edge>& edges, Key key) {
  std::vector<std::uint32_t> begin(tasks + 1, 0);
  for (const Edge& e : edges) ++begin[key(e) + 1];
  for (std::size_t i = 0; i < tasks; ++i) begin[i + 1] += begin[i];
  return begin;
}

}  // namespace

// With the participants, edges and operations that tasks mostly have. Room that is not written to costs nothing; where
// there are more, the arrays grow.
void Builder::expect_tasks(double count) {
  constexpr double kMost = 1e9;
  const auto tasks = static_cast<std::size_t>(std::clamp(count, 0.0, kMost));
  program_.task_template.reserve(tasks);
  program_.participant_begin.reserve(tasks + 1);
  program_.participants.reserve(tasks + tasks / 2);
  program_.operations.reserve(tasks);
  edges_.reserve(5 * tasks / 2);
}

DeviceIndex Builder::add_device(Device device) {
  last_.insert(last_.end(), kLanes, kNone);
  return append_one(program_.devices, std::move(device));
}
Range Builder::add_segments(std::span<const Segment> segments) {
  return append(program_.segments, segments);
}
std::uint32_t Builder::add_inside(std::span<const PassPart> parts) {
  return append_one(program_.insides, append(program_.parts, parts));
}
Range Builder::add_effects(std::span<const MemoryEffect> effects) {
  return append(program_.effects, effects);
}
Range Builder::add_calls(std::span<const Call> calls) {
  return append(program_.calls, calls);
}
Range Builder::add_kernel_ends(std::span<const KernelEnd> ends) {
  return append(program_.kernel_ends, ends);
}
std::uint32_t Builder::add_transfer(Transfer transfer) {
  return append_one(program_.transfers, std::move(transfer));
}
std::uint8_t Builder::add_slowdown(Slowdown slowdown) {
  if (program_.slowdowns.empty()) program_.slowdowns.push_back({});
  check(program_.slowdowns.size() < 128, "at most 127 slowdown classes");
  return static_cast<std::uint8_t>(append_one(program_.slowdowns, slowdown));
}
TemplateId Builder::add_template(const TaskTemplate& task) {
  return append_one(program_.templates, task);
}
void Builder::begin_step(int step) {
  check(step >= 0 && step < 256, "a Program holds at most 256 steps");
  program_.steps = step + 1;
}
OperationId Builder::add_operation(Operation operation) {
  operation.step = static_cast<std::uint8_t>(program_.steps - 1);
  return append_one(program_.operations, operation);
}

TaskId Builder::last_on(DeviceIndex device, Lane lane) const {
  return last_[device * kLanes + static_cast<std::size_t>(lane)];
}

void Builder::follow_lane(DeviceIndex device, Lane lane, TaskId task) {
  TaskId& last = last_[device * kLanes + static_cast<std::size_t>(lane)];
  if (last != kNone && last != task) add_edge(last, task);
  last = task;
}

TaskId Builder::add_task(TemplateId of, std::span<const Participant> participants, Ordering ordering) {
  const TaskId task = append_one(program_.task_template, of);
  program_.participant_begin.push_back(index32(program_.participants.size()));
  append(program_.participants, participants);
  if (ordering == Ordering::by_lane) {
    const TaskTemplate& t = program_.templates[of];
    for (std::size_t i = 0; i < participants.size(); ++i)
      follow_lane(participants[i].device, i == 0 ? t.lane : t.partner_lane, task);
  }
  return task;
}
TaskId Builder::add_task(TemplateId of, Participant participant, Ordering ordering) {
  return add_task(of, std::span<const Participant>(&participant, 1), ordering);
}

void Builder::add_edge(TaskId before, TaskId after) {
  edges_.push_back({before, after});
}

Diagnostic Builder::deadlock(const std::vector<std::uint32_t>& waiting_for) const {
  const auto name = [&](TaskId task) {
    const Participant& p = program_.participant(task);
    return p.operation == kNone ? std::string(program_.templates[program_.task_template[task]].name)
                                : operation_name(program_.operations[p.operation]);
  };
  std::vector<TaskId> blocked(program_.devices.size(), kNone);
  for (TaskId task = 0; task < program_.task_template.size(); ++task)
    if (waiting_for[task] > 0) {
      TaskId& first = blocked[program_.participant(task).device];
      first = std::min(first, task);
    }
  std::string text = "deadlock:";
  for (DeviceIndex d = 0; d < blocked.size(); ++d) {
    if (blocked[d] == kNone) continue;
    const auto by = std::find_if(edges_.begin(), edges_.end(),
                                 [&](const Edge& e) { return e.after == blocked[d] && waiting_for[e.before] > 0; });
    text += fmt::format(" rank {} cannot start {}",
                        program_.devices[d].ranks.empty() ? 0 : program_.devices[d].ranks[0], name(blocked[d]));
    if (by != edges_.end()) text += fmt::format(" (waits for {})", name(by->before));
    text += ";";
  }
  return {.place = {}, .path = "schedule", .message = text, .help = {}, .source_line = {}};
}

// Kahn's algorithm with a stack: a chain stays together, which keeps the one-pass evaluation in cache.
// `waiting` holds how many predecessors each task still waits for; where it stays above zero there is a cycle.
std::vector<TaskId> Builder::topological_order(std::vector<std::uint32_t>& waiting) const {
  const std::size_t n = program_.task_template.size();
  const auto successor_begin = group_begin(n, edges_, [](const Edge& e) { return e.before; });
  std::vector<TaskId> successors(edges_.size());
  std::vector<std::uint32_t> fill(successor_begin.begin(), successor_begin.end() - 1);
  waiting.assign(n, 0);
  for (const Edge& e : edges_) {
    successors[fill[e.before]++] = e.after;
    ++waiting[e.after];
  }
  std::vector<TaskId> ready, order;
  order.reserve(n);
  for (std::size_t i = n; i-- > 0;)
    if (waiting[i] == 0) ready.push_back(static_cast<TaskId>(i));
  while (!ready.empty()) {
    const TaskId task = ready.back();
    ready.pop_back();
    order.push_back(task);
    for (std::uint32_t i = successor_begin[task + 1]; i-- > successor_begin[task];)
      if (--waiting[successors[i]] == 0) ready.push_back(successors[i]);
  }
  return order;
}

void Builder::renumber(const std::vector<TaskId>& order) {
  const std::size_t n = order.size();
  std::vector<TaskId> number(n);
  std::vector<TemplateId> templates(n);
  std::vector<std::uint32_t> begin{0};
  std::vector<Participant> participants;
  begin.reserve(n + 1);
  participants.reserve(program_.participants.size());
  for (std::size_t i = 0; i < n; ++i) {
    const TaskId old = order[i];
    number[old] = static_cast<TaskId>(i);
    templates[i] = program_.task_template[old];
    for (std::uint32_t j = program_.participant_begin[old]; j < program_.participant_begin[old + 1]; ++j)
      participants.push_back(program_.participants[j]);
    begin.push_back(index32(participants.size()));
  }
  program_.task_template = std::move(templates);
  program_.participants = std::move(participants);
  program_.participant_begin = std::move(begin);
  for (Edge& e : edges_) e = {number[e.before], number[e.after]};
  for (std::vector<TaskId>* tasks : {&program_.levels.together, &program_.levels.in_part}) {
    if (program_.levels.number.empty()) tasks->clear();
    for (TaskId& task : *tasks) task = number[task];
    std::ranges::sort(*tasks);
  }
}

Result<Program> Builder::finish() {
  program_.participant_begin.push_back(index32(program_.participants.size()));
  if (program_.slowdowns.empty()) program_.slowdowns.push_back({});
  std::vector<std::uint32_t> waiting;
  const std::vector<TaskId> order = topological_order(waiting);
  if (order.size() != program_.task_template.size()) return deadlock(waiting);
  renumber(order);

  program_.predecessor_begin = group_begin(order.size(), edges_, [](const Edge& e) { return e.after; });
  program_.predecessors.resize(edges_.size());
  std::vector<std::uint32_t> fill(program_.predecessor_begin.begin(), program_.predecessor_begin.end() - 1);
  for (const Edge& e : edges_) program_.predecessors[fill[e.after]++] = e.before;
  Program result = std::move(program_);
  *this = Builder();
  return result;
}

}  // namespace orrery::program
