// The field table of GPUs, and a Gpu out of a definition.
#include "gpu_fields.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace orrery::hardware {
namespace {

const Fields<DensePeaks>& peak_fields() {
  static const auto table = [] {
    const ByDType<const char*> docs{"32-bit, on the ordinary cores",
                                    "TensorFloat-32",
                                    "16-bit, accumulated in 32",
                                    "bfloat16, accumulated in 32",
                                    "8-bit floating point",
                                    "8-bit integers, operations per second",
                                    "4-bit floating point with a scale for 16 elements (nvfp4)"};
    Fields<DensePeaks> fields("dense_peak", "Matrix peaks without sparsity; absent = not supported.");
    for (const DType type : kDTypes) fields.add(std::string(name_of(type)), DensePeaks::member(type), docs.of(type));
    return fields;
  }();
  return table;
}

}  // namespace

const Fields<GpuDefinition>& gpu_fields() {
  using G = GpuDefinition;
  static const auto table =
      Fields<G>("gpu", "A GPU as its data sheet describes it.")
          .shorthand("type")
          .add("type", &G::type, "a GPU of the catalogue, or a file, to take what is not said from")
          .add("architecture", &G::architecture, "generation; network constants go by it")
          .one_of({"turing", "volta", "ampere", "ada", "hopper", "blackwell", "cdna2", "cdna3", "cdna4"})
          .add("multiprocessors", &G::multiprocessors, "streaming multiprocessors or compute units that are enabled")
          .range(1, 100'000)
          .add("tensor_clock_mhz", &G::tensor_clock_mhz, "clock in MHz that the dense peaks are stated for")
          .range(1, 100'000)
          .section("dense_peak", &G::dense_peak, peak_fields(), "peak of matrix products by number format")
          .add("memory", &G::memory, "of the board")
          .positive()
          .add("usable_memory", &G::usable_memory,
               "what a process can get, its context included; default: follows memory")
          .positive()
          .add("context_memory", &G::context_memory, "taken by the driver's context and the libraries' kernels")
          .add("library_workspace", &G::library_workspace,
               "work space that the library of matrix products asks for; stacks count it (stack.libraries)")
          .add("memory_bandwidth", &G::memory_bandwidth, "of the board's memory")
          .positive()
          .add("power_watts", &G::power_watts, "thermal design power, of which plans compute energy")
          .range(1, 100'000)
          .add("price_usd_per_hour", &G::price_usd_per_hour,
               "rent of one GPU in dollars an hour, for the cost of plans")
          .number_range(0, 1e6)
          .add("price_source", &G::price_source, "whose price it is, and of when")
          .add("sources", &G::sources, "where the figures are from");
  return table;
}

std::vector<std::string> speed_keys(const GpuDefinition& said) {
  std::vector<std::string> keys;
  if (said.architecture) keys.emplace_back("architecture");
  if (said.multiprocessors) keys.emplace_back("multiprocessors");
  if (said.tensor_clock_mhz) keys.emplace_back("tensor_clock_mhz");
  if (said.dense_peak != DensePeaks{}) keys.emplace_back("dense_peak");
  if (said.memory_bandwidth) keys.emplace_back("memory_bandwidth");
  return keys;
}

void apply(const GpuDefinition& said, Gpu& gpu) {
  if (said.architecture && *said.architecture != gpu.architecture) gpu.lineage.clear();
  for (std::string& key : speed_keys(said))
    if (std::find(gpu.changed.begin(), gpu.changed.end(), key) == gpu.changed.end()) gpu.changed.push_back(key);
  if (said.memory && !said.usable_memory) {
    const Int128 of = gpu.memory.value > 0 ? gpu.memory.value : 1000;
    const Int128 usable = gpu.memory.value > 0 ? gpu.usable_memory.value : kUsablePermille;
    gpu.usable_memory.value = static_cast<std::int64_t>(said.memory->value * usable / of);
  }
  const auto take = [](const auto& from, auto& to) {
    if (from) to = *from;
  };
  take(said.architecture, gpu.architecture);
  take(said.multiprocessors, gpu.multiprocessors);
  take(said.tensor_clock_mhz, gpu.tensor_clock_mhz);
  take(said.memory, gpu.memory);
  take(said.usable_memory, gpu.usable_memory);
  take(said.context_memory, gpu.context_memory);
  take(said.library_workspace, gpu.library_workspace);
  take(said.memory_bandwidth, gpu.memory_bandwidth);
  take(said.power_watts, gpu.power_watts);
  take(said.price_usd_per_hour, gpu.price_usd_per_hour);
  take(said.price_source, gpu.price_source);
  for (const DType type : kDTypes) take(said.dense_peak.of(type), gpu.dense_peak[static_cast<std::size_t>(type)]);
  gpu.sources.insert(gpu.sources.end(), said.sources.begin(), said.sources.end());
}

Diagnostics check_gpu(const Gpu& gpu, const std::string& path) {
  Diagnostics errors;
  const auto fail = [&](const char* key, std::string message) {
    Diagnostic error;
    error.path = path.empty() ? key : path + "." + key;
    error.message = std::move(message);
    errors.push_back(std::move(error));
  };
  if (gpu.multiprocessors == 0) fail("multiprocessors", "is required");
  if (gpu.memory.value == 0) fail("memory", "is required");
  if (gpu.memory_bandwidth.value == 0) fail("memory_bandwidth", "is required");
  if (gpu.peak(DType::fp32).value == 0) fail("dense_peak.fp32", "is required");
  if (gpu.usable_memory > gpu.memory) fail("usable_memory", "must not be more than memory");
  if (gpu.context_memory > gpu.usable_memory) fail("context_memory", "must not be more than usable_memory");
  return errors;
}

}  // namespace orrery::hardware
