// What a rank does, step by step, where messages block: operations, and exchanges of messages with other ranks.
#pragma once
#include <cstdint>
#include <vector>

#include "orrery/layout/stage_graph.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule {

// What an edge of the stage graph carries of a micro-batch, the activation or (gradient) its gradient, which `stage` of
// `pipe` made: on its way to `peer` or, if not sent, from it.
struct Message {
  std::int32_t edge = 0, stage = 0, micro_batch = 0, pipe = 0;
  bool gradient = false;
  bool sends = false;
  std::int32_t peer = 0;
};

// An operation (its position in the rank's list), or an exchange: messages that are posted together, after which the
// rank goes on when all of them are done.
struct ProgramStep {
  std::int32_t operation = -1;
  std::int32_t first_message = 0, message_count = 0;
};

struct BlockingProgram {
  std::vector<ProgramStep> steps;
  std::vector<Message> messages;
};

// The program of Megatron-LM (schedules.py). One chunk per rank, forward_backward_pipelining_without_interleaving:
// recv_forward, F, send_forward in the warm-up; F, send_forward_recv_backward, B, send_backward_recv_forward;
// recv_backward, B, send_backward at the end. Several, forward_backward_pipelining_with_interleaving: one exchange
// after each forward of the warm-up, after each pair [F, B], after each backward left, that sends what was made and
// receives what the next one needs. One chunk with the warm-up of several (eager 1F1B) is exchanged as several are.
BlockingProgram blocking_program(const Schedule& schedule, const layout::StageGraph& stages, int rank);

}  // namespace orrery::schedule
