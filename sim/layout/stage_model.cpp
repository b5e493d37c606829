#include <map>
#include <set>

#include "layer_copies.hpp"
#include "operators/splitter.hpp"
#include "orrery/core/error.hpp"
#include "orrery/layout/alike_stages.hpp"
#include "pass_builder.hpp"

namespace orrery::layout {

StageSpan span_of(const model::ModelGraph& graph, std::span<const std::int32_t> nodes) {
  StageSpan span;
  std::int64_t last = -1;
  for (const std::int32_t n : nodes) {
    const std::int64_t layer = graph.operators[static_cast<std::size_t>(n)].layer;
    if (layer < 0) span.embedding = true;
    if (layer >= graph.spec.layers) span.head = true;
    if (layer < 0 || layer >= graph.spec.layers || layer == last) continue;
    if (span.layers++ == 0) span.first_layer = layer;
    last = layer;
  }
  return span;
}

// All but `span` and `copies` are of the short stage where layers do the same.
struct StageOperators {
  StageOperators(const model::ModelGraph& graph, const Layout& layout, std::span<const std::int32_t> nodes,
                 const PassOptions& options, std::int32_t place)
      : StageOperators(graph, layout, nodes, options, place, short_stage(graph, nodes, options)) {}
  StageOperators(const StageOperators&) = delete;
  StageOperators& operator=(const StageOperators&) = delete;

  // How many layers one stands for.
  std::int64_t times(std::int64_t layer) const { return alike.stands_for_more(layer) ? alike.left_out + 1 : 1; }
  Flops flops(const RankOp& op) const {
    Flops sum{};
    for (const OpStep& s : op.forward) sum += s.step.kernel.flops;
    return sum * times(op.layer);
  }

  StageSpan span;
  AlikeLayers alike;
  Tape tape;
  Recomputation recomputed;
  BackwardPass backward;              // refers to both
  std::optional<LayerCopies> copies;  // where the stage is longer than that
  bool placeholders;
  std::int64_t model_layers, activation_bytes;
  std::map<std::pair<Parameters, std::int64_t>, std::int64_t> parameters;  // [kind, layer], of all layers

 private:
  StageOperators(const model::ModelGraph& graph, const Layout& layout, std::span<const std::int32_t> nodes,
                 const PassOptions& options, std::int32_t place, const std::optional<ShortStage>& shorter)
      : span(span_of(graph, nodes)),
        alike(shorter ? shorter->alike : AlikeLayers{}),
        tape(Splitter(shorter ? shorter->graph : graph, layout, options, place)
                 .split(shorter ? std::span<const std::int32_t>(shorter->nodes) : nodes)),
        recomputed(recomputation_of(tape, graph.spec, options)),
        backward(tape, recomputed),
        placeholders(options.kernels.gradient_placeholders),
        model_layers(graph.spec.layers),
        activation_bytes(size_of(options.activation)) {
    if (alike.left_out > 0) copies.emplace(alike, tape, backward);
    for (const RankOp& op : tape.ops)
      for (const OpStep& s : op.backward)
        for (std::int64_t copy = 0; copy < times(op.layer); ++copy) {
          std::int64_t& of_layer =
              parameters[{s.step.of_experts ? Parameters::experts : Parameters::dense, op.layer + copy * alike.period}];
          of_layer = checked_add(of_layer, s.step.gradients_ready);
        }
  }
};

std::vector<std::pair<std::string, AttentionKind>> attention_names() {
  return {{"unfused", AttentionKind::unfused}, {"flash", AttentionKind::flash}};
}

model::GraphOptions graph_options(const PassOptions& options) {
  return {.sequence_length = options.sequence_length,
          .decoder_sequence_length = options.decoder_sequence_length,
          .flash = options.attention == AttentionKind::flash};
}

model::ModelGraph graph_of(const model::ModelSpec& spec, const PassOptions& options) {
  return model::model_graph(spec, graph_options(options));
}

StageModel::StageModel(const model::ModelGraph& graph, const Layout& layout, std::span<const std::int32_t> nodes,
                       const PassOptions& options, std::int32_t place)
    : operators_(std::make_shared<StageOperators>(graph, layout, nodes, options, place)) {}

std::vector<PassStep> StageModel::pass(PassKind kind) const {
  const bool forward = kind == PassKind::forward;
  std::vector<PassStep> steps =
      forward ? forward_pass(operators_->tape, operators_->recomputed) : operators_->backward.pass(kind);
  const std::vector<std::string> wrong =
      audit_pass(steps, forward ? std::vector<TensorId>{} : operators_->backward.held_before(kind));
  check(wrong.empty(), wrong.empty() ? "" : wrong.front().c_str());
  return operators_->copies ? operators_->copies->steps(kind, std::move(steps)) : steps;
}

std::vector<TensorId> StageModel::held_before(PassKind kind) const {
  if (kind == PassKind::forward) return {};
  std::vector<TensorId> held = operators_->backward.held_before(kind);
  return operators_->copies ? operators_->copies->held_before(held) : held;
}

StageSpan StageModel::span() const {
  return operators_->span;
}

std::int64_t StageModel::parameters(Parameters of) const {
  std::int64_t sum = 0;
  for (const auto& [key, parameters] : operators_->parameters)
    if (key.first == of) sum = checked_add(sum, parameters);
  return sum;
}

std::int64_t StageModel::parameters_of_layer(std::int64_t layer, Parameters of) const {
  const auto found = operators_->parameters.find({of, layer});
  return found == operators_->parameters.end() ? 0 : found->second;
}

std::int64_t StageModel::replicated_parameters() const {
  std::int64_t sum = 0;
  for (const TapePart& part : operators_->tape.parts)
    sum = checked_add(sum, part.replicated_parameters * operators_->times(part.layer));
  return sum;
}

Bytes StageModel::saved_activations() const {
  const Tape& tape = operators_->tape;
  Bytes sum{};
  std::size_t part = 0;  // the last that begins at the tensor or before it
  for (std::size_t t = 0; t < tape.tensors.size(); ++t) {
    while (part + 1 < tape.parts.size() && at(tape.parts[part + 1].first_tensor) <= t) ++part;
    const bool received = t < tape.inputs.size();
    const std::int64_t times = received ? 1 : operators_->times(tape.parts[part].layer);
    if (operators_->recomputed.saved[t]) sum += tape.tensors[t] * times;
  }
  return sum;
}

Bytes StageModel::placeholders() const {
  std::set<std::pair<std::int64_t, std::int64_t>> shapes;
  Bytes sum{};
  for (const RankOp& op : operators_->tape.ops)
    for (const OpStep& s : op.backward)
      if (operators_->placeholders && s.phase == Phase::weight && s.step.kernel.kind == model::KernelKind::gemm &&
          op.layer < operators_->model_layers && shapes.insert({s.step.kernel.m, s.step.kernel.n}).second)
        sum += {checked_mul(s.step.kernel.m, s.step.kernel.n) * operators_->activation_bytes};
  return sum;
}

Bytes StageModel::gather_buffer() const {
  Bytes most{};
  for (const RankOp& op : operators_->tape.ops) most = std::max(most, op.gather_buffer);
  return most;
}

// Backward twice the forward matrix products, whatever a flash kernel computes again.
Flops StageModel::model_flops() const {
  Flops sum{};
  for (const RankOp& op : operators_->tape.ops) sum += operators_->flops(op);
  return 3 * sum;
}
Flops StageModel::hardware_flops() const {
  Flops sum{};
  for (const RankOp& op : operators_->tape.ops) sum += operators_->flops(op);
  for (const OpStep& s : operators_->backward.steps()) sum += s.step.kernel.flops * operators_->times(s.step.layer);
  return sum;
}

}  // namespace orrery::layout
