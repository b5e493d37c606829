// Measured layers with experts: grouped products on one GPU as inference engines run them (aiconfigurator's collector,
// DeepGEMM), and whole layers of Megatron-LM on several. Rows of a power law are those of the busiest rank.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "cells.hpp"
#include "kinds.hpp"
#include "layer_time.hpp"
#include "orrery/core/random.hpp"
#include "orrery/cost/kernel_cost.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/layout/grouped_product.hpp"
#include "orrery/layout/routing.hpp"

namespace orrery::validation {
namespace {

using model::Kernel;

constexpr std::int64_t kMostOfLayer = std::int64_t{1} << 24;
// Kernels of a fused layer that move next to nothing: scores, top-k, who has which rows, where these begin
// (TensorRT-LLM, fused_moe: three of prefix sums), and the copies of what these found.
constexpr int kSmallKernels = 9;

enum class KernelsBy : std::uint8_t { library, generated };  // who wrote the products
enum class Scales : std::uint8_t { none, tensor, block };

struct LayerRow {
  std::int64_t tokens, hidden, width, top_k, experts, ranks;
  bool gated;
  Scales scales;
  KernelsBy source;
};

LayerRow layer_row(const Cells& cells) {
  LayerRow r{};
  r.tokens = cells.integer("num_tokens", 1, kMostOfLayer), r.hidden = cells.integer("hidden", 1, kMostOfLayer);
  const std::int64_t share = cells.integer("expert_tensor_parallel", 1, kMostOfLayer, 1);
  r.width = std::max<std::int64_t>(cells.integer("expert_hidden", 1, kMostOfLayer) / share, 1);
  r.experts = cells.integer("experts", 1, kMostOfLayer), r.top_k = cells.integer("top_k", 1, r.experts);
  r.ranks = cells.integer("expert_parallel", 1, r.experts, 1), r.gated = cells.flag("gated_mlp");
  r.scales =
      cells.word<Scales>("dtype", {{"bf16", Scales::none}, {"fp8", Scales::tensor}, {"fp8_block", Scales::block}});
  r.source = cells.word<KernelsBy>("kernel_source", {{"moe_torch_flow_cutlass", KernelsBy::library},
                                                     {"moe_torch_flow_nongated", KernelsBy::library},
                                                     {"vllm_fused_moe", KernelsBy::generated},
                                                     {"grouped_gemm_fp8_block_contiguous", KernelsBy::library},
                                                     {"grouped_gemm_fp8_block_masked", KernelsBy::library},
                                                     {"", KernelsBy::library}});
  if (r.experts % r.ranks != 0)
    cells.refuse_row("expert_parallel", fmt::format("{} experts do not divide over {} ranks", r.experts, r.ranks));
  return r;
}

// Rows of each expert of the busiest rank. The order of the experts is drawn once for all rows of the table.
std::vector<std::int64_t> busiest_rows(const Cells& cells, const LayerRow& r) {
  const std::string distribution = cells.text("distribution");
  std::vector<double> loads;
  if (distribution == "balanced" || distribution.empty()) {
    const std::int64_t all = checked_mul(r.tokens, r.top_k);
    for (std::int64_t e = 0; e < r.experts; ++e)
      loads.push_back(static_cast<double>(all / r.experts + (e < all % r.experts ? 1 : 0)));
  } else if (distribution == "power_law_1.01" || distribution == "power_law_1.2") {
    model::Experts experts;
    experts.count = r.experts, experts.top_k = r.top_k;
    loads = layout::power_law_loads(experts, r.tokens, distribution == "power_law_1.2" ? 1.2 : 1.01);
    Random(1).shuffle(loads);
  } else {
    cells.refuse_row("distribution",
                     fmt::format("'{}' is not known, allowed: balanced, power_law_1.01, power_law_1.2", distribution));
    return {};
  }
  const auto each = static_cast<std::size_t>(r.experts / r.ranks);
  std::vector<std::int64_t> busiest;
  std::int64_t most = -1;
  for (std::size_t first = 0; first < loads.size(); first += each) {
    std::vector<std::int64_t> own;
    for (std::size_t e = first; e < first + each; ++e) own.push_back(static_cast<std::int64_t>(loads[e] + 0.5));
    const std::int64_t sum = std::accumulate(own.begin(), own.end(), std::int64_t{0});
    if (sum > most) most = sum, busiest = std::move(own);
  }
  return busiest;
}

class LayerDevice {
 public:
  explicit LayerDevice(const std::string& name)
      : gpu_(hardware::load_gpu(name)), constants_(cost::load_kernel_model(name)) {}
  std::string why() const {
    return gpu_.ok() ? constants_.ok() ? "" : reason(constants_.errors()) : reason(gpu_.errors());
  }
  // Lone kernels, at the clock of a burst.
  cost::KernelModel kernels(const LayerRow& r) const {
    cost::KernelModel k = *constants_;
    k.sustained = k.fp8_sustained = 1;
    if (r.scales == Scales::block) k.gemm.rate.fp8 *= k.experts.block_scaled_rate;
    if (r.source == KernelsBy::generated)
      for (double* rate : {&k.gemm.rate.fp16, &k.gemm.rate.bf16, &k.gemm.rate.fp8}) *rate *= k.experts.generated_rate;
    return k;
  }
  const hardware::Gpu& gpu() const { return *gpu_; }

 private:
  Result<hardware::Gpu> gpu_;
  Result<cost::KernelModel> constants_;
};

// The kernels of a fused layer on one GPU.
class FusedLayer {
 public:
  FusedLayer(const LayerDevice& device, const LayerRow& row, std::vector<std::int64_t> rows)
      : gpu_(device.gpu()), kernels_(device.kernels(row)), r_(row), rows_(std::move(rows)) {
    for (const std::int64_t rows_of_expert : rows_) all_ += rows_of_expert;
  }

  Time product(std::int64_t n, std::int64_t k) const {
    const DType type = r_.scales == Scales::none ? DType::bf16 : DType::fp8;
    return cost::kernel_time(gpu_, kernels_, layout::grouped_product(rows_, n, k, type, DType::bf16));
  }

  // Rows to experts, both products with the activation between, and their sums to tokens: all of those of the group.
  Time forward() const {
    const std::int64_t h = r_.hidden, m = r_.width, up = r_.gated ? 2 * m : m;
    const bool block = r_.scales == Scales::block, cast = r_.scales == Scales::tensor;
    const std::int64_t stored = cast ? 1 : 2;  // blocks are cast behind the copy
    Time sum =
        product(up, h) + memory(all_ * (2 * up + stored * m)) + product(h, m) + memory(2 * h * (all_ + r_.tokens));
    // Triton's products find their rows as they read (vLLM, fused_moe), the library's have them side by side.
    if (r_.source == KernelsBy::library) sum += memory(2 * all_ * h * stored);
    if (cast) sum += memory(3 * r_.tokens * h);
    if (block) sum += blocks(3 * all_ * h) + blocks(3 * all_ * m);
    return sum + memory(0) * kSmallKernels;
  }

 private:
  Time memory(std::int64_t bytes) const {
    Kernel k;
    k.bytes = {bytes};
    return cost::kernel_time(gpu_, kernels_, k);
  }
  Time blocks(std::int64_t bytes) const {
    return memory(static_cast<std::int64_t>(static_cast<double>(bytes) / kernels_.experts.block_cast_rate));
  }

  const hardware::Gpu& gpu_;
  cost::KernelModel kernels_;
  LayerRow r_;
  std::vector<std::int64_t> rows_;
  std::int64_t all_ = 0;
};

// One product of equal groups: hidden = k, expert_hidden = n.
Time equal_groups(const LayerDevice& device, const LayerRow& r) {
  return FusedLayer(device, r, std::vector<std::int64_t>(static_cast<std::size_t>(r.experts), r.tokens / r.experts))
      .product(r.width, r.hidden);
}

double in_ms(Time time) {
  return static_cast<double>(time.value) * 1e-9;
}

LayerOfRow whole_layer(const Cells& cells, const LayerRow& r) {
  LayerOfRow layer;
  layer.gpu = cells.text("gpu"), layer.gpus = static_cast<int>(cells.integer("gpus", 1, 1 << 10));
  layer.tokens = r.tokens / layer.gpus;
  layer.hidden = r.hidden, layer.experts = {.count = r.experts, .top_k = r.top_k, .hidden = r.width};
  layer.experts.shared_hidden = cells.integer("shared_expert_hidden", 0, kMostOfLayer, 0);
  layer.experts.shared = layer.experts.shared_hidden > 0 ? 1 : 0;
  layer.ranks = static_cast<int>(r.ranks), layer.fp8 = r.scales != Scales::none;
  layer.block_scaled = r.scales == Scales::block;
  if (cells.text("dispatcher") != "alltoall")
    cells.refuse_row("dispatcher", fmt::format("'{}' is not known, allowed: alltoall", cells.text("dispatcher")));
  return layer;
}

void predict_layer(const Cells& cells, const LayerDevice& device, Row& row) {
  row.why = device.why();
  if (!row.why.empty()) return;
  const std::string kind = cells.text("kind");
  const LayerRow r = layer_row(cells);
  if (!cells.why().empty()) return;
  if (kind == "routed_experts") {
    const std::vector<std::int64_t> rows = busiest_rows(cells, r);
    if (cells.why().empty()) row.figures[0].predicted = in_ms(FusedLayer(device, r, rows).forward());
  } else if (kind == "grouped_gemm") {
    row.figures[0].predicted = in_ms(equal_groups(device, r));
  } else if (kind == "moe_layer") {
    const LayerOfRow layer = whole_layer(cells, r);
    if (!cells.why().empty()) return;
    const Result<LayerTimes> times = layer_times(layer);
    if (!times.ok()) return void(row.why = reason(times.errors()));
    row.figures[0].predicted = in_ms(times->forward), row.figures[1].predicted = in_ms(times->backward);
  } else {
    cells.refuse_row("kind", fmt::format("'{}' is not known, allowed: routed_experts, grouped_gemm, moe_layer", kind));
  }
}

}  // namespace

Result<std::vector<Row>> expert_layer_rows(const CsvTable& table) {
  Diagnostics errors;
  require_columns(table, {"kind", "gpu", "dtype", "hidden", "experts", "top_k", "forward_ms"}, errors);
  if (!errors.empty()) return errors;
  std::map<std::string, LayerDevice> devices;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Cells cells(table, i, errors);
    Row row;
    row.id = cells.has("id") ? cells.text("id") : std::to_string(i + 1);
    for (const auto& [name, column] : {std::pair{"forward_ms", "forward_ms"}, {"backward_ms", "backward_ms"}}) {
      row.figures.emplace_back().name = name;
      if (const std::optional<double> time = cells.number(column)) row.figures.back().reference = *time;
    }
    const std::string gpu = cells.text("gpu");
    row.groups.emplace_back("distribution", cells.text("distribution") == "balanced" ? "balanced" : "power law");
    row.groups.emplace_back("source", fmt::format("{} {} {}", gpu, cells.text("dtype"), cells.text("kernel_source")));
    row.what =
        fmt::format("{} {} {} tokens, {} of {} experts on {} ranks, {} → {}, {}", gpu, cells.text("dtype"),
                    cells.text("num_tokens"), cells.text("top_k"), cells.text("experts"), cells.text("expert_parallel"),
                    cells.text("hidden"), cells.text("expert_hidden"), cells.text("distribution"));
    predict_layer(cells, devices.try_emplace(gpu, gpu).first->second, row);
    if (row.why.empty()) row.why = cells.why();
    rows.push_back(std::move(row));
  }
  if (!errors.empty()) return errors;
  return rows;
}

}  // namespace orrery::validation
