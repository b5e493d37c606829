// Direct: every pair exchanges its part at once.
//   all_to_all, all_gather, reduce_scatter: α + (n−2)·o + (n−1)/n · S/B, o = cost of each message after the first (0
//   when ideal) all_reduce: reduce_scatter and all_gather: 2·(…);  broadcast: α + (n−1)·S/B out of the root;
//   send_receive: α + S/B; dispatch: as all_to_all, but a row that has several of its ranks in a domain goes there
//   once, to the member of its own place, which hands it on (DeepEP, csrc/kernels/internode.cu), all in one pipeline
// Kernels of DeepEP run on 20 to 24 multiprocessors: each token of a rank, sent or summed, passes these once, beside
// the copies that other ranks have (csrc/kernels/intranode.cu: half of the channels send, half receive). Groups above
// kAllPairs ranks load the links by domain, unless their rows are unlike: each member sends its part for a whole domain
// to the member of its own place there.
#include <algorithm>
#include <numeric>
#include <vector>

#include "algorithm.hpp"

namespace orrery::network {
namespace {

constexpr int kAllPairs = 256;

// In 1/parts of what goes to one rank: as fine as the sums on shared links leave room for.
std::int32_t parts_for(const Group& group) {
  const std::int64_t n = group.size();
  return static_cast<std::int32_t>(std::clamp<std::int64_t>((std::int64_t{1} << 28) / (n * n), 1, 1024));
}

// Unlike rows as they are, unless all of a group together are too many for a link.
std::vector<std::int32_t> fine_enough(const std::vector<std::int64_t>& rows) {
  const std::int64_t most = std::max<std::int64_t>((std::int64_t{1} << 22) / std::ssize(rows), 1);
  const std::int64_t all = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  const double scale = all <= most ? 1 : static_cast<double>(most) / static_cast<double>(all);
  std::vector<std::int32_t> parts;
  for (const std::int64_t of : rows) parts.push_back(static_cast<std::int32_t>(static_cast<double>(of) * scale + 0.5));
  return parts;
}

// What a member sends to each, in parts of all that it sends, and the links that this loads.
class Exchange {
 public:
  explicit Exchange(const PlanContext& context)
      : context_(context), loads_(context.group.topology()), to_(static_cast<std::size_t>(context.group.size()), 1) {}

  void load_pairs() {
    if (context_.rows) to_ = fine_enough(context_.rows->to);
    const auto members = context_.group.members();
    if (members.size() > kAllPairs && !context_.rows) return load_domains();
    for (const auto from : members)
      for (std::size_t p = 0; p < members.size(); ++p) hop(from, members[p], to_[p]);
  }

  void load_dispatch() {
    const double mean = chance_of_one();
    const std::int32_t parts = context_.group.one_domain() && !context_.rows ? 1 : parts_for(context_.group);
    const auto parts_of = [&](double chance) { return static_cast<std::int32_t>(chance / mean * parts + 0.5); };
    for (std::size_t p = 0; p < to_.size(); ++p) to_[p] = parts_of(chance_of_any(context_.chosen, ranks_at(p)));
    for (const Domain& to : context_.group.domains()) {
      double ranks = 0;
      std::int32_t copies = 0;
      for (const std::size_t p : to.places) ranks += ranks_at(p), copies = std::max(copies, to_[p]);
      copies = std::max(copies, parts_of(chance_of_any(context_.chosen, ranks)));
      std::vector<std::int32_t> senders(to.members.size(), 1);  // whose rows each member hands on, its own at first
      for (const Domain& from : context_.group.domains()) {
        if (&from == &to) continue;
        for (std::size_t i = 0; i < from.members.size(); ++i) {
          hop(from.members[i], to.members[i % to.members.size()], copies);
          ++senders[i % to.members.size()];
        }
      }
      for (std::size_t a = 0; a < to.members.size(); ++a)
        for (std::size_t b = 0; b < to.members.size(); ++b)
          hop(to.members[a], to.members[b], senders[a] * to_[to.places[b]]);
    }
  }

  // S is every token as often as there are ranks that have any of its experts.
  double own_tokens() const { return 1 / (context_.group.size() * chance_of_one()); }
  std::int64_t all() const { return std::accumulate(to_.begin(), to_.end(), std::int64_t{0}); }
  HopLoads& loads() { return loads_; }

 private:
  double ranks_at(std::size_t place) const {
    return context_.rows ? context_.rows->ranks(context_.rows->to[place]) : 1;
  }
  // That a row is for one of the members: their mean.
  double chance_of_one() const {
    if (!context_.rows) return chance_of_any(context_.chosen, 1);
    double sum = 0;
    for (std::size_t p = 0; p < to_.size(); ++p) sum += chance_of_any(context_.chosen, ranks_at(p));
    return sum / static_cast<double>(to_.size());
  }
  void hop(hardware::DeviceId from, hardware::DeviceId to, std::int32_t parts) {
    if (parts == 0) return;
    context_.rows&& context_.rows->home ? loads_.hop(to, from, parts) : loads_.hop(from, to, parts);
  }
  void load_domains() {
    for (const Domain& from : context_.group.domains()) {
      for (const auto a : from.members)
        for (const auto b : from.members) hop(a, b, 1);
      for (const Domain& to : context_.group.domains()) {
        if (&from == &to) continue;
        for (std::size_t i = 0; i < from.members.size(); ++i)
          hop(from.members[i], to.members[i % to.members.size()], static_cast<std::int32_t>(to.members.size()));
      }
    }
  }

  const PlanContext& context_;
  HopLoads loads_;
  std::vector<std::int32_t> to_;  // [place]
};

std::string unsupported_direct(Collective kind, const Group& group) {
  return kind == Collective::send_receive && group.size() != 2 ? "send_receive takes two ranks: from and to" : "";
}

// Kernels of DeepEP (deepseek-ai/DeepEP) write to the other ranks as `direct` does, with constants of their own.
std::string unsupported_deepep(Collective kind, const Group&) {
  const bool to_experts = kind == Collective::all_to_all || kind == Collective::dispatch;
  return to_experts ? "" : "deepep sends tokens to experts: all_to_all and dispatch alone";
}

void plan_direct(const PlanContext& context, Outline& out) {
  const Group& group = context.group;
  const std::int64_t n = group.size();
  const std::int64_t network = group.one_domain() ? 0 : 1;
  Exchange exchange(context);
  HopLoads& loads = exchange.loads();
  if (context.kind == Collective::send_receive) {
    loads.hop(group.members()[0], group.members()[1]);
    out.add(loads, {context.bytes, 1, 1 - network, network});
  } else if (context.kind == Collective::broadcast) {
    for (const auto to : group.members()) loads.hop(context.root, to);
    out.add(loads, {context.bytes, 1, 1 - network, network, -1, n - 2});
  } else {
    context.kind == Collective::dispatch ? exchange.load_dispatch() : exchange.load_pairs();
    HopLoads again = loads;
    const PhaseShape shape{context.bytes, exchange.all(), 1 - network, network, -1, n - 2, exchange.own_tokens()};
    out.add(loads, shape);
    if (context.kind == Collective::all_reduce) out.add(again, shape);
  }
}

}  // namespace

const Algorithm kDirect{"direct", unsupported_direct, plan_direct};
const Algorithm kDeepEp{"deepep", unsupported_deepep, plan_direct};

}  // namespace orrery::network
