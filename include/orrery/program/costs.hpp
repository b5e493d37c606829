// What steps have in common: partitions, process groups, passes with their times, times of kernels and of collectives,
// each kept by all that it depends on. Whoever lowers many steps gives each the same Costs; the results are those of
// steps with Costs of their own. Not for two threads at once.
#pragma once
#include <memory>

namespace orrery::program {

class Costs {
 public:
  Costs();
  ~Costs();
  Costs(Costs&&) noexcept;
  Costs& operator=(Costs&&) noexcept;

  struct Parts;
  Parts& parts() { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace orrery::program
