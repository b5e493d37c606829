// Whether a model fits into the memory of a GPU: bytes by class, number formats, sharding strategies; of a model with
// layers the simulated ledger, the smallest number of GPUs and what would make it fit.
#pragma once
#include <optional>
#include <string>

#include "orrery/core/catalogue.hpp"
#include "orrery/hardware/gpu.hpp"
#include "orrery/planning/answer.hpp"
#include "orrery/planning/rule_of_thumb.hpp"

namespace orrery::planning {

struct FitQuestion {
  std::string model;  // a preset; or parameters alone
  double parameters = 0;
  hardware::Gpu gpu;
  Purpose purpose = Purpose::inference;
  std::string precision = "bf16";  // fp32, fp16, bf16, fp8, int8
  int gpus = 8;                    // of the table of sharding strategies
  Bytes cpu_memory{};              // second tier; 0 = none
  double pcie_bytes_per_s = 25e9;  // what a Gen4 x16 slot reaches
  std::int64_t sequence_length = 2048;
  int micro_batch = 1;  // sequences
  std::optional<double> price_usd_per_hour{};
  std::string stack = "megatron-2024";  // that trains it: its libraries have memory beside the CUDA context, too
};
// Errors: a stack that there is not, a precision that cannot be trained in or that the GPU lacks.
Result<Answer> fit_model(const FitQuestion& question, Catalogue& catalogue = Catalogue::shared());

// What makes the model fit: recomputation, smaller micro-batches, ZeRO, FSDP, tensor and pipeline degrees, each with
// the fewest GPUs it takes, played: the ledger of each, the cheapest for a token first. Training only.
Result<AnswerPart> fitting_layouts(const FitQuestion& question, Catalogue& catalogue = Catalogue::shared());

}  // namespace orrery::planning
