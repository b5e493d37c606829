#include "stage_costs.hpp"

#include <algorithm>
#include <set>

#include "dimension_calls.hpp"
#include "orrery/layout/alike_stages.hpp"
#include "pass_clock.hpp"

namespace orrery::program {

using layout::Dimension;
using layout::PassKind;
using layout::PassStep;

void StageCostsKey::add_to(Hash& hash) const {
  add_pointer(hash, stages);
  add_pointer(hash, communication);
  add_pointer(hash, kernels.front());
  hash.add((calls.overlap_tensor ? 1 : 0) + (calls.scatter_gather_messages ? 2 : 0));
}

// Which messages wait for which, and how gradients travel, is no matter of a pass.
cost::StackCommunication read_by_passes(const cost::StackCommunication& stack) {
  cost::StackCommunication read;
  read.overlap_tensor = stack.overlap_tensor;
  read.overlap_context = stack.overlap_context;
  read.tensor_slowdown_percent = stack.tensor_slowdown_percent;
  read.context_slowdown_percent = stack.context_slowdown_percent;
  read.scatter_gather_messages = stack.scatter_gather_messages;
  read.bucket = stack.bucket;
  return read;
}

StageCosts::StageCosts(const StageCostsKey& key, Kept<StageWorkKey, StageWork>& known, KeptPasses& passes)
    : key_(key),
      cut_(*key.stages->of.cut),
      graph_(key.stages->graph),
      ranks_(key.communication->ranks()),
      communication_(*key.communication),
      known_(known),
      known_passes_(passes) {
  const std::vector<std::int32_t>& places = alike_places();
  for (std::int32_t place = 0; place < static_cast<std::int32_t>(places.size()); ++place)
    for (std::int32_t s = 0; s < graph_.stages(); ++s) {
      if (places[at(place)] != place)
        work_.emplace_back();
      else
        work_.push_back(alike(s) == s ? stage_work(*key.stages, s, known, place)
                                      : work_[work_.size() - at(s) + at(alike(s))]);
    }
  find_messages();
  for (const Dimension d : layout::dimensions_that(&layout::DimensionFacts::in_pass))
    class_[d] = classes_of(ranks_.along[d]);
}

// Groups of equal costs share their passes; where transfers share links each group that has any has its own.
std::vector<std::int32_t> StageCosts::classes_of(const ProcessGroups& among) {
  std::vector<std::int32_t> result(among.groups.size(), 0);  // the first group that costs as much in the calls so far
  for (const ObservedCall& call : calls()) {
    if (call.among != &among) continue;
    const CallCosts& costs = communication_.costs(among, call.kind, call.bytes, call.rows);
    std::map<std::tuple<std::int32_t, Time, bool>, std::int32_t> first;
    for (std::size_t g = 0; g < result.size(); ++g)
      result[g] = first.try_emplace({result[g], costs[g].duration, costs[g].call.stands}, static_cast<std::int32_t>(g))
                      .first->second;
  }
  if (communication_.network().mode == NetworkMode::flows)
    for (std::size_t g = 0; g < result.size(); ++g)
      if (among.groups[g].size() > 1) result[g] = static_cast<std::int32_t>(g);
  return result;
}

const std::vector<PassStep>& StageCosts::steps(int stage, PassKind kind, std::int32_t place) {
  return work(stage, place).steps(kind);
}

const std::vector<PassStep>& StageCosts::balanced_forward(int stage) {
  const layout::Routing& routing = key_.stages->of.pass.routing;
  if (routing == layout::Routing{}) return steps(stage, PassKind::forward);
  balanced_ = balanced_work(*key_.stages, stage, known_);
  return balanced_->steps(PassKind::forward);
}

std::int32_t StageCosts::place_in_experts(std::int32_t rank) const {
  return alike_places()[at(ranks_.at[static_cast<std::size_t>(rank)][Dimension::expert])];
}

std::vector<int> StageCosts::on_rank(int pipeline_rank) const {
  const schedule::Placement& placement = ranks_.placement;
  std::vector<int> held;
  for (int pipe = 0; pipe < placement.pipes; ++pipe)
    for (int s = 0; s < placement.stages; ++s)
      if (placement.rank_of(s, pipe) == pipeline_rank) held.push_back(s);
  return held;
}

std::int64_t StageCosts::parameters_of_rank(int pipeline_rank, layout::Parameters of) const {
  std::int64_t sum = 0;
  for (const int s : on_rank(pipeline_rank)) sum += stage(s).parameters(of);
  return sum;
}

// How many tokens each expert is given: what moves and multiplies them is launched by these counts (Megatron-LM,
// token_dispatcher.py: tokens_per_expert is copied to the host).
bool host_reads_counts(const std::vector<PassStep>& steps, std::size_t before, PassKind kind) {
  using K = model::OperatorKind;
  const auto by_counts = [](const PassStep& s) { return s.kind == K::dispatch || s.kind == K::expert_fc1; };
  const bool forward = kind == PassKind::forward || steps[before].role == layout::StepRole::recompute;
  return before > 0 && forward && by_counts(steps[before]) && !by_counts(steps[before - 1]);
}

// Edges whose ends stand on different ranks.
void StageCosts::find_messages() {
  const schedule::Placement& placement = ranks_.placement;
  for (int pipe = 0; pipe < placement.pipes; ++pipe)
    for (int stage = 0; stage < stages(); ++stage)
      for (const bool forward : {true, false}) {
        arrivals_.emplace_back();
        for (const std::int32_t e : graph_.arriving(stage, forward))
          if (placement.rank_of(graph_.edge(e).source(forward), pipe) != placement.rank_of(stage, pipe))
            arrivals_.back().push_back(e);
      }
}

// Pipeline messages: the whole boundary tensor, or its share of the tensor ranks where it is scattered and gathered.
Bytes StageCosts::message_bytes(std::int32_t edge) const {
  const Bytes whole = graph_.edge(edge).bytes;
  return key_.calls.scatter_gather_messages ? Bytes{ceil_div(whole.value, layout().tensor)} : whole;
}

const std::vector<ObservedCall>& StageCosts::calls() {
  if (!calls_.empty()) return calls_;
  std::set<std::tuple<const ProcessGroups*, Collective, std::int64_t, UnlikeRows>> known;
  const auto add = [&](const ProcessGroups& among, Collective kind, Bytes bytes, const UnlikeRows& rows = {}) {
    if (known.insert({&among, kind, bytes.value, rows}).second) calls_.push_back({&among, kind, bytes, rows});
  };
  const schedule::Placement& placement = ranks_.placement;
  for (int s = 0; s < stages(); ++s) {
    for (const PassKind kind : {PassKind::forward, PassKind::backward}) {
      if (alike(s) != s) break;
      for (std::int32_t place = 0; place < static_cast<std::int32_t>(alike_places().size()); ++place) {
        if (alike_places()[at(place)] != place) continue;
        for (const CallShape& call : work(s, place).calls(kind))
          add(ranks_.along[call.along], call.collective, call.message, call.rows);
      }
    }
    for (int pipe = 0; pipe < placement.pipes; ++pipe)
      for (const bool forward : {true, false})
        for (const std::int32_t e : messages_to(s, forward, pipe)) {
          const int from = placement.rank_of(graph_.edge(e).source(forward), pipe);
          add(ranks_.pairs(from, placement.rank_of(s, pipe)), Collective::send_receive, message_bytes(e));
          if (scattered()) add(ranks_.along[Dimension::tensor], Collective::all_gather, graph_.edge(e).bytes);
        }
  }
  return calls_;
}

// Beside a call of tensor-parallel ranks a member may be ahead of others; of context-parallel ones none begins to
// compute before all do (PipelineLowering::meet).
std::vector<bool> StageCosts::meets(Dimension along, bool split_backward) const {
  const bool any_call = along == Dimension::context || !calls_along(along).overlap_in(key_.calls);
  const auto joins = [&](const layout::PassStep& step) {
    return step.is_communication && step.along == along && (any_call || step.beside == 0);
  };
  std::vector<bool> meets;
  for (int s = 0; s < stages(); ++s)
    for (const PassKind kind : {PassKind::forward, split_backward ? PassKind::input_gradient : PassKind::backward})
      meets.push_back(std::ranges::any_of(work(s, 0).steps(kind), joins));
  return meets;
}

Time at_speed(Time nominal, double speed) {
  if (speed == 1.0) return nominal;
  const double slowed = static_cast<double>(nominal.value) / speed;
  if (!(slowed < 9.2e18)) throw_overflow("time of a slowed kernel");
  const auto whole = static_cast<std::int64_t>(slowed);
  return {static_cast<double>(whole) < slowed ? whole + 1 : whole};
}

Time StageCosts::compute_time(std::int32_t rank, int stage, PassKind kind) {
  Time sum{};
  for (const TimedStep& s : pass(rank, stage, kind, 0).steps)
    if (!runs_beside(s)) sum += s.duration;
  return sum;
}

}  // namespace orrery::program
