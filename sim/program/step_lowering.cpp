#include "step_lowering.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "dimension_calls.hpp"
#include "team_messages.hpp"

namespace orrery::program {

using layout::Dimension;
using layout::PassKind;
using schedule::OpKind;

namespace {

PassKind pass_kind(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return PassKind::forward;
    case OpKind::input_gradient:
      return PassKind::input_gradient;
    case OpKind::weight_gradient:
      return PassKind::weight_gradient;
    case OpKind::backward:
    case OpKind::overlapped:
      return PassKind::backward;
  }
  internal_error("unknown operation kind");
}

}  // namespace

StepLowering::StepLowering(const StepInput& input, const LowerOptions& options, const StepParts& parts)
    : input_(input),
      options_(options),
      graph_(parts.stages->graph),
      ranks_(parts.ranks()),
      communication_(*parts.communication),
      stages_(*parts.costs),
      data_{DataParallel(layout::Parameters::dense, input, ranks_, devices_, communication_, stages_, builder_),
            DataParallel(layout::Parameters::experts, input, ranks_, devices_, communication_, stages_, builder_)},
      end_(input, graph_, ranks_, devices_, communication_, stages_, data_, builder_),
      // Where transfers share links, ranks that are alike by themselves may meet on them: each is played.
      devices_(folded(parts)),
      overlapped_(stages_, parts.planned ? *parts.planned : stages_,
                  static_cast<int>(input.stack.communication.pass_overlap_percent)) {
  for (DataParallel& data : data_) data.form_groups();
  if (offloading_) {
    for (DataParallel& data : data_) data.keep_on_host(*offloading_);
    end_.keep_on_host(*offloading_);
  }
  add_devices();
}

// Where transfers share links, each loads its own. Passes without a call among the ranks of a team (of an embedding or
// a head alone) leave these apart. Where the timeline does not say what comes of that, all tensor-parallel ranks must
// meet, and the context-parallel ones sum their gradients together. Experts call among parts of several teams; gathers
// and copies from the host begin before a pass has joined its ranks.
TeamLevels StepLowering::levels() const {
  TeamLevels levels;
  if (options_.level == Levelling::none || input_.mode == NetworkMode::flows) return levels;
  const layout::Layout& l = input_.layout;
  const bool experts = l.expert > 1 || l.expert_tensor > 1;
  const bool early = l.gathers_parameters() || input_.offload.any() || post_validates(input_) || experts;
  const Levelling how = early ? Levelling::all_the_way : options_.level;
  const bool told = how == Levelling::each_hop;
  if (l.tensor > 1 && !meets(Dimension::tensor, !told)) return levels;
  if (l.tensor > 1) levels.along.push_back(Dimension::tensor);
  if (l.context > 1 && !experts && (told || sums_together()) && meets(Dimension::context, false))
    levels.along.push_back(Dimension::context);
  if (!levels.along.empty()) levels.how = how;
  return levels;
}

// In all passes that messages are for, or in any.
bool StepLowering::meets(Dimension along, bool in_all) const {
  const std::vector<bool> of = stages_.meets(along, input_.schedule->split_backward);
  return (std::ranges::find(of, !in_all) == of.end()) == in_all;
}

// Those of a context group sum their gradients with the same others.
bool StepLowering::sums_together() const {
  const layout::Layout& l = input_.layout;
  return l.shards() == 1 || l.shards() % l.context == 0;
}

Devices StepLowering::folded(const StepParts& parts) {
  if (input_.offload.any()) offloading_.emplace(input_, ranks_, stages_, builder_);
  const FoldKey key{parts.communication,
                    observed_calls(),
                    options_.fold,
                    stages_.alike_places(),
                    offloading_ ? offloading_->classes() : std::vector<std::int32_t>(),
                    levels(),
                    parts.classes};
  return *parts.folded->of(key, [&] {
    return std::make_shared<const Devices>(
        fold_ranks(ranks_, key.calls, communication_, key.fold, key.places, key.apart, key.level, key.classes));
  });
}

// What tells ranks apart: every call of the step on a group of theirs. (All wait for the gradient norm together.)
std::vector<ObservedCall> StepLowering::observed_calls() {
  std::vector<ObservedCall> calls = stages_.calls();
  for (DataParallel& data : data_)
    for (const ObservedCall& call : data.observed()) calls.push_back(call);
  for (const ObservedCall& call : end_.observed()) calls.push_back(call);
  return calls;
}

void StepLowering::add_devices() {
  const std::vector<GpuRef> kinds = gpu_kinds(input_);
  const auto available = [](const GpuRef& kind) { return (kind.gpu.usable_memory - kind.gpu.context_memory).value; };
  std::int64_t most = 0;
  for (const GpuRef& kind : kinds) most = std::max(most, available(kind));
  for (std::size_t d = 0; d < devices(); ++d) {
    Device device;
    device.ranks = devices_.ranks[d];
    device.at = ranks_.at[static_cast<std::size_t>(devices_.representative[d])];
    for (const layout::Parameters of : layout::kParameterKinds) {
      const layout::StateBytes state =
          layout::state_bytes(stages_.parameters_of_rank(device.pipeline_rank(), of), input_.state, input_.layout, of);
      device.resident[static_cast<std::size_t>(MemoryClass::weights)] += state.weights.value;
      device.resident[static_cast<std::size_t>(MemoryClass::gradients)] += state.gradients.value;
      device.resident[static_cast<std::size_t>(MemoryClass::optimizer)] += state.optimizer.value;
    }
    Bytes placeholders{}, gathered{};
    for (const int s : stages_.on_rank(device.pipeline_rank())) {
      placeholders = std::max(placeholders, stages_.stage(s).placeholders());
      gathered = std::max(gathered, stages_.stage(s).gather_buffer());
    }
    device.resident[static_cast<std::size_t>(MemoryClass::buffers)] = (placeholders + gathered).value;
    const GpuRef& kind = kinds[gpu_kind(input_, devices_.representative[d])];
    device.lacks = most - available(kind);
    const cost::StackLibraries& libraries = input_.stack.libraries;
    device.resident[static_cast<std::size_t>(MemoryClass::other)] =
        (libraries.held + kind.gpu.library_workspace * libraries.workspaces).value;
    if (offloading_) offloading_->place_states(device);
    builder_.add_device(std::move(device));
  }
}

// Ranks that a call inside the passes joins, and those that these are joined with: one team. Experts join ranks of
// several copies of the rest.
std::vector<std::int32_t> StepLowering::joined_in_passes(std::int32_t rank) const {
  std::vector<std::int32_t> members{rank};
  std::vector<bool> known(static_cast<std::size_t>(ranks_.count), false);
  known[static_cast<std::size_t>(rank)] = true;
  for (std::size_t next = 0; next < members.size(); ++next)
    for (const Dimension along : layout::dimensions_that(&layout::DimensionFacts::in_pass)) {
      const auto of = static_cast<std::size_t>(ranks_.along_of[along][static_cast<std::size_t>(members[next])]);
      for (const std::int32_t r : ranks_.along[along].groups[of]) {
        if (known[static_cast<std::size_t>(r)]) continue;
        known[static_cast<std::size_t>(r)] = true;
        members.push_back(r);
      }
    }
  std::ranges::sort(members);
  return members;
}

std::vector<Team> StepLowering::teams() const {
  std::vector<Team> teams;
  std::vector<bool> placed(devices(), false);
  for (std::size_t d = 0; d < devices(); ++d) {
    if (placed[d]) continue;
    const std::int32_t rank = devices_.representative[d];
    const std::vector<std::int32_t> members = joined_in_passes(rank);
    Team team;
    team.schedule = &schedule_of(input_, ranks_.at[static_cast<std::size_t>(rank)][Dimension::data]);
    for (const Dimension along : layout::dimensions_that(&layout::DimensionFacts::in_pass)) {
      auto& known = team.groups[along];
      std::set<std::int32_t> seen;
      for (const std::int32_t r : members) {
        const std::int32_t of = ranks_.along_of[along][static_cast<std::size_t>(r)];
        if (!seen.insert(of).second) continue;
        const auto group = devices_of(devices_, ranks_.along[along].groups[static_cast<std::size_t>(of)]);
        if (std::find(known.begin(), known.end(), group) == known.end()) known.push_back(group);
      }
    }
    team.members = devices_of(devices_, members);
    for (const std::int32_t r : members)
      team.alike = team.alike && devices_.fold_class[static_cast<std::size_t>(r)] ==
                                     devices_.fold_class[static_cast<std::size_t>(rank)];
    for (const DeviceIndex m : team.members) placed[m] = true;
    teams.push_back(std::move(team));
  }
  return teams;
}

TemplateId StepLowering::message(DeviceIndex from, DeviceIndex to, std::int32_t edge, bool forward) {
  const int to_rank = builder_.device(to).pipeline_rank();
  const ProcessGroups& among = ranks_.pairs(builder_.device(from).pipeline_rank(), to_rank);
  const std::int32_t pair = ranks_.pair_of(devices_.representative[from], to_rank);
  const Bytes bytes = stages_.message_bytes(edge);
  const auto [it, fresh] = messages_.try_emplace({&among, pair, bytes.value, forward});
  if (!fresh) return it->second;
  const TeamMessages::Costs costs = devices_.messages->costs({&among, Collective::send_receive, bytes}, communication_);
  const CallCost& cost = costs[static_cast<std::size_t>(pair)];
  // The sender keeps its copy until the message has left; the receiver's goes over to the pass that uses it.
  const std::array<MemoryEffect, 3> effects{MemoryEffect{0, false, MemoryClass::buffers, {}, bytes.value},
                                            MemoryEffect{0, true, MemoryClass::buffers, {}, -bytes.value},
                                            MemoryEffect{1, false, MemoryClass::buffers, {}, bytes.value}};
  TaskTemplate t;
  t.duration = cost.duration;
  t.category = among.category;
  t.lane = Lane::pipeline_send;
  t.partner_lane = Lane::pipeline_receive;
  t.name = forward ? "send activation" : "send gradient";
  t.effects = builder_.add_effects(effects);
  t.bytes_sent = bytes;
  if (!cost.transfer.phases.empty()) t.transfer = builder_.add_transfer(cost.transfer);
  t.calls = builder_.add_calls({&cost.call, 1});
  it->second = builder_.add_template(t);
  if (const std::uint32_t number = costs.times(static_cast<std::size_t>(pair)); number != 0)
    builder_.levels().number.emplace_back(it->second, number);
  return it->second;
}

// What goes to the host beside a pass, and comes back.
void StepLowering::add_copies(DeviceIndex d, const schedule::Operation& op, bool forward_half,
                              std::vector<DataCall>& calls) {
  const bool back = op.kind == OpKind::overlapped && !forward_half;
  const PassKind kind = op.kind == OpKind::overlapped && forward_half ? PassKind::forward : pass_kind(op.kind);
  if (forward_half && op.kind != OpKind::overlapped) return;
  const std::vector<DataCall> copies =
      offloading_->copies(devices_.representative[d], back ? op.backward_stage : op.stage, kind,
                          back ? op.backward_pipe : op.pipe, back ? op.backward_micro_batch : op.micro_batch);
  calls.insert(calls.end(), copies.begin(), copies.end());
  std::ranges::stable_sort(calls, {}, &DataCall::position);
}

// Of members of both kinds of parallelism those of a context coordinate are of a kind.
void StepLowering::say_who_meets(PipelineInput& p) {
  const std::vector<Dimension>& along = devices_.messages->along();
  p.meets.assign(2 * static_cast<std::size_t>(stages_.stages()), true);
  for (const Dimension d : along) {
    const std::vector<bool> meets = stages_.meets(d, input_.schedule->split_backward);
    for (std::size_t i = 0; i < meets.size(); ++i) p.meets[i] = p.meets[i] && meets[i];
    if (along.size() == 2 && d == Dimension::tensor) p.meets_in_part = meets;
  }
  p.sums_together = sums_together() && (input_.layout.tensor == 1 || meets(Dimension::tensor, true));
  builder_.levels().takes = devices_.messages->takes();
  if (along.size() == 2) builder_.levels().kinds = static_cast<std::size_t>(input_.layout.context);
}

PipelineInput StepLowering::pipeline_input() {
  PipelineInput p;
  p.stages = &graph_;
  p.teams = teams();
  p.fuse = options_.fuse && input_.mode != NetworkMode::flows;
  p.messages = input_.stack.communication.messages;
  if (devices_.messages) say_who_meets(p);
  const DimensionCalls& gradients = calls_along(Dimension::data);
  const Slowdown slowdown = gradients.slowdown_in(input_.stack.communication);
  if (gradients.overlap_in(input_.stack.communication) && slowdown.numerator != slowdown.denominator)
    p.slowdown_class = builder_.add_slowdown(slowdown);
  p.reduces_after_runs = input_.layout.shards_gradients() && input_.layout.reduces_after_runs;
  p.pass = [this](DeviceIndex d, OpKind kind, int stage, int pipe, bool opens) -> const Pass& {
    return stages_.pass(devices_.representative[d], stage, pass_kind(kind), pipe, opens);
  };
  // A host that waits for each kernel keeps nothing beside another.
  const bool overlaps =
      input_.stack.communication.pass_overlap_percent > 0 && input_.stack.launch.mode != cost::LaunchMode::blocking;
  if (overlaps)
    p.overlapped_pass = [this](DeviceIndex d, const schedule::Operation& op, bool opens) {
      return &overlapped_.pass(devices_.representative[d], op, opens);
    };
  p.data_calls = [this, overlaps](DeviceIndex d, const schedule::Operation& op, bool forward_half, bool first,
                                  bool last) {
    std::vector<DataCall> calls = data_[0].calls(d, op, forward_half, first, last);
    if (const std::vector<DataCall> more = data_[1].calls(d, op, forward_half, first, last); !more.empty()) {
      calls.insert(calls.end(), more.begin(), more.end());
      std::ranges::stable_sort(calls, {}, &DataCall::position);
    }
    if (offloading_) add_copies(d, op, forward_half, calls);
    if (overlaps && op.kind == OpKind::overlapped) overlapped_.place(op, forward_half, calls);
    return calls;
  };
  p.peer = [this](DeviceIndex d, int stage, int pipe) {
    const int to = input_.schedule->placement.rank_of(stage, pipe);
    return devices_.device_of[static_cast<std::size_t>(ranks_.at_pipeline(devices_.representative[d], to))];
  };
  p.message = [this](DeviceIndex from, DeviceIndex to, std::int32_t edge, bool forward) {
    return message(from, to, edge, forward);
  };
  p.data_group = [this](DeviceIndex d, const DataCall& call) -> const std::vector<DeviceIndex>& {
    return data_[call.experts ? 1 : 0].group(d, call.replicas);
  };
  return p;
}

}  // namespace orrery::program
