// Splits the operators of a stage over its ranks: model graph → the tape of one rank. Each operator has a file of its
// own here; what it reads, how wide that is and who makes it stand in the graph.
#pragma once
#include <array>
#include <initializer_list>
#include <map>
#include <set>
#include <span>

#include "layout/rank_ops.hpp"
#include "orrery/model/graph.hpp"

namespace orrery::layout {

class Splitter {
 public:
  Splitter(const model::ModelGraph& graph, const Layout& layout, const PassOptions& options, std::int32_t place = 0);
  // `nodes` are the operators of the stage, in the order of the graph.
  Tape split(std::span<const std::int32_t> nodes);

  // For the operator being split. Inputs are numbered as the slots of its edges, results as its tensors.
  const model::ModelGraph& graph;
  const model::ModelSpec& model;
  const Layout& layout;
  const PassOptions& options;
  RankShape rank;  // of the tokens of the operator, in its layer
  const model::Operator& node() const { return *node_; }
  bool in_last_part() const { return node_->layer == model.layers; }                        // final norm, head, loss
  std::int64_t keys() const { return of(node_->keys).sequence * of(node_->keys).context; }  // of its attention, in all
  // The tensor that an operator of this stage has made of the matrix that this one reads or has; kNoTensor: none has.
  TensorId& made_of_matrix();
  std::int32_t matrix() const;  // tensor of the graph that the operator reads or has as a matrix, −1 = none
  TensorId in(int slot) const;  // kNoTensor where no edge leads there
  bool shares_matrix_in_stage() const { return shares_matrix_; }  // that of an operator before it in this stage
  bool is_dropped(int slot) const;        // recompute keeps it from no pass to another, but makes it again
  std::int64_t features(int slot) const;  // of the whole tensor; 0 without an edge
  std::int64_t columns(int slot) const;   // of them, those on this rank
  std::int64_t values(int slot) const;    // elements on this rank
  std::int64_t out_features(int result) const;
  std::int64_t out_columns(int result) const;
  std::int64_t out_values(int result) const;
  std::int64_t width() const { return size_of(options.activation); }  // bytes of an activation
  bool tensor_parallel() const { return rank.tensor > 1; }

  // An operator of the rank that reads every input and makes a gradient of its own for each.
  RankOp start() const;
  void finish(RankOp op) { tape_.ops.push_back(std::move(op)); }
  TensorId tensor(std::int64_t elements, std::int64_t element_bytes);
  TensorId tensor(std::int64_t elements) { return tensor(elements, width()); }
  // The tensor of a result on this rank; several where the rank holds it in parts.
  TensorId result(int index, std::int64_t elements);
  TensorId result(int index) { return result(index, out_values(index)); }
  void resize(TensorId id, std::int64_t elements) {
    tape_.tensors[static_cast<std::size_t>(id)] = {elements * width()};
  }
  void results_are(int index, std::vector<TensorId> parts);
  void passes_through(int index, int slot);
  void keep_always(TensorId id) { tape_.keep_always[static_cast<std::size_t>(id)] = true; }
  void replicated_parameters(std::int64_t count) { tape_.parts.back().replicated_parameters += count; }

  PassStep compute(const char* name, const model::Kernel& kernel, int kernels = 1) const;
  PassStep memory(const char* name, std::int64_t bytes, int kernels = 1) const;
  PassStep communicate(const char* name, Collective kind, std::int64_t bytes,
                       Dimension along = Dimension::tensor) const;
  model::Kernel gemm(std::int64_t m, std::int64_t n, std::int64_t k, model::GemmLayout how, DType type,
                     std::int64_t batch = 1) const;

 private:
  const model::Tensor* read_at(int slot) const;
  const model::Tensor& made(int result) const;
  void receive(std::span<const std::int32_t> nodes);
  void enter(const model::Operator& node);
  const RankShape& of(model::Tokens tokens) const { return shapes_[static_cast<std::size_t>(tokens)]; }

  std::array<RankShape, 2> shapes_;  // [Tokens]
  std::map<std::int32_t, TensorId> made_of_matrix_;
  std::set<std::int32_t> matrices_;  // of the operators up to this one
  bool shares_matrix_ = false;

  std::int32_t place_;       // among the ranks that the experts are spread over
  std::int64_t layer_ = -2;  // whose rows `rank` has
  model::Tokens tokens_{};
  const model::Operator* node_ = nullptr;
  Tape tape_;
  std::vector<bool> here_;                      // [operator] of this stage
  std::vector<std::vector<TensorId>> on_rank_;  // [tensor of the graph]
};

// Those that are there.
std::vector<TensorId> present(std::initializer_list<TensorId> ids);

}  // namespace orrery::layout
