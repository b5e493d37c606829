// Which keys of a config.json change nothing that is described, for hugging_face.cpp alone.
#pragma once

namespace orrery::model {

// Keys that say nothing of parameters or kernels: names, tokens, numerics, how weights are stored and drawn, serving.
inline constexpr const char* kHarmless[] = {
    // of transformers, in every family
    "_attn_implementation", "_attn_implementation_autoset", "_name_or_path", "architectures", "attn_implementation",
    "auto_map", "bad_words_ids", "bos_token_id", "chunk_size_feed_forward", "dtype", "eos_token_id", "finetuning_task",
    "gradient_checkpointing", "id2label", "initializer_range", "is_decoder", "keys_to_ignore_at_inference", "label2id",
    "model_type", "output_attentions", "output_hidden_states", "pad_token_id", "prefix", "problem_type", "return_dict",
    "sep_token_id", "task_specific_params", "tokenizer_class", "torch_dtype", "torchscript", "transformers_version",
    "unk_token_id", "use_cache", "use_return_dict",
    // numerics and the angles of rotary positions
    "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon", "partial_rotary_factor", "rms_norm_eps",
    "original_max_position_embeddings", "rope_embedding_base", "rope_parameters", "rope_scaling", "rope_theta",
    "rotary_emb_base", "rope_percent", "rope_ratio",
    // of serving
    "attention_sink_size", "context_window_size", "prefill_chunk_size", "max_batch_size", "tensor_parallel_shards"};

// The same of one family, or of a value: what the key must say to change nothing.
struct Harmless {
  const char *family, *key;  // nullptr: every family
  const char* only;          // as JSON; nullptr = whatever it says
};
inline constexpr Harmless kHarmlessIn[] = {{nullptr, "add_cross_attention", "false"},
                                           {nullptr, "is_encoder_decoder", "false"},
                                           {nullptr, "pruned_heads", "{}"},
                                           {"bloom", "apply_residual_connection_post_layernorm", "false"},
                                           {"bloom", "attention_softmax_in_fp32", nullptr},
                                           {"bloom", "bias_dropout_fusion", nullptr},
                                           {"bloom", "masked_softmax_fusion", nullptr},
                                           {"bloom", "n_inner", nullptr},  // transformers does not read it
                                           {"bloom", "offset_alibi", nullptr},
                                           {"bloom", "pretraining_tp", nullptr},
                                           {"bloom", "seq_length", nullptr},
                                           {"bloom", "skip_bias_add", nullptr},
                                           {"bloom", "skip_bias_add_qkv", nullptr},
                                           {"bloom", "slow_but_exact", nullptr},
                                           {"gpt2", "reorder_and_upcast_attn", nullptr},
                                           {"gpt2", "scale_attn_by_inverse_layer_idx", nullptr},
                                           {"gpt2", "scale_attn_weights", nullptr},
                                           {"gpt2", "summary_activation", nullptr},
                                           {"gpt2", "summary_first_dropout", nullptr},
                                           {"gpt2", "summary_proj_to_labels", nullptr},
                                           {"gpt2", "summary_type", nullptr},
                                           {"gpt2", "summary_use_proj", nullptr},
                                           {"llama", "max_position_embeddings", nullptr},
                                           {"llama", "max_sequence_length", nullptr},
                                           {"llama", "pretraining_tp", nullptr},
                                           {"mistral", "max_position_embeddings", nullptr},
                                           {"mpt", "embedding_fraction", nullptr},
                                           {"mpt", "init_config", nullptr},
                                           {"mpt", "init_device", nullptr},
                                           {"mpt", "logit_scale", nullptr},
                                           {"mpt", "max_seq_len", nullptr},
                                           {"mpt", "tokenizer_name", nullptr},
                                           {"mpt", "use_pad_tok_in_ffn", nullptr},
                                           {"mpt", "verbose", nullptr},
                                           {"mpt", "attn_config.alibi_bias_max", nullptr},
                                           {"mpt", "attn_config.attn_impl", nullptr},
                                           {"mpt", "attn_config.attn_uses_sequence_id", nullptr},
                                           {"mpt", "attn_config.clip_qkv", nullptr},
                                           {"mpt", "attn_config.prefix_lm", "false"},
                                           {"mpt", "attn_config.qk_ln", "false"},
                                           {"mpt", "attn_config.qk_gn", "false"},
                                           {"mpt", "attn_config.rope_theta", nullptr},
                                           {"mpt", "attn_config.rope_impl", nullptr},
                                           {"mpt", "attn_config.rope_dail_config", nullptr},
                                           {"mpt", "attn_config.rope_hf_config", nullptr},
                                           {"mpt", "attn_config.sliding_window_size", "-1"},
                                           {"mpt", "attn_config.softmax_scale", nullptr},
                                           {"nemotron", "max_position_embeddings", nullptr},
                                           {"opt", "_remove_final_layer_norm", "false"},
                                           {"opt", "activation_dropout", "0.0"},
                                           {"opt", "init_std", nullptr},
                                           {"opt", "layer_norm_elementwise_affine", "true"},
                                           {"opt", "layerdrop", "0.0"},
                                           {"phi3", "full_attn_mod", "1"},
                                           {"phi3", "interpolate_factor", nullptr},
                                           {"phi3", "lm_head_bias", "false"},
                                           {"phi3", "max_position_embeddings", nullptr},
                                           {"qwen2", "max_position_embeddings", nullptr},
                                           {"qwen2", "max_window_layers", nullptr}};

}  // namespace orrery::model
