#include "orrery/layout/grouped_product.hpp"

#include <algorithm>
#include <numeric>

namespace orrery::layout {

std::int64_t experts_met(std::span<const std::int64_t> rows) {
  return std::count_if(rows.begin(), rows.end(), [](std::int64_t r) { return r > 0; });
}

model::Kernel grouped_product(std::span<const std::int64_t> rows, std::int64_t n, std::int64_t k, DType type,
                              DType out_type, model::GemmLayout how) {
  const std::int64_t all = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  model::Kernel kernel;
  kernel.kind = model::KernelKind::gemm, kernel.dtype = type, kernel.layout = how, kernel.out_dtype = out_type;
  kernel.batch = experts_met(rows), kernel.n = n, kernel.k = k;
  kernel.m = ceil_div(all, std::max<std::int64_t>(kernel.batch, 1));
  kernel.flops = {checked_mul(checked_mul(2, all), checked_mul(n, k))};
  kernel.bytes = {stored_bytes(type, checked_mul(all, k)) + checked_mul(all, n) * size_of(out_type) +
                  stored_bytes(type, checked_mul(checked_mul(kernel.batch, k), n))};
  for (const std::int64_t r : rows)
    for (std::size_t i = 0; i < kernel.row_blocks.size(); ++i)
      kernel.row_blocks[i] += static_cast<std::int32_t>(ceil_div(r, std::int64_t{64} << i));
  return kernel;
}

}  // namespace orrery::layout
