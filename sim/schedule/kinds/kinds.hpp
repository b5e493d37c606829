// Every schedule is one file here, one declaration below and one line in the list of kinds.cpp.
#pragma once
#include <utility>
#include <vector>

#include "orrery/schedule/placement.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::schedule::kinds {

using Build = Result<Schedule> (*)(const ScheduleRequest&);

Result<Schedule> gpipe(const ScheduleRequest& request);
Result<Schedule> one_f_one_b(const ScheduleRequest& request);
Result<Schedule> interleaved_1f1b(const ScheduleRequest& request);
Result<Schedule> eager_1f1b(const ScheduleRequest& request);
Result<Schedule> looped_bfs(const ScheduleRequest& request);
Result<Schedule> interleaved_1f1b_overlap(const ScheduleRequest& request);
Result<Schedule> zb_h1(const ScheduleRequest& request);
Result<Schedule> zb_h2(const ScheduleRequest& request);
Result<Schedule> interleaved_zb1p(const ScheduleRequest& request);
Result<Schedule> zbv(const ScheduleRequest& request);
Result<Schedule> v_half(const ScheduleRequest& request);
Result<Schedule> v_min(const ScheduleRequest& request);
Result<Schedule> zb_auto(const ScheduleRequest& request);
Result<Schedule> zb_1p(const ScheduleRequest& request);
Result<Schedule> zb_2p(const ScheduleRequest& request);
Result<Schedule> dualpipe(const ScheduleRequest& request);
Result<Schedule> dualpipev(const ScheduleRequest& request);
Result<Schedule> chimera(const ScheduleRequest& request);

// "NAME(torch)" and the request it stands for, or why PyTorch refuses it.
bool asks_for_torch(const std::string& name);
Result<ScheduleRequest> torch_rules(const ScheduleRequest& asked);

// What the builders share. Degrees are positive and chunks fit the kind when they are called.

inline Operation forward(int stage, int micro_batch, int pipe = 0) {
  return {OpKind::forward, stage, micro_batch, pipe, -1, -1, 0};
}
inline Operation backward(int stage, int micro_batch, int pipe = 0) {
  return {OpKind::backward, stage, micro_batch, pipe, -1, -1, 0};
}
inline Operation input_gradient(int stage, int micro_batch, int pipe = 0) {
  return {OpKind::input_gradient, stage, micro_batch, pipe, -1, -1, 0};
}
inline Operation weight_gradient(int stage, int micro_batch, int pipe = 0) {
  return {OpKind::weight_gradient, stage, micro_batch, pipe, -1, -1, 0};
}
inline Operation overlapped(const Operation& forward_half, const Operation& backward_half) {
  return {OpKind::overlapped,  forward_half.stage,        forward_half.micro_batch, forward_half.pipe,
          backward_half.stage, backward_half.micro_batch, backward_half.pipe};
}

inline std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}
Schedule empty_schedule(const ScheduleRequest& request, Placement placement, bool split_backward);
Diagnostic refusal(const std::string& message, const std::string& help = {});

// 1F1B of one stage a rank with `warm_up` forwards first: warm-up, then [F, B], then the backwards left.
void append_1f1b(std::vector<Operation>& order, int stage, int micro_batches, int warm_up);

}  // namespace orrery::schedule::kinds
