// Measured efficiencies of matrix products and fused attention: fraction of `peak_tflops`. Tables time lone kernels, at
// the clock of a burst, unless the constants of the GPU say otherwise; the best product of a sweep is always a burst.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cells.hpp"
#include "kinds.hpp"
#include "orrery/cost/kernel_cost.hpp"
#include "orrery/hardware/catalogue.hpp"

namespace orrery::validation {
namespace {

using model::Kernel;
using model::KernelKind;

constexpr std::int64_t kMostOfSize = std::int64_t{1} << 24;

constexpr const char* kFormats[] = {"", "bf16", "fp16", "fp16/bf16", "fp32", "tf32", "fp8", "fp8_block", "nvfp4"};

void check_format(const Cells& cells, const char* column) {
  const std::string type = cells.text(column);
  if (std::find(std::begin(kFormats), std::end(kFormats), type) == std::end(kFormats))
    cells.refuse_row(
        column,
        fmt::format("'{}' is not known, allowed: bf16, fp16, fp16/bf16, fp32, tf32, fp8, fp8_block, nvfp4", type));
}

// The format of the arithmetic: `dtype`, or, where that is blank or bf16, what `out_dtype` says, but for products that
// accumulate in fp32.
DType arithmetic(const Cells& cells, bool accumulate) {
  check_format(cells, "dtype");
  check_format(cells, "out_dtype");
  std::string type = cells.text("dtype");
  if (type.empty() || type == "bf16") type = cells.text("out_dtype");
  if (type == "fp8" || type == "fp8_block") return DType::fp8;
  if (type == "nvfp4") return DType::fp4;
  if (type == "tf32") return DType::tf32;
  if (type == "fp16") return DType::fp16;
  return type == "fp32" && !accumulate ? DType::fp32 : DType::bf16;
}

Kernel product(const Cells& cells) {
  Kernel k;
  k.kind = KernelKind::gemm;
  k.batch = cells.integer("batch", 1, kMostOfSize, 1);
  k.m = cells.integer("m", 1, kMostOfSize);
  k.n = cells.integer("n", 1, kMostOfSize);
  k.k = cells.integer("k", 1, kMostOfSize);
  k.accumulate = cells.flag("accumulate");
  k.dtype = arithmetic(cells, k.accumulate);
  k.out_dtype = cells.text("out_dtype") == "fp32" || k.dtype == DType::tf32 ? DType::fp32 : DType::bf16;
  const std::string layout = cells.text("layout");
  k.layout = layout == "NN" ? model::GemmLayout::nn : layout == "NT" ? model::GemmLayout::nt : model::GemmLayout::tn;
  k.flops = {checked_mul(checked_mul(2 * k.batch, checked_mul(k.m, k.n)), k.k)};
  const std::int64_t results = size_of(k.out_dtype) * (k.accumulate ? 2 : 1) * k.m * k.n;
  k.bytes = {checked_mul(k.batch, stored_bytes(k.dtype, (k.m + k.n) * k.k) + results)};
  return k;
}

// FLOPs in full, as if not causal: forward 2·b·s²·heads·(qk + v), backward 2.5 times that.
Kernel attention(const Cells& cells) {
  Kernel k;
  if (const std::string type = cells.text("dtype"); !type.empty() && type != "bf16" && type != "fp16")
    cells.refuse_row("dtype", fmt::format("'{}' is not known of attention, allowed: bf16, fp16", type));
  const bool backward = cells.text("kernel") == "attention_backward";
  k.kind = backward ? KernelKind::attention_backward : KernelKind::attention_forward;
  k.batch = cells.integer("batch", 1, kMostOfSize, 1);
  k.sequence_q = k.sequence_kv = cells.integer("seq_len", 1, kMostOfSize);
  k.heads = cells.integer("heads", 1, kMostOfSize);
  k.kv_heads = cells.integer("kv_heads", 1, kMostOfSize, k.heads);
  k.head_dim = cells.integer("qk_head_dim", 1, 1 << 16);
  const std::int64_t dims = k.head_dim + cells.integer("v_head_dim", 1, 1 << 16, k.head_dim);
  const std::int64_t products =
      checked_mul(checked_mul(2 * k.batch * k.heads, dims), checked_mul(k.sequence_q, k.sequence_kv));
  k.flops = {backward ? checked_mul(products / 2, 5) : products};
  const std::int64_t bytes = 2 * k.batch * k.sequence_q * dims * (k.heads + k.kv_heads);
  k.bytes = {backward ? 2 * bytes : bytes};
  return k;
}

struct Device {
  explicit Device(const std::string& name) : gpu(hardware::load_gpu(name)), constants(cost::load_kernel_model(name)) {
    if (!constants.ok()) return;
    burst = *constants;
    burst.sustained = burst.fp8_sustained = 1;
  }
  const cost::KernelModel& constants_for(const Cells& cells) const {
    const std::string layout = cells.text("layout");
    const bool best_of_sweep = cells.text("kernel") == "gemm" && layout != "TN" && layout != "NN" && layout != "NT";
    return constants->tables_under_load && !best_of_sweep ? *constants : burst;
  }
  Result<hardware::Gpu> gpu;
  Result<cost::KernelModel> constants;
  cost::KernelModel burst;
};

// Rows whose operands `dtype` says are quantised have the cast of the input in their time: written once. A single scale
// is found by a pass of its own before it; scales of blocks are found by the kernel that casts, and the product by them
// is slower.
Time cast_time(const Cells& cells, const Kernel& product, const Device& device) {
  const std::string type = cells.text("dtype");
  if (type != "fp8" && type != "fp8_block" && type != "nvfp4") return {};
  const auto pass = [&](std::int64_t bytes) {
    return cost::kernel_time(*device.gpu, device.burst, {.kind = KernelKind::memory, .bytes = {bytes}});
  };
  const std::int64_t values = checked_mul(product.batch * product.m, product.k), read = 2 * values;
  const Time cast = pass(read + stored_bytes(product.dtype, values));
  return type == "fp8" ? pass(read) + cast : cast;
}

// Attention whose format `dtype` says is that of an inference engine reading a prompt, timed with what stands before
// it: one kernel that reads queries, keys and values of 2 bytes, turns queries and keys by their positions, and writes
// the queries, and keys and values into the cache.
Time cache_time(const Cells& cells, const Kernel& kernel, const Device& device) {
  if (kernel.kind != KernelKind::attention_forward || cells.text("dtype").empty()) return {};
  const std::int64_t keys = kernel.head_dim + cells.integer("v_head_dim", 1, 1 << 16, kernel.head_dim);
  const std::int64_t features = kernel.heads * kernel.head_dim + kernel.kv_heads * keys;
  const std::int64_t values = checked_mul(checked_mul(kernel.batch, kernel.sequence_q), features);
  return cost::kernel_time(*device.gpu, device.burst,
                           {.kind = KernelKind::memory, .bytes = {checked_mul(2 * 2, values)}});
}

void predict(const Cells& cells, const Device& device, Row& row) {
  if (!device.gpu.ok() || !device.constants.ok()) {
    row.why = reason(device.gpu.ok() ? device.constants.errors() : device.gpu.errors());
    return;
  }
  const std::string name = cells.text("kernel");
  if (name != "gemm" && name != "attention_forward" && name != "attention_backward")
    return cells.refuse_row(
        "kernel", fmt::format("'{}' is not known, allowed: gemm, attention_forward, attention_backward", name));
  const Kernel kernel = name == "gemm" ? product(cells) : attention(cells);
  if (!cells.why().empty()) return;
  double peak = cells.number("peak_tflops").value_or(0) * 1e12;
  if (peak <= 0) peak = static_cast<double>(device.gpu->peak(kernel.dtype).value);
  if (peak <= 0) {
    row.why = fmt::format("{} has no {} arithmetic", device.gpu->name, name_of(kernel.dtype));
    return;
  }
  cost::KernelModel constants = device.constants_for(cells);
  if (cells.text("dtype") == "fp8_block") constants.gemm.rate.fp8 *= constants.experts.block_scaled_rate;
  const Time time = cost::kernel_time(*device.gpu, constants, kernel) + cast_time(cells, kernel, device) +
                    cache_time(cells, kernel, device);
  row.figures[0].predicted = static_cast<double>(kernel.flops.value) / (peak * seconds(time));
}

}  // namespace

Result<std::vector<Row>> kernel_rows(const CsvTable& table) {
  Diagnostics errors;
  std::map<std::string, Device> devices;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Cells cells(table, i, errors);
    Row row;
    row.id = cells.has("id") ? cells.text("id") : std::to_string(i + 1);
    const std::optional<double> efficiency = cells.number("efficiency");
    row.figures.emplace_back().name = "efficiency";
    if (efficiency) row.figures[0].reference = *efficiency;
    const std::string gpu = cells.text("gpu");
    row.groups.emplace_back("gpu_and_kernel", gpu + " " + cells.text("kernel"));
    row.what = cells.text("kernel") == "gemm" ? fmt::format("{} {}×{}×{} {}", gpu, cells.text("m"), cells.text("n"),
                                                            cells.text("k"), cells.text("layout"))
                                              : fmt::format("{} {} s={} heads={}", gpu, cells.text("kernel"),
                                                            cells.text("seq_len"), cells.text("heads"));
    const auto at = devices.try_emplace(gpu, gpu).first;
    predict(cells, at->second, row);
    if (row.why.empty()) row.why = cells.why();
    rows.push_back(std::move(row));
  }
  if (!errors.empty()) return errors;
  return rows;
}

}  // namespace orrery::validation
