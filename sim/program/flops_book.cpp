#include "flops_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

namespace orrery::program {
namespace {

using layout::AttentionKind;
using layout::PassKind;
using layout::PassOptions;
using layout::PassStep;
using layout::Recompute;

// "attention", "attention.scores", "attention.context", "attention.relative".
WideFlops& part(FlopCount& count, const PassStep& step) {
  return std::string_view(step.name).starts_with("attention") ? count.attention : count.linear;
}

void scale(FlopCount& count, Int128 times) {
  count.linear *= times, count.attention *= times;
}

// ---- closed form ----------------------------------------------------------------------------------------------------

// What one layer runs again, as parts of its forward pass (pass.hpp, Recompute).
struct Again {
  WideFlops features = 0;  // of the linear layers: in · out
  int products = 0;        // of unfused attention
  bool fused = false;      // the attention kernel
  bool relative = false;
};

class ClosedForm {
 public:
  explicit ClosedForm(const StepInput& input)
      : input_(input), m_(input.graph->spec), o_(input.pass), flash_(o_.attention == AttentionKind::flash) {}

  StepFlops flops() const {
    const WideFlops layers = m_.layers, h = m_.hidden, relative = is_relative() ? 1 : 0;
    const WideFlops encodings = relative * h * m_.query_features();  // constants: no input gradient
    const WideFlops linear = layers * (qkv() + projection() + fc1() + fc2() + encodings) + h * m_.vocab;
    StepFlops f;
    f.model = {6 * tokens() * linear, 3 * layers * (2 + relative) * product()};
    f.executed = {f.model.linear - 2 * tokens() * layers * encodings,
                  layers * (3 * relative * product() + (flash_ ? fused(false) + fused(true) : 6 * product()))};
    const Again again = again_in_layer();
    const WideFlops times = layers_again(), of_relative = again.relative ? product() : 0;
    f.again = {2 * tokens() * times * again.features,
               times * (again.products * product() + (again.fused ? fused(false) : 0) + of_relative)};
    f.executed.linear += f.again.linear, f.executed.attention += f.again.attention;
    const WideFlops in_full = times * ((again.products + (again.fused ? 2 : 0)) * product() + of_relative);
    f.korthikanti =
        f.model.total() + (o_.recompute == Recompute::selective ? f.model.attention : f.again.linear + in_full);
    return f;
  }

 private:
  bool is_relative() const { return m_.position == model::Position::relative; }
  WideFlops sequences() const {
    return static_cast<WideFlops>(input_.schedule->micro_batches) * o_.micro_batch * input_.layout.data;
  }
  WideFlops tokens() const { return sequences() * o_.sequence_length; }
  // QKᵀ or AV of one layer: 2 s² · (width of all heads) a sequence.
  WideFlops product() const { return 2 * tokens() * o_.sequence_length * m_.query_features(); }
  WideFlops qkv() const { return static_cast<WideFlops>(m_.hidden) * (m_.query_features() + 2 * m_.kv_features()); }
  WideFlops projection() const { return static_cast<WideFlops>(m_.hidden) * m_.query_features(); }
  WideFlops fc1() const { return (m_.gated() ? 2 : 1) * fc2(); }
  WideFlops fc2() const { return static_cast<WideFlops>(m_.hidden) * m_.ffn_hidden; }

  // Fused attention of one layer: forward QKᵀ and AV; backward these for five gradients, the scores once more. Of the
  // blocks of `rows` under the causal mask (B + 1) / 2B. Over context ranks one kernel a block of a ring, or one.
  WideFlops fused(bool backward) const {
    const layout::Layout& l = input_.layout;
    const bool ring = o_.calls.context_exchange == layout::ContextExchange::ring;
    const std::int64_t queries = o_.sequence_length / l.context, keys = ring ? queries : o_.sequence_length;
    const cost::AttentionKernels& kernels = input_.kernels.attention_of(cost::AttentionLibrary::flash2);
    const std::int64_t blocks =
        backward ? ceil_div(keys, kernels.backward.rows) : ceil_div(queries, kernels.forward.rows);
    const WideFlops whole = static_cast<WideFlops>(backward ? 10 : 4) * queries * keys * m_.dim_per_head() *
                            (m_.heads / l.tensor) * o_.micro_batch;
    const WideFlops calls = static_cast<WideFlops>(input_.schedule->micro_batches) * l.ranks() / l.pipeline;
    return whole * (blocks + 1) / (2 * blocks) * calls * (ring ? l.context : 1);
  }

  WideFlops layers_again() const {
    if (o_.recompute == Recompute::full) return ceil_div(m_.layers, std::max<std::int64_t>(o_.recompute_every, 1));
    if (o_.recompute == Recompute::alternate_layers)
      return ceil_div(m_.layers, std::max<std::int64_t>(o_.recompute_every, 2));
    return m_.layers;
  }

  // The last product of a layer is run again only where it must go by, or where something behind it is needed.
  bool last_again() const {
    const bool cast_kept = o_.compute == DType::fp8 && o_.kernels.fp8_saves_input;
    const bool early = o_.kernels.recompute_stops_early || o_.recompute == Recompute::selective_op;
    return !early || m_.dropout || cast_kept;
  }

  Again again_in_layer() const {
    const WideFlops encodings = is_relative() ? projection() : 0, last = last_again() ? fc2() : 0;
    switch (o_.recompute) {
      case Recompute::none:
        return {};
      case Recompute::selective:  // the context is read outside of what is run again
        return {0, flash_ ? 0 : o_.kernels.recompute_stops_early ? 1 : 2, flash_, false};
      case Recompute::full:
      case Recompute::alternate_layers:
        return {qkv() + projection() + fc1() + last + encodings, flash_ ? 0 : 2, flash_, is_relative()};
      case Recompute::selective_op: {  // of q, k, v, projection, gate, up, fc2 every second
        const WideFlops key = static_cast<WideFlops>(m_.hidden) * m_.kv_features();
        return {key + projection() + (m_.gated() ? fc2() : last) + encodings, flash_ ? 0 : 2, false, is_relative()};
      }
    }
    internal_error("closed_form_flops: unknown policy");
  }

  const StepInput& input_;
  const model::ModelSpec& m_;
  const PassOptions& o_;
  bool flash_;
};

}  // namespace

namespace {

// Of one micro-batch on one rank of each stage.
StepFlops sum_over_stages(const StepInput& input, StageCosts& stages) {
  StepFlops f;
  std::map<int, WideFlops> alike;  // how many stages do the work of this one
  for (int s = 0; s < stages.stages(); ++s) ++alike[stages.alike(s)];
  for (const auto& [s, times] : alike) {
    for (const PassStep& step : stages.steps(s, PassKind::forward)) {
      part(f.model, step) += times * 3 * static_cast<WideFlops>(step.kernel.flops.value);
      part(f.executed, step) += times * cost::executed_flops(input.kernels, step.kernel).value;
    }
    for (const PassStep& step : stages.steps(s, PassKind::backward)) {
      const WideFlops executed = times * cost::executed_flops(input.kernels, step.kernel).value;
      part(f.executed, step) += executed;
      if (step.role != layout::StepRole::recompute) continue;
      part(f.again, step) += executed;
      f.korthikanti += times * step.kernel.flops.value;
    }
  }
  return f;
}

}  // namespace

StepFlops count_flops(const StepInput& input, StageCosts& stages) {
  std::optional<StepFlops>& known = stages.flops();
  if (!known) known = sum_over_stages(input, stages);
  StepFlops f = *known;
  if (input.pass.recompute == Recompute::selective) f.korthikanti = f.model.attention;
  f.korthikanti += f.model.total();
  const layout::Layout& l = input.layout;
  const Int128 times = static_cast<Int128>(input.schedule->micro_batches) * (l.ranks() / l.pipeline);
  for (FlopCount* count : {&f.model, &f.executed, &f.again}) scale(*count, times);
  f.korthikanti *= times;
  return f;
}

StepFlops closed_form_flops(const StepInput& input) {
  return ClosedForm(input).flops();
}

std::vector<std::string> audit_flops(const StepInput& input, const StepFlops& counted) {
  const StepFlops closed = closed_form_flops(input);
  std::vector<std::string> wrong;
  const auto compare = [&](const char* what, WideFlops count, WideFlops form) {
    if (count != form)
      wrong.push_back(
          fmt::format("FLOPs: {} are {} by the kernels of the passes, {} in closed form", what, count, form));
  };
  compare("the model's of linear layers", counted.model.linear, closed.model.linear);
  compare("the model's of attention", counted.model.attention, closed.model.attention);
  compare("those run of linear layers", counted.executed.linear, closed.executed.linear);
  compare("those run of attention", counted.executed.attention, closed.executed.attention);
  compare("those run again of linear layers", counted.again.linear, closed.again.linear);
  compare("those run again of attention", counted.again.attention, closed.again.attention);
  compare("those as Korthikanti et al. count", counted.korthikanti, closed.korthikanti);
  return wrong;
}

}  // namespace orrery::program
