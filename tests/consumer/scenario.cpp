// A training step from code: what YAML says, as values. What is wrong with them is said as it is for YAML.
#include <algorithm>
#include <cstdio>
#include <orrery/hardware/catalogue.hpp>
#include <orrery/scenario/simulate.hpp>

using namespace orrery;

scenario::Scenario on_sixteen_gpus() {
  scenario::Scenario s;
  s.model = model::load_model("gpt3-350m").value();  // of 16 heads
  s.cluster = hardware::load_cluster("dgx-a100").value();
  s.cluster.nodes = 2;
  s.gpu = hardware::gpu_of(s.cluster).value();
  s.kernels = cost::kernels_of(s.gpu).value().model;
  s.stack = cost::load_stack("megatron-2024").value();
  s.layout.tensor = 2, s.layout.pipeline = 4, s.layout.data = 2;
  s.training.global_batch = 32;
  return s;
}

// Whether the scenario that `change` makes of it is refused at `path`.
template <class Change>
bool refused(const char* path, Change change) {
  scenario::Scenario s = on_sixteen_gpus();
  change(s);
  const auto run = scenario::resolve(s, Catalogue::shared());
  if (!run.ok()) std::printf("%s", render(run.errors()).c_str());
  return !run.ok() && std::any_of(run.errors().begin(), run.errors().end(), [&](auto& e) { return e.path == path; });
}

int main() {
  const auto ready = scenario::resolve(on_sixteen_gpus(), Catalogue::shared());
  if (!ready.ok()) return std::fputs(render(ready.errors()).c_str(), stderr), 2;
  const auto run = scenario::simulate(*ready);
  if (!run.ok()) return std::fputs(render(run.errors()).c_str(), stderr), 2;
  const report::Metrics metrics = report::metrics_of(*run);
  std::printf("step %.3f s, bubble %.1f %%, %.1f GiB\n", metrics.step_time_s, 100 * metrics.bubble_fraction,
              static_cast<double>(run->usable_memory.value - metrics.headroom) / (1 << 30));
  return run->books.empty() && refused("layout.tensor", [](auto& s) { s.layout.tensor = 3; }) &&
                 refused("stack", [](auto& s) { s.stack = {}; }) &&
                 refused("training.global_batch", [](auto& s) { s.training.global_batch = 7; }) &&
                 refused("cluster.gpu", [](auto& s) { s.kernels = {}; }) &&
                 refused("model", [](auto& s) { s.model = {}; }) &&
                 refused("cluster", [](auto& s) { s.cluster = {}; }) &&
                 refused("layout.pipeline", [](auto& s) { s.layout.pipeline = 0; })
             ? 0
             : 1;
}
