#pragma once
#include "orrery/hardware/catalogue.hpp"

namespace orrery::hardware {

// Keys said that set the speed of kernels.
std::vector<std::string> speed_keys(const GpuDefinition& said);
void apply(const GpuDefinition& said, Gpu& gpu);
// What a complete GPU lacks; paths start at `path`, places are for YamlTree::locate.
Diagnostics check_gpu(const Gpu& gpu, const std::string& path);

}  // namespace orrery::hardware
