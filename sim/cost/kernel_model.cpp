#include "orrery/cost/kernel_model.hpp"

#include "orrery/core/data_files.hpp"
#include "orrery/hardware/catalogue.hpp"

namespace orrery::cost {
namespace {

constexpr DataCollection kKernels{"ORRERY_TOPOLOGIES", "topologies", "kernels", "GPU"};
constexpr DataCollection kArchitectures{"ORRERY_TOPOLOGIES", "topologies", "kernels/architectures", "architecture"};

const Fields<RateByType>& rate_fields() {
  static const auto table = [] {
    const ByDType<const char*> docs{"without tensor cores", "fp32 operands on tensor cores",
                                    "fp16 operands",        "bf16 operands",
                                    "fp8 operands",         "int8 operands",
                                    "nvfp4 operands"};
    Fields<RateByType> fields("rate", "Fraction of the dense peak, by number format; 0 = none.");
    for (const DType type : kDTypes)
      fields.add(std::string(name_of(type)), RateByType::member(type), docs.of(type)).number_range(0, 1);
    return fields;
  }();
  return table;
}

const Fields<GemmModel>& gemm_fields() {
  using M = GemmModel;
  static const auto table =
      Fields<M>("gemm", "Matrix products: tiles, waves, and what a block spends beside its main loop.")
          .section("rate", &M::rate, rate_fields(), "main loop of the largest tile")
          .add("tn", &M::tn, "factor on the rate in the forward layout")
          .number_range(0.1, 2)
          .add("nn", &M::nn, "factor on the rate of input gradients")
          .number_range(0.1, 2)
          .add("nt", &M::nt, "factor on the rate of weight gradients")
          .number_range(0.1, 2)
          .add("small_tile_cost", &M::small_tile_cost, "a in rate / (1 + a (u - 1)), u operand bytes per product")
          .number_range(0, 10)
          .add("fill", &M::fill, "per block: until the first product")
          .add("exposed_epilogue", &M::exposed_epilogue, "share of a block's result traffic that nothing hides")
          .number_range(0, 10)
          .add("wave_smoothing", &M::wave_smoothing, "0 whole waves, 1 work divides evenly")
          .number_range(0, 1)
          .add("floor", &M::floor, "a kernel that does nothing, with the gap to the next")
          .add("misaligned_rate", &M::misaligned_rate, "factor if operand rows do not start on 16 bytes")
          .number_range(0.01, 1)
          .add("memory_efficiency", &M::memory_efficiency, "share of the memory bandwidth that operands get")
          .number_range(0.01, 1);
  return table;
}

const Fields<AttentionModel>& attention_fields() {
  using M = AttentionModel;
  static const auto table =
      Fields<M>("attention_direction", "One direction of fused attention.")
          .add("rate_64", &M::rate_64, "fraction of the peak, head dimension up to 64")
          .number_range(0, 1)
          .add("rate_128", &M::rate_128, "fraction of the peak, head dimension up to 128")
          .number_range(0, 1)
          .add("rate_wide", &M::rate_wide, "fraction of the peak, wider heads")
          .number_range(0, 1)
          .add("rows", &M::rows, "queries (backward: keys) a block owns")
          .range(16, 1024)
          .add("blocks_per_multiprocessor", &M::blocks_per_multiprocessor, "blocks that run at a time")
          .number_range(0.5, 8)
          .add("fill", &M::fill, "per block: until the first product")
          .add("floor", &M::floor, "per call, all its kernels")
          .add("traffic_factor", &M::traffic_factor, "memory traffic over that of operands and results")
          .number_range(0, 10);
  return table;
}

const Fields<AttentionKernels>& library_fields() {
  using M = AttentionKernels;
  static const auto table = Fields<M>("attention", "Fused attention of one library generation.")
                                .choice("library", &M::library, attention_library_names(), "which")
                                .section("forward", &M::forward, attention_fields(), "forward pass")
                                .section("backward", &M::backward, attention_fields(), "backward pass");
  return table;
}

const Fields<MemoryModel>& memory_fields() {
  using M = MemoryModel;
  static const auto table = Fields<M>("memory", "Memory-bound kernels: floor + bytes / (efficiency * bandwidth).")
                                .add("floor", &M::floor, "a kernel that moves nothing, with the gap to the next")
                                .add("efficiency", &M::efficiency, "share of the memory bandwidth, large sizes")
                                .number_range(0.01, 1);
  return table;
}

const Fields<ExpertKernels>& expert_kernel_fields() {
  using M = ExpertKernels;
  static const auto table =
      Fields<M>("experts", "Grouped products of experts, and the casts before them.")
          .add("block_scaled_rate", &M::block_scaled_rate, "factor on fp8 where blocks of 128 have scales of their own")
          .number_range(0.01, 1)
          .add("block_cast_rate", &M::block_cast_rate, "factor on the memory rate of casts that find these scales")
          .number_range(0.01, 1)
          .add("generated_rate", &M::generated_rate, "factor on the rate of kernels that a compiler generated")
          .number_range(0.01, 1);
  return table;
}

Result<KernelModel> load(const std::string& name, int depth, Catalogue& catalogue,
                         const DataCollection& collection = kKernels);

Result<KernelModel> read_constants(const std::string& file, int depth, Catalogue& catalogue) {
  auto tree = read_yaml_file(file);
  if (!tree) return tree.errors();
  auto model = read(kernel_model_fields(), *tree, tree->root());
  if (!model || model->constants_of.empty()) return model;
  if (depth > 1) return tree->at(tree->root(), "constants_of", "must name a GPU that has constants of its own");
  auto base = load(model->constants_of, depth + 1, catalogue);
  if (!base) return base;
  Diagnostics errors = read_over(kernel_model_fields(), *tree, tree->root(), "", *base);
  if (!errors.empty()) return errors;
  return base;
}

Result<KernelModel> load(const std::string& name, int depth, Catalogue& catalogue, const DataCollection& collection) {
  const auto file = find_data_file(collection, name);
  if (!file) return file.errors();
  const auto read_file = [&] { return read_constants(*file, depth, catalogue); };
  return names_a_file(name) ? read_file() : catalogue.once<KernelModel>(*file, read_file);
}

// The GPU of the catalogue that has the same figures, if there is one: a copy of its file, for instance.
std::string same_figures(const hardware::Gpu& gpu, Catalogue& catalogue) {
  for (const std::string& name : list_data_files(kKernels)) {
    const auto other = hardware::load_gpu(name, catalogue);
    if (other && other->architecture == gpu.architecture && other->multiprocessors == gpu.multiprocessors &&
        other->tensor_clock_mhz == gpu.tensor_clock_mhz && other->dense_peak == gpu.dense_peak &&
        other->memory == gpu.memory && other->memory_bandwidth == gpu.memory_bandwidth)
      return name;
  }
  return {};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

const AttentionKernels& KernelModel::attention_of(AttentionLibrary library) const {
  check(!attention.empty(), "GPU without fused attention");
  for (const AttentionKernels& kernels : attention) {
    if (kernels.library == library) return kernels;
  }
  return attention.front();
}

std::vector<std::pair<std::string, AttentionLibrary>> attention_library_names() {
  return {
      {"flash1", AttentionLibrary::flash1}, {"flash2", AttentionLibrary::flash2}, {"cudnn", AttentionLibrary::cudnn}};
}

const Fields<KernelModel>& kernel_model_fields() {
  using M = KernelModel;
  static const auto table =
      Fields<M>("kernels", "What the kernels of one GPU achieve.")
          .add("name", &M::name, "GPU, as in topologies/gpus")
          .required()
          .add("constants_of", &M::constants_of, "GPU whose constants hold where this file says nothing")
          .add("source", &M::source, "where the figures are from")
          .required()
          .add("sustained", &M::sustained, "rate under hours of training over that of a lone kernel")
          .number_range(0.1, 1)
          .add("fp8_sustained", &M::fp8_sustained, "the same again, for fp8 products")
          .number_range(0.1, 1)
          .add("mxfp8_rate", &M::mxfp8_rate, "factor on fp8 where 32 elements share a power-of-two scale")
          .number_range(0.1, 1)
          .add("tables_under_load", &M::tables_under_load,
               "published tables of its kernels were measured under sustained load, not as lone kernels")
          .section("gemm", &M::gemm, gemm_fields(), "matrix products")
          .section("attention", &M::attention, library_fields(), "fused attention by library, the default first")
          .section("memory", &M::memory, memory_fields(), "memory-bound kernels")
          .section("experts", &M::experts, expert_kernel_fields(), "grouped products of experts");
  return table;
}

Result<KernelModel> load_kernel_model(const std::string& name) {
  return load(name, 0, Catalogue::shared());
}

Result<GpuKernels> kernels_of(const hardware::Gpu& gpu, Catalogue& catalogue) {
  const auto with = [](Result<KernelModel> model, std::string note) -> Result<GpuKernels> {
    if (!model) return model.errors();
    return GpuKernels{*std::move(model), std::move(note)};
  };
  for (const std::string& name : gpu.lineage) {
    if (!find_data_file(kKernels, name)) continue;
    if (!gpu.changed.empty())
      return with(load(name, 0, catalogue),
                  gpu.name + ": " + joined(gpu.changed) + " as given, kernel constants of " + name + ".");
    return with(load(name, 0, catalogue),
                name == gpu.lineage.front() && name == gpu.name
                    ? ""
                    : gpu.name + " has no kernel constants of its own: those of " + name + " are used.");
  }
  if (const std::string twin = same_figures(gpu, catalogue); !twin.empty())
    return with(load(twin, 0, catalogue), gpu.name + " has no kernel constants of its own: those of " + twin +
                                              ", whose figures it has, are used.");
  Diagnostic error;
  error.path = "cluster.gpu_definition.architecture";
  if (gpu.architecture.empty()) {
    error.message = gpu.name + " has no kernel constants of its own, and no architecture to take them from; known: " +
                    joined(list_data_files(kArchitectures));
    return error;
  }
  Result<KernelModel> model = load(gpu.architecture, 0, catalogue, kArchitectures);
  if (!model) return model.errors();
  const std::string of = model->constants_of.empty() ? "" : " (" + model->constants_of + ")";
  return with(std::move(model), gpu.name + " has no kernel constants of its own: those of its architecture " +
                                    gpu.architecture + of + " are used.");
}

std::vector<std::string> kernel_model_names() {
  return list_data_files(kKernels);
}

}  // namespace orrery::cost
