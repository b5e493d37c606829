#include "layer_time.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "orrery/cost/kernel_cost.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/layout/pass.hpp"
#include "orrery/network/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::validation {
namespace {

// The operators of the experts of the one layer of a model, from the router and what is shared to their sum.
std::vector<std::int32_t> operators_of_experts(const model::ModelGraph& graph) {
  using K = model::OperatorKind;
  std::vector<std::int32_t> nodes;
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    const K kind = graph.operators[i].kind;
    if (kind >= K::router && kind <= K::expert_sum) nodes.push_back(static_cast<std::int32_t>(i));
    if (kind >= K::shared_fc1 && kind <= K::shared_gate) nodes.push_back(static_cast<std::int32_t>(i));
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

model::ModelSpec model_of_layer(const LayerOfRow& layer) {
  model::ModelSpec m;
  m.name = "layer", m.layers = 1, m.hidden = layer.hidden, m.heads = m.kv_heads = 1, m.vocab = 128;
  m.ffn_hidden = layer.hidden, m.experts = layer.experts;
  m.activation = model::Activation::swiglu, m.norm = model::Norm::rms_norm, m.position = model::Position::rotary;
  m.bias = m.dropout = m.tied_embeddings = false;
  return m;
}

// The node that is listed first of those with such GPUs.
Result<hardware::ClusterSpec> node_of_layer(const LayerOfRow& layer) {
  for (const std::string& name : hardware::cluster_names()) {
    Result<hardware::ClusterSpec> cluster = hardware::load_cluster(name);
    if (cluster.ok() && cluster->gpu == layer.gpu && cluster->gpus_per_node >= layer.gpus) return cluster;
  }
  Diagnostic d;
  d.path = "gpus", d.message = "no cluster has nodes of " + std::to_string(layer.gpus) + " " + layer.gpu;
  return d;
}

}  // namespace

// Steps one after the other, launched ahead.
Result<LayerTimes> layer_times(const LayerOfRow& layer) {
  const auto cluster = node_of_layer(layer);
  if (!cluster.ok()) return cluster.errors();
  const auto gpu = hardware::load_gpu(layer.gpu);
  const auto constants = cost::load_kernel_model(layer.gpu);
  const auto topology = hardware::build_topology(*cluster, 1);
  const auto tuning = network::tuning_for(*cluster);
  if (!gpu.ok() || !constants.ok()) return gpu.ok() ? constants.errors() : gpu.errors();
  if (!topology.ok() || !tuning.ok()) return topology.ok() ? tuning.errors() : topology.errors();
  cost::KernelModel kernels = *constants;
  kernels.sustained = kernels.fp8_sustained = 1;
  if (layer.block_scaled) kernels.gemm.rate.fp8 *= kernels.experts.block_scaled_rate;
  layout::PassOptions options;
  options.sequence_length = layer.tokens, options.attention = layout::AttentionKind::flash;
  if (layer.fp8) options.compute = DType::fp8;
  layout::Layout split;
  split.data = layer.gpus, split.expert = layer.ranks;
  const model::ModelGraph graph = layout::graph_of(model_of_layer(layer), options);
  const layout::StageModel stage(graph, split, operators_of_experts(graph), options);
  std::vector<hardware::DeviceId> group(static_cast<std::size_t>(layer.ranks));
  std::iota(group.begin(), group.end(), 0);
  const auto sum = [&](layout::PassKind kind) {
    Time time{};
    for (const layout::PassStep& step : stage.pass(kind)) {
      if (!step.is_communication) {
        model::Kernel one = step.kernel;
        one.bytes = {ceil_div(one.bytes.value, step.kernels)};
        time += cost::kernel_time(*gpu, kernels, one) * step.kernels;
        continue;
      }
      const network::CollectiveCall call{step.collective, step.message, group};
      time += network::unshared_time(network::plan_collective(call, **topology, *tuning), (*topology)->links());
    }
    return time;
  };
  return LayerTimes{sum(layout::PassKind::forward), sum(layout::PassKind::backward)};
}

}  // namespace orrery::validation
