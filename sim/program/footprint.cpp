// Every count is the sum over the operations of a step, so it is a product: micro-batches · stages · what a pass is.
#include "orrery/program/footprint.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "dimension_calls.hpp"
#include "pass_counts.hpp"
#include "stage_costs.hpp"

namespace orrery::program {
namespace {

using layout::PassKind;

// By experts, windows, or the stack they are of.
bool layers_differ(const model::ModelSpec& m) {
  return m.experts.first_dense > 0 || m.experts.every > 1 || m.global_every > 0 || m.has_two_stacks();
}

// Where the counts of the passes come from.
enum class From : std::uint8_t { own_passes, bounds };

constexpr double kGrown = 3;  // a vector that doubles: what was and what will be

class Estimate {
 public:
  explicit Estimate(const StepSize& size, From from, StageCosts* made = nullptr)
      : s_(size), l_(size.layout), c_(size.stack.communication), t_(size.teams), from_(from), made_(made) {
    const cost::StackLaunch& host = s_.stack.launch;
    const Time launches = host.per_kernel + host.per_kernel_backward + host.per_expert_kernel + host.per_collective +
                          host.per_micro_batch;
    host_ = host.mode != cost::LaunchMode::blocking && launches.value > 0;
    blocking_ = host.mode == cost::LaunchMode::blocking && launches.value > 0;
    devices_ = t_.teams * t_.members;
    const double ranks = static_cast<double>(l_.ranks()) / l_.pipeline;
    reducing_ = l_.gradient_ranks() > 1 || s_.pipes > 1;
    replicas_ = l_.shards() > 1 && (l_.replicas() > 1 || s_.pipes > 1);
    group_ = std::max(1.0, devices_ * l_.gradient_ranks() / ranks);
    // Passes that traffic slows stay whole but for calls beside their kernels.
    const bool beside = std::ranges::any_of(kDimensionCalls, [&](const DimensionCalls& of) {
      const layout::DimensionFacts& facts = layout::facts(of.dimension);
      return facts.in_pass && of.overlap_in(c_) && l_.*facts.degree > 1;
    });
    slowed_apart_ = beside && c_.overlap_data && c_.data_slowdown_percent != 100;
  }

  Footprint of(const std::vector<layout::StageSpan>& spans);

 private:
  void add_stage(const layout::StageSpan& span, int stage);
  std::vector<PassKind> kinds() const;
  std::map<PassKind, PassCounts> counts_of(const layout::StageSpan& span, int stage) const;
  void add_passes(const PassCounts& c, PassKind kind, double passes, bool apart = false);
  void add_kept(const PassCounts& c);
  double runs() const;
  double places_with_own_links() const;
  double bytes_of_call(const PassCounts& c) const;
  void add_pieces(double pieces);
  void add_data_calls(double calls);
  void add_copies(double copies);
  void add_messages();
  double bytes() const;

  const StepSize& s_;
  const layout::Layout& l_;
  const cost::StackCommunication& c_;
  const TeamShape& t_;
  const From from_;
  StageCosts* const made_;  // passes of a lowering, if there are any
  bool host_ = false, blocking_ = false, reducing_ = false, slowed_apart_ = false;
  bool replicas_ = false;           // of shards: one more call behind each scatter
  double devices_ = 1, group_ = 1;  // of a pipeline rank; of them in a gradient group
  double tasks_ = 0, participants_ = 0, edges_ = 0, operations_ = 0;
  double fixed_ = 0;     // bytes that do not grow with the micro-batches
  double accounts_ = 0;  // bytes that only accounting takes
  std::map<std::tuple<std::int64_t, bool, bool, std::int64_t>, std::map<PassKind, PassCounts>> counts_;
};

// `passes` of one kind through a stage: its tasks, fused to one a piece and team, or one a step.
void Estimate::add_passes(const PassCounts& c, PassKind kind, double passes, bool apart) {
  const bool gathers = l_.gathers_parameters();
  const bool reduces = l_.reduces_in_each_pass() && (kind == PassKind::backward || kind == PassKind::weight_gradient);
  const bool slowed = apart || ((gathers || reduces) && slowed_apart_);
  const double fused = s_.fuse && !s_.flows && !slowed ? t_.alike : 0;
  const double units = gathers ? c.layers : c.units;
  const double steps = c.steps(), reads = host_ ? c.reads : 0;
  const double pieces = (gathers || reduces ? std::max(1.0, units) : 1) + reads;
  double apart_of_team = c.compute * t_.members;
  for (std::size_t d = 0; d < layout::kDimensions; ++d) apart_of_team += c.calls.values[d] * t_.groups.values[d];
  const double of_team = fused * pieces + (1 - fused) * apart_of_team;
  const double each = (fused * pieces + (1 - fused) * steps) * t_.members;
  const double launches = t_.alike * 2 * pieces + (1 - t_.alike) * steps;
  const double waits = (blocking_ ? (1 - fused) * steps : 0) + (host_ ? launches : 0);
  const double runs = passes * t_.teams;
  tasks_ += runs * (of_team + waits * t_.members);
  participants_ += runs * (each + waits * t_.members);
  edges_ += runs * (2 * each + 2 * waits * t_.members);
  operations_ += runs * t_.members;
  accounts_ += passes * 110 * c.effects / l_.pipeline;  // effects are sorted, one device at a time
  const bool gathered = gathers && kind != PassKind::weight_gradient;
  const int reductions = reduces ? (replicas_ ? 2 : 1) : 0;
  const double away =
      c.layers * (s_.offload.activations + (kind == PassKind::weight_gradient ? 0 : s_.offload.weights));
  if (away > 0) {  // copies, and the pieces that they cut the pass into
    const double cuts = gathers || reduces ? 0 : away;
    add_copies(passes * away);
    add_pieces(passes * cuts);
  }
  if (gathered || reduces)
    add_data_calls(passes * ((gathered ? units : 0) + (gathers ? c.ready : c.units) * reductions));
}

// Passes are kept once for all alike stages, without costs and with them; where transfers share links, for each stage
// and group with links of its own. As templates, too, where they are not fused. Accounts look inside of fused ones.
void Estimate::add_kept(const PassCounts& c) {
  const bool templates = s_.flows || !s_.fuse || t_.alike < 1 || slowed_apart_;
  const double links = s_.flows ? places_with_own_links() : 1;
  const double of_step = kGrown * (sizeof(layout::PassStep) + sizeof(TimedStep)) + (templates ? 260 : 0);
  fixed_ += links * (c.steps() * of_step + c.all_calls() * bytes_of_call(c));
  accounts_ += links * c.steps() * kGrown * (sizeof(PassPart) + sizeof(Segment));
}

// Of backward passes of one stage, one after the other, behind which its gradients are reduced: with several chunks on
// a rank mostly as many as there are ranks (Narayanan et al., SC'21), else all.
double Estimate::runs() const {
  if (!l_.shards_gradients() || !l_.reduces_after_runs || l_.virtual_stages == 1) return 1;
  return std::ceil(static_cast<double>(s_.micro_batches) / l_.pipeline);
}

double Estimate::places_with_own_links() const {
  double places = 1;
  bool first = true;
  for (const layout::DimensionFacts& d : layout::kDimensionList) {
    const int degree = l_.*d.degree;
    if (!d.in_pass || degree == 1) continue;
    places *= t_.groups[d.dimension] * (std::exchange(first, false) ? t_.teams : degree / t_.members);
  }
  return places;
}

// The phases of a call are kept where transfers share links: more of them in a larger group.
double Estimate::bytes_of_call(const PassCounts& c) const {
  if (!s_.flows) return 0;
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (c.calls[d.dimension] > 0) return 200 + 24.0 * (l_.*d.degree);
  return 0;
}

// More pieces that passes are cut into.
void Estimate::add_pieces(double pieces) {
  const double all = pieces * t_.teams, host = host_ ? 2 * t_.members : 0;
  tasks_ += all * (1 + host);
  participants_ += all * (t_.members + host);
  edges_ += 2 * all * (t_.members + host);
}

// Collectives of the gradient groups that go with the passes, of each device.
void Estimate::add_data_calls(double calls) {
  const double all = calls * devices_;
  tasks_ += all / group_;
  participants_ += all;
  operations_ += all;
  edges_ += 3 * all;
}

// Copies between each device and its host.
void Estimate::add_copies(double copies) {
  const double all = copies * devices_;
  tasks_ += all;
  participants_ += all;
  operations_ += all;
  edges_ += 4 * all;
}

std::vector<PassKind> Estimate::kinds() const {
  return s_.split_backward ? std::vector{PassKind::forward, PassKind::input_gradient, PassKind::weight_gradient}
                           : std::vector{PassKind::forward, PassKind::backward};
}

std::map<PassKind, PassCounts> Estimate::counts_of(const layout::StageSpan& span, int stage) const {
  std::map<PassKind, PassCounts> counts;
  if (from_ == From::bounds) {
    for (const PassKind kind : kinds()) counts[kind] = at_most(span, l_);
  } else if (made_ != nullptr && stage < made_->stages()) {
    for (const PassKind kind : kinds())
      counts[kind] = count(made_->stage(stage), made_->steps(stage, kind), kind, s_.stack, s_.pass);
  } else {
    model::ModelSpec part = s_.model;  // no more of the model than the stage needs
    // Where layers differ the stage is as it stands.
    const layout::StageSpan alike{layers_differ(part) ? span.first_layer : span.first_layer % 2, span.layers,
                                  span.embedding, span.head};
    if (!part.has_two_stacks()) part.layers = alike.first_layer + alike.layers;
    const model::ModelGraph graph = layout::graph_of(part, s_.pass);
    const auto operators = layout::operators_of(layout::stage_of_operators(graph, {&alike, 1}), 0);
    layout::PassOptions balanced = s_.pass;  // loads change sizes, not steps
    balanced.routing = {};
    const layout::StageModel model(graph, l_, operators, balanced);
    for (const PassKind kind : kinds()) counts[kind] = count(model, model.pass(kind), kind, s_.stack, s_.pass);
  }
  return counts;
}

void Estimate::add_stage(const layout::StageSpan& span, int stage) {
  const auto key = std::make_tuple(span.layers, span.embedding, span.head,
                                   layers_differ(s_.model) ? span.first_layer : span.first_layer % 2);
  auto [it, fresh] = counts_.try_emplace(key);
  if (fresh) it->second = counts_of(span, stage);
  for (const auto& [kind, counts] : it->second) {
    add_passes(counts, kind, static_cast<double>(s_.micro_batches));
    if (fresh || s_.flows) add_kept(counts);
  }
  if (s_.offload.optimizer > 0) {  // gradients, parts of the update, weights
    const PassCounts& last = it->second.rbegin()->second;
    add_copies(3 * last.layers +
               (l_.shards_gradients() ? static_cast<double>(s_.micro_batches) * last.units : last.buckets));
  }
  if (reducing_ && !l_.gathers_parameters() && c_.overlap_data) {
    const PassCounts& last = it->second.rbegin()->second;
    const double buckets = l_.shards_gradients() ? last.units : last.buckets;
    const bool gathered = l_.shards() > 1 && c_.overlap_gather;
    const int reductions = l_.reduces_in_each_pass() ? 0 : replicas_ ? 2 : 1;
    add_data_calls(s_.pipes * ((gathered ? last.buckets : 0) + runs() * buckets * reductions));
    add_pieces(s_.pipes * runs() * buckets);
    for (const auto& [kind, counts] : it->second) {  // those beside which they run may be played step by step
      const bool beside =
          kind == PassKind::forward ? l_.shards() > 1 && c_.overlap_gather : kind != PassKind::input_gradient;
      if (beside && slowed_apart_) add_passes(counts, kind, s_.pipes * (kind == PassKind::forward ? 1 : runs()), true);
    }
  }
}

// Every micro-batch crosses each boundary of stages twice; what an encoder makes goes to each stage of the decoder.
void Estimate::add_messages() {
  if (l_.pipeline == 1) return;
  const double edges = (s_.stages - 1) * (s_.model.has_two_stacks() ? 2 : 1);
  const double messages = 2 * static_cast<double>(s_.micro_batches) * edges * devices_;
  tasks_ += messages;
  participants_ += 2 * messages;
  operations_ += 2 * messages;
  edges_ += (c_.messages == MessageMode::rendezvous ? 4 : 2) * messages;
}

// Sorting the tasks is the peak: for each task, edge, participant and operation what it keeps then. The slots of the
// messages, [device][stage][micro-batch], are a square of the pipeline degree.
double Estimate::bytes() const {
  const double all = devices_ * l_.pipeline;
  const double slots = all * s_.stages * s_.pipes * static_cast<double>(s_.micro_batches) * 2 * sizeof(TaskId);
  const double schedule =
      static_cast<double>(s_.micro_batches) * s_.stages * (s_.split_backward ? 3 : 2) * sizeof(schedule::Operation);
  return 9e6 + fixed_ + slots + 2 * schedule + 1300.0 * l_.ranks() + 44 * tasks_ + 20 * participants_ + 18 * edges_ +
         1.2 * sizeof(Operation) * operations_;
}

Footprint Estimate::of(const std::vector<layout::StageSpan>& spans) {
  for (std::size_t s = 0; s < spans.size(); ++s) add_stage(spans[s], static_cast<int>(s));
  add_messages();
  tasks_ += 5 * devices_ * l_.pipeline;
  for (double* many : {&tasks_, &participants_, &edges_, &operations_}) *many *= s_.steps;
  return {tasks_, bytes() + accounts_, accounts_};
}

}  // namespace

TeamShape folded_teams() {
  return {};
}

TeamShape teams_of_all_ranks(const layout::Layout& layout) {
  TeamShape all;
  // Blocks of neighbours that tensor and context join, and those that the experts join: what both join.
  all.members = std::lcm(layout.tensor * layout.context, layout.expert * layout.expert_tensor);
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    all.groups[d.dimension] = all.members / (layout.*d.degree);
  all.teams = static_cast<double>(layout.ranks()) / layout.pipeline / all.members;
  return all;
}

// Within one stage there is nothing to gain: all of its ranks end together.
bool post_validates(const cost::StackOptimizer& optimizer, const layout::Layout& layout, bool split_backward) {
  const cost::PostValidation when = optimizer.post_validation;
  return layout.pipeline > 1 &&
         (when == cost::PostValidation::always || (when == cost::PostValidation::split_backward && split_backward));
}

namespace {

Footprint footprint(const StepSize& size, From from, StageCosts* made = nullptr) {
  const auto spans = layout::partition_layers(size.model, size.layout);
  if (!spans.ok()) return {};
  return Estimate(size, from, made).of(*spans);
}

}  // namespace

Footprint footprint_of(const StepSize& size) {
  return footprint(size, From::own_passes);
}

Footprint footprint_at_most(const StepSize& size) {
  return footprint(size, From::bounds);
}

Footprint footprint_of(const StepSize& size, StageCosts& made) {
  return footprint(size, From::own_passes, &made);
}

}  // namespace orrery::program
