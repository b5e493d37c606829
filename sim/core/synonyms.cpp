#include "core/synonyms.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace orrery {
namespace {

struct Synonym {
  std::string_view word;  // as same_word() has it: small letters, '_' between words
  std::string_view means;
};

// Keys of Megatron-LM, NeMo, DeepSpeed, transformers, torchtitan, and of papers; each by where it stands here.
constexpr Synonym kKeys[] = {{"tp", "layout.tensor"},
                             {"tensor_parallel", "layout.tensor"},
                             {"tensor_parallel_size", "layout.tensor"},
                             {"tensor_parallel_degree", "layout.tensor"},
                             {"tensor_model_parallel_size", "layout.tensor"},
                             {"pp", "layout.pipeline"},
                             {"pipeline_parallel", "layout.pipeline"},
                             {"pipeline_parallel_size", "layout.pipeline"},
                             {"pipeline_parallel_degree", "layout.pipeline"},
                             {"pipeline_model_parallel_size", "layout.pipeline"},
                             {"stages", "layout.pipeline"},
                             {"dp", "layout.data"},
                             {"data_parallel", "layout.data"},
                             {"data_parallel_size", "layout.data"},
                             {"data_parallel_degree", "layout.data"},
                             {"cp", "layout.context"},
                             {"context_parallel", "layout.context"},
                             {"context_parallel_size", "layout.context"},
                             {"context_parallel_degree", "layout.context"},
                             {"vp", "layout.virtual"},
                             {"vpp", "layout.virtual"},
                             {"virtual_stages", "layout.virtual"},
                             {"virtual_pipeline_model_parallel_size", "layout.virtual"},
                             {"num_layers_per_virtual_pipeline_stage", "layout.virtual"},
                             {"sp", "layout.sequence_parallel"},
                             {"zero_stage", "layout.zero"},
                             {"fsdp", "layout.zero"},
                             {"use_distributed_optimizer", "layout.zero"},
                             {"sharding_strategy", "layout.zero"},
                             {"hsdp", "layout.shard_degree"},
                             {"gbs", "training.global_batch"},
                             {"global_batch_size", "training.global_batch"},
                             {"batch_size", "training.global_batch"},
                             {"train_batch_size", "training.global_batch"},
                             {"batch", "training.global_batch"},
                             {"mbs", "training.micro_batch"},
                             {"micro_batch_size", "training.micro_batch"},
                             {"microbatch_size", "training.micro_batch"},
                             {"train_micro_batch_size_per_gpu", "training.micro_batch"},
                             {"seq", "training.sequence_length"},
                             {"seqlen", "training.sequence_length"},
                             {"seq_len", "training.sequence_length"},
                             {"seq_length", "training.sequence_length"},
                             {"max_seq_len", "training.sequence_length"},
                             {"context_length", "training.sequence_length"},
                             {"encoder_seq_length", "training.sequence_length"},
                             {"dtype", "training.precision"},
                             {"mixed_precision", "training.precision"},
                             {"bf16", "training.precision"},
                             {"fp16", "training.precision"},
                             {"fp8", "training.precision"},
                             {"activation_checkpointing", "training.recompute"},
                             {"gradient_checkpointing", "training.recompute"},
                             {"recompute_granularity", "training.recompute"},
                             {"recompute_activations", "training.recompute"},
                             {"flash_attention", "training.attention"},
                             {"use_flash_attn", "training.attention"},
                             {"compile", "training.compiled"},
                             {"overlap_grad_reduce", "training.overlap_data"},
                             {"overlap_param_gather", "training.overlap_data"},
                             {"tp_comm_overlap", "training.overlap_tensor"},
                             {"num_layers", "model.layers"},
                             {"n_layers", "model.layers"},
                             {"n_layer", "model.layers"},
                             {"num_hidden_layers", "model.layers"},
                             {"hidden_size", "model.hidden"},
                             {"d_model", "model.hidden"},
                             {"n_embd", "model.hidden"},
                             {"dim", "model.hidden"},
                             {"num_attention_heads", "model.heads"},
                             {"n_heads", "model.heads"},
                             {"n_head", "model.heads"},
                             {"num_query_groups", "model.kv_heads"},
                             {"num_key_value_heads", "model.kv_heads"},
                             {"n_kv_heads", "model.kv_heads"},
                             {"kv_channels", "model.head_dim"},
                             {"ffn_hidden_size", "model.ffn_hidden"},
                             {"intermediate_size", "model.ffn_hidden"},
                             {"d_ff", "model.ffn_hidden"},
                             {"vocab_size", "model.vocab"},
                             {"padded_vocab_size", "model.vocab"},
                             {"make_vocab_size_divisible_by", "model.vocab_multiple"},
                             {"max_position_embeddings", "model.max_positions"},
                             {"position_embedding_type", "model.position"},
                             {"hidden_act", "model.activation"},
                             {"tie_word_embeddings", "model.tied_embeddings"},
                             {"config", "model.from"},
                             {"num_nodes", "cluster.nodes"},
                             {"nnodes", "cluster.nodes"},
                             {"num_gpus", "cluster.gpus"},
                             {"world_size", "cluster.gpus"},
                             {"gpus_per_host", "cluster.gpus_per_node"},
                             {"nproc_per_node", "cluster.gpus_per_node"},
                             {"gpu_type", "cluster.gpu"},
                             {"framework", "stack"},
                             {"parallelism", "layout"},
                             {"parallel", "layout"},
                             {"topology", "cluster"},
                             {"hardware", "cluster"},
                             {"faults", "perturb"},
                             {"stragglers", "perturb"},
                             // Keys of this schema that are looked for in another section.
                             {"tensor", "layout.tensor"},
                             {"pipeline", "layout.pipeline"},
                             {"data", "layout.data"},
                             {"context", "layout.context"},
                             {"virtual", "layout.virtual"},
                             {"sequence_parallel", "layout.sequence_parallel"},
                             {"zero", "layout.zero"},
                             {"shard_degree", "layout.shard_degree"},
                             {"order", "layout.order"},
                             {"partition", "layout.partition"},
                             {"layers_per_stage", "layout.layers_per_stage"},
                             {"sequence_length", "training.sequence_length"},
                             {"global_batch", "training.global_batch"},
                             {"micro_batch", "training.micro_batch"},
                             {"precision", "training.precision"},
                             {"recompute", "training.recompute"},
                             {"recompute_every", "training.recompute_every"},
                             {"attention", "training.attention"},
                             {"weight_bytes", "training.weight_bytes"},
                             {"gradient_bytes", "training.gradient_bytes"},
                             {"optimizer_bytes", "training.optimizer_bytes"},
                             {"overlap_data", "training.overlap_data"},
                             {"overlap_tensor", "training.overlap_tensor"},
                             {"overlap_context", "training.overlap_context"},
                             {"compiled", "training.compiled"},
                             {"flops", "training.flops"},
                             {"layers", "model.layers"},
                             {"hidden", "model.hidden"},
                             {"heads", "model.heads"},
                             {"kv_heads", "model.kv_heads"},
                             {"ffn_hidden", "model.ffn_hidden"},
                             {"vocab", "model.vocab"},
                             {"max_positions", "model.max_positions"},
                             {"nodes", "cluster.nodes"},
                             {"gpus", "cluster.gpus"},
                             {"gpu", "cluster.gpu"},
                             {"gpus_per_node", "cluster.gpus_per_node"},
                             {"scale_up", "cluster.scale_up"},
                             {"scale_out", "cluster.scale_out"},
                             {"nic_bandwidth", "cluster.scale_out.nic_bandwidth"},
                             {"nics_per_node", "cluster.scale_out.nics_per_node"},
                             {"memory_cap", "schedule.memory_cap"},
                             {"algorithm", "network.algorithm"},
                             {"protocol", "network.protocol"}};

// What there is not, by what it would be called.
constexpr std::string_view kExperts = "models with experts are not simulated: dense models only";
constexpr std::string_view kOffload = "nothing is offloaded to the host: there is no such thing here yet";
constexpr std::string_view kLongRun = "one step in its steady state is simulated, not a run of many";
constexpr Synonym kAbsent[] = {
    {"ep", kExperts},
    {"expert", kExperts},
    {"experts", kExperts},
    {"expert_parallel", kExperts},
    {"expert_parallel_size", kExperts},
    {"expert_model_parallel_size", kExperts},
    {"expert_tensor_parallel_size", kExperts},
    {"num_experts", kExperts},
    {"num_local_experts", kExperts},
    {"moe", kExperts},
    {"top_k", kExperts},
    {"offload", kOffload},
    {"cpu_offload", kOffload},
    {"cpu_offloading", kOffload},
    {"offload_optimizer", kOffload},
    {"offload_param", kOffload},
    {"optimizer_offload", kOffload},
    {"activation_offload", kOffload},
    {"steps", kLongRun},
    {"train_iters", kLongRun},
    {"save_interval", kLongRun},
    {"checkpoint_interval", kLongRun},
    {"gradient_accumulation_steps", "follows from training: global_batch / (data ranks · micro_batch)"},
    {"num_micro_batches", "follows from training: global_batch / (data ranks · micro_batch)"},
    {"micro_batches", "follows from training: global_batch / (data ranks · micro_batch)"}};

// Values, by their key (or by what a name is of).
struct Word {
  std::string_view key, word, means;
};
constexpr Word kWords[] = {{"zero", "0", "none"},
                           {"zero", "1", "optimizer"},
                           {"zero", "2", "gradients"},
                           {"zero", "3", "parameters"},
                           {"zero", "zero_0", "none"},
                           {"zero", "zero_1", "optimizer"},
                           {"zero", "zero_2", "gradients"},
                           {"zero", "zero_3", "parameters"},
                           {"zero", "stage_3", "parameters"},
                           {"zero", "os", "optimizer"},
                           {"zero", "ddp", "none"},
                           {"zero", "false", "none"},
                           {"zero", "fsdp", "parameters"},
                           {"zero", "full_shard", "parameters"},
                           {"zero", "shard_grad_op", "gradients"},
                           {"precision", "bfloat16", "bf16"},
                           {"precision", "bf16_mixed", "bf16"},
                           {"precision", "float16", "fp16"},
                           {"precision", "half", "fp16"},
                           {"precision", "16_mixed", "fp16"},
                           {"precision", "float32", "fp32"},
                           {"precision", "32", "fp32"},
                           {"precision", "tf32", "fp32"},
                           {"precision", "float8", "fp8"},
                           {"recompute", "true", "full"},
                           {"recompute", "false", "none"},
                           {"recompute", "all", "full"},
                           {"recompute", "uniform", "full"},
                           {"recompute", "block", "full"},
                           {"recompute", "core_attn", "selective"},
                           {"attention", "flash_attention", "flash"},
                           {"attention", "flash_attention_2", "flash"},
                           {"attention", "flash2", "flash"},
                           {"attention", "sdpa", "flash"},
                           {"attention", "fused", "flash"},
                           {"attention", "eager", "unfused"},
                           {"attention", "standard", "unfused"},
                           {"position", "rope", "rotary"},
                           {"position", "learned_absolute", "learned"},
                           {"norm", "layernorm", "layer_norm"},
                           {"norm", "rmsnorm", "rms_norm"},
                           {"activation", "silu", "swiglu"},
                           {"activation", "gelu_new", "gelu"},
                           {"activation", "relu2", "squared_relu"},
                           {"schedule", "interleaved", "interleaved_1f1b"},
                           {"schedule", "vpp", "interleaved_1f1b"},
                           {"schedule", "zero_bubble", "zb_h1"},
                           {"schedule", "zb", "zb_h1"},
                           {"schedule", "zb_v", "zbv"},
                           {"schedule", "afab", "gpipe"},
                           {"schedule", "pipedream", "1f1b"},
                           {"schedule", "breadth_first", "looped_bfs"},
                           {"model", "llama3_8b", "llama3.1-8b"},
                           {"model", "llama3_70b", "llama3.1-70b"},
                           {"model", "llama3_405b", "llama3.1-405b"},
                           {"model", "llama_7b", "llama2-7b"},
                           {"model", "llama_13b", "llama2-13b"},
                           {"model", "llama_70b", "llama2-70b"},
                           {"model", "gpt3", "gpt3-175b"},
                           {"model", "gpt_3", "gpt3-175b"},
                           {"model", "bloom", "bloom-176b"},
                           {"GPU", "t4_16gb", "t4"},
                           {"GPU", "v100", "v100-sxm-32gb"},
                           {"GPU", "a100", "a100-sxm-80gb"},
                           {"GPU", "a100_80gb", "a100-sxm-80gb"},
                           {"GPU", "a100_40gb", "a100-sxm-40gb"},
                           {"GPU", "h100", "h100-sxm-80gb"},
                           {"GPU", "h100_80gb", "h100-sxm-80gb"},
                           {"GPU", "h100_sxm", "h100-sxm-80gb"},
                           {"GPU", "h200", "h200-sxm-141gb"},
                           {"GPU", "h800", "h800-sxm-80gb"},
                           {"GPU", "b200", "b200-sxm-180gb"},
                           {"cluster", "dgx_a100_80gb", "dgx-a100"},
                           {"cluster", "p4de", "aws-p4de"},
                           {"cluster", "p5", "aws-p5"},
                           {"cluster", "dgx_h200", "hgx-h200"},
                           {"cluster", "nvl72", "gb200-nvl72"},
                           {"stack", "megatron", "megatron-2025"},
                           {"stack", "megatron_lm", "megatron-2025"},
                           {"stack", "nemo", "nemo-2025"},
                           {"stack", "torchtitan", "torchtitan-2025"},
                           {"stack", "fsdp", "torchtitan-2025"},
                           {"stack", "deepspeed", "megatron-deepspeed-2022"}};

constexpr Synonym kUnits[] = {{"bps", "b/s"},
                              {"Kbps", "Kb/s"},
                              {"Mbps", "Mb/s"},
                              {"Gbps", "Gb/s"},
                              {"Tbps", "Tb/s"},
                              {"Gbit/s", "Gb/s"},
                              {"Gbits/s", "Gb/s"},
                              {"Gbit", "Gb/s"},
                              {"Gb", "Gb/s"},
                              {"gbps", "Gb/s"},
                              {"GBps", "GB/s"},
                              {"GiBps", "GiB/s"},
                              {"MBps", "MB/s"},
                              {"TBps", "TB/s"},
                              {"GBs", "GB/s"},
                              {"GB", "GB/s"},
                              {"TB", "TB/s"},
                              {"G", "GiB"},
                              {"Gi", "GiB"},
                              {"gb", "GB"},
                              {"gib", "GiB"},
                              {"mb", "MB"},
                              {"mib", "MiB"},
                              {"M", "MiB"},
                              {"TFLOPS", "TFLOP/s"},
                              {"TFLOPs", "TFLOP/s"},
                              {"TFLOPS/s", "TFLOP/s"},
                              {"TFLOPs/s", "TFLOP/s"},
                              {"TFlops", "TFLOP/s"},
                              {"tflops", "TFLOP/s"},
                              {"TFLOP", "TFLOP/s"},
                              {"PFLOPS", "PFLOP/s"},
                              {"PFLOPs", "PFLOP/s"},
                              {"GFLOPS", "GFLOP/s"},
                              {"µs", "us"},
                              {"usec", "us"},
                              {"msec", "ms"},
                              {"sec", "s"},
                              {"seconds", "s"}};

std::string same_word(std::string_view text) {
  std::string word;
  for (const char c : text)
    word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c == '-' || c == ' ' ? '_' : c;
  return word;
}

const Synonym* look_up(const Synonym* begin, const Synonym* end, std::string_view word) {
  const Synonym* at = std::find_if(begin, end, [&](const Synonym& each) { return each.word == word; });
  return at == end ? nullptr : at;
}

bool is_known(const std::vector<std::string>& known, std::string_view name) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

// The one that differs in capitals, '-' and '_' alone.
const std::string* same_but_for_case(std::string_view name, const std::vector<std::string>& known) {
  const auto bare = [](std::string_view text) {
    std::string word = same_word(text);
    word.erase(std::remove(word.begin(), word.end(), '_'), word.end());
    return word;
  };
  const std::string wanted = bare(name);
  const auto at =
      std::find_if(known.begin(), known.end(), [&](const std::string& each) { return bare(each) == wanted; });
  return at == known.end() || wanted.empty() ? nullptr : &*at;
}

// 8k, 1M, 2_048, 2,048: the number that is meant, 0 where none is.
std::int64_t meant_number(std::string_view text) {
  struct Suffix {
    std::string_view name;
    std::int64_t scale;
  };
  constexpr Suffix kSuffixes[] = {{"k", 1 << 10}, {"K", 1 << 10},  {"Ki", 1 << 10},
                                  {"M", 1 << 20}, {"Mi", 1 << 20}, {"", 1}};
  for (const auto& [suffix, scale] : kSuffixes) {
    if (!text.ends_with(suffix)) continue;
    std::string digits;
    const std::string_view body = text.substr(0, text.size() - suffix.size());
    if (body.find_first_not_of("0123456789_,") != std::string_view::npos) return 0;
    for (const char c : body)
      if (c != '_' && c != ',') digits += c;
    const bool plain = digits.size() == text.size();  // it is a number, and wrong for another reason
    if (plain || digits.empty() || digits.size() > 12 || body.front() < '1' || body.front() > '9') return 0;
    return std::stoll(digits) * scale;
  }
  return 0;
}

}  // namespace

std::string remedy_for_key(std::string_view where, std::string_view key, const std::vector<std::string>& known) {
  const std::string word = same_word(key);
  if (const std::string* same = same_but_for_case(key, known)) return "did you mean '" + *same + "'?";
  if (const Synonym* absent = look_up(std::begin(kAbsent), std::end(kAbsent), word)) return std::string(absent->means);
  if (const Synonym* synonym = look_up(std::begin(kKeys), std::end(kKeys), word)) {
    const std::string_view path = synonym->means;
    const std::size_t dot = path.rfind('.');
    const std::string_view section = dot == std::string_view::npos ? "" : path.substr(0, dot);
    const std::string_view name = path.substr(dot == std::string_view::npos ? 0 : dot + 1);
    if ((section == where || where.empty()) && is_known(known, name)) return fmt::format("did you mean '{}'?", name);
    if (section != where && name == word) return fmt::format("`{}` belongs in {}: {}", name, section, path);
    if (section != where) return fmt::format("write {}{}", path, section.empty() ? ", a section of its own" : "");
  }
  return did_you_mean(key, known);
}

std::string remedy_for_word(std::string_view key, std::string_view word, const std::vector<std::string>& known) {
  if (const std::string* same = same_but_for_case(word, known)) return "write " + *same;
  const std::string plain = same_word(word);
  for (const Word& each : kWords)
    if (each.key == key && each.word == plain && is_known(known, each.means))
      return fmt::format("{} is `{}` here", word, each.means);
  return did_you_mean(word, known);
}

std::string remedy_for_number(FieldType type, std::string_view text) {
  if (text.empty()) return {};
  if (type == FieldType::integer) {
    const std::int64_t number = meant_number(text);
    return number == 0 ? std::string() : fmt::format("write {}", number);
  }
  const std::size_t end = text.find_last_of("0123456789");
  if (end == std::string_view::npos) return {};
  std::string_view unit = text.substr(end + 1);
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  std::int64_t ignored = 0;
  for (const Synonym& each : kUnits) {
    const std::string fixed = fmt::format("{} {}", text.substr(0, end + 1), each.means);
    if (each.word == unit && parse_quantity(type, fixed, ignored).empty()) return "write " + fixed;
  }
  return {};
}

std::vector<std::string> synonym_keys() {
  std::vector<std::string> keys;
  for (const Synonym& each : kKeys) keys.emplace_back(each.means);
  return keys;
}

std::vector<std::pair<std::string, std::string>> synonym_words() {
  std::vector<std::pair<std::string, std::string>> words;
  for (const Word& each : kWords) words.emplace_back(each.key, each.means);
  return words;
}

}  // namespace orrery
