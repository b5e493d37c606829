#include "kernel_times.hpp"

namespace orrery::program {

void GpuKind::add_to(Hash& hash) const {
  hash.add(gpu.memory_bandwidth);
  hash.add(gpu.name);
}

std::size_t KernelTimes::HashOfShape::operator()(const model::Kernel& k) const {
  Hash hash;
  hash.add(k.bytes);
  hash.add(k.flops);
  hash.add(k.m + (k.n << 24));
  hash.add((k.k << 8) + static_cast<std::int64_t>(k.kind) * 16 + static_cast<std::int64_t>(k.layout));
  return static_cast<std::size_t>(hash.value());
}

Time KernelTimes::of(const model::Kernel& kernel) {
  const auto known = times_.find(kernel);
  if (known != times_.end()) return known->second;
  return times_.emplace(kernel, cost::kernel_time(of_.gpu, of_.kernels, kernel)).first->second;
}

}  // namespace orrery::program
