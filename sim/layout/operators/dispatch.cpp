// Copies of tokens to the ranks of their experts and back (Megatron-LM, core/transformer/moe/token_dispatcher.py). What
// one direction does forward the other does backward.
//   all_to_all  a copy for each expert to its rank, then a gather among those that share each expert
//   all_gather  all tokens to all ranks of the experts, whose own each picks; home by reduce-scatter
//   deepep, hybridep  a copy for each rank that has any of a token's experts, there spread to these
// Where ranks are given unlike rows calls say how many each of them sends to each.
#include "dispatch.hpp"

#include <algorithm>
#include <memory>

#include "operators.hpp"

namespace orrery::layout {
namespace {

constexpr std::int64_t kChosenBytes = 1, kIndexBytes = 8;
constexpr const char* kWeights = "dispatch.weights";

// A token goes to a rank with the chance that any of its k experts is there: of a rank that is given more or fewer rows
// than others, as if it held as many times more experts.
double chance_at(const Splitter& s, std::int64_t received) {
  const std::int64_t even = checked_mul(s.rank.shard_tokens, checked_mul(s.model.experts.top_k, s.rank.expert_tensor));
  return chance_of_any({s.model.experts.count, s.rank.experts, s.model.experts.top_k},
                       static_cast<double>(received) / static_cast<double>(even));
}

// To all ranks of the experts, by one. Balanced, as many rows arrive as leave.
std::int64_t rows_sent_once(const Splitter& s) {
  if (s.rank.sent.empty()) return rows_once(s, s.rank.received);
  double ranks = 0;
  for (const std::int64_t rows : s.rank.sent) ranks += chance_at(s, rows * s.rank.expert * s.rank.expert_tensor);
  return static_cast<std::int64_t>(static_cast<double>(s.rank.shard_tokens) * ranks);
}

using Steps = std::vector<OpStep>;

class Exchange {
 public:
  Exchange(const Splitter& s, std::int64_t features) : s_(s), row_(features * s.width()) {}

  // `weights`: of the rows, which travel with them.
  Steps outward(bool weights) {
    steps_.clear();
    switch (s_.options.experts.dispatcher) {
      case Dispatcher::all_to_all:
        send_copies(weights);
        break;
      case Dispatcher::all_gather:
        gather_all(weights ? kChosenBytes + kRouterWeight : 0);
        break;
      case Dispatcher::deepep:
      case Dispatcher::hybridep:
        send_once(weights);
    }
    return std::move(steps_);
  }
  Steps homeward(bool weights) {
    Steps steps = outward(weights);
    std::reverse(steps.begin(), steps.end());
    for (OpStep& step : steps) {
      if (step.step.collective == Collective::all_gather) step.step.collective = Collective::reduce_scatter;
      if (step.step.rows) step.step.rows = unlike_rows(true);
    }
    return steps;
  }
  // Of all tokens on one rank.
  Bytes workspace() const { return {s_.options.experts.dispatcher == Dispatcher::all_gather ? gathered() * row_ : 0}; }

 private:
  UnlikeRows unlike_rows(bool home) const {
    if (s_.rank.sent.empty()) return {};
    const std::int64_t all = checked_mul(s_.rank.shard_tokens, s_.model.experts.top_k);
    return {std::make_shared<const MemberRows>(MemberRows{s_.rank.sent, all, home})};
  }
  std::int64_t gathered() const { return checked_mul(s_.rank.shard_tokens, s_.rank.expert * s_.rank.expert_tensor); }
  void call(Collective kind, std::int64_t bytes, Dimension along, const char* name = nullptr) {
    steps_.push_back({s_.communicate(name != nullptr ? name : model::name_of(s_.node().kind), kind, bytes, along)});
  }
  void exchange(Collective kind, std::int64_t bytes, const char* name = nullptr) {
    call(kind, bytes, Dimension::expert, name);
    steps_.back().step.rows = unlike_rows(false);
  }
  void sort(std::int64_t rows) {
    if (s_.rank.experts > 1) steps_.push_back({s_.memory("sort_by_expert", rows * row_)});
  }

  void send_copies(bool weights) {
    const std::int64_t copies = s_.rank.copies, received = s_.rank.received;
    if (s_.rank.expert > 1) exchange(Collective::all_to_all, copies * row_);
    if (s_.rank.expert > 1 && weights) exchange(Collective::all_to_all, copies * kRouterWeight, kWeights);
    if (s_.rank.expert_tensor > 1) call(Collective::all_gather, received * row_, Dimension::expert_tensor);
    sort(2 * received);
  }

  void gather_all(std::int64_t of_expert) {
    const std::int64_t among = checked_mul(s_.rank.shard_tokens, s_.rank.expert_tensor), all = gathered();
    for (const std::int64_t width : {row_, of_expert * s_.model.experts.count}) {
      if (width == 0) continue;
      const char* const name = width == row_ ? nullptr : kWeights;
      if (s_.rank.expert_tensor > 1) call(Collective::all_gather, among * width, Dimension::expert_tensor, name);
      if (s_.rank.expert > 1) call(Collective::all_gather, all * width, Dimension::expert, name);
    }
    steps_.push_back({s_.memory("sort_by_expert", 2 * s_.rank.received * row_)});
  }

  void send_once(bool weights) {
    const std::int64_t rows = rows_sent_once(s_), received = s_.rank.received;
    const std::int64_t choice = weights ? (kIndexBytes + kRouterWeight) * s_.model.experts.top_k : 0;
    if (s_.rank.expert > 1) exchange(Collective::dispatch, rows * (row_ + choice));
    if (s_.rank.expert_tensor > 1) call(Collective::all_gather, received * row_, Dimension::expert_tensor);
    sort(rows_once(s_, received) + received);  // hybridep: in the same kernel, but over the same bytes
  }

  const Splitter& s_;
  std::int64_t row_;  // bytes
  Steps steps_;
};

}  // namespace

std::int64_t rows_once(const Splitter& s, std::int64_t received) {
  const double ranks = static_cast<double>(s.rank.expert) * chance_at(s, received);
  return static_cast<std::int64_t>(static_cast<double>(s.rank.shard_tokens) * ranks);
}

bool stays(const Splitter& s) {
  return s.rank.expert == 1 && s.rank.expert_tensor == 1;
}

bool sends_tokens(const Splitter& s) {
  return !stays(s) && s.options.experts.dispatcher != Dispatcher::all_to_all;
}

// Rows and their weights: inputs 0 and 1.
void split_dispatch(Splitter& s) {
  if (stays(s)) {
    s.passes_through(0, 0), s.passes_through(1, 1);
    return;
  }
  RankOp op = s.start();
  Exchange exchange(s, s.features(0));
  const TensorId weights = s.tensor(s.rank.received, kRouterWeight);
  op.out = {s.result(0), weights};
  s.results_are(1, {weights});
  op.forward = exchange.outward(true), op.backward = exchange.homeward(true);
  if (sends_tokens(s) && !s.options.compiled)  // the gradient of the branch meets that of the router's product
    op.backward.push_back({s.memory("input.add_gradient", 3 * s.width() * s.rank.shard_tokens * s.features(0))});
  const Bytes workspace = exchange.workspace();
  (s.options.kernels.gather_buffer ? op.gather_buffer : op.forward_workspace) = workspace;
  if (workspace.value > 0) op.backward_workspace.push_back({workspace, true, false});
  s.finish(std::move(op));
}

void split_combine(Splitter& s) {
  if (stays(s)) {
    s.passes_through(0, 0);
    return;
  }
  RankOp op = s.start();
  Exchange exchange(s, s.features(0));
  op.out = {s.result(0, (sends_tokens(s) ? s.rank.shard_tokens : s.rank.copies) * s.features(0))};
  op.forward = exchange.homeward(false), op.backward = exchange.outward(false);
  op.forward_workspace = exchange.workspace();
  if (op.forward_workspace.value > 0) op.backward_workspace.push_back({op.forward_workspace, true, false});
  s.finish(std::move(op));
}

}  // namespace orrery::layout
