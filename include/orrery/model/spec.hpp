// Description of a decoder-only transformer, as its paper or configuration file gives it.
#pragma once
#include <cstdint>
#include <string>

#include "orrery/core/units.hpp"

namespace orrery::model {

enum class Norm : std::uint8_t { layer_norm, rms_norm };
enum class Activation : std::uint8_t { gelu, relu, squared_relu, swiglu };
enum class Position : std::uint8_t { learned, rotary, alibi, relative, none };

struct ModelSpec {
  std::string name;
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;    // = heads without grouped-query attention
  std::int64_t head_dim = 0;    // 0 = hidden / heads
  std::int64_t ffn_hidden = 0;  // width of one matrix
  std::int64_t vocab = 0;
  std::int64_t vocab_multiple = 1;  // rows of the table are padded to a multiple of this · tensor ranks (Megatron: 128)
  std::int64_t max_positions = 0;   // rows of a learned position table
  std::int64_t attention_window = 0;  // positions a query looks back; 0 = all. Longer sequences are refused
  Norm norm = Norm::layer_norm;
  Activation activation = Activation::gelu;
  Position position = Position::learned;
  bool bias = true;             // of every linear layer
  bool qkv_bias = false;        // bias of the qkv projection alone where `bias` is false
  bool norm_bias = true;        // of every layer norm (a root-mean-square norm has none)
  bool embedding_norm = false;  // BLOOM
  bool tied_embeddings = true;
  bool dropout = true;  // hidden and attention dropout are run, with their masks

  std::int64_t dim_per_head() const { return head_dim > 0 ? head_dim : hidden / heads; }
  bool gated() const { return activation == Activation::swiglu; }
  // Columns of the query, and of the key or value matrix.
  std::int64_t query_features() const { return heads * dim_per_head(); }
  std::int64_t kv_features() const { return kv_heads * dim_per_head(); }
  friend bool operator==(const ModelSpec&, const ModelSpec&) = default;
};

// Exact number of parameters; a tied head counts once. Of the vocabulary as given, without padding.
std::int64_t parameter_count(const ModelSpec& spec);

}  // namespace orrery::model
