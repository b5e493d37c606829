// The same of families with experts, and with latent attention.
#include <doctest/doctest.h>

#include "config_shape.hpp"

namespace orrery::model::config_experts_test {

using config_shape::check_all, config_shape::kLlama, config_shape::read;

TEST_CASE("families with experts") {
  check_all(
      kLlama + R"(, "num_experts_per_tok": 2)",
      {{"mixtral", R"(, "num_local_experts": 8, "sliding_window": 9)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary window9 experts8/2x96"},
       {"olmoe", R"(, "num_experts": 8)", "2x64 4/4x16 f96 v128 rms swiglu rotary qk:all experts8/2x96"},
       {"qwen2_moe", R"(, "num_experts": 8, "moe_intermediate_size": 32, "mlp_only_layers": [])",
        "2x64 4/4x16 f96 v128 rms swiglu rotary experts8/2x32 qkv_bias"},
       {"qwen2_moe", R"(, "num_experts": 8, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 48,
        "decoder_sparse_step": 2, "qkv_bias": false)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary experts8/2x32 shared1x48 every2 gate"},
       {"qwen2_moe", R"(, "num_experts": 8, "moe_intermediate_size": 32, "mlp_only_layers": [1])",
        "mlp_only_layers: dense layers by number are not described"},
       {"qwen3_moe", R"(, "num_experts": 8, "moe_intermediate_size": 32)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary qk:head experts8/2x32"},
       {"qwen3_moe", R"(, "num_experts": 8, "moe_intermediate_size": 32, "use_qk_norm": false)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary experts8/2x32"},
       {"qwen3_moe", R"(, "num_experts": 8, "moe_intermediate_size": 32, "use_sliding_window": true)",
        "use_sliding_window: windows are not described in this family"},
       {"gpt_oss", R"(, "num_local_experts": 8, "sliding_window": 9)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary window9 global2 experts8/2x96 biased sinks"},
       {"gpt_oss", R"(, "num_local_experts": 8, "experts_per_token": 3)",
        "experts_per_token: is not what num_experts_per_tok says"},
       {"llama4", R"(, "num_local_experts": 8, "intermediate_size_mlp": 192, "attention_chunk_size": 9)",
        "2x64 4/4x16 f192 v128 rms swiglu rotary qk:bare window9 global4 experts8/2x96 shared1x96 sigmoid chunks"},
       {"llama4", R"(, "num_local_experts": 8, "intermediate_size_mlp": 192, "interleave_moe_layer_step": 2,
        "use_qk_norm": false)",
        "2x64 4/4x16 f192 v128 rms swiglu rotary global4 experts8/2x96 shared1x96 every2 sigmoid"},
       {"minimax_m2", R"(, "num_local_experts": 8, "rotary_dim": 8)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary8 qk:all experts8/2x96 sigmoid chosen"},
       {"minimax_m2", R"(, "num_local_experts": 8, "use_routing_bias": false, "use_qk_norm": false)",
        "2x64 4/4x16 f96 v128 rms swiglu rotary experts8/2x96 sigmoid"},
       {"minimax_m2", R"(, "num_local_experts": 8, "shared_intermediate_size": 5)",
        "shared_intermediate_size: 5 is not described; known: 0"}});
  // The older of two names alone.
  CHECK(read("gpt_oss", kLlama + R"(, "num_local_experts": 8, "experts_per_token": 4)") ==
        "2x64 4/4x16 f96 v128 rms swiglu rotary global2 experts8/4x96 biased sinks");
  CHECK(read("dbrx", R"("n_layers": 2, "d_model": 64, "n_heads": 4, "vocab_size": 128, "attn_config": {"kv_n_heads": 2},
    "ffn_config": {"moe_num_experts": 8, "moe_top_k": 2, "ffn_hidden_size": 96}, "emb_pdrop": 0.1)") ==
        "2x64 4/2x16 f96 v128 ln- swiglu rotary experts8/2x96 dropout");
}

TEST_CASE("DeepSeek and those like it: fine experts, latent attention") {
  const std::string fine = kLlama + R"(, "num_experts_per_tok": 2, "n_routed_experts": 8, "moe_intermediate_size": 32)";
  check_all(fine,
            {{"deepseek", "", "2x64 4/4x16 f96 v128 rms swiglu rotary experts8/2x32"},
             {"deepseek", R"(, "n_shared_experts": 2, "first_k_dense_replace": 1, "moe_layer_freq": 1)",
              "2x64 4/4x16 f96 v128 rms swiglu rotary experts8/2x32 shared2x64 first1"},
             {"deepseek", R"(, "n_group": 4, "topk_group": 2, "scoring_func": "sigmoid", "topk_method": "noaux_tc")",
              "2x64 4/4x16 f96 v128 rms swiglu rotary experts8/2x32 groups4/2 sigmoid chosen"},
             {"deepseek", R"(, "num_nextn_predict_layers": 2, "scoring_func": "softmax", "topk_method": "greedy")",
              "2x64 4/4x16 f96 v128 rms swiglu rotary experts8/2x32 ahead2"},
             {"deepseek", R"(, "moe_layer_freq": 2)", "moe_layer_freq: 2 is not described; known: 1"},
             {"deepseek", R"(, "scoring_func": "tanh")",
              "scoring_func: 'tanh' is not how deepseek models are described here; known: softmax"},
             {"glm4_moe", R"(, "attention_bias": true, "use_qk_norm": true)",
              "2x64 4/4x16 f96 v128 rms swiglu rotary qk:head experts8/2x32 sigmoid chosen qkv_bias"}});
  const std::string latent = R"(, "kv_lora_rank": 24, "qk_nope_head_dim": 12, "qk_rope_head_dim": 4, "v_head_dim": 10)";
  // A head's key is 12 + 4 wide; each head has its own.
  for (const char* family : {"deepseek_v2", "deepseek_v3", "kimi_k2"}) {
    CHECK(read(family, fine + latent + R"(, "q_lora_rank": null, "num_key_value_heads": 2)") ==
          "2x64 4/4x16 f96 v128 rms swiglu rotary latent0/24 12+4v10 experts8/2x32");
    CHECK(read(family, fine + latent + R"(, "q_lora_rank": 40)") ==
          "2x64 4/4x16 f96 v128 rms swiglu rotary latent40/24 12+4v10 experts8/2x32");
  }
  CHECK(read("deepseek_v3", fine + latent + R"(, "attention_bias": true)") ==
        "attention_bias: biases of latent attention are not described");
  CHECK(read("deepseek_v3", fine) == "kv_lora_rank: is missing");
}

}  // namespace orrery::model::config_experts_test
