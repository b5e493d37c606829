#include "pool_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "orrery/layout/pass.hpp"
#include "orrery/model/flops.hpp"
#include "orrery/schedule/replay.hpp"
#include "places.hpp"
#include "rules.hpp"
#include "running.hpp"

namespace orrery::scenario {
namespace {

constexpr std::size_t kMostOrdered = 5;  // pools; of more the order is that of their speed

// What one rank keeps of a part of the model: states for good, and from each forward pass to its backward pass; and
// what such a pass has beside it while it runs.
struct KeptByRank {
  std::int64_t states = 0, of_pass = 0, in_pass = 0;
  std::int64_t with(std::int64_t in_flight) const { return states + checked_mul(of_pass, in_flight); }
};

std::int64_t most_in_pass(const layout::StageModel& part, layout::PassKind kind) {
  const std::int64_t saved = part.saved_activations().value;
  std::int64_t now = kind == layout::PassKind::forward ? 0 : saved, most = saved;
  for (const layout::PassStep& step : part.pass(kind))
    for (const bool at_end : {false, true})
      for (const layout::MemoryChange& change : step.memory)
        if (change.at_end == at_end) now += change.bytes.value, most = std::max(most, now);
  return most - saved;
}

struct KeptOfModel {
  KeptByRank embedding, layer, head;
};

// A layer in the middle stands for all.
KeptOfModel kept_of(const Scenario& s) {
  const layout::PassOptions options = pass_options(s);
  const layout::Layout layout = running_layout(s);
  const model::ModelGraph graph = layout::graph_of(model::pad_vocab(s.model, s.layout.tensor), options);
  const auto of = [&](std::int64_t layer) {
    std::vector<std::int32_t> nodes;
    for (std::size_t i = 0; i < graph.operators.size(); ++i)
      if (graph.operators[i].layer == layer) nodes.push_back(static_cast<std::int32_t>(i));
    const layout::StageModel part(graph, layout, nodes, options);
    KeptByRank kept{0, part.saved_activations().value};
    for (const layout::PassKind kind : {layout::PassKind::forward, layout::PassKind::backward})
      kept.in_pass = std::max(kept.in_pass, most_in_pass(part, kind));
    for (const layout::Parameters p : layout::kParameterKinds) {
      const layout::StateBytes bytes = layout::state_bytes(part.parameters(p), state_widths(s), layout, p);
      kept.states += (bytes.weights + bytes.gradients + bytes.optimizer).value;
    }
    return kept;
  };
  return {of(-1), of(s.model.layers / 2), of(s.model.layers)};
}

// [pipeline rank] layers that the memory of its smallest GPU holds beside what else stands there.
std::vector<std::int64_t> layers_that_fit(const schedule::Replay& played, const std::vector<std::int64_t>& rooms,
                                          const KeptOfModel& kept) {
  std::vector<std::int64_t> most;
  for (std::size_t rank = 0; rank < rooms.size(); ++rank) {
    const std::int64_t in_flight = played.peak_until_weight[rank];
    const bool last = rank + 1 == rooms.size();
    std::int64_t room = rooms[rank] - std::max(kept.layer.in_pass, last ? kept.head.in_pass : 0);
    if (rank == 0) room -= kept.embedding.with(in_flight);
    if (last) room -= kept.head.with(in_flight);
    most.push_back(std::max<std::int64_t>(room / std::max<std::int64_t>(kept.layer.with(in_flight), 1), 0));
  }
  return most;
}

std::int64_t room_of(const Scenario& s, std::size_t pool) {
  return (s.pools[pool].gpu.usable_memory - s.outside_allocator(s.pools[pool].gpu)).value;
}

class PoolChoice {
 public:
  PoolChoice(Scenario& s, const schedule::Schedule& schedule, const hardware::Topology& topology)
      : s_(s), schedule_(schedule), topology_(topology), limited_(s.layout.virtual_stages == 1 && is_asked(s)) {
    if (!limited_) return;
    kept_ = kept_of(s);
    played_ = schedule::replay(schedule, schedule::uniform_times(schedule.placement.stages, 1, 1, 1));
  }

  // Speeds and layers that fit, as the ranks are placed.
  Diagnostics know() {
    Result<StagesOnPools> stages = stages_on_pools(s_, topology_);
    if (!stages.ok()) return stages.errors();
    if (limited_) {
      std::vector<std::int64_t> rooms;
      for (const std::vector<std::size_t>& pools : stages->pools) {
        std::int64_t room = std::numeric_limits<std::int64_t>::max();
        for (const std::size_t pool : pools) room = std::min(room, room_of(s_, pool));
        rooms.push_back(room);
      }
      s_.layout.most_layers = layers_that_fit(played_, rooms, kept_);
    }
    s_.layout.speeds = std::move(stages->speeds);
    return {};
  }

  Diagnostics choose() {
    if (s_.pools.empty()) {
      Diagnostic d = broken("placement.type", "auto is of pools, and the cluster has none");
      d.help = "say cluster: {pools: […]}, or another placement";
      return {d};
    }
    std::vector<std::size_t> by_speed(s_.pools.size());
    std::iota(by_speed.begin(), by_speed.end(), 0);
    const DType type = pass_options(s_).compute;
    std::ranges::stable_sort(by_speed, [&](std::size_t a, std::size_t b) {
      return speed_of_gpu(s_.pools[a], type) > speed_of_gpu(s_.pools[b], type);
    });
    const std::int64_t pipeline = s_.layout.pipeline, data = s_.layout.data;
    const std::vector<Share> stages = shares(by_speed, pipeline);
    if (!stages.empty()) return choose_order(stages);
    std::vector<Share> replicas = shares(by_speed, data);
    if (replicas.empty()) {
      Diagnostic d = broken("placement.type",
                            fmt::format("neither {} stages of {} GPUs nor {} replicas of {} go into the pools whole",
                                        pipeline, s_.gpus() / pipeline, data, s_.gpus() / data));
      d.help = "choose other degrees, or say placement: {type: pools, stages: […]} with pools joined by +";
      return {d};
    }
    place(replicas, &hardware::Placement::replicas);
    return {};
  }

 private:
  static bool is_asked(const Scenario& s) {
    return s.layout.partition == layout::Partition::balanced || s.placement.kind == hardware::PlacementKind::automatic;
  }

  struct Share {
    std::size_t pool;
    std::int64_t count;  // of stages or replicas
  };

  // Of so many, each of as many GPUs, those that each pool has room for, in this order of pools; nothing where some are
  // left over.
  std::vector<Share> shares(const std::vector<std::size_t>& order, std::int64_t count) const {
    const std::int64_t gpus = s_.gpus() / count;
    std::vector<Share> taken;
    for (const std::size_t pool : order) {
      const std::int64_t there = std::int64_t{s_.cluster.pools[pool].nodes} * s_.cluster.gpus_per_node;
      const std::int64_t takes = std::min(there / gpus, count);
      if (takes > 0) taken.push_back({pool, takes});
      count -= takes;
    }
    return count > 0 ? std::vector<Share>() : taken;
  }

  void place(const std::vector<Share>& shares, std::vector<std::string> hardware::Placement::*list) {
    s_.placement = {.kind = hardware::PlacementKind::on_pools};
    for (const Share& share : shares)
      (s_.placement.*list)
          .insert((s_.placement.*list).end(), static_cast<std::size_t>(share.count),
                  s_.cluster.pools[share.pool].shown());
  }

  Diagnostics choose_order(std::vector<Share> shares) {
    std::vector<std::size_t> order(shares.size());
    std::iota(order.begin(), order.end(), 0);
    std::vector<Share> best;
    Cost least;
    do {
      std::vector<Share> turned;
      for (const std::size_t i : order) turned.push_back(shares[i]);
      place(turned, &hardware::Placement::stages);
      if (Diagnostics errors = know(); !errors.empty()) return errors;
      const auto spans = layout::partition_layers(s_.model, s_.layout);
      if (!spans.ok()) return spans.errors();
      const Cost cost = cost_of(*spans);
      if (best.empty() || cost < least) best = turned, least = cost;
    } while (shares.size() <= kMostOrdered && std::ranges::next_permutation(order).found);
    place(best, &hardware::Placement::stages);
    return {};
  }

  // Layers beyond what memory holds, then the time of the slowest stage.
  struct Cost {
    std::int64_t beyond = 0;
    double slowest = 0;
    friend bool operator<(const Cost& a, const Cost& b) {
      return a.beyond != b.beyond ? a.beyond < b.beyond : a.slowest < b.slowest;
    }
  };
  Cost cost_of(const std::vector<layout::StageSpan>& spans) const {
    Cost cost;
    for (std::size_t stage = 0; stage < spans.size(); ++stage) {
      const layout::StageSpan& span = spans[stage];
      const std::size_t rank = static_cast<std::size_t>(schedule_.placement.rank_of(static_cast<int>(stage)));
      const auto flops = static_cast<double>(flops_of_stage(s_, span));
      cost.slowest = std::max(cost.slowest, flops / static_cast<double>(s_.layout.speeds[rank]));
      if (limited_) cost.beyond += std::max<std::int64_t>(span.layers - s_.layout.most_layers[rank], 0);
    }
    return cost;
  }

  Scenario& s_;
  const schedule::Schedule& schedule_;
  const hardware::Topology& topology_;
  bool limited_;  // layers by memory: who asks, and a rank holds one stage
  KeptOfModel kept_;
  schedule::Replay played_;  // for what is in flight
};

}  // namespace

WideFlops flops_of_stage(const Scenario& s, const layout::StageSpan& span) {
  WideFlops flops = span.head ? model::head_flops(s.model, s.lengths()) : 0;
  for (std::int64_t i = 0; i < span.layers; ++i)
    flops += model::layer_flops(s.model, span.first_layer + i, s.lengths());
  return flops;
}

Diagnostics choose_pools(Scenario& s, const schedule::Schedule& schedule, const hardware::Topology& topology) {
  PoolChoice choice(s, schedule, topology);
  if (s.placement.kind == hardware::PlacementKind::automatic)
    if (Diagnostics errors = choice.choose(); !errors.empty()) return errors;
  return choice.know();
}

}  // namespace orrery::scenario
