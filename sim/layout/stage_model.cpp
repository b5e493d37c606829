#include <map>
#include <set>

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

struct StageOperators {
  StageOperators(const model::ModelGraph& graph, const Layout& layout, std::span<const std::int32_t> nodes,
                 const PassOptions& options, std::int32_t place)
      : tape(Splitter(graph, layout, options, place).split(nodes)),
        recomputed(recomputation_of(tape, graph.spec.layers, options)),
        backward(tape, recomputed),
        span(span_of(graph, nodes)),
        placeholders(options.kernels.gradient_placeholders),
        model_layers(graph.spec.layers),
        activation_bytes(size_of(options.activation)) {
    for (const RankOp& op : tape.ops)
      for (const OpStep& s : op.backward) {
        std::int64_t& of_layer = parameters[{s.step.of_experts ? Parameters::experts : Parameters::dense, op.layer}];
        of_layer = checked_add(of_layer, s.step.gradients_ready);
      }
  }
  StageOperators(const StageOperators&) = delete;
  StageOperators& operator=(const StageOperators&) = delete;

  Tape tape;
  Recomputation recomputed;
  BackwardPass backward;  // refers to both
  StageSpan span;
  bool placeholders;
  std::int64_t model_layers, activation_bytes;
  std::map<std::pair<Parameters, std::int64_t>, std::int64_t> parameters;  // [kind, layer]
};

namespace {

Flops forward_flops(const Tape& tape) {
  Flops sum{};
  for (const RankOp& op : tape.ops)
    for (const OpStep& s : op.forward) sum += s.step.kernel.flops;
  return sum;
}

}  // namespace

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
  std::vector<PassStep> steps = kind == PassKind::forward ? forward_pass(operators_->tape, operators_->recomputed)
                                                          : operators_->backward.pass(kind);
  const std::vector<std::string> wrong = audit_pass(steps, held_before(kind));
  check(wrong.empty(), wrong.empty() ? "" : wrong.front().c_str());
  return steps;
}

std::vector<TensorId> StageModel::held_before(PassKind kind) const {
  return kind == PassKind::forward ? std::vector<TensorId>{} : operators_->backward.held_before(kind);
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
  return operators_->tape.replicated_parameters;
}

Bytes StageModel::saved_activations() const {
  Bytes sum{};
  for (std::size_t t = 0; t < operators_->tape.tensors.size(); ++t)
    if (operators_->recomputed.saved[t]) sum += operators_->tape.tensors[t];
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

// Backward twice the forward matrix products, whatever a flash kernel computes again.
Flops StageModel::model_flops() const {
  return 3 * forward_flops(operators_->tape);
}
Flops StageModel::hardware_flops() const {
  return forward_flops(operators_->tape) + operators_->backward.flops();
}

}  // namespace orrery::layout
