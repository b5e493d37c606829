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
    "attention_softmax_in_fp32", "layer_norm_eps", "layer_norm_epsilon", "max_position_embeddings", "norm_eps",
    "norm_epsilon", "pretraining_tp", "quantization_config", "rms_norm_eps", "scale_attn_weights",
    "scale_attention_softmax_in_fp32", "original_max_position_embeddings", "rope_embedding_base", "rope_parameters",
    "rope_scaling", "rope_theta", "rotary_emb_base", "rope_percent", "rope_ratio",
    // of serving
    "attention_sink_size", "context_window_size", "prefill_chunk_size", "max_batch_size", "tensor_parallel_shards"};

// The same of one family, or of a value: what the key must say to change nothing.
struct Harmless {
  const char *family, *key;  // nullptr: every family
  const char* only;          // as JSON; nullptr = whatever it says
};
inline constexpr Harmless kHarmlessIn[] = {{nullptr, "add_cross_attention", "false"},
                                           {"gpt_bigcode", "runner_max_sequence_length", nullptr},
                                           {"mimo", "use_mrope", "false"},
                                           {nullptr, "is_encoder_decoder", "false"},
                                           {nullptr, "pruned_heads", "{}"},
                                           {"bart", "decoder_layerdrop", "0.0"},
                                           {"bart", "encoder_layerdrop", "0.0"},
                                           {"bart", "classif_dropout", nullptr},
                                           {"bart", "classifier_dropout", nullptr},
                                           {"bart", "decoder_start_token_id", nullptr},
                                           {"bart", "early_stopping", nullptr},
                                           {"bart", "extra_pos_embeddings", nullptr},
                                           {"bart", "forced_bos_token_id", nullptr},
                                           {"bart", "forced_eos_token_id", nullptr},
                                           {"bart", "init_std", nullptr},
                                           {"bart", "length_penalty", nullptr},
                                           {"bart", "max_length", nullptr},
                                           {"bart", "min_length", nullptr},
                                           {"bart", "no_repeat_ngram_size", nullptr},
                                           {"bart", "num_beams", nullptr},
                                           {"bart", "num_hidden_layers", nullptr},
                                           {"bart", "scale_embedding", nullptr},
                                           {"bert", "classifier_dropout", nullptr},
                                           {"roberta", "classifier_dropout", nullptr},
                                           {"bert", "directionality", nullptr},
                                           {"bert", "pooler_fc_size", nullptr},
                                           {"bert", "pooler_num_attention_heads", nullptr},
                                           {"bert", "pooler_num_fc_layers", nullptr},
                                           {"bert", "pooler_size_per_head", nullptr},
                                           {"bert", "pooler_type", nullptr},
                                           {"mt5", "classifier_dropout", nullptr},
                                           {"mt5", "decoder_start_token_id", nullptr},
                                           {"mt5", "initializer_factor", nullptr},
                                           {"mt5", "n_positions", nullptr},
                                           {"mt5", "output_past", nullptr},
                                           {"mt5", "relative_attention_max_distance", nullptr},
                                           {"t5", "classifier_dropout", nullptr},
                                           {"t5", "decoder_start_token_id", nullptr},
                                           {"t5", "initializer_factor", nullptr},
                                           {"t5", "n_positions", nullptr},
                                           {"t5", "output_past", nullptr},
                                           {"t5", "relative_attention_max_distance", nullptr},
                                           {"bloom", "apply_residual_connection_post_layernorm", "false"},
                                           {"bloom", "bias_dropout_fusion", nullptr},
                                           {"bloom", "masked_softmax_fusion", nullptr},
                                           {"bloom", "n_inner", nullptr},  // transformers does not read it
                                           {"bloom", "offset_alibi", nullptr},
                                           {"bloom", "seq_length", nullptr},
                                           {"bloom", "skip_bias_add", nullptr},
                                           {"bloom", "skip_bias_add_qkv", nullptr},
                                           {"bloom", "slow_but_exact", nullptr},
                                           {"gpt2", "reorder_and_upcast_attn", nullptr},
                                           {"gpt2", "scale_attn_by_inverse_layer_idx", nullptr},
                                           {nullptr, "summary_activation", nullptr},
                                           {nullptr, "summary_first_dropout", nullptr},
                                           {nullptr, "summary_proj_to_labels", nullptr},
                                           {nullptr, "summary_type", nullptr},
                                           {nullptr, "summary_use_proj", nullptr},
                                           {"llama", "max_sequence_length", nullptr},
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
                                           {"opt", "_remove_final_layer_norm", "false"},
                                           {"opt", "activation_dropout", "0.0"},
                                           {"opt", "init_std", nullptr},
                                           {"opt", "layer_norm_elementwise_affine", "true"},
                                           {"opt", "layerdrop", "0.0"},
                                           {"phi3", "full_attn_mod", "1"},
                                           {"phi3", "interpolate_factor", nullptr},
                                           {"phi3", "lm_head_bias", "false"}};

// Keys that are the sign of an architecture that cannot be described, whatever the family is called.
struct Foreign {
  const char *key, *what, *help;
};
inline constexpr Foreign kForeign[] = {
    {"index_topk", "attention to the keys that an indexer chooses", "choose a model with attention in full"},
    {"compress_ratios", "attention to compressed keys", "choose a model with attention in full"},
    {"hc_mult", "hyper-connections in place of a residual stream", "choose a model with a residual stream"},
    {"full_attention_interval", "layers of linear attention between those of attention",
     "choose a model with attention in every layer"},
    {"linear_num_key_heads", "linear attention (gated delta net)", "choose a model with attention in every layer"},
    {"hybrid_override_pattern", "state-space layers between those of attention (Mamba)",
     "choose a model with attention in every layer"},
    {"block_configs", "a shape of its own for each layer", "give the figures of a model of equal layers inline"},
    {"enable_moe_block", "a dense MLP and experts side by side", "choose a model with one of the two in a layer"},
    {"share_expert_dim", "attention of another kind in each layer", "choose a model of equal layers"},
    {"vision_config", "a tower for images", "leave it out where the text model alone is meant"}};

}  // namespace orrery::model
