// What each family of config.json files means: its defaults, and each of its own keys turned the other way.
#include <doctest/doctest.h>

#include "config_shape.hpp"

namespace orrery::model::config_families_test {

using config_shape::check_all, config_shape::kLlama, config_shape::read;

TEST_CASE("families like GPT") {
  check_all(R"("n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 128)",
            {{"gpt2", R"(, "n_positions": 32)", "2x64 4/4x16 f256 v128 ln gelu learned32 bias tied"},
             {"gpt2", R"(, "n_ctx": 32, "n_inner": 96, "tie_word_embeddings": false, "embd_pdrop": 0.1)",
              "2x64 4/4x16 f96 v128 ln gelu learned32 bias dropout"},
             {"gpt2", R"(, "n_positions": 32, "activation_function": "relu")",
              "activation_function: 'relu' is not how gpt2 models are described here; known: gelu"},
             {"gpt_bigcode", R"(, "n_positions": 32)", "2x64 4/1x16 f256 v128 ln gelu learned32 bias tied"},
             {"gpt_bigcode", R"(, "n_positions": 32, "multi_query": false)",
              "2x64 4/4x16 f256 v128 ln gelu learned32 bias tied"},
             {"gptj", R"(, "n_positions": 32)", "2x64 4/4x16 f256 v128 ln gelu rotary64 one_norm mlp_bias head_bias"},
             {"gptj", R"(, "n_positions": 32, "rotary_dim": 8, "tie_word_embeddings": true)",
              "2x64 4/4x16 f256 v128 ln gelu rotary8 one_norm mlp_bias head_bias tied"},
             {"gptj", R"(, "n_positions": 32, "rotary": false)",
              "rotary: learned positions are not described in this family"}});
  check_all(R"("hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "vocab_size": 128)",
            {{"gpt_neox", "", "2x64 4/4x16 f96 v128 ln gelu rotary4 two_norms bias mlp_bias"},  // a quarter of 16
             {"gpt_neox", R"(, "rotary_pct": 0.5, "use_parallel_residual": false, "attention_bias": false,
              "tie_word_embeddings": true, "hidden_dropout": 0.1)",
              "2x64 4/4x16 f96 v128 ln gelu rotary8 mlp_bias tied dropout"},
             {"starcoder2", "", "2x64 4/4x16 f96 v128 ln gelu rotary bias tied"},
             {"starcoder2", R"(, "use_bias": false, "tie_word_embeddings": false, "sliding_window": 8,
              "num_key_value_heads": 2, "residual_dropout": 0.1)",
              "2x64 4/2x16 f96 v128 ln gelu rotary window8 dropout"},
             {"starcoder2", R"(, "mlp_type": "gated")",
              "mlp_type: 'gated' is not how starcoder2 models are described here; known: default"}});
}

TEST_CASE("Falcon, BLOOM, OPT and MPT") {
  check_all(
      R"("hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 128)",
      {{"falcon", "", "2x64 4/1x16 f256 v128 ln gelu rotary one_norm tied"},
       {"falcon",
        R"(, "multi_query": false, "parallel_attn": false, "alibi": true, "bias": true, "ffn_hidden_size": 96)",
        "2x64 4/4x16 f96 v128 ln gelu alibi bias tied"},
       {"falcon", R"(, "new_decoder_architecture": true, "num_kv_heads": 2, "tie_word_embeddings": false)",
        "2x64 4/2x16 f256 v128 ln gelu rotary two_norms"},
       {"falcon", R"(, "new_decoder_architecture": true)", "2x64 4/4x16 f256 v128 ln gelu rotary two_norms tied"},
       {"falcon", R"(, "new_decoder_architecture": true, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1)",
        "2x64 4/2x16 f256 v128 ln gelu rotary one_norm tied"},
       {"falcon", R"(, "n_head_kv": 3)", "2x64 4/1x16 f256 v128 ln gelu rotary one_norm tied"},  // of the larger ones
       {"falcon", R"(, "apply_residual_connection_post_layernorm": true)",
        "apply_residual_connection_post_layernorm: a residual stream from behind the norm is not described"}});
  check_all(R"("hidden_size": 64, "n_layer": 2, "n_head": 4, "vocab_size": 128)",
            {{"bloom", "", "2x64 4/4x16 f256 v128 ln gelu alibi bias embedding_norm tied"},
             {"bloom", R"(, "n_inner": 7, "tie_word_embeddings": false, "attention_dropout": 0.1)",
              "2x64 4/4x16 f256 v128 ln gelu alibi bias embedding_norm dropout"}});
  check_all(
      R"("hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 128, "ffn_dim": 96,
    "max_position_embeddings": 32)",
      {{"opt", "", "2x64 4/4x16 f96 v128 ln relu learned34 bias tied"},  // two rows more
       {"opt", R"(, "enable_bias": false, "tie_word_embeddings": false, "dropout": 0.1, "word_embed_proj_dim": 64)",
        "2x64 4/4x16 f96 v128 ln relu learned34 dropout"},
       {"opt", R"(, "word_embed_proj_dim": 32)",
        "word_embed_proj_dim: a projection behind the embedding is not described"},
       {"opt", R"(, "do_layer_norm_before": false)",
        "do_layer_norm_before: norms behind the blocks (OPT-350M) are not described"}});
  check_all(
      R"("d_model": 64, "n_heads": 4, "n_layers": 2, "vocab_size": 128, "max_seq_len": 32)",
      {{"mpt", "", "2x64 4/4x16 f256 v128 ln- gelu learned32 tied"},
       {"mpt", R"(, "no_bias": false, "expansion_ratio": 2, "attn_config": {"rope": true, "kv_n_heads": 2})",
        "2x64 4/2x16 f128 v128 ln gelu rotary bias tied"},
       {"mpt", R"(, "attn_config": {"alibi": true, "attn_type": "multiquery_attention", "attn_pdrop": 0.1},
              "ffn_config": {"ffn_hidden_size": 96})",
        "2x64 4/1x16 f96 v128 ln- gelu alibi tied dropout"},
       {"mpt", R"(, "learned_pos_emb": false, "tie_word_embeddings": false)", "2x64 4/4x16 f256 v128 ln- gelu none"},
       {"mpt", R"(, "norm_type": "rmsnorm")",
        "norm_type: 'rmsnorm' is not how mpt models are described here; known: low_precision_layernorm"},
       {"mpt", R"(, "ffn_config": {"ffn_type": "mptglu"})",
        "ffn_config.ffn_type: 'mptglu' is not how mpt models are described here; known: mptmlp"}});
}

TEST_CASE("families like Llama") {
  check_all(
      kLlama,
      {{"llama", "", "2x64 4/4x16 f96 v128 rms swiglu rotary"},
       {"llama", R"(, "num_key_value_heads": 2, "head_dim": 32, "attention_bias": true, "tie_word_embeddings": true)",
        "2x64 4/2x32 f96 v128 rms swiglu rotary qkv_bias projection_bias tied"},
       {"llama", R"(, "attention_dropout": 0.0)", "2x64 4/4x16 f96 v128 rms swiglu rotary"},
       {"llama", R"(, "attention_dropout": 0.1)", "2x64 4/4x16 f96 v128 rms swiglu rotary dropout"},
       {"llama", R"(, "mlp_bias": true)", "2x64 4/4x16 f96 v128 rms swiglu rotary mlp_bias"},
       {"smollm3", R"(, "sliding_window": 8)", "2x64 4/4x16 f96 v128 rms swiglu rotary tied"},
       {"smollm3", R"(, "sliding_window": 8, "use_sliding_window": true, "tie_word_embeddings": false)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary window8"},
       {"mistral", R"(, "sliding_window": 8)", "2x64 4/4x16 f96 v128 rms swiglu rotary window8"},
       {"mistral", R"(, "sliding_window": null, "sliding_window_size": 9)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary window9"},
       {"qwen2", R"(, "sliding_window": 8)", "2x64 4/4x16 f96 v128 rms swiglu rotary qkv_bias"},
       {"qwen2", R"(, "sliding_window": 8, "use_sliding_window": true)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary window8 qkv_bias"},
       {"qwen2", R"(, "sliding_window": 8, "use_sliding_window": true, "max_window_layers": 2)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary qkv_bias"},
       {"qwen2", R"(, "sliding_window": 8, "use_sliding_window": true, "max_window_layers": 1)",
        "max_window_layers: windows of the last layers alone are not described"},
       {"qwen3", "", "2x64 4/4x16 f96 v128 rms swiglu rotary qk:head"},
       {"mimo", R"(, "num_nextn_predict_layers": 1)", "2x64 4/4x16 f96 v128 rms swiglu rotary ahead1 qkv_bias"},
       {"mimo", R"(, "attention_bias": false)", "2x64 4/4x16 f96 v128 rms swiglu rotary"},
       {"phi3", R"(, "sliding_window": 8, "embd_pdrop": 0.1)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary window8 dropout"},
       {"internlm2", R"(, "bias": true)", "2x64 4/4x16 f96 v128 rms swiglu rotary qkv_bias projection_bias"},
       {"olmo2", "", "2x64 4/4x16 f96 v128 rms swiglu rotary after qk:all"},
       {"glm", R"(, "attention_bias": true)", "2x64 4/4x16 f96 v128 rms swiglu rotary qkv_bias"},
       {"glm4", R"(, "partial_rotary_factor": 0.5)", "2x64 4/4x16 f96 v128 rms swiglu rotary8 both"},
       {"cohere", "", "2x64 4/4x16 f96 v128 ln- swiglu rotary one_norm tied"},
       {"cohere", R"(, "use_qk_norm": true, "tie_word_embeddings": false)",
        "2x64 4/4x16 f96 v128 ln- swiglu rotary one_norm qk:all"},
       {"cohere2", R"(, "sliding_window": 8)", "2x64 4/4x16 f96 v128 ln- swiglu rotary one_norm window8 global4 tied"},
       {"cohere2", R"(, "sliding_window": 8, "layer_switch": 3)",
        "2x64 4/4x16 f96 v128 ln- swiglu rotary one_norm window8 global3 tied"},
       {"nemotron", R"(, "hidden_act": "relu2")", "2x64 4/4x16 f96 v128 ln squared_relu rotary"},
       {"nemotron", R"(, "hidden_act": "silu")",
        "hidden_act: 'silu' is not how nemotron models are described here; known: relu2"}});
}

TEST_CASE("Gemma: heads of 256, a gated GELU, and from the second on windows and caps") {
  check_all(
      kLlama,
      {{"gemma", "", "2x64 4/4x256 f96 v128 rms geglu rotary tied"},
       {"gemma", R"(, "head_dim": 16, "tie_word_embeddings": false)", "2x64 4/4x16 f96 v128 rms geglu rotary"},
       {"gemma2", R"(, "head_dim": 16, "sliding_window": 8)",
        "2x64 4/4x16 f96 v128 rms geglu rotary both window8 global2 tied"},
       {"gemma2", R"(, "head_dim": 16, "sliding_window_size": 8, "attn_logit_softcapping": 50.0)",
        "2x64 4/4x16 f96 v128 rms geglu rotary both window8 global2 score_cap tied"},
       {"gemma2", R"(, "head_dim": 16, "final_logit_softcapping": 30.0)",
        "2x64 4/4x16 f96 v128 rms geglu rotary both global2 logit_cap tied"},
       {"gemma3", R"(, "head_dim": 16)", "2x64 4/4x16 f96 v128 rms geglu rotary both qk:head window4096 global6 tied"},
       {"gemma3_text", R"(, "head_dim": 16, "sliding_window": 8, "sliding_window_pattern": 3)",
        "2x64 4/4x16 f96 v128 rms geglu rotary both qk:head window8 global3 tied"},
       {"gemma3", R"(, "head_dim": 16, "layer_types": ["sliding_attention", "full_attention"])",
        "2x64 4/4x16 f96 v128 rms geglu rotary both qk:head window4096 global2 tied"},
       {"gemma3", R"(, "head_dim": 16, "layer_types": ["sliding_attention", "sliding_attention"])",
        "2x64 4/4x16 f96 v128 rms geglu rotary both qk:head window4096 tied"},
       {"gemma3", R"(, "layer_types": ["sliding_attention", "full_attention", "full_attention"])",
        "layer_types: layers that see all positions are described where they are each so manyth"},
       {"gemma", R"(, "hidden_act": "silu")",
        "hidden_act: 'silu' is not how gemma models are described here; known: gelu"}});
  // The class has a vocabulary where the file has none.
  const std::string bare =
      R"("hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4)";
  CHECK(read("gemma", bare) == "2x64 4/4x256 f96 v256000 rms geglu rotary tied");
  CHECK(read("gemma3", bare) == "2x64 4/4x256 f96 v262208 rms geglu rotary both qk:head window4096 global6 tied");
}

TEST_CASE("ChatGLM has names of its own") {
  check_all(
      R"("num_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "ffn_hidden_size": 96,
    "padded_vocab_size": 128)",
      {{"chatglm", "", "2x64 4/4x128 f96 v128 rms swiglu rotary64"},
       {"chatglm", R"(, "multi_query_attention": true, "multi_query_group_num": 2, "kv_channels": 16,
              "rmsnorm": false, "add_bias_linear": true, "add_qkv_bias": true, "hidden_dropout": 0.1)",
        "2x64 4/2x16 f96 v128 ln swiglu rotary8 bias qkv_bias dropout"},
       {"chatglm", R"(, "post_layer_norm": false)", "post_layer_norm: a model without a last norm is not described"}});
}

}  // namespace orrery::model::config_families_test
