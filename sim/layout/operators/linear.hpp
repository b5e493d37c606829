// Linear layers split over tensor ranks (Shoeybi et al. 2019): qkv, fc1 and head hold columns, projection and fc2 hold
// rows.
//
// Forward communication: columns none, or all-gather of the input under sequence parallel; rows all-reduce, or
// reduce-scatter. Backward the conjugates. Under sequence parallel only the shard of the input is kept, and it is
// gathered again for the weight gradient beside the input-gradient product; the reduction of the input gradient runs
// beside the weight-gradient product (Korthikanti et al. 2022, §4.2.2; Megatron
// LinearWithGradAccumulationAndAsyncCommunication).
#pragma once
#include "splitter.hpp"

namespace orrery::layout {

// Columns or rows of a matrix on this rank.
struct Linear {
  const char* name;
  std::int64_t in = 0, out = 0;              // of this rank
  std::int64_t rows = 0;                     // of the weights on this rank: as many as `in`, where the model is whole
  std::int64_t bias = 0;                     // vectors beside the matrix
  bool own_gradient = true;                  // false: a tied head, whose gradient is final with the embedding's
  DType type = DType::bf16;                  // of the product
  bool input_cast_fused = false;             // fp8: the operator before writes the cast
  bool keep_output = false;                  // selective_op
  bool weighted_bias = false;                // each row adds its bias times its weight
  std::int64_t tokens = 0;                   // rows of the input
  std::int64_t matrices = 1;                 // so many, each times its share of them
  std::vector<std::int64_t> of_matrix = {};  // [matrix] its rows; empty where they are alike
  std::int64_t copies = 1;                   // ranks of a stage that do the same
};

// Input 0 of the operator times a matrix of `out` columns on this rank.
Linear linear_of(const Splitter& s, std::int64_t in, std::int64_t out);
// Products that share an input; returns the operator, which the caller finishes, with a result for each product.
RankOp column_linear(Splitter& s, const std::vector<Linear>& linears);
// The whole operator: input 0 to result 0.
void row_linear(Splitter& s, const Linear& linear);
// The whole operator, on a rank that has all it needs: matrices that every tensor rank holds, and those of its experts.
void plain_linear(Splitter& s, const Linear& linear);
RankOp plain_linear_of(Splitter& s, const Linear& linear);  // the same, for the caller to finish
// Gradient of the weights, from all tokens; that of the bias from `bias_rows` of them.
void weight_gradient(const Splitter& s, RankOp& op, const Linear& linear, std::int64_t bias_rows);
// Each product apart: its stack says so, or a policy that keeps some of them.
bool separate_products(const Splitter& s);

}  // namespace orrery::layout
