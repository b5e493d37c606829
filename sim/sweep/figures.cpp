#include "orrery/sweep/figures.hpp"

namespace orrery::sweep {
namespace {

template <std::int64_t Figures::*member>
std::int64_t* whole(Figures& f) {
  return &(f.*member);
}
template <double Figures::*member>
double* real(Figures& f) {
  return &(f.*member);
}
template <program::Category kind>
double* mean(Figures& f) {
  return &f.mean_s[static_cast<std::size_t>(kind)];
}

}  // namespace

std::string_view name_of(Status status) {
  constexpr std::string_view kNames[] = {"ok", "does_not_fit", "unwanted", "refused", "pruned", "duplicate"};
  return kNames[static_cast<std::size_t>(status)];
}

const std::vector<FigureColumn>& figure_columns() {
  using program::Category;
  static const std::vector<FigureColumn> columns{
      {"step_time_ps", true, whole<&Figures::step_time_ps>, {}},
      {"bubble_fraction", false, {}, real<&Figures::bubble_fraction>},
      {"peak_memory_bytes", true, whole<&Figures::peak_memory_bytes>, {}},
      {"reserved_bytes", true, whole<&Figures::reserved_bytes>, {}},
      {"headroom_bytes", true, whole<&Figures::headroom_bytes>, {}},
      {"mfu", false, {}, real<&Figures::mfu>},
      {"hfu", false, {}, real<&Figures::hfu>},
      {"tokens_per_s_per_gpu", false, {}, real<&Figures::tokens_per_s_per_gpu>},
      {"gpus", true, whole<&Figures::gpus>, {}},
      {"cost_usd", false, {}, real<&Figures::cost_usd>},
      {"goodput", false, {}, real<&Figures::goodput>},
      {"compute_s", false, {}, mean<Category::compute>},
      {"recompute_s", false, {}, mean<Category::recompute>},
      {"optimizer_s", false, {}, mean<Category::optimizer>},
      {"exposed_tensor_comm_s", false, {}, mean<Category::tensor_comm>},
      {"exposed_context_comm_s", false, {}, mean<Category::context_comm>},
      {"exposed_expert_comm_s", false, {}, mean<Category::expert_comm>},
      {"exposed_data_comm_s", false, {}, mean<Category::data_comm>},
      {"exposed_pipeline_comm_s", false, {}, mean<Category::pipeline_comm>},
      {"exposed_offload_comm_s", false, {}, mean<Category::offload_comm>},
      {"cpu_optimizer_s", false, {}, mean<Category::cpu_optimizer>},
      {"host_s", false, {}, mean<Category::host>},
      {"bubble_s", false, {}, mean<Category::bubble>},
  };
  return columns;
}

}  // namespace orrery::sweep
