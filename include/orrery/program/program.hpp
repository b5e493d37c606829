// The Program: a training step as a graph of tasks in flat arrays. Everything before it produces it, everything after
// it consumes it, nothing passes around it. Where work crosses the boundary between steps it holds several steps, and
// the step time is from the end of the first to the end of the second.
//
// A task starts when its last predecessor has ended; edges are the only ordering. A task is work on one device or a
// transfer among several (one message, or one collective). What tasks share (duration, category, memory effects) stands
// once in a template; no text is kept per task. Task ids are a topological order of the edges.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "orrery/core/units.hpp"
#include "orrery/layout/memory_class.hpp"
#include "orrery/layout/rank_grid.hpp"
#include "orrery/network/traffic.hpp"

namespace orrery::program {

using TaskId = std::uint32_t;
using TemplateId = std::uint32_t;
using DeviceIndex = std::uint32_t;  // a simulated device: one rank, or a class of ranks that are provably alike
using OperationId = std::uint32_t;
inline constexpr std::uint32_t kNone = 0xffffffff;

// Where an instant of a device goes in the split of the step; in this order the first that holds wins.
enum class Category : std::uint8_t {
  compute,
  recompute,
  optimizer,
  tensor_comm,
  context_comm,
  expert_comm,
  data_comm,
  pipeline_comm,
  offload_comm,   // to and from the memory of the host
  cpu_optimizer,  // the update on the host
  host,
  bubble
};
inline constexpr std::size_t kCategories = 12;
inline constexpr std::array<std::string_view, kCategories> kCategoryNames{
    "compute",   "recompute",     "optimizer",    "tensor_comm",   "context_comm", "expert_comm",
    "data_comm", "pipeline_comm", "offload_comm", "cpu_optimizer", "host",         "bubble"};
constexpr bool is_work(Category c) {
  return c <= Category::optimizer;
}
constexpr bool is_transfer(Category c) {
  return c >= Category::tensor_comm && c <= Category::offload_comm;
}

// What goes beside the passes; the others are steps of them.
constexpr bool is_beside_passes(Category c) {
  return c >= Category::data_comm && c <= Category::cpu_optimizer;
}

// In-order queues of a device, like CUDA streams; an open list.
enum class Lane : std::uint8_t {
  compute,
  tensor,
  context,
  pipeline_send,
  pipeline_receive,
  data,
  replicas,
  host,
  expert,
  expert_tensor,
  expert_data,
  expert_replicas,
  to_host,
  from_host,
  cpu
};
inline constexpr std::size_t kLanes = 15;
inline constexpr std::array<std::string_view, kLanes> kLaneNames{
    "compute",     "tensor",          "context", "pipeline send", "pipeline receive",
    "data",        "data replicas",   "host",    "expert",        "expert tensor",
    "expert data", "expert replicas", "to host", "from host",     "cpu"};

using layout::MemoryClass;
inline constexpr std::size_t kMemoryClasses = 7;
inline constexpr std::array<std::string_view, kMemoryClasses> kMemoryClassNames{
    "weights", "gradients", "optimizer", "activations", "buffers", "context", "other"};
using MemoryByClass = std::array<std::int64_t, kMemoryClasses>;

// What a person calls the thing a device does: F3, B3, the optimizer step, a message. Names are made when asked for.
enum class Activity : std::uint8_t {
  forward,
  backward,
  input_gradient,
  weight_gradient,
  overlapped,
  optimizer,
  send_forward,
  send_backward,
  gradient_reduce,
  parameter_gather,
  embedding_reduce,
  gradient_norm,
  step,
  host,
  validation,  // of the optimizer of the step before (post-validation)
  offload,     // to the host
  fetch,       // from there
  cpu_optimizer
};

// One inner part of a block: from the end of the part before it to `end` (offset from the start of the task).
struct Segment {
  Time end{};
  Category category = Category::compute;
};

// A step of a pass within its task, for those who look inside: offsets from the start of the task. The layer counts
// from the first of the stage.
inline constexpr std::int32_t kEmbeddingLayer = -1, kHeadLayer = -2, kNoLayer = -3;
struct PassPart {
  Time start{}, end{};
  const char* name = "";
  Category category = Category::compute;
  Lane lane = Lane::compute;
  bool backward = false;  // of an overlapped operation: of its backward half
  Collective collective = Collective::all_reduce;
  std::uint8_t algorithm = 0;  // network::algorithm_name; 0 = none
  std::int32_t layer = kNoLayer;
  Bytes bytes_sent{};
};

// A change of a participant's memory, at an offset from the task's start, or at its end.
struct MemoryEffect {
  std::uint32_t participant = kNone;  // index among the task's participants; kNone = each of them
  bool at_end = false;
  MemoryClass memory_class = MemoryClass::activations;
  Time offset{};
  std::int64_t bytes = 0;  // > 0 allocates, < 0 frees; 0 = what ends there used `tensor`
  // Of activations: which one of the stage and micro-batch it is; −1 = not told apart.
  std::int32_t tensor = -1;
  bool backward = false;  // of a backward pass: in an overlapped operation, of its backward half
};

// A transfer as the network sees it; its template's duration is what it takes where nothing is shared with it.
struct Transfer {
  std::vector<network::Phase> phases;
};

// A communication call of a task (of a fused block: all its calls of one kind together): what it takes, what it would
// take if it shared no link, and the link that cost it most. Under network.mode flows both are its time when alone; how
// long it took stands in the timeline.
struct Call {
  Category category = Category::tensor_comm;
  Collective collective = Collective::all_reduce;
  Time took{}, alone{};
  hardware::LinkId link = -1;
  std::uint8_t algorithm = 0;  // network::algorithm_name; 0 = none
  bool stands = false;         // it crosses a link that is down for a part of the step
  network::Traffic traffic{};
};

// A range of one of the Program's shared arrays.
struct Range {
  std::uint32_t first = 0, count = 0;
};

struct TaskTemplate {
  Time duration{};  // nominal; of a transfer, its time when alone
  Category category = Category::compute;
  Lane lane = Lane::compute;          // of the first participant
  Lane partner_lane = Lane::compute;  // of the others (a message: send → receive)
  std::uint8_t slowdown_class = 0;    // index of Program::slowdowns; 0 = never slowed
  // Templates of one number have the same effects, in whatever Program of this process (fused blocks); 0 = not told.
  std::uint32_t same_effects = 0;
  const char* name = "";  // of an unfused step ("qkv"); static text
  Range segments;         // of a fused block; empty = all one category
  Range effects;
  std::uint32_t transfer = kNone;  // index of Program::transfers
  std::uint32_t inside = kNone;    // of a pass or a step of one: index of Program::insides
  Bytes bytes_sent{};  // by each participant of a collective (of unlike rows their mean), by the first of a message
  Range calls;
  Range steps;  // of a slowdown class: of Program::kernel_ends
};

// While communication is in flight on the device, work of the class takes numerator/denominator of its time.
struct Slowdown {
  std::int32_t numerator = 1, denominator = 1;
  std::int64_t slowed(std::int64_t alone) const { return ceil_div(checked_mul(alone, numerator), denominator); }
  // Of the work, what is done in so long.
  std::int64_t done(std::int64_t slowed) const { return checked_mul(slowed, denominator) / numerator; }
};

// When a step of slowable work ends, from the start of its task: if nothing slows it, and if something does throughout.
// Kernels follow one another, each slowed by itself; a call among them takes as long either way.
struct KernelEnd {
  std::int64_t alone = 0, slowed = 0;
};

// Something a device does, made of one or more tasks: F of micro-batch 3 through stage 2.
struct Operation {
  DeviceIndex device = 0;
  Activity activity = Activity::forward;
  std::uint8_t pipe = 0;
  std::int32_t stage = 0;
  std::int32_t micro_batch = -1;
  std::uint8_t step = 0;  // set by the builder
  // The backward half of an overlapped operation; the fields above are its forward half.
  std::uint8_t backward_pipe = 0;
  std::int32_t backward_stage = -1;
  std::int32_t backward_micro_batch = -1;
};

struct Participant {
  DeviceIndex device = 0;
  OperationId operation = kNone;
};

struct Device {
  std::vector<std::int32_t> ranks;  // the ranks it stands for, ascending
  layout::Coordinates at;           // of the lowest of them
  MemoryByClass resident{};         // held before the first and after the last task
  std::int64_t lacks = 0;           // bytes that its GPU has less than the run's largest
  MemoryByClass on_host{};          // likewise, in the memory of its host
  int pipeline_rank() const { return at[layout::Dimension::pipeline]; }  // that of all of them
};

// Where not all is as quick from the start of the last step to its end: the times of its stretches, in each of which a
// task takes what it would in a step that is like that throughout. What is done of it when a stretch ends stays done.
struct Stretches {
  static constexpr Time kStands{-1};  // no part of it is done meanwhile
  std::vector<Time> begin;            // ascending; until the first all is as the templates say: state 0
  std::vector<std::uint32_t> state;   // [stretch]
  std::uint32_t states = 1;
  std::vector<std::uint32_t> pace;  // [task] kNone = as its template says in all of them
  std::vector<Time> takes;          // [pace · states + state]
  struct LinkRate {
    hardware::LinkId link = 0;
    BytesPerSecond bandwidth{};  // 0 = it stands
  };
  std::vector<std::vector<LinkRate>> links;  // [state] those that are not as in state 0
  std::vector<std::uint32_t> transfers;      // [pace · states + state] index of Program::transfers; kNone = none
  bool any() const { return !begin.empty(); }
  std::size_t begun(Time by) const;  // how many have begun by then
  // Of the last of so many that have begun.
  std::uint32_t state_behind(std::size_t begun) const { return begun == 0 ? 0 : state[begun - 1]; }
};

struct Program {
  std::vector<Device> devices;
  std::vector<TaskTemplate> templates;
  std::vector<Segment> segments;
  std::vector<PassPart> parts;
  std::vector<Range> insides;  // of parts; of a single one: the whole task, however long it takes
  std::vector<MemoryEffect> effects;
  std::vector<Transfer> transfers;
  std::vector<Call> calls;
  std::vector<Slowdown> slowdowns;
  std::vector<KernelEnd> kernel_ends;
  std::vector<Operation> operations;
  int steps = 1;  // of training, each with its operations

  // Per task, in topological order.
  std::vector<TemplateId> task_template;
  std::vector<std::uint32_t> participant_begin;  // size tasks + 1
  std::vector<Participant> participants;
  std::vector<std::uint32_t> predecessor_begin;  // size tasks + 1
  std::vector<TaskId> predecessors;

  Stretches stretches;  // where something is slow or down for a part of the step

  // Messages that are taken for as slow as the slowest of their team's.
  struct Levels {
    std::vector<std::vector<std::int64_t>> takes;              // [number − 1][member of the team] ps of its own
    std::vector<std::pair<TemplateId, std::uint32_t>> number;  // of such a message
    std::vector<TaskId> together;                              // tasks that all of a team end at once, ascending
    std::vector<TaskId> in_part;  // that those of its members end at once that are of a kind
    std::size_t kinds = 1;        // of members: their number modulo this
  };
  Levels levels;

  std::size_t tasks() const { return task_template.size(); }
  const TaskTemplate& template_of(TaskId task) const { return templates[task_template[task]]; }
  const Participant& participant(TaskId task, std::uint32_t i = 0) const {
    return participants[participant_begin[task] + i];
  }
  std::int64_t ranks() const;
  // Of a task that starts then, to its end: index of `transfers`, or kNone.
  std::uint32_t transfer_of(TaskId task, Time start) const;
};

}  // namespace orrery::program
