#include "given.hpp"

#include "orrery/hardware/catalogue.hpp"
#include "tables.hpp"

namespace orrery::scenario {
namespace {

Diagnostic missing(std::string path, std::string message, std::string help) {
  Diagnostic d;
  d.path = std::move(path);
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

void check_parts(const Scenario& s, Diagnostics& errors) {
  const model::ModelSpec& m = s.model;
  for (const std::int64_t figure : {m.layers, m.hidden, m.heads, m.kv_heads, m.ffn_hidden, m.vocab})
    if (figure < 1) {
      errors.push_back(missing("model", "is missing, or one of its figures is",
                               "model::load_model gives one by name; layers, hidden, heads, kv_heads, ffn_hidden and "
                               "vocab are at least 1"));
      break;
    }
  if ((s.cluster.gpu.empty() && !s.cluster.gpu_definition) || s.cluster.nodes < 1 || s.cluster.gpus_per_node < 1)
    errors.push_back(missing("cluster", "is missing", "hardware::load_cluster gives one by name"));
  if (s.gpu.memory.value < 1 || s.gpu.memory_bandwidth.value < 1)
    errors.push_back(missing("cluster.gpu", "is missing", "hardware::gpu_of gives the GPU of a cluster"));
  if (s.kernels.name.empty() || s.kernels.attention.empty())
    errors.push_back(
        missing("cluster.gpu", "the kernel constants of the GPU are missing", "cost::kernels_of gives those of a GPU"));
  if (s.stack.about.empty() || s.stack.kernels.attention.empty())
    errors.push_back(missing("stack", "is missing", "cost::load_stack gives one by name"));
}

}  // namespace

Diagnostics check_given(const Scenario& s) {
  Diagnostics errors;
  check_parts(s, errors);
  const auto hold = [&](const FieldTable& table, const void* object, const char* path) {
    for (Diagnostic& e : check_fields(table, object, path)) errors.push_back(std::move(e));
  };
  hold(layout_fields(), &s.layout, "layout");
  hold(training_fields(), &s.training, "training");
  hold(schedule_fields(), &s.schedule, "schedule");
  hold(network_fields(), &s.network, "network");
  hold(hardware::placement_fields(), &s.placement, "placement");
  if (!s.stack.about.empty()) hold(cost::stack_fields(), &s.stack, "stack");
  hold(variation_fields(), &s.variation, "variation");
  if (s.reliability.given()) {
    hold(reliability::reliability_fields(), &s.reliability, "reliability");
    for (const reliability::Missing& m : reliability::missing_in(s.reliability))
      errors.push_back(missing(m.path, m.message, m.help));
  }
  if (!errors.empty()) return errors;
  for (Diagnostic& e : hardware::check_cluster(s.cluster, s.cluster.nodes)) {
    e.place = {};
    e.path = "cluster." + e.path;
    errors.push_back(std::move(e));
  }
  return errors;
}

}  // namespace orrery::scenario
