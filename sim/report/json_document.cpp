#include "orrery/report/json_document.hpp"

#include <fmt/format.h>

#include "core/json.hpp"

namespace orrery::report {
namespace {

using nlohmann::ordered_json;

// The place in a schema where the description of a field belongs: made on the way where it is not there.
ordered_json& place_of(ordered_json& schema, std::string_view path) {
  ordered_json* at = &schema;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    std::string_view name = path.substr(0, dot);
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
    const bool list = name.ends_with("[]");
    if (list) name.remove_suffix(2);
    at = name == "*" ? &(*at)["additionalProperties"] : &(*at)["properties"][std::string(name)];
    if (list) at = &(*at)["items"];
  }
  return *at;
}

}  // namespace

const std::vector<JsonField>& json_fields() {  // NOLINT(readability-function-size): a table
  static const std::vector<JsonField> fields{
      {"schema", "string", "", "orrery.run/1: fields are added, and none changes its meaning, under this name"},
      {"scenario", "object", "", "the resolved scenario, every default written out; reads back as the same scenario"},
      {"setting", "string", "", "what readers compare runs by: sharding, recomputation, number format, software stack"},
      {"parameters", "integer", "", "of the model; a tied head counts once"},
      {"head_parameters", "integer", "", "counted apart: what the heads of an encoder have beside the token table"},
      {"model_kind", "string", "", "decoder, encoder or encoder_decoder"},
      {"gpus", "integer", "", "GPUs of the run"},
      {"sequences", "integer", "", "a step, of all GPUs"},
      {"tokens", "integer", "", "a step, of all GPUs; of an encoder–decoder those of both"},
      {"peak_flops_per_s", "number", "FLOP/s", "of one GPU, dense, of the number format of the matrix products"},
      {"usable_memory_bytes", "integer", "B", "of one GPU: what an allocator can get, CUDA context included"},
      {"network_mode", "string", "", "ideal, steady or flows: what happens between transfers"},
      {"placement", "object", "", "where the ranks run"},
      {"placement.type", "string", "", "packed, by_rail, round_robin, random or explicit"},
      {"placement.*", "integer", "", "DIMENSION_domains: over how many scale-up domains its groups reach at most"},
      {"evaluated_by", "string", "", "one-pass or events; both give the same result"},
      {"step_time_s", "number", "s", "of one training step"},
      {"step_time_ps", "integer", "ps", "the same, exact"},
      {"bubble_fraction", "number", "", "waiting for another device's work over step time and GPUs"},
      {"schedule_bubble_fraction", "number", "",
       "what no operation fills, from the first start to the last end of all"},
      {"span_bubble_fraction", "number", "", "the same over the longest span of one rank"},
      {"mfu", "number", "", "model FLOPs over step time, GPUs and peak"},
      {"hfu", "number", "", "FLOPs that the kernels run, the same way"},
      {"hfu_korthikanti_eq8", "number", "", "FLOPs as Korthikanti et al. count them, the same way"},
      {"tokens_per_s", "number", "1/s", "of all GPUs"},
      {"tokens_per_s_per_gpu", "number", "1/s", "mean over the GPUs"},
      {"model_flops", "integer", "FLOP",
       "sum over all GPUs of a step, without recomputation; as training.flops counts"},
      {"hardware_flops", "integer", "FLOP", "sum over all GPUs of a step that the kernels run"},
      {"flops", "object", "", "the counts behind mfu and hfu"},
      {"flops.*", "integer", "FLOP",
       "sums over all GPUs of a step: model_linear, model_attention, executed_linear, executed_attention, recomputed "
       "(of "
       "what is executed), korthikanti_eq8"},
      {"waterfall_gpu_ps", "object", "", "from the peak of all GPUs to the MFU, sums over all GPUs"},
      {"waterfall_gpu_ps.*", "integer", "GPU-ps",
       "peak (GPUs · step) less every loss is model (the time of the model's FLOPs at the peak): clock, number_format, "
       "main_loop and shape of matrix products, attention, memory_bound kernels, slowed, the categories of the split, "
       "and "
       "not_run (below 0: FLOPs that count and are not run)"},
      {"fits", "boolean", "", "in the memory of each GPU"},
      {"verdict", "string", "", "fits, fits_by_releasing (once cached memory is given back) or does_not_fit"},
      {"limit", "string", "", "what limits the step, in words"},
      {"varied_steps", "object", "", "the step with GPUs as fast as drawn (section variation); empty: not played"},
      {"varied_steps.steps", "integer", "", "that were played"},
      {"varied_steps.mean_s", "number", "s", "mean over them"},
      {"varied_steps.p50_s", "number", "s", "that half of them do not exceed"},
      {"varied_steps.p95_s", "number", "s", "that 95 of 100 do not exceed"},
      {"varied_steps.p99_s", "number", "s", "that 99 of 100 do not exceed"},
      {"varied_steps.slowest_s", "number", "s", "the longest"},
      {"varied_steps.waited_for", "array", "", "ranks that wait least for others' work in a step, most often so first"},
      {"varied_steps.waited_for[].rank", "integer", "", "the rank"},
      {"varied_steps.waited_for[].share", "number", "", "of the steps"},
      {"long_run", "object", "",
       "what failures, checkpoints and restarts make of a run of many such steps; empty: the scenario says nothing of "
       "them"},
      {"long_run.about", "string", "", "where its figures are from"},
      {"long_run.causes", "array", "", "what stops it"},
      {"long_run.causes[].cause", "string", "", "its name"},
      {"long_run.causes[].failures_per_day", "number", "", "of the whole run"},
      {"long_run.causes[].recovery_s", "number", "s", "until training goes on"},
      {"long_run.*", "number", "",
       "expected parts of its time: goodput (training), checkpoints, lost (work done again), restarts, waiting (for "
       "nodes); failures_per_day; in seconds checkpoint_s (until it can be read back), checkpoint_hold_s (the step "
       "stands still), checkpoint_interval_s (with its steps), best_interval_s (of the greatest goodput), "
       "young_interval_s"},
      {"critical_path_ps", "object", "", "the tasks that the step is as long as, by kind"},
      {"critical_path_ps.*", "integer", "ps",
       "by category; all sum to the step time, less what lies before the first task"},
      {"breakdown_ps", "object", "", "where the time of all GPUs goes"},
      {"breakdown_ps.*", "integer", "ps", "by category, sum over all GPUs; all sum to GPUs · step"},
      {"breakdown_s", "object", "", "where the time of a GPU goes"},
      {"breakdown_s.*", "number", "s", "by category, mean over all GPUs; all sum to the step"},
      {"shared_links", "array", "", "families of transfers that lost time to others on their links, most first"},
      {"shared_links[].category", "string", "", "tensor_comm, data_comm …"},
      {"shared_links[].collective", "string", "", "all_reduce …"},
      {"shared_links[].took_s", "number", "s", "sum of a rank in a step, mean over the ranks"},
      {"shared_links[].alone_s", "number", "s", "the same if nothing had shared their links"},
      {"shared_links[].slowdown", "number", "", "took over alone"},
      {"shared_links[].level", "string", "", "scale_up, nic, leaf, spine, core or other: where most was lost"},
      {"shared_links[].link", "string", "", "that cost the rank most that lost most"},
      {"shared_links[].oversubscription", "number", "", "of that level: NIC bandwidth over its own; 0: no such figure"},
      {"link_use", "object", "", "network: flows only"},
      {"link_use.*", "number", "", "by level: bytes moved over what its links in use could, mean over the step"},
      {"expert_loads", "object", "", "training.routing and training.capacity only"},
      {"expert_loads.*", "number", "",
       "load_factor: rows of the fullest rank of an expert group over the mean, mean over the layers; dropped_fraction "
       "of the copies of tokens; balanced_step_time_s and balanced_peak_memory_bytes: with every expert given as many "
       "and nothing dropped"},
      {"hosts", "object", "", "training.offload only"},
      {"hosts.fits", "boolean", "", "whether the fullest host holds what is kept there"},
      {"hosts.usable_bytes", "integer", "B", "of a node, for what is kept off the GPUs"},
      {"hosts.fullest_node", "integer", "", "its number"},
      {"hosts.fullest_node_bytes", "integer", "B", "the peaks of its ranks together"},
      {"hosts.memory_bytes", "object", "", "of it, by class"},
      {"hosts.memory_bytes.*", "integer", "B", "as devices[].memory_bytes"},
      {"hosts.to_host_bytes", "object", "", "what all GPUs send there in a step"},
      {"hosts.to_host_bytes.*", "number", "B", "by what is copied"},
      {"hosts.from_host_bytes", "object", "", "what all GPUs fetch from there in a step"},
      {"hosts.from_host_bytes.*", "number", "B", "by what is copied"},
      {"stages", "array", "", "of the pipeline, in model order"},
      {"stages[].stage", "integer", "", "its number"},
      {"stages[].first_layer", "integer", "", "of the model"},
      {"stages[].layers", "integer", "", "how many"},
      {"stages[].embedding", "boolean", "", "it holds the embedding"},
      {"stages[].head", "boolean", "", "it holds the head"},
      {"stages[].parameters", "integer", "", "of one GPU"},
      {"stages[].forward_s", "number", "s", "F of one micro-batch, on the slowest of its GPUs"},
      {"stages[].backward_s", "number", "s", "B of one micro-batch, on the slowest of its GPUs"},
      {"pools", "array", "", "of unlike nodes, where the cluster has them"},
      {"pools[].name", "string", "", "as the scenario calls it"},
      {"pools[].gpu", "string", "", "of its nodes"},
      {"pools[].ranks", "integer", "", "that run there"},
      {"pools[].stages", "array", "", "pipeline ranks that it has ranks of"},
      {"pools[].work_fraction", "number", "", "compute, recompute and optimizer, of its GPUs' time"},
      {"pools[].bubble_fraction", "number", "", "the split's bubble, of its GPUs' time"},
      {"pools[].headroom_bytes", "integer", "B", "free on its fullest GPU; negative: too much"},
      {"faults", "array", "", "what is slow or down for a part of the step"},
      {"faults[].what", "string", "", "in words"},
      {"faults[].from_s", "number", "s", "after the start of the step"},
      {"faults[].until_s", "number", "s", "likewise; not there: to its end"},
      {"faults[].step_without_s", "number", "s", "the step but for it; not there: not played"},
      {"faults[].late", "array", "", "one for each class of ranks that end anything later for it, by when"},
      {"faults[].late[].ranks", "array", "", "of it"},
      {"faults[].late[].itself", "boolean", "", "its GPU is what is slow or down; the others wait"},
      {"faults[].late[].most_s", "number", "s", "that a task ends later"},
      {"faults[].late[].from_s", "number", "s", "when the first of its tasks that are late should have ended"},
      {"faults[].late[].until_s", "number", "s", "when the last of them ends"},
      {"devices", "array", "", "one for each class of ranks that are alike"},
      {"devices[].ranks", "array", "", "it stands for"},
      {"devices[].stage", "integer", "", "its place in the pipeline"},
      {"devices[].*", "integer", "", "DIMENSION_rank: of the first of its ranks"},
      {"devices[].breakdown_ps", "object", "", "where the time of each of its ranks goes"},
      {"devices[].breakdown_ps.*", "integer", "ps", "by category; all sum to the step"},
      {"devices[].in_flight", "integer", "", "most forward passes whose backward has not ended"},
      {"devices[].peak_memory_bytes", "integer", "B", "most that is allocated at once"},
      {"devices[].reserved_bytes", "integer", "B", "most that the caching allocator holds"},
      {"devices[].usable_memory_bytes", "integer", "B", "what an allocator can get of its GPU, CUDA context included"},
      {"devices[].alloc_retries", "integer", "", "times the allocator gave cached memory back to ask again"},
      {"devices[].context_bytes", "integer", "B", "CUDA context and libraries, beside both"},
      {"devices[].memory_bytes", "object", "", "at the instant of the peak"},
      {"devices[].memory_bytes.*", "integer", "B", "by class; all sum to peak_memory_bytes"},
      {"warnings", "array", "", "what is likely a mistake"},
      {"notes", "array", "", "how the run was simulated and why, and keys without effect"},
      {"timeline_hash", "string", "", "of start and end of every operation of every rank"},
      {"simulation", "object", "", "of interest to developers of Orrery"},
      {"simulation.*", "integer", "", "tasks, events, devices and steps that were played"},
  };
  return fields;
}

std::string run_json_schema() {
  ordered_json schema{
      {"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "orrery run --json"}, {"type", "object"}};
  for (const JsonField& f : json_fields()) {
    ordered_json& at = place_of(schema, f.path);
    at["type"] = f.type;
    at["description"] = f.unit.empty() ? std::string(f.meaning) : fmt::format("{}: {}", f.unit, f.meaning);
    if (f.path.find('.') == std::string_view::npos) schema["required"].push_back(f.path);
  }
  return dump(schema, 2) + "\n";
}

std::string run_json_document() {
  std::string text;
  for (const JsonField& f : json_fields())
    text += fmt::format("{:<34} {:<8} {:<7} {}\n", f.path, f.type, f.unit, f.meaning);
  return text;
}

}  // namespace orrery::report
