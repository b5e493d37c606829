// A product of each expert of a rank with rows of its own, as one kernel.
#pragma once
#include <span>

#include "orrery/model/kernel.hpp"

namespace orrery::layout {

// Experts that are given any rows.
std::int64_t experts_met(std::span<const std::int64_t> rows);

// rows[e] × k times k × n for each expert e: the weights of those that are met are read once.
model::Kernel grouped_product(std::span<const std::int64_t> rows, std::int64_t n, std::int64_t k, DType type,
                              DType out_type, model::GemmLayout how = model::GemmLayout::tn);

}  // namespace orrery::layout
