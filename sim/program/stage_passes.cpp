// The passes of StageCosts: what each step of a pass takes on a rank, and what it holds.
#include <algorithm>

#include "dimension_calls.hpp"
#include "pass_clock.hpp"
#include "slow_beside.hpp"
#include "stage_costs.hpp"

namespace orrery::program {

using layout::Dimension;
using layout::PassKind;
using layout::PassStep;

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
  static const std::vector<Dimension> in_pass = layout::dimensions_that(&layout::DimensionFacts::in_pass);
  for (const Dimension d : in_pass) place.group[d] = class_[d][static_cast<std::size_t>(ranks_.along_of[d][r])];
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
Time StageCosts::kernel_time(const PassStep& step, const Speed& speed) {
  model::Kernel kernel = step.kernel;
  kernel.bytes = {ceil_div(kernel.bytes.value, step.kernels)};
  const Time nominal = key_.kernels[static_cast<std::size_t>(speed.gpu)]->of(kernel);
  return at_speed(nominal, speed.factor) * step.kernels;
}

TimedStep StageCosts::cost(const PassStep& from, PassKind kind, const Place& place) {
  const cost::StackLaunch& host = key_.launch;
  const bool forward = kind == PassKind::forward || from.role == layout::StepRole::recompute;
  const Time launch = launch_of(from, forward);
  TimedStep step;
  step.name = from.name;
  if (!from.is_communication) {
    step.duration = kernel_time(from, ranks_.speeds[static_cast<std::size_t>(place.speed)]);
    step.category = from.role == layout::StepRole::recompute ? Category::recompute : Category::compute;
    step.launch = launch * from.kernels;
    return step;
  }
  check(layout::facts(from.along).in_pass, "a step of a pass along a dimension that is not of passes");
  const ProcessGroups& among = ranks_.along[from.along];
  const auto group = static_cast<std::size_t>(place.group[from.along]);
  const CallCost& call = communication_.costs(among, from.collective, from.message, from.rows)[group];
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
    const std::int64_t parameters = gradients_ready(steps(stage, kind), range, of);
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

// What is fetched from the host stays as long. ZeRO-3: a layer's parameters are whole from its gather to its last step
// here. ZeRO-2 and 3: the gradients of a unit are whole from its first step, in the first pass of a run, to the end of
// their reduction. (The data-parallel calls hold the other halves of these effects.)
void StageCosts::hold_gathered_layers(Pass& pass, int stage, PassKind kind, bool opens) {
  if (key_.fetched && kind != PassKind::weight_gradient)
    for (const LayerRange& range : layer_ranges(steps(stage, kind)))
      if (const std::int64_t bytes = key_.fetched.bytes(this->stage(stage), range.layer); bytes > 0)
        pass.steps[range.end - 1].memory.push_back({true, MemoryClass::buffers, {-bytes}});
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

// Layers are mostly alike: what each of their steps takes is asked once.
void StageCosts::cost_steps(Pass& pass, int stage, PassKind kind, const Place& place) {
  const layout::StageSpan of = this->stage(stage).span();  // of the stage whose layers the steps name
  const std::vector<PassStep>& from = steps(stage, kind, place.experts);
  const std::vector<std::uint32_t>& like = work(stage, place.experts).like(kind);
  std::vector<TimedStep> asked;
  std::vector<std::uint32_t> asked_for(from.size());
  pass.steps.reserve(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (like[i] == i) {
      asked_for[i] = static_cast<std::uint32_t>(asked.size());
      asked.push_back(cost(from[i], kind, place));
    } else {
      asked_for[i] = asked_for[like[i]];
    }
    TimedStep& step = pass.steps.emplace_back(asked[asked_for[i]]);
    const bool head = from[i].layer >= of.first_layer + of.layers;
    step.layer = from[i].layer < 0 ? kEmbeddingLayer
                 : head            ? kHeadLayer
                                   : static_cast<std::int32_t>(from[i].layer - of.first_layer);
    step.memory.reserve(from[i].memory.size());
    for (const MemoryChange& m : from[i].memory) {
      step.memory.push_back(m);
      if (m.memory_class != MemoryClass::activations) step.memory.back().tensor = layout::kNoTensor;
    }
  }
}

// The counts of tokens; padded ones are known.
void StageCosts::note_host_reads(Pass& pass, int stage, PassKind kind) {
  const bool experts = cut_.of.graph->spec.experts.count > 0;
  if (key_.launch.mode != cost::LaunchMode::eager || key_.stages->of.pass.routing.pad || !experts) return;
  for (std::uint32_t i = 1; i < pass.steps.size(); ++i)
    if (host_reads_counts(steps(stage, kind), i, kind) && pass.steps[i].launch.value > 0) pass.host_reads.push_back(i);
}

Pass StageCosts::make_pass(int stage, PassKind kind, const std::vector<std::int32_t>& edges, bool opens,
                           const Place& place) {
  Pass pass;
  pass.inside = key_.inside;
  cost_steps(pass, stage, kind, place);
  note_host_reads(pass, stage, kind);
  if (key_.inside) note_uses(pass, stage, kind, place.experts);
  // I takes over what came, and W where I has nothing to do (an embedding alone).
  const bool takes_over = kind != PassKind::weight_gradient || steps(stage, PassKind::input_gradient).empty();
  std::vector<TimedStep> received;
  if (takes_over) received = receive_messages(pass, place, edges, kind);
  hold_gathered_layers(pass, stage, kind, opens);
  pass.received = static_cast<std::uint32_t>(received.size());
  pass.steps.insert(pass.steps.begin(), received.begin(), received.end());
  for (std::uint32_t& position : pass.host_reads) position += pass.received;
  for (TimedStep& step : pass.steps) step.backward = kind != PassKind::forward;
  if (kind == PassKind::forward && !pass.steps.empty()) pass.steps.front().launch += key_.launch.per_micro_batch;
  if (key_.launch.mode == cost::LaunchMode::blocking) launch_blocking(pass);
  slow_beside_calls(pass.steps, key_.calls);
  return pass;
}

const CallCost& StageCosts::call_cost(const CallShape& call, const Place& place) const {
  return communication_.costs(ranks_.along[call.along], call.collective, call.message,
                              call.rows)[static_cast<std::size_t>(place.group[call.along])];
}

void PassKey::add_to(Hash& hash) const {
  add_pointer(hash, work);
  hash.add((static_cast<std::int64_t>(kind) << 2) + (opens ? 2 : 0) + (calls.overlap_tensor ? 1 : 0));
  for (const std::int64_t word : words) hash.add(word);
}

PassKey StageCosts::pass_key(int stage, PassKind kind, const std::vector<std::int32_t>& edges, bool opens,
                             const Place& place) {
  const bool flows = communication_.network().mode == NetworkMode::flows;
  const Speed& speed = ranks_.speeds[static_cast<std::size_t>(place.speed)];
  PassKey key{shared_work(stage, place.experts),
              shared_work(stage, 0),
              key_.kernels[static_cast<std::size_t>(speed.gpu)],
              flows ? key_.communication : nullptr,
              key_.calls,
              key_.launch,
              key_.gradient_bytes,
              key_.reduce_buffer_elements,
              key_.gathered_bytes,
              kind,
              opens,
              key_.inside,
              key_.fetched,
              speed.factor,
              {}};
  const auto add = [&](const CallShape& call) {
    const CallCost& cost = call_cost(call, place);
    const network::Traffic& t = cost.call.traffic;
    const auto group = static_cast<std::size_t>(place.group[call.along]);
    key.words.insert(
        key.words.end(),
        {cost.duration.value, cost.call.took.value, cost.call.alone.value, cost.call.link, cost.call.algorithm,
         t.sent.value, t.received.value, t.must_send.value, t.must_receive.value, t.wire.value, t.switches_add ? 1 : 0,
         cost.call.stands ? 1 : 0, static_cast<std::int64_t>(ranks_.along[call.along].groups[group].size())});
    if (flows) key.words.push_back(place.group[call.along]);
  };
  for (const std::int32_t e : edges) {
    key.words.push_back(graph_.edge(e).bytes.value);
    if (scattered()) add({Dimension::tensor, Collective::all_gather, graph_.edge(e).bytes});
  }
  for (const CallShape& call : work(stage, place.experts).calls(kind)) add(call);
  return key;
}

// A pass is the same for all stages that do the same, wherever messages of the same sizes reach them.
const Pass& StageCosts::pass(std::int32_t rank, int stage, PassKind kind, int pipe, bool opens) {
  const Place place = place_of(rank);
  const auto number = static_cast<std::uint64_t>(places_.try_emplace(place, places_.size()).first->second);
  const std::uint64_t way = number * arrivals_.size() + this->way(stage, kind == PassKind::forward, pipe);
  const Pass*& known = asked_[(way * layout::kPassKinds + static_cast<std::size_t>(kind)) * 2 + (opens ? 1 : 0)];
  if (known == nullptr) known = &find_pass(place, stage, kind, pipe, opens);
  return *known;
}

const Pass& StageCosts::find_pass(const Place& place, int stage, PassKind kind, int pipe, bool opens) {
  const std::vector<std::int32_t>& edges = messages_to(stage, kind == PassKind::forward, pipe);
  std::vector<std::int64_t> bytes;
  for (const std::int32_t e : edges) bytes.push_back(graph_.edge(e).bytes.value);
  const auto [it, fresh] = passes_.try_emplace({alike(stage), kind, std::move(bytes), opens, place});
  if (fresh)
    it->second = known_passes_.of(pass_key(stage, kind, edges, opens, place), [&] {
      return std::make_shared<const Pass>(make_pass(stage, kind, edges, opens, place));
    });
  return *it->second;
}

}  // namespace orrery::program
