// Layouts of a pipeline as Megatron-LM writes them (--pipeline-model-parallel-layout): E embedding, t a layer, m a
// module that predicts further tokens, L the loss, | between two stages; a letter or a group in brackets may be
// repeated: Et*4|(t*4|)*14tmL.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "orrery/core/error.hpp"

namespace orrery::layout {

// Layers of each stage, in model order. Embedding and loss stand on the first and the last stage, and what predicts
// further tokens beside the loss: other places are not described.
Result<std::vector<std::int64_t>> read_layout_string(std::string_view text);
// The shortest of these forms that reads back as the same.
std::string layout_string(const std::vector<std::int64_t>& layers, std::int64_t prediction_layers);

}  // namespace orrery::layout
