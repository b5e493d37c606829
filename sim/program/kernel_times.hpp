// Times of kernels by their shape: a model has few, layer by layer the same.
#pragma once
#include <unordered_map>

#include "orrery/core/kept.hpp"
#include "orrery/cost/kernel_cost.hpp"

namespace orrery::program {

// A GPU as its libraries drive it.
struct GpuKey {
  hardware::Gpu gpu;
  cost::KernelModel kernels;
  friend bool operator==(const GpuKey&, const GpuKey&) = default;
  void add_to(Hash& hash) const;
};

class KernelTimes {
 public:
  explicit KernelTimes(const GpuKey& key) : of_(key) {}
  Time of(const model::Kernel& kernel);
  Flops executed(const model::Kernel& kernel) const { return cost::executed_flops(of_.kernels, kernel); }

 private:
  struct HashOfShape {
    std::size_t operator()(const model::Kernel& kernel) const;
  };
  GpuKey of_;
  std::unordered_map<model::Kernel, Time, HashOfShape> times_;
};

}  // namespace orrery::program
