// A row of runs.csv as a scenario: model and run from the columns, what the framework does from its stack.
#pragma once
#include "cells.hpp"
#include "orrery/core/catalogue.hpp"
#include "orrery/scenario/scenario.hpp"

namespace orrery::validation {

// What the stacks of the table run that no column says. Of a stack that is not listed: the first.
struct Dialect {
  const char* stack;
  model::Position position;  // of models without gated MLP
  bool bias, dropout, embedding_norm;
  std::int64_t vocab_multiple;         // rows of the embedding are padded to this · tensor ranks
  std::int64_t state_bytes;            // per parameter with bf16 or fp16 weights: weights, optimizer (gradients apart)
  std::int64_t state_bytes_16;         // the same where gradients are reduced in 16 bits
  bool reports_reserved;               // memory as the framework logs it, where the row does not say
  bool splits_by_cost_shares = false;  // the framework has one rule for its stages, whatever the column says
  bool reports_process = false;        // tool-reported memory is that of the process, as nvidia-smi prints it
  bool reports_first_rank = false;     // tool-reported memory is that of rank 0, which prints it
  bool gated_alone = false;  // a gated MLP changes nothing else of the model: norms, biases, positions, dropout
};
const Dialect& dialect_of(const std::string& stack);

// Mistakes of the file go to the diagnostics of `cells`; what the catalogue or the simulator does not have is the
// result's error: the row is refused.
Result<scenario::Scenario> scenario_of(const Cells& cells, Catalogue& catalogue);

}  // namespace orrery::validation
