#include "orrery/program/kernel_book.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "costs.hpp"

namespace orrery::program {
namespace {

using layout::PassKind;
using layout::PassStep;
using model::Kernel;
using model::KernelKind;

// ⌈flops · 10¹² / peak⌉ without leaving 128 bits.
Int128 time_at(WideFlops flops, std::int64_t peak) {
  const Int128 rest = flops % peak * kPicosecondsPerSecond;
  return flops / peak * kPicosecondsPerSecond + rest / peak + (rest % peak != 0 ? 1 : 0);
}

// The kernels of a GPU with more and more of them ideal.
class Ideals {
 public:
  // `peak`: what a GPU of the run has, the mean of unlike ones.
  Ideals(const GpuRef& kind, std::int64_t peak)
      : kind_(kind), full_clock_(kind.kernels), full_rate_(kind.kernels), peak_(peak) {
    full_clock_.sustained = full_clock_.fp8_sustained = 1;
    full_rate_ = full_clock_;
    cost::GemmModel& gemm = full_rate_.gemm;
    for (const DType type : kDTypes) gemm.rate.of(type) = 1;
    gemm.tn = gemm.nn = gemm.nt = gemm.misaligned_rate = 1;
    for (cost::AttentionKernels& kernels : full_rate_.attention)
      for (cost::AttentionModel* m : {&kernels.forward, &kernels.backward}) m->rate_64 = m->rate_128 = m->rate_wide = 1;
  }

  // One launch of a step.
  KernelLosses of(const Kernel& kernel) {
    const auto known = std::find_if(known_.begin(), known_.end(), [&](const auto& k) { return k.first == kernel; });
    if (known != known_.end()) return known->second;
    known_.emplace_back(kernel, compute(kernel));
    return known_.back().second;
  }

 private:
  KernelLosses compute(const Kernel& kernel) const {
    const auto time = [&](const cost::KernelModel& model) { return cost::kernel_time(kind_.gpu, model, kernel).value; };
    KernelLosses t{cost::executed_flops(kind_.kernels, kernel).value, time(kind_.kernels), time(full_clock_),
                   time(full_rate_), 0};
    if (const std::int64_t own = kind_.gpu.peak(kernel.dtype).value; own != peak_ && own > 0)
      t.number_format = time_at(t.flops, own) - time_at(t.flops, peak_);
    return t;
  }

  GpuRef kind_;
  cost::KernelModel full_clock_, full_rate_;
  std::int64_t peak_;
  std::vector<std::pair<Kernel, KernelLosses>> known_;  // a step has few shapes of kernels
};

void add(KernelLosses& sum, const KernelLosses& one, Int128 times) {
  sum.flops += one.flops * times;
  sum.time += one.time * times;
  sum.at_full_clock += one.at_full_clock * times;
  sum.at_full_rate += one.at_full_rate * times;
  sum.number_format += one.number_format * times;
}

// As the lowering has it: each launch of a chain moves its share of the bytes.
Kernel one_launch(const PassStep& step) {
  Kernel kernel = step.kernel;
  kernel.bytes = {ceil_div(kernel.bytes.value, step.kernels)};
  return kernel;
}

void add_kernels(StageWork& work, Int128 passes, Ideals& ideals, KernelBook& book) {
  for (const PassKind kind : {PassKind::forward, PassKind::backward})
    for (const PassStep& step : work.steps(kind)) {
      if (step.is_communication || step.role == layout::StepRole::recompute) continue;
      const KernelLosses one = ideals.of(one_launch(step));
      const Int128 times = passes * step.kernels;
      if (step.kernel.kind == KernelKind::memory) {
        book.memory_bound += one.time * times;
        continue;
      }
      add(step.kernel.kind == KernelKind::gemm ? book.products : book.attention, one, times);
    }
}

}  // namespace

Result<KernelBook> kernel_book(const StepInput& input, Costs& costs) {
  const Result<StepParts> parts = step_parts(input, costs.parts());
  if (!parts.ok()) return parts.errors();
  const std::vector<std::int32_t>& alike = parts->stages->of.cut->alike;
  const std::vector<std::vector<std::int64_t>> passes_of = micro_batches_by_kind(input);
  const Int128 shared_by = static_cast<Int128>(input.layout.expert) * input.schedule->placement.pipes;
  std::map<std::int32_t, std::int64_t> like;  // ranks of an expert group that do the work of this one
  for (const std::int32_t place : parts->stages->alike_places) ++like[place];
  const std::vector<GpuRef> kinds = gpu_kinds(input);
  KernelBook book;
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    Ideals ideals(kinds[k], mean_peak(input));
    std::map<std::int32_t, Int128> holds;  // [of alike stages the first] passes on such GPUs
    for (std::size_t s = 0; s < alike.size(); ++s) holds[alike[s]] += passes_of[s][k];
    for (const auto& [s, of_kind] : holds)
      for (const auto& [place, ranks] : like) {
        const auto work = stage_work(*parts->stages, s, costs.parts().work, place);
        const Int128 passes = of_kind * ranks / shared_by;
        if (passes > 0) add_kernels(*work, passes, ideals, book);
      }
  }
  return book;
}

namespace {

// What a kernel takes however small it is.
Time floor_of(const cost::KernelModel& m, KernelKind kind) {
  switch (kind) {
    case KernelKind::gemm:
      return m.gemm.floor;
    case KernelKind::memory:
      return m.memory.floor;
    case KernelKind::attention_forward:
      return m.attention_of(cost::AttentionLibrary::flash2).forward.floor;
    case KernelKind::attention_backward:
      return m.attention_of(cost::AttentionLibrary::flash2).backward.floor;
  }
  internal_error("unknown kind of kernel");
}

// Launch-bound: the fixed cost of a kernel, or the host that launches it, is half of its time or more. Memory-bound:
// with half as much bandwidth again it saves more than a tenth.
Bound bound_of(const StepInput& input, const PassStep& step, Time time) {
  const cost::KernelModel& m = input.kernels;
  const Time floor = floor_of(m, step.kernel.kind);
  if (2 * std::max(floor, input.stack.launch.per_kernel).value * step.kernels >= time.value) return Bound::launch;
  hardware::Gpu faster = input.gpu;
  faster.memory_bandwidth.value += faster.memory_bandwidth.value / 2;
  const Time less = cost::kernel_time(faster, m, one_launch(step)) * step.kernels;
  return less.value * 10 < time.value * 9 ? Bound::memory : Bound::compute;
}

// Of the ranks that a layer's experts are spread over the one with most rows; −1 where all have as many.
std::int32_t fullest_place(const StepInput& input, std::int64_t layer) {
  const model::ModelSpec& spec = input.graph->spec;
  if (!spec.experts.in_layer(layer) || input.pass.routing.balanced()) return -1;
  const layout::ExpertRows rows =
      layout::expert_rows(spec.experts, spec.layers, input.layout, layout::tokens_sent(input.layout, input.pass),
                          input.pass.routing, layer);
  std::int32_t fullest = 0;
  for (std::int32_t place = 1; place < input.layout.expert; ++place)
    if (rows.received(place) > rows.received(fullest)) fullest = place;
  return rows.of_expert.empty() ? -1 : fullest;
}

}  // namespace

Result<LayerSteps> layer_steps(const StepInput& input, Costs& costs) {
  const Result<StepParts> parts = step_parts(input, costs.parts());
  if (!parts.ok()) return parts.errors();
  const Cut& cut = *parts->stages->of.cut;
  const auto fullest = std::max_element(cut.spans.begin(), cut.spans.end(),
                                        [](const auto& a, const auto& b) { return a.layers < b.layers; });
  LayerSteps result;
  result.stage = static_cast<int>(fullest - cut.spans.begin());
  const std::int32_t first = cut.alike[static_cast<std::size_t>(result.stage)];
  const std::int64_t within = fullest->layers / 2;
  result.layer = fullest->first_layer + within;
  result.place = fullest_place(input, result.layer);
  const auto work = stage_work(*parts->stages, first, costs.parts().work, std::max(result.place, 0));
  for (const PassKind kind : {PassKind::forward, PassKind::backward})
    for (const PassStep& step : work->steps(kind)) {
      if (step.layer != work->model().span().first_layer + within) continue;
      LayerStep row{kind, step, {}, 0, Bound::network};
      if (!row.step.is_communication) {
        row.time = cost::kernel_time(input.gpu, input.kernels, one_launch(row.step)) * row.step.kernels;
        row.executed = static_cast<WideFlops>(cost::executed_flops(input.kernels, row.step.kernel).value);
        row.bound = bound_of(input, row.step, row.time);
      }
      result.steps.push_back(std::move(row));
    }
  return result;
}

}  // namespace orrery::program
