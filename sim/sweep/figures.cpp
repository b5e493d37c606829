#include "orrery/sweep/figures.hpp"

namespace orrery::sweep {
namespace {

template <program::Category kind>
double mean(const Figures& f) {
  return f.mean_s[static_cast<std::size_t>(kind)];
}

}  // namespace

std::string_view name_of(Status status) {
  constexpr std::string_view kNames[] = {"ok", "does_not_fit", "unwanted", "refused", "pruned", "duplicate"};
  return kNames[static_cast<std::size_t>(status)];
}

const std::vector<FigureColumn>& figure_columns() {
  using program::Category;
  static const std::vector<FigureColumn> columns{
      {"step_time_ps", true, {}, [](const Figures& f) { return f.step_time_ps; }},
      {"bubble_fraction", false, [](const Figures& f) { return f.bubble_fraction; }, {}},
      {"peak_memory_bytes", true, {}, [](const Figures& f) { return f.peak_memory_bytes; }},
      {"reserved_bytes", true, {}, [](const Figures& f) { return f.reserved_bytes; }},
      {"headroom_bytes", true, {}, [](const Figures& f) { return f.headroom_bytes; }},
      {"mfu", false, [](const Figures& f) { return f.mfu; }, {}},
      {"hfu", false, [](const Figures& f) { return f.hfu; }, {}},
      {"tokens_per_s_per_gpu", false, [](const Figures& f) { return f.tokens_per_s_per_gpu; }, {}},
      {"gpus", true, {}, [](const Figures& f) { return f.gpus; }},
      {"compute_s", false, mean<Category::compute>, {}},
      {"recompute_s", false, mean<Category::recompute>, {}},
      {"optimizer_s", false, mean<Category::optimizer>, {}},
      {"exposed_tensor_comm_s", false, mean<Category::tensor_comm>, {}},
      {"exposed_context_comm_s", false, mean<Category::context_comm>, {}},
      {"exposed_expert_comm_s", false, mean<Category::expert_comm>, {}},
      {"exposed_data_comm_s", false, mean<Category::data_comm>, {}},
      {"exposed_pipeline_comm_s", false, mean<Category::pipeline_comm>, {}},
      {"host_s", false, mean<Category::host>, {}},
      {"bubble_s", false, mean<Category::bubble>, {}},
  };
  return columns;
}

}  // namespace orrery::sweep
