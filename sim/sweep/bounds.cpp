#include "sweep/bounds.hpp"

#include <algorithm>
#include <array>

#include "orrery/layout/layout.hpp"
#include "scenario/running.hpp"

namespace orrery::sweep {
namespace {

using scenario::Scenario;

constexpr double kRounding = 1 - 1e-6;  // of sums of doubles, and of kernels rounded to picoseconds

double real(std::int64_t value) {
  return static_cast<double>(value);
}

// Parameters of the matrices of one layer that a token meets, of whichever kind of layer has fewer.
double layer_matrices(const model::ModelSpec& m) {
  return real(model::attention_matrices(m) + std::min(model::mlp_matrices(m, 0), model::mlp_matrices(m, m.layers - 1)));
}

// Of them those that every rank of a stage holds a share of: without the routed experts, which are split otherwise, and
// with latents no more than the share of a tensor rank, who holds them whole.
double held_matrices(const model::ModelSpec& m) {
  if (m.experts.count == 0) return layer_matrices(m);
  return real(model::attention_matrices(m));
}

// FLOP/s that no matrix product passes (kernel_time.cpp: the main loop of the largest tile, without fill and waves).
double best_rate(const Scenario& s, const program::GpuRef& kind, DType type) {
  const cost::KernelModel kernels = cost::with_stack(kind.kernels, s.stack);
  const cost::GemmModel& g = kernels.gemm;
  const double layout = std::max({g.tn, g.nn, g.nt, g.misaligned_rate * std::max({g.tn, g.nn, g.nt})});
  return real(kind.gpu.peak(type).value) * g.rate.of(type) * kernels.sustained * layout *
         (type == DType::fp8 ? std::max(kernels.fp8_sustained, 0.0) : 1.0);
}
double best_rate(const Scenario& s, DType type) {
  double best = best_rate(s, {s.gpu, s.kernels}, type);
  for (const program::GpuKind& pool : s.pools) best = std::max(best, best_rate(s, pool, type));
  return best;
}

bool goes_back_whole(const Scenario& s) {
  constexpr std::array<std::string_view, 5> kKinds{"1f1b", "gpipe", "eager_1f1b", "interleaved_1f1b", "looped_bfs"};
  return std::find(kKinds.begin(), kKinds.end(), s.schedule.type) != kKinds.end() &&
         s.stack.optimizer.post_validation != cost::PostValidation::always;
}

// Picoseconds of each stage for the forward and backward pass of one micro-batch.
std::vector<double> stage_times(const Scenario& s, const std::vector<layout::StageSpan>& spans) {
  const layout::PassOptions pass = scenario::pass_options(s);
  const double rate = std::max(best_rate(s, pass.compute), best_rate(s, pass.activation));
  if (!(rate > 0)) return {};
  const model::Lengths lengths = s.lengths();  // a layer of either stack is of no fewer than the fewer tokens
  const std::int64_t fewest = s.model.has_two_stacks() ? std::min(lengths.sequence, lengths.decoder) : lengths.sequence;
  const double tokens = real(s.training.micro_batch) * real(fewest);
  const double share = tokens / (real(s.layout.tensor) * real(s.layout.context)) / rate * 1e12;
  const bool again = s.training.recompute == layout::Recompute::full && s.training.recompute_every == 1 &&
                     s.training.recompute_method == layout::RecomputeMethod::uniform &&
                     !s.stack.kernels.recompute_stops_early;
  const double of_layer = (again ? 8 : 6) * layer_matrices(s.model) * share;
  const double of_head = 6 * real(s.model.hidden) * real(s.model.vocab) * share;
  std::vector<double> times;
  for (const layout::StageSpan& span : spans) times.push_back(real(span.layers) * of_layer + (span.head ? of_head : 0));
  return times;
}

// Micro-batches of the replica that has most; where they are chosen, which is not known here, no more than the mean.
std::int64_t of_fullest_replica(const Scenario& s) {
  const bool chosen = s.layout.batch_split == layout::BatchSplit::balanced;
  return chosen ? ceil_div(s.training.global_batch, s.layout.data * s.training.micro_batch) : s.micro_batches();
}

double step_time(const Scenario& s) {
  if (!s.cluster.perturb.empty() || !s.schedule.file.empty() || s.training.capacity) return 0;  // drops tokens
  const auto spans = layout::partition_layers(s.model, s.layout);
  if (!spans.ok()) return 0;
  const std::vector<double> stage = stage_times(s, *spans);
  const double micro_batches = real(of_fullest_replica(s));
  const auto p = static_cast<std::size_t>(s.layout.pipeline);
  if (stage.empty()) return 0;
  double sum = 0, longest = 0, before = 0;
  for (const double t : stage) sum += t;
  longest = micro_batches * sum / real(s.layout.pipeline);  // of the mean rank, whoever holds what
  if (!goes_back_whole(s)) return longest;
  for (std::size_t rank = 0; rank < p; ++rank) {
    double own = 0;
    for (std::size_t i = rank; i < stage.size(); i += p) own += stage[i];
    longest = std::max(longest, micro_batches * own + before);
    before += stage[rank];
  }
  return longest;
}

// Matrices alone: what else there is comes on top.
double state(const Scenario& s) {
  const layout::StateWidths widths = scenario::state_widths(s);
  const layout::Layout layout = scenario::running_layout(s);
  const double matrices = real(s.model.layers) * held_matrices(s.model) + real(s.model.hidden) * real(s.model.vocab);
  const double of_rank = matrices / (real(layout.tensor) * real(layout.pipeline));
  const auto held = [&](layout::Zero from, std::int64_t bytes) {
    return of_rank * real(bytes) / (layout.zero >= from ? layout.shards() : 1);
  };
  const layout::Offload& off = s.training.offload;  // what it keeps off is rounded up, weights to layers
  const double gradients = layout.shards_gradients() ? 1 - off.optimizer : 1;
  const double bytes = (off.weights > 0 ? 0 : held(layout::Zero::parameters, widths.weight_bytes)) +
                       gradients * held(layout::Zero::gradients, widths.gradient_bytes) +
                       (1 - off.optimizer) * held(layout::Zero::optimizer, widths.optimizer_bytes);
  return off.any() ? std::max(0.0, bytes - 256) : bytes;
}

}  // namespace

double tensor_memory(const Scenario& s) {
  std::int64_t most = (s.gpu.usable_memory - s.outside_allocator(s.gpu)).value;
  for (const program::GpuKind& pool : s.pools)
    most = std::max(most, (pool.gpu.usable_memory - s.outside_allocator(pool.gpu)).value);
  return real(most);
}

Bounds bounds_of(const Scenario& s) {
  return {kRounding * step_time(s), kRounding * state(s)};
}

}  // namespace orrery::sweep
