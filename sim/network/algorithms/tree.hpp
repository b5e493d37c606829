// The two trees of NCCL over n ranks.
#pragma once
#include <cstdint>
#include <vector>

#include "../group.hpp"

namespace orrery::network {

int binary_tree_parent(int ranks, int rank);  // −1 = root
int other_tree_parent(int ranks, int rank);
std::int64_t tree_depth(std::int64_t ranks);
// Every edge of both trees downwards, and upwards too for a reduction. Each carries half of the bytes.
void load_double_tree(const std::vector<hardware::DeviceId>& ranks, bool up, HopLoads& loads);

}  // namespace orrery::network
