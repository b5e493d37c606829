// One layer, operator by operator: what it costs and what bounds it.
#pragma once
#include <string>
#include <vector>

#include "orrery/report/run_result.hpp"

namespace orrery::report {

struct OperatorRow {
  std::string pass;             // F, B, recompute
  std::string name;             // qkv, attention, …
  std::string shape;            // 2048 × 3072 × 4096; all-gather
  double flops = 0, bytes = 0;  // of one GPU and micro-batch: run; moved, or sent
  Time time{};
  std::string bound;  // compute, HBM, launch, network
  double share = 0;   // of the step of all GPUs, all layers and micro-batches
};
std::vector<OperatorRow> operator_rows(const RunResult& run);
// Which layer they are of, and of unlike loads of experts on which GPU.
std::string layer_text(const RunResult& run);

}  // namespace orrery::report
