// Description of a transformer, as its paper or configuration file gives it.
#pragma once
#include <cstdint>
#include <string>

#include "orrery/core/units.hpp"
#include "orrery/model/experts.hpp"
#include "orrery/model/kinds.hpp"

namespace orrery::model {

enum class Norm : std::uint8_t { layer_norm, rms_norm };
enum class Activation : std::uint8_t { gelu, relu, squared_relu, swiglu, geglu };
// relative: encodings that are projected (Transformer-XL); relative_bias: a learned bias on the scores of each head for
// each bucket of distances, the same in all layers of a stack (T5).
enum class Position : std::uint8_t { learned, rotary, alibi, relative, relative_bias, none };
// Where the norms of attention and MLP stand: before each, behind each and before its addition (OLMo-2), both
// (Gemma-2), or behind the addition (BERT, BART: the first transformers), where none follows the last layer.
enum class NormPlace : std::uint8_t { before, after, both, after_sum };
// Attention and MLP side by side, both of the stream: from one norm (GPT-J, Falcon 7B) or one each (GPT-NeoX).
enum class Parallel : std::uint8_t { none, one_norm, two_norms };
// Norm of queries and keys: of each head (Qwen3), of all heads together (OLMo-2), of each head without weights.
enum class QkNorm : std::uint8_t { none, head, all, bare };

struct AttentionSpec {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  // = heads without grouped-query attention
  std::int64_t head_dim = 0;  // 0 = hidden / heads
  LatentAttention latent_attention;
  std::int64_t attention_window = 0;  // positions a query looks back; 0 = all
  bool attention_chunks = false;      // the windows are blocks side by side: a query looks back to its block's begin
  std::int64_t global_every = 0;      // each so manyth layer has no window; 0 = every layer has it
  std::int64_t rotary_dim = 0;        // features of a head that are rotated; 0 = all
  bool rotary_scaled = false;         // cosines and sines are scaled (YaRN's attention factor where it is not 1)
  QkNorm qk_norm = QkNorm::none;
  bool attention_sinks = false;  // a learned score for nothing, one a head
  bool score_cap = false;        // scores are capped by a tanh

  bool latent() const { return latent_attention.key_value_rank > 0; }
  friend bool operator==(const AttentionSpec&, const AttentionSpec&) = default;
};

struct ModelSpec : AttentionSpec, KindSpec {
  std::string name;
  std::int64_t layers = 0;  // of an encoder–decoder those of both
  std::int64_t hidden = 0;
  std::int64_t ffn_hidden = 0;  // width of one matrix
  std::int64_t vocab = 0;
  std::int64_t vocab_multiple = 1;  // rows of the table are padded to a multiple of this · tensor ranks (Megatron: 128)
  std::int64_t max_positions = 0;   // rows of a learned position table
  Experts experts;
  std::int64_t prediction_layers = 0;  // modules that predict a token further ahead each (DeepSeek-V3)
  Norm norm = Norm::layer_norm;
  NormPlace norm_place = NormPlace::before;
  Parallel parallel = Parallel::none;
  Activation activation = Activation::gelu;
  Position position = Position::learned;
  bool bias = true;  // of every linear layer of the blocks
  // Of these alone where `bias` is false.
  bool qkv_bias = false, projection_bias = false, mlp_bias = false, head_bias = false;
  bool norm_bias = true;        // of every layer norm (a root-mean-square norm has none)
  bool embedding_norm = false;  // BLOOM
  bool logit_cap = false;       // logits are capped by a tanh
  bool tied_embeddings = true;
  bool dropout = true;  // hidden and attention dropout are run, with their masks

  std::int64_t dim_per_head() const {
    return latent() ? latent_attention.key_dim() : head_dim > 0 ? head_dim : hidden / heads;
  }
  std::int64_t value_dim() const { return latent() ? latent_attention.value_dim : dim_per_head(); }
  bool gated() const { return activation == Activation::swiglu || activation == Activation::geglu; }
  // Columns of the query, of the key or value matrix, and of what attention makes.
  std::int64_t query_features() const { return heads * dim_per_head(); }
  std::int64_t kv_features() const { return kv_heads * dim_per_head(); }
  std::int64_t context_features() const { return heads * value_dim(); }
  // Positions that a query of the layer looks back; 0 = all.
  std::int64_t window_of(std::int64_t layer) const {
    return global_every > 0 && (layer + 1) % global_every == 0 ? 0 : attention_window;
  }
  friend bool operator==(const ModelSpec&, const ModelSpec&) = default;
};

// Exact number of parameters; a tied head counts once. Of the vocabulary as given, without padding, and without what is
// counted apart: modules that predict further tokens, and what the heads of an encoder have beside the token table
// (transform, bias, classifier), which its paper leaves out.
std::int64_t parameter_count(const ModelSpec& spec);
std::int64_t prediction_parameters(const ModelSpec& spec);
std::int64_t head_parameters(const ModelSpec& spec);
// Those a token meets: all but the experts that are not chosen for it.
std::int64_t active_parameters(const ModelSpec& spec);

// Elements of the matrices of one layer that a token is multiplied by: of the linear layers of attention, and of its
// MLP, dense or the router, the experts chosen and those shared.
std::int64_t attention_matrices(const ModelSpec& spec);
std::int64_t mlp_matrices(const ModelSpec& spec, std::int64_t layer);
// The same of cross-attention, which a layer of a decoder behind an encoder has: queries and output, of the decoder's
// tokens; keys and values, of the encoder's.
std::int64_t cross_query_matrices(const ModelSpec& spec);
std::int64_t cross_key_matrices(const ModelSpec& spec);
// Of the heads that an encoder has beside the token table, for each token and for each sequence.
std::int64_t head_matrices(const ModelSpec& spec);
std::int64_t pooler_matrices(const ModelSpec& spec);
// Pairs of a query and a key that attention is counted for, per sequence and head: all s², as published runs count;
// within a window of w, those less what is out of it on either side of the diagonal, s² − (s − w)(s − w + 1).
std::int64_t attention_pairs(const ModelSpec& spec, std::int64_t window, std::int64_t sequence_length);

}  // namespace orrery::model
