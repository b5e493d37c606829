// Builds the tape of a stage out of the model graph: each operator split over the tensor and context ranks.
#pragma once
#include "orrery/model/operators.hpp"
#include "rank_ops.hpp"

namespace orrery::layout {

class TapeBuilder {
 public:
  TapeBuilder(const model::ModelSpec& spec, const Layout& layout, const StageSpan& span, const PassOptions& options);
  Tape build(const model::OperatorGraph& graph);

 private:
  // A linear layer: columns (qkv, fc1, head) or rows (projection, fc2) of its matrix on this rank.
  struct Linear {
    const char* name;
    std::int64_t in = 0, out = 0;  // of this rank
    bool bias = false;
    bool own_gradient = true;       // false: a tied head, whose gradient is final with the embedding's
    DType type = DType::bf16;       // of the product
    bool input_cast_fused = false;  // fp8: the operator before writes the cast
    bool keep_output = false;       // selective_op
  };

  void add(const model::Operator& op);

  // tape_blocks.cpp: embedding, norms, residual additions, activation, rotary
  void embedding(const model::Operator& op);
  void embedding_dropout();
  void norm(const model::Operator& op);
  void rotary();
  void relative_positions();
  void activation();
  void activation_kernels(RankOp& op) const;
  void residual_add(const char* name);

  // tape_linear.cpp
  void qkv();
  void projection();
  void fc1();
  void fc2();
  void head(const model::Operator& op);
  std::vector<TensorId> column_linear(const std::vector<Linear>& linears, TensorId x);
  void column_forward(RankOp& op, const std::vector<Linear>& linears);
  void column_backward(RankOp& op, const std::vector<Linear>& linears);
  void row_linear(const Linear& linear);
  void row_forward(RankOp& op, const Linear& linear);
  void row_backward(RankOp& op, const Linear& linear);
  void keep_input(RankOp& op, const Linear& linear, std::int64_t rows);
  void cast_gradient(RankOp& op, const Linear& linear, std::int64_t rows) const;
  void weight_gradient(RankOp& op, const Linear& linear, std::int64_t bias_rows) const;
  Linear linear(const char* name, std::int64_t in, std::int64_t out, bool bias) const;
  model::Kernel weight_gemm(const Linear& linear) const;
  std::int64_t gathered_bytes(const Linear& linear) const {
    return o_.fp8_saves_input ? size_of(linear.type) : activation_bytes();
  }

  // tape_attention.cpp
  void attention_relative();
  void add_relative(RankOp& op) const;
  void attention_scores();
  void attention_softmax();
  void attention_dropout();
  void attention_context();
  void attention_flash();
  void flash_ring(RankOp& op) const;
  void flash_gathered(RankOp& op) const;
  void flash_whole(RankOp& op) const;
  model::Kernel flash_kernel(bool backward, std::int64_t kv_sequence) const;
  void gather_keys_values();

  // tape_loss.cpp
  void cross_entropy();

  // helpers
  RankOp start(const char* name) const;
  TensorId tensor(std::int64_t elements, std::int64_t element_bytes = 0);  // 0 = size of an activation
  void keep_always(TensorId id) { tape_.keep_always[static_cast<std::size_t>(id)] = true; }
  TensorId finish(RankOp op);
  PassStep compute(const char* name, const model::Kernel& kernel, int kernels = 1) const;
  PassStep memory(const char* name, std::int64_t bytes, int kernels = 1) const;
  PassStep communicate(const char* name, Collective kind, std::int64_t bytes,
                       StepGroup group = StepGroup::tensor) const;
  model::Kernel gemm(std::int64_t m, std::int64_t n, std::int64_t k, model::GemmLayout layout, DType type,
                     std::int64_t batch = 1) const;
  std::int64_t activation_bytes() const { return size_of(o_.activation); }
  bool tensor_parallel() const { return r_.tensor > 1; }
  bool separate() const { return o_.separate_projections || o_.recompute == Recompute::selective_op; }
  bool bias() const { return m_.bias; }

  const model::ModelSpec& m_;
  const Layout& l_;
  const StageSpan& span_;
  const PassOptions& o_;
  RankShape r_;
  Tape tape_;
  std::int64_t layer_ = -1;
  // Values that flow on: the residual stream, the branch beside it, and what attention reads.
  TensorId residual_ = kNoTensor, branch_ = kNoTensor;
  TensorId query_ = kNoTensor, key_ = kNoTensor, value_ = kNoTensor, gate_ = kNoTensor, up_ = kNoTensor,
           relative_ = kNoTensor;
};

}  // namespace orrery::layout
