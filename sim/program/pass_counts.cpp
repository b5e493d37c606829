#include "pass_counts.hpp"

#include <algorithm>

namespace orrery::program {

using layout::PassKind;

namespace {

double buckets(const std::vector<layout::PassStep>& steps, const cost::Stack& stack) {
  const std::int64_t bucket = stack.communication.bucket.value;
  std::int64_t parameters = 0;
  double full = 1;
  for (const layout::PassStep& s : steps) {
    parameters += s.gradients_ready;
    const double bytes = static_cast<double>(parameters) * static_cast<double>(stack.optimizer.gradient_bytes);
    if (bucket == 0 || parameters == 0 || bytes < static_cast<double>(bucket)) continue;
    full += 1;
    parameters = 0;
  }
  return full;
}

}  // namespace

PassCounts count(const layout::StageModel& stage, const std::vector<layout::PassStep>& steps, PassKind kind,
                 const cost::Stack& stack, const layout::PassOptions& pass) {
  PassCounts counts;
  for (std::size_t i = 1; i < steps.size() && !pass.routing.pad; ++i)
    counts.reads += host_reads_counts(steps, i, kind) ? 1 : 0;
  for (const layout::PassStep& s : steps) {
    (s.is_communication ? counts.calls[s.along] : counts.compute) += 1;
    counts.effects += static_cast<double>(s.memory.size());
  }
  counts.buckets = buckets(steps, stack);
  const cost::StackOptimizer& o = stack.optimizer;
  const std::int64_t full = std::max(stack.communication.bucket.value, o.reduce_buffer_elements * o.gradient_bytes);
  std::int64_t open = 0;
  for (const LayerRange& range : layer_ranges(steps)) {
    const std::int64_t parameters =
        stage.parameters_of_layer(range.layer) + stage.parameters_of_layer(range.layer, layout::Parameters::experts);
    if (parameters == 0) continue;
    counts.layers += 1;
    const std::int64_t ready = gradients_ready(steps, range, layout::Parameters::dense) +
                               gradients_ready(steps, range, layout::Parameters::experts);
    if (ready == 0) continue;
    counts.ready += 1;
    if (open == 0) counts.units += 1;
    open += ready * o.gradient_bytes;
    if (open >= full) open = 0;
  }
  return counts;
}

PassCounts at_most(const layout::StageSpan& span, const layout::Layout& layout) {
  constexpr double kKernels = 200, kCalls = 40, kRings = 8, kEffects = 600;  // of a layer
  const double hops = layout.context > 1 ? kRings * layout.context : 0;
  PassCounts counts;
  counts.reads = 2 * static_cast<double>(span.layers);
  counts.layers = counts.ready = counts.units =
      static_cast<double>(span.layers) + (span.embedding ? 1 : 0) + (span.head ? 1 : 0);
  counts.compute = (kKernels + hops) * counts.layers;
  counts.buckets = kCalls * counts.layers + 1;
  for (const layout::DimensionFacts& d : layout::kDimensionList)
    if (d.in_pass) counts.calls[d.dimension] = kCalls * counts.layers;
  counts.calls[layout::Dimension::context] += hops * counts.layers;
  counts.effects = (kEffects + hops) * counts.layers;
  return counts;
}

}  // namespace orrery::program
