// Kinds of transformers: who sees whom, and what that asks of the rest.
#pragma once
#include <cstdint>

namespace orrery::model {

// decoder: a token sees those before it. encoder: it sees all (BERT). encoder_decoder: an encoder, of whose output each
// layer of a decoder makes keys and values (T5, BART).
enum class ModelKind : std::uint8_t { decoder, encoder, encoder_decoder };

inline constexpr std::int64_t kSentenceClasses = 2;  // whether a sentence follows another, or their order

struct KindSpec {
  ModelKind kind = ModelKind::decoder;
  std::int64_t encoder_layers = 0;    // of an encoder–decoder: of `layers`, those in front
  std::int64_t token_types = 0;       // rows of a table of what a token is part of (BERT's segments)
  std::int64_t position_buckets = 0;  // of a relative bias
  bool head_transform = false;        // a linear layer, GELU and a norm before the product with the token table (BERT)
  bool pooler = false;  // a linear layer on the first token of a sequence, and a classifier of two classes

  bool has_two_stacks() const { return kind == ModelKind::encoder_decoder; }
  bool in_encoder(std::int64_t layer) const {
    return kind == ModelKind::encoder || (has_two_stacks() && layer < encoder_layers);
  }
  friend bool operator==(const KindSpec&, const KindSpec&) = default;
};

// Tokens of a sequence: of the model, or of an encoder's; of the decoder behind an encoder (0 = as many).
struct Lengths {
  std::int64_t sequence, decoder;

  Lengths(std::int64_t of_sequence = 1, std::int64_t of_decoder = 0) : sequence(of_sequence), decoder(of_decoder) {}
  std::int64_t behind_encoder() const { return decoder > 0 ? decoder : sequence; }
};

}  // namespace orrery::model
