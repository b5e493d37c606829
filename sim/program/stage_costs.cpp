#include "stage_costs.hpp"

#include <algorithm>
#include <set>

#include "dimension_calls.hpp"
#include "orrery/layout/alike_stages.hpp"
#include "pass_clock.hpp"
#include "slow_beside.hpp"

namespace orrery::program {

using layout::Dimension;
using layout::PassKind;
using layout::PassStep;

void StageCostsKey::add_to(Hash& hash) const {
  add_pointer(hash, stages);
  add_pointer(hash, communication);
  add_pointer(hash, kernels);
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

StageCosts::StageCosts(const StageCostsKey& key, Kept<StageWorkKey, StageWork>& known)
    : key_(key),
      cut_(*key.stages->of.cut),
      graph_(key.stages->graph),
      ranks_(key.communication->ranks()),
      communication_(*key.communication),
      known_(known) {
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
  std::vector<std::vector<std::int64_t>> costs(among.groups.size());
  for (const ObservedCall& call : calls()) {
    if (call.among != &among) continue;
    const std::vector<CallCost>& of_group = communication_.costs(among, call.kind, call.bytes);
    for (std::size_t g = 0; g < costs.size(); ++g) costs[g].push_back(of_group[g].duration.value);
  }
  std::map<std::vector<std::int64_t>, std::int32_t> first;
  std::vector<std::int32_t> result;
  for (std::size_t g = 0; g < costs.size(); ++g) {
    const auto index = static_cast<std::int32_t>(g);
    const bool own_links = communication_.network().mode == NetworkMode::flows && among.groups[g].size() > 1;
    result.push_back(own_links ? index : first.emplace(costs[g], index).first->second);
  }
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

std::vector<LayerRange> layer_ranges(const std::vector<PassStep>& steps) {
  std::vector<LayerRange> ranges;
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    if (ranges.empty() || ranges.back().layer != steps[i].layer) ranges.push_back({steps[i].layer, i, i});
    ranges.back().end = i + 1;
  }
  return ranges;
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
  std::set<std::tuple<const ProcessGroups*, Collective, std::int64_t>> known;
  const auto add = [&](const ProcessGroups& among, Collective kind, Bytes bytes) {
    if (known.insert({&among, kind, bytes.value}).second) calls_.push_back({&among, kind, bytes});
  };
  const schedule::Placement& placement = ranks_.placement;
  for (int s = 0; s < stages(); ++s) {
    for (const PassKind kind : {PassKind::forward, PassKind::backward}) {
      if (alike(s) != s) break;
      for (std::int32_t place = 0; place < static_cast<std::int32_t>(alike_places().size()); ++place) {
        if (alike_places()[at(place)] != place) continue;
        for (const PassStep& step : steps(s, kind, place))
          if (step.is_communication) add(ranks_.along[step.along], step.collective, step.message);
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

Time at_speed(Time nominal, double speed) {
  if (speed == 1.0) return nominal;
  const double slowed = static_cast<double>(nominal.value) / speed;
  if (!(slowed < 9.2e18)) throw_overflow("time of a slowed kernel");
  const auto whole = static_cast<std::int64_t>(slowed);
  return {static_cast<double>(whole) < slowed ? whole + 1 : whole};
}

namespace {

// Megatron-LM, core/transformer/transformer_layer.py: attn is all of a layer before the MLP's norm and add, mlp that of
// dense layers, moe_router the norm, shared experts and router, moe_preprocess what permutes and counts the tokens.
bool is_replayed(model::OperatorKind kind, const std::vector<cost::GraphModule>& graphs) {
  using K = model::OperatorKind;
  using G = cost::GraphModule;
  const auto part = [&](G module) { return std::find(graphs.begin(), graphs.end(), module) != graphs.end(); };
  if (graphs.empty()) return false;
  if (kind >= K::norm && kind <= K::cross_residual) return part(G::attn);
  if (kind == K::mlp_norm) return part(G::mlp) || part(G::moe_router);
  if (kind >= K::fc1 && kind <= K::fc2) return part(G::mlp);
  if (kind == K::router || (kind >= K::shared_fc1 && kind <= K::shared_gate)) return part(G::moe_router);
  return kind == K::permute && part(G::moe_preprocess);
}

}  // namespace

StageCosts::Place StageCosts::place_of(std::int32_t rank) const {
  const auto r = static_cast<std::size_t>(rank);
  Place place{{}, ranks_.speed_of[r], place_in_experts(rank)};
  for (const Dimension d : layout::dimensions_that(&layout::DimensionFacts::in_pass))
    place.group[d] = class_[d][static_cast<std::size_t>(ranks_.along_of[d][r])];
  return place;
}

// What the host takes to launch a kernel: grouped products and the casts of their inputs may be launched for each
// expert apart.
Time StageCosts::launch_of(const PassStep& step, bool forward) const {
  using K = model::OperatorKind;
  const cost::StackLaunch& host = key_.launch;
  const StagesKey& of = key_.stages->of;
  if (is_replayed(step.kind, host.graphs)) return {};
  const Time any = forward ? host.per_kernel : host.per_kernel_backward;
  const bool grouped = step.kind == K::expert_fc1 || step.kind == K::expert_fc2;
  if (!grouped || !of.pass.experts.launched_apart) return any;
  const Time each = host.per_expert_kernel.value > 0 ? host.per_expert_kernel : any;
  return each * (cut_.of.graph->spec.experts.count / of.layout.expert);
}

// A chain of elementwise kernels: each moves its share of the bytes.
Time StageCosts::kernel_time(const PassStep& step, double speed) {
  model::Kernel kernel = step.kernel;
  kernel.bytes = {ceil_div(kernel.bytes.value, step.kernels)};
  return at_speed(key_.kernels->of(kernel), speed) * step.kernels;
}

TimedStep StageCosts::cost(const PassStep& from, PassKind kind, const Place& place) {
  const cost::StackLaunch& host = key_.launch;
  const bool forward = kind == PassKind::forward || from.role == layout::StepRole::recompute;
  const Time launch = launch_of(from, forward);
  TimedStep step;
  step.name = from.name;
  for (MemoryChange m : from.memory) {
    if (m.memory_class != MemoryClass::activations) m.tensor = layout::kNoTensor;
    step.memory.push_back(m);
  }
  if (!from.is_communication) {
    step.duration = kernel_time(from, ranks_.speeds[static_cast<std::size_t>(place.speed)]);
    step.category = from.role == layout::StepRole::recompute ? Category::recompute : Category::compute;
    step.launch = launch * from.kernels;
    return step;
  }
  check(layout::facts(from.along).in_pass, "a step of a pass along a dimension that is not of passes");
  const ProcessGroups& among = ranks_.along[from.along];
  const auto group = static_cast<std::size_t>(place.group[from.along]);
  const CallCost& call = communication_.costs(among, from.collective, from.message)[group];
  step.duration = call.duration;
  step.category = among.category;
  step.lane = among.lane;
  const auto size = static_cast<std::int64_t>(among.groups[group].size());
  if (!is_replayed(from.kind, host.graphs))
    step.launch = launch + host.per_collective + host.per_collective_rank * size;
  step.bytes_sent = bytes_sent(from.collective, from.message, size);
  if (calls_along(from.along).overlap_in(key_.calls)) step.beside = from.beside;
  if (!call.transfer.phases.empty()) step.transfer = &call.transfer;
  step.call = call.call;
  return step;
}

// A stage takes over the buffers of the messages that feed it; scattered ones are gathered over the tensor ranks first,
// by the steps returned.
std::vector<TimedStep> StageCosts::receive_messages(Pass& pass, const Place& place,
                                                    const std::vector<std::int32_t>& edges, PassKind kind) {
  std::vector<TimedStep> gathers;
  if (edges.empty() || pass.steps.empty()) return gathers;
  for (const std::int32_t e : edges) {
    if (!scattered()) break;
    PassStep gather;
    gather.is_communication = true;
    gather.name = "gather message";
    gather.collective = Collective::all_gather;
    gather.message = graph_.edge(e).bytes;
    gathers.push_back(cost(gather, kind, place));
  }
  TimedStep& first = gathers.empty() ? pass.steps.front() : gathers.front();
  for (const std::int32_t e : edges) first.memory.push_back({false, MemoryClass::buffers, Bytes{} - message_bytes(e)});
  return gathers;
}

// A layer; where parameters are whole (ZeRO-2), as many layers as fill a bucket, if the stack has one (DeepSpeed:
// reduce_bucket_size).
std::vector<StageCosts::GradientUnit> StageCosts::gradient_units(int stage, PassKind kind, layout::Parameters of) {
  std::vector<GradientUnit> units;
  if (kind == PassKind::forward || kind == PassKind::input_gradient || !layout().shards_gradients(of)) return units;
  const std::int64_t buffer = checked_mul(key_.reduce_buffer_elements, key_.gradient_bytes);
  const std::int64_t bucket = layout().gathers_parameters(of) ? 0 : std::max(key_.calls.bucket.value, buffer);
  bool open = false;
  for (const LayerRange& range : layer_ranges(steps(stage, kind))) {
    const std::int64_t parameters = this->stage(stage).parameters_of_layer(range.layer, of);
    if (parameters == 0) continue;
    if (!open) units.push_back({0, range.begin, range.end});
    units.back().parameters += parameters;
    units.back().end = range.end;
    open = units.back().parameters * key_.gradient_bytes < bucket;
  }
  return units;
}

// The last use in this pass of each tensor that outlives it or came before it, for the books: what is made and freed
// within the pass has been looked at there (layout::audit_pass).
void StageCosts::note_uses(Pass& pass, int stage, PassKind kind, std::int32_t place) {
  const std::vector<PassStep>& from = steps(stage, kind, place);
  std::vector<bool> across;  // [tensor] and not seen yet
  const auto mark = [&](layout::TensorId t) {
    if (t < 0) return;
    if (across.size() <= static_cast<std::size_t>(t)) across.resize(static_cast<std::size_t>(t) + 1);
    across[static_cast<std::size_t>(t)] = true;
  };
  for (const layout::TensorId t : this->stage(stage).held_before(kind)) mark(t);
  for (const PassStep& step : from)
    for (const MemoryChange& m : step.memory)
      if (m.memory_class == MemoryClass::activations) mark(m.tensor);
  for (std::size_t i = from.size(); i-- > 0;)
    for (const layout::TensorId t : from[i].uses) {
      if (static_cast<std::size_t>(t) >= across.size() || !across[static_cast<std::size_t>(t)]) continue;
      across[static_cast<std::size_t>(t)] = false;
      pass.steps[i].memory.push_back({true, MemoryClass::activations, {}, t});
    }
}

// ZeRO-3: a layer's parameters are whole from its gather to its last step here. ZeRO-2 and 3: the gradients of a unit
// are whole from its first step, in the first pass of a run, to the end of their reduction. (The data-parallel calls
// hold the other halves of these effects.)
void StageCosts::hold_gathered_layers(Pass& pass, int stage, PassKind kind, bool opens) {
  for (const layout::Parameters of : layout::kParameterKinds) {
    for (const LayerRange& range : layer_ranges(steps(stage, kind))) {
      const std::int64_t parameters = this->stage(stage).parameters_of_layer(range.layer, of);
      if (parameters > 0 && layout().gathers_parameters(of) && kind != PassKind::weight_gradient)
        pass.steps[range.end - 1].memory.push_back({true, MemoryClass::buffers, {-parameters * key_.gathered_bytes}});
    }
    if (!opens) continue;
    for (const GradientUnit& unit : gradient_units(stage, kind, of))
      pass.steps[unit.begin].memory.push_back({false, MemoryClass::buffers, {unit.parameters * key_.gradient_bytes}});
  }
}

// The host waits for each kernel before it launches the next: the device stands still during each launch.
void StageCosts::launch_blocking(Pass& pass) {
  for (TimedStep& s : pass.steps) {
    s.before = s.launch;
    s.launch = {};
    s.beside = 0;
  }
}

// A pass is the same for all stages that do the same, wherever messages of the same sizes reach them.
const Pass& StageCosts::pass(std::int32_t rank, int stage, PassKind kind, int pipe, bool opens) {
  const Place place = place_of(rank);
  const std::vector<std::int32_t>& edges = messages_to(stage, kind == PassKind::forward, pipe);
  std::vector<std::int64_t> bytes;
  for (const std::int32_t e : edges) bytes.push_back(graph_.edge(e).bytes.value);
  const auto [it, fresh] = passes_.try_emplace({alike(stage), kind, std::move(bytes), opens, place});
  if (!fresh) return it->second;
  Pass& pass = it->second;
  const layout::StageSpan of = this->stage(stage).span();  // of the stage whose layers the steps name
  for (const PassStep& step : steps(stage, kind, place.experts)) {
    pass.steps.push_back(cost(step, kind, place));
    const bool head = step.layer >= of.first_layer + of.layers;
    pass.steps.back().layer = step.layer < 0 ? kEmbeddingLayer
                              : head         ? kHeadLayer
                                             : static_cast<std::int32_t>(step.layer - of.first_layer);
  }
  const bool reads = !key_.stages->of.pass.routing.pad;  // the counts of tokens; padded ones are known
  if (key_.launch.mode == cost::LaunchMode::eager && reads)
    for (std::size_t i = 1; i < pass.steps.size(); ++i)
      pass.steps[i - 1].host_waits = host_reads_counts(steps(stage, kind), i, kind) && pass.steps[i].launch.value > 0;
  note_uses(pass, stage, kind, place.experts);
  // I takes over what came, and W where I has nothing to do (an embedding alone).
  const bool takes_over = kind != PassKind::weight_gradient || steps(stage, PassKind::input_gradient).empty();
  std::vector<TimedStep> received;
  if (takes_over) received = receive_messages(pass, place, edges, kind);
  hold_gathered_layers(pass, stage, kind, opens);
  pass.received = static_cast<std::uint32_t>(received.size());
  pass.steps.insert(pass.steps.begin(), received.begin(), received.end());
  for (TimedStep& step : pass.steps) step.backward = kind != PassKind::forward;
  if (kind == PassKind::forward && !pass.steps.empty()) pass.steps.front().launch += key_.launch.per_micro_batch;
  if (key_.launch.mode == cost::LaunchMode::blocking) launch_blocking(pass);
  slow_beside_calls(pass.steps, key_.calls);
  return pass;
}

Time StageCosts::compute_time(std::int32_t rank, int stage, PassKind kind) {
  Time sum{};
  for (const TimedStep& s : pass(rank, stage, kind, 0).steps)
    if (!runs_beside(s)) sum += s.duration;
  return sum;
}

}  // namespace orrery::program
