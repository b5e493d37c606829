#include "splitter.hpp"

#include <algorithm>

#include "layout/recompute.hpp"
#include "operators.hpp"

namespace orrery::layout {

using model::Spread;

std::vector<TensorId> present(std::initializer_list<TensorId> ids) {
  std::vector<TensorId> there;
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(there), [](TensorId t) { return t != kNoTensor; });
  return there;
}

Splitter::Splitter(const model::ModelGraph& model_graph, const Layout& of, const PassOptions& pass, std::int32_t place)
    : graph(model_graph),
      model(model_graph.spec),
      layout(of),
      options(pass),
      rank(rank_shape(model_graph.spec, of, pass, model::Tokens::first)),
      shapes_{rank, rank_shape(model_graph.spec, of, pass, model::Tokens::decoder)},
      place_(place) {}

Tape Splitter::split(std::span<const std::int32_t> nodes) {
  on_rank_.assign(graph.tensors.size(), {});
  here_.assign(graph.operators.size(), false);
  for (const std::int32_t n : nodes) here_[at(n)] = true;
  receive(nodes);
  for (const std::int32_t n : nodes) {
    enter(graph.operators[at(n)]);
    if (tape_.parts.empty() || tape_.parts.back().layer != node_->layer)
      tape_.parts.push_back(
          {node_->layer, static_cast<TensorId>(tape_.tensors.size()), static_cast<std::int32_t>(tape_.ops.size())});
    shares_matrix_ = matrix() >= 0 && !matrices_.insert(matrix()).second;
    splitting(node_->kind)(*this);
  }
  for (const model::Edge& e : graph.edges)
    if (here_[at(e.from)] && !here_[at(e.to)])
      for (const TensorId t : on_rank_[at(e.tensor)])
        if (std::find(tape_.outputs.begin(), tape_.outputs.end(), t) == tape_.outputs.end()) tape_.outputs.push_back(t);
  return std::move(tape_);
}

void Splitter::enter(const model::Operator& node) {
  node_ = &node;
  if (node.layer == layer_ && node.tokens == tokens_) return;
  if (node.layer != layer_)
    for (RankShape& shape : shapes_) set_rows(shape, model, layout, options.routing, node.layer, place_);
  layer_ = node.layer, tokens_ = node.tokens;
  rank = this->of(tokens_);
}

// What the stage reads of others: each tensor once, however many operators read it.
void Splitter::receive(std::span<const std::int32_t> nodes) {
  for (const std::int32_t n : nodes) {
    const model::Operator& op = graph.operators[at(n)];
    enter(op);
    for (std::int32_t e = op.first_edge; e < op.first_edge + op.reads; ++e) {
      const model::Edge& edge = graph.edges[at(e)];
      const model::Tensor& read = graph.tensors[at(edge.tensor)];
      if (here_[at(edge.from)] || read.spread == Spread::weight || !on_rank_[at(edge.tensor)].empty()) continue;
      tape_.inputs.push_back(tensor(values_on_rank(read, of(read.tokens))));
      on_rank_[at(edge.tensor)] = {tape_.inputs.back()};
    }
  }
}

const model::Tensor* Splitter::read_at(int slot) const {
  for (std::int32_t e = node_->first_edge; e < node_->first_edge + node_->reads; ++e)
    if (graph.edges[at(e)].slot == slot) return &graph.tensors[at(graph.edges[at(e)].tensor)];
  return nullptr;
}
const model::Tensor& Splitter::made(int result) const {
  check(result < node_->tensors, "split: an operator has no such result");
  return graph.tensors[at(node_->first_tensor + result)];
}

TensorId Splitter::in(int slot) const {
  const model::Tensor* read = read_at(slot);
  if (read == nullptr) return kNoTensor;
  const std::vector<TensorId>& ids = on_rank_[at(read - graph.tensors.data())];
  return ids.empty() ? kNoTensor : ids.front();
}
std::int32_t Splitter::matrix() const {
  for (std::int32_t t = node_->first_tensor; t < node_->first_tensor + node_->tensors; ++t)
    if (graph.tensors[at(t)].spread == Spread::weight) return t;
  for (std::int32_t e = node_->first_edge; e < node_->first_edge + node_->reads; ++e)
    if (graph.tensors[at(graph.edges[at(e)].tensor)].spread == Spread::weight) return graph.edges[at(e)].tensor;
  return -1;
}
TensorId& Splitter::made_of_matrix() {
  return made_of_matrix_.try_emplace(matrix(), kNoTensor).first->second;
}
bool Splitter::is_dropped(int slot) const {
  const model::Tensor* read = read_at(slot);
  return read != nullptr && dropped_until_read(graph.operators[at(read->producer)].kind, options);
}
std::int64_t Splitter::features(int slot) const {
  const model::Tensor* read = read_at(slot);
  return read == nullptr ? 0 : read->features;
}
std::int64_t Splitter::columns(int slot) const {
  const model::Tensor* read = read_at(slot);
  return read == nullptr ? 0 : columns_on_rank(*read, rank);
}
std::int64_t Splitter::values(int slot) const {
  const model::Tensor* read = read_at(slot);
  return read == nullptr ? 0 : values_on_rank(*read, of(read->tokens));
}
std::int64_t Splitter::out_features(int result) const {
  return made(result).features;
}
std::int64_t Splitter::out_columns(int result) const {
  return columns_on_rank(made(result), rank);
}
std::int64_t Splitter::out_values(int result) const {
  return values_on_rank(made(result), of(made(result).tokens));
}

RankOp Splitter::start() const {
  RankOp op;
  op.name = model::name_of(node_->kind), op.kind = node_->kind, op.layer = node_->layer;
  for (std::int32_t e = node_->first_edge; e < node_->first_edge + node_->reads; ++e)
    for (const TensorId t : on_rank_[at(graph.edges[at(e)].tensor)]) op.in.push_back(t), op.gradients.push_back({t});
  return op;
}

TensorId Splitter::tensor(std::int64_t elements, std::int64_t element_bytes) {
  tape_.tensors.push_back({checked_mul(elements, element_bytes)});
  tape_.keep_always.push_back(false);
  return static_cast<TensorId>(tape_.tensors.size() - 1);
}

TensorId Splitter::result(int index, std::int64_t elements) {
  const TensorId id = tensor(elements);
  results_are(index, {id});
  return id;
}
void Splitter::results_are(int index, std::vector<TensorId> parts) {
  check(index < node_->tensors, "split: an operator has no such result");
  on_rank_[at(node_->first_tensor + index)] = std::move(parts);
}
void Splitter::passes_through(int index, int slot) {
  if (const model::Tensor* read = read_at(slot)) results_are(index, on_rank_[at(read - graph.tensors.data())]);
}

PassStep Splitter::compute(const char* name, const model::Kernel& kernel, int kernels) const {
  PassStep step;
  step.name = name, step.kind = node_->kind, step.layer = node_->layer, step.kernel = kernel, step.kernels = kernels;
  return step;
}

PassStep Splitter::memory(const char* name, std::int64_t bytes, int kernels) const {
  model::Kernel kernel;
  kernel.kind = model::KernelKind::memory, kernel.dtype = options.activation, kernel.bytes = {bytes};
  return compute(name, kernel, options.compiled ? 1 : kernels);
}

PassStep Splitter::communicate(const char* name, Collective kind, std::int64_t bytes, Dimension along) const {
  PassStep step;
  step.is_communication = true;
  step.name = name, step.kind = node_->kind, step.layer = node_->layer;
  step.collective = kind, step.message = {bytes}, step.along = along;
  return step;
}

model::Kernel Splitter::gemm(std::int64_t m, std::int64_t n, std::int64_t k, model::GemmLayout how, DType type,
                             std::int64_t batch) const {
  model::Kernel kernel;
  kernel.kind = model::KernelKind::gemm, kernel.dtype = type, kernel.layout = how;
  kernel.batch = batch, kernel.m = m, kernel.n = n, kernel.k = k, kernel.out_dtype = options.activation;
  kernel.flops = {checked_mul(checked_mul(2 * batch, m), checked_mul(n, k))};
  kernel.bytes = {checked_mul(batch, stored_bytes(type, m * k) + stored_bytes(type, k * n) + m * n * width())};
  return kernel;
}

}  // namespace orrery::layout
