// Plays a Program. Two ways that agree to the picosecond where both apply:
//   one pass   start(task) = max over predecessors of end, in topological order; nothing may depend on what else runs;
//   events     a queue ordered by (time, class, task id); needed where transfers share links or slow down work.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "orrery/hardware/topology.hpp"
#include "orrery/network/transfer.hpp"
#include "orrery/program/program.hpp"

namespace orrery::engine {

// How PyTorch's caching allocator takes memory of the GPU: engine/allocator.hpp, engine/expandable.hpp.
enum class Segments : std::uint8_t { fixed, expandable };

// A leg of a task that traffic slowed for a part of it: at one speed from step `first` of it on, so that step i ends at
// `base` plus its KernelEnd, alone or slowed.
struct Leg {
  std::int64_t base = 0;
  std::uint32_t first = 0;
  bool slowed = false, last = false;
};

struct Timeline {
  std::vector<std::int64_t> start, end;  // ps, per task
  Time makespan{};
  Time step_time{};  // from the end of the last step but one to that of the last; of one step: the makespan
  std::int64_t events = 0;
  bool one_pass = true;
  // Of fused blocks that were slowed.
  std::vector<std::uint32_t> first_leg;  // [task] kNone = all of it as its template says; empty = of every task
  std::vector<Leg> legs;
  // Of a network that is shared (network.mode flows), else empty.
  std::vector<hardware::LinkId> limited_by;  // [task] the link that cost the transfer most; -1 = it lost nothing
  std::vector<Bytes> carried;                // [link]
  std::vector<network::RateChange> rates;    // where asked for; the tag is the task
};

// When the work of each step ended on each device: [step · devices + device].
std::vector<std::int64_t> step_ends(const program::Program& program, const Timeline& timeline);
// When the last step begins: with the end of the one before.
Time begin_of_last_step(const program::Program& program, const Timeline& timeline);
// Whether all steps to come take as long as the last, of at least four, to a millionth; of one step, always.
bool has_settled(const program::Program& program, const Timeline& timeline);

// Of messages that go for those of a team (Program::levels), the ones that took another time than they do: as long as
// that of the member which arrives last, where not all sent at once. None where the timeline does not tell.
struct MessageTime {
  program::TaskId task = 0;
  Time takes{};
};
std::optional<std::vector<MessageTime>> late_messages(const program::Program& program, const Timeline& timeline);
// Gives messages these times, to be played again.
void retime(program::Program& program, std::span<const MessageTime> messages);

// True where the one-pass evaluation is exact: no work is slowed by communication and no transfer shares a link.
bool one_pass_applies(const program::Program& program);
Timeline evaluate_one_pass(const program::Program& program);

// Plays the events. With `links`, transfers share them max-min fairly while in flight (network.mode flows); without,
// each takes the time its template says (ideal, steady). `record_rates`: keep every change of a transfer's rate.
Timeline play_events(const program::Program& program, std::span<const hardware::Link> links = {},
                     bool record_rates = false);

}  // namespace orrery::engine
