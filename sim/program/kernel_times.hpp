// Times of kernels by their shape: a model has few, layer by layer the same.
#pragma once
#include <unordered_map>

#include "orrery/core/kept.hpp"
#include "orrery/program/lower.hpp"

namespace orrery::program {

class KernelTimes {
 public:
  explicit KernelTimes(const GpuKind& key) : of_(key) {}
  Time of(const model::Kernel& kernel);
  Flops executed(const model::Kernel& kernel) const { return cost::executed_flops(of_.kernels, kernel); }

 private:
  struct HashOfShape {
    std::size_t operator()(const model::Kernel& kernel) const;
  };
  GpuKind of_;
  std::unordered_map<model::Kernel, Time, HashOfShape> times_;
};

}  // namespace orrery::program
