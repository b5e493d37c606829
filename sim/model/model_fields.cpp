// The keys of the section `model`.
#include "orrery/model/presets.hpp"

namespace orrery::model {
namespace {

constexpr std::int64_t kMostOfAny = std::int64_t{1} << 24;  // of any one figure: keeps every product within 64 bits

// A member of ModelSpec, or of a base of it, as one of ModelChoice.
template <class M, class Base>
M ModelChoice::*of(M Base::*member) {
  return static_cast<M ModelChoice::*>(member);
}

const Fields<Experts>& expert_fields() {
  static const auto table =
      Fields<Experts>("experts", "Layers whose MLP is several, of which a router chooses for each token.")
          .add("count", &Experts::count, "routed experts of a layer; 0 = every layer is dense")
          .range(0, 1 << 16)
          .add("top_k", &Experts::top_k, "of them, those a token goes to")
          .range(0, 1 << 16)
          .add("hidden", &Experts::hidden, "width of one; 0 = ffn_hidden")
          .range(0, kMostOfAny)
          .add("shared", &Experts::shared, "experts that every token goes to beside")
          .range(0, 1 << 16)
          .add("shared_hidden", &Experts::shared_hidden, "width of those together; 0 = shared · hidden")
          .range(0, kMostOfAny)
          .add("first_dense", &Experts::first_dense, "layers in front that have no experts")
          .range(0, 1 << 16)
          .add("every", &Experts::every, "behind those each so manyth layer has experts")
          .range(1, 1 << 16)
          .add("groups", &Experts::groups, "groups the experts stand in, of which a token goes to the best alone")
          .range(1, 1 << 16)
          .add("top_groups", &Experts::top_groups, "of the groups, those a token may go to")
          .range(1, 1 << 16)
          .choice("router", &Experts::router, {{"softmax", Router::softmax}, {"sigmoid", Router::sigmoid}},
                  "what makes scores of the router's product")
          .add("bias", &Experts::bias, "router and experts have biases")
          .add("clamped", &Experts::clamped,
               "gate and up of an expert are clamped before a gated activation (gpt-oss: swiglu_limit)")
          .add("selection_bias", &Experts::selection_bias, "a bias on the scores for the choice alone, not trained")
          .add("shared_gate", &Experts::shared_gate, "the output of the shared experts times a sigmoid of the token");
  return table;
}

const Fields<LatentAttention>& latent_fields() {
  using L = LatentAttention;
  static const auto table =
      Fields<L>("latent_attention", "Keys and values, and queries, from a narrow latent (DeepSeek-V2).")
          .add("query_rank", &L::query_rank, "width of the latent of queries; 0 = they come from the stream")
          .range(0, kMostOfAny)
          .add("key_value_rank", &L::key_value_rank, "width of that of keys and values; 0 = no latent attention")
          .range(0, kMostOfAny)
          .add("nope_dim", &L::nope_dim, "features of a head's query and key that are not rotated")
          .range(0, 1 << 16)
          .add("rope_dim", &L::rope_dim, "those that are; of the key one for all heads")
          .range(0, 1 << 16)
          .add("value_dim", &L::value_dim, "features of a head's value")
          .range(0, 1 << 16);
  return table;
}

void add_shape(Fields<ModelChoice>& table) {
  table.add("layers", of(&ModelSpec::layers), "transformer layers; of an encoder–decoder those of both")
      .range(0, 1 << 16)
      .add("encoder_layers", of(&ModelSpec::encoder_layers),
           "kind encoder_decoder: of the layers, those of the encoder, in front; 0 = half of them")
      .range(0, 1 << 16)
      .add("hidden", of(&ModelSpec::hidden), "width of the residual stream")
      .range(0, kMostOfAny)
      .add("heads", of(&ModelSpec::heads), "attention heads")
      .range(0, 1 << 16)
      .add("kv_heads", of(&ModelSpec::kv_heads), "key/value heads; 0 = as many as heads")
      .range(0, 1 << 16)
      .add("head_dim", of(&ModelSpec::head_dim), "width of a head; 0 = hidden / heads")
      .range(0, 1 << 16)
      .add("ffn_hidden", of(&ModelSpec::ffn_hidden), "width of one MLP matrix; 0 = 4 · hidden")
      .range(0, kMostOfAny)
      .add("vocab", of(&ModelSpec::vocab), "rows of the token table")
      .range(0, kMostOfAny)
      .add("vocab_multiple", of(&ModelSpec::vocab_multiple),
           "the token table is padded to a multiple of this · layout.tensor (Megatron: 128); 1 = as given")
      .range(1, 1 << 16)
      .add("max_positions", of(&ModelSpec::max_positions), "rows of a learned position table")
      .range(0, kMostOfAny)
      .add("token_types", of(&ModelSpec::token_types),
           "kind encoder: rows of a table of what a token is part of (BERT: segments)")
      .range(0, 1 << 16)
      .add("position_buckets", of(&ModelSpec::position_buckets),
           "position relative_bias: distances with a bias of their own for each head (T5: 32)")
      .range(0, 1 << 16)
      .add("attention_window", of(&ModelSpec::attention_window), "positions a query looks back; 0 = all")
      .range(0, kMostOfAny)
      .add("attention_chunks", of(&ModelSpec::attention_chunks),
           "the windows are blocks side by side: a query looks back to where its own begins (Llama 4)")
      .add("global_every", of(&ModelSpec::global_every),
           "each so manyth layer sees all positions; 0 = every layer has the window")
      .range(0, 1 << 16)
      .section("experts", of(&ModelSpec::experts), expert_fields(), "mixture of experts")
      .section("latent_attention", of(&ModelSpec::latent_attention), latent_fields(), "attention from latents")
      .add("prediction_layers", of(&ModelSpec::prediction_layers),
           "modules that predict a token further ahead each, of a layer like the last (multi-token prediction)")
      .range(0, 64);
}

void add_kinds(Fields<ModelChoice>& table) {
  table
      .choice("kind", of(&ModelSpec::kind),
              {{"decoder", ModelKind::decoder},
               {"encoder", ModelKind::encoder},
               {"encoder_decoder", ModelKind::encoder_decoder}},
              "decoder: a token sees those before it; encoder: all (BERT); encoder_decoder: a decoder that attends to "
              "an encoder in each layer (T5, BART)")
      .choice("norm", of(&ModelSpec::norm), {{"layer_norm", Norm::layer_norm}, {"rms_norm", Norm::rms_norm}},
              "normalisation")
      .choice("norm_place", of(&ModelSpec::norm_place),
              {{"before", NormPlace::before},
               {"after", NormPlace::after},
               {"both", NormPlace::both},
               {"after_sum", NormPlace::after_sum}},
              "where the norms of attention and MLP stand: before each, behind each (OLMo-2), both (Gemma-2), behind "
              "the addition to the stream (BERT, BART)")
      .choice("parallel", of(&ModelSpec::parallel),
              {{"none", Parallel::none}, {"one_norm", Parallel::one_norm}, {"two_norms", Parallel::two_norms}},
              "attention and MLP side by side: of one norm (GPT-J), of one each (GPT-NeoX)")
      .choice("qk_norm", of(&ModelSpec::qk_norm),
              {{"none", QkNorm::none}, {"head", QkNorm::head}, {"all", QkNorm::all}, {"bare", QkNorm::bare}},
              "norm of queries and keys: of each head, of all heads together, of each head without weights")
      .choice("activation", of(&ModelSpec::activation),
              {{"gelu", Activation::gelu},
               {"relu", Activation::relu},
               {"squared_relu", Activation::squared_relu},
               {"swiglu", Activation::swiglu},
               {"geglu", Activation::geglu}},
              "MLP activation; swiglu and geglu have three matrices")
      .choice("position", of(&ModelSpec::position),
              {{"learned", Position::learned},
               {"rotary", Position::rotary},
               {"alibi", Position::alibi},
               {"relative", Position::relative},
               {"relative_bias", Position::relative_bias},
               {"none", Position::none}},
              "position encoding")
      .add("rotary_dim", of(&ModelSpec::rotary_dim), "features of a head that are rotated; 0 = all")
      .range(0, 1 << 16)
      .add("rotary_scaled", of(&ModelSpec::rotary_scaled),
           "cosines and sines are scaled (YaRN with an attention factor that is not 1), which fused kernels do not do");
}

void add_switches(Fields<ModelChoice>& table) {
  table.add("bias", of(&ModelSpec::bias), "every linear layer of the blocks has a bias")
      .add("qkv_bias", of(&ModelSpec::qkv_bias), "the qkv projection has a bias where `bias` is false")
      .add("projection_bias", of(&ModelSpec::projection_bias), "the output projection of attention likewise")
      .add("mlp_bias", of(&ModelSpec::mlp_bias), "the MLP likewise")
      .add("head_bias", of(&ModelSpec::head_bias), "the head has a bias")
      .add("norm_bias", of(&ModelSpec::norm_bias), "layer norms have a bias")
      .add("embedding_norm", of(&ModelSpec::embedding_norm), "a norm behind the token table (BLOOM, BERT)")
      .add("head_transform", of(&ModelSpec::head_transform),
           "kind encoder: a linear layer, GELU and a norm before the product with the token table (BERT)")
      .add("pooler", of(&ModelSpec::pooler),
           "kind encoder: a linear layer on the first token of a sequence, and a classifier of two classes (BERT)")
      .add("attention_sinks", of(&ModelSpec::attention_sinks), "a learned score for nothing, one a head (gpt-oss)")
      .add("score_cap", of(&ModelSpec::score_cap), "attention scores are capped by a tanh (Gemma-2)")
      .add("logit_cap", of(&ModelSpec::logit_cap), "logits are capped by a tanh")
      .add("tied_embeddings", of(&ModelSpec::tied_embeddings), "the head shares the token table")
      .add("dropout", of(&ModelSpec::dropout), "hidden and attention dropout are run, with their masks");
}

Fields<ModelChoice> make_fields() {
  Fields<ModelChoice> table("model", "A transformer: a preset by name, a config.json, or its figures.");
  table.shorthand("type")
      .add("type", &ModelChoice::type,
           "name of a preset (`orrery list models`), or path of a YAML file or a Hugging Face config.json")
      .add("from", &ModelChoice::from, "path of a Hugging Face config.json, relative to this file")
      .add("source", &ModelChoice::source, "where the figures come from");
  add_shape(table);
  add_kinds(table);
  add_switches(table);
  return table;
}

}  // namespace

const Fields<ModelChoice>& model_fields() {
  static const Fields<ModelChoice> table = make_fields();
  return table;
}

}  // namespace orrery::model
