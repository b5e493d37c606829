// The shipped GPUs and clusters, and what the reader says about wrong ones.
#include "orrery/hardware/catalogue.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "clusters.hpp"

namespace orrery::hardware::catalogue_test {
using namespace testing;

namespace {

template <class T>
T value_of(Result<T> result) {
  if (!result) FAIL(render(result.errors()));
  return std::move(result).value();
}
Result<ClusterSpec> cluster_from(const std::string& text) {
  const Result<YamlTree> tree = read_yaml_text(text, "s.yaml");
  REQUIRE(tree.ok());
  return read_cluster(*tree, tree->find(tree->root(), "cluster"), "cluster");
}
Result<Gpu> gpu_from(const std::string& text) {
  const Result<YamlTree> tree = read_yaml_text(text, "g.yaml");
  REQUIRE(tree.ok());
  return read_gpu(*tree, tree->root(), "");
}
// |a − b| ≤ b / per_mille · 1000, in integers.
bool within(std::int64_t a, std::int64_t b, std::int64_t per_mille) {
  return (a > b ? a - b : b - a) <= b / 1000 * per_mille;
}

}  // namespace

TEST_CASE("the validation tables' GPUs are in the catalogue and peaks follow from multiprocessors and clock") {
  // fp16 operations per clock and multiprocessor (2 per multiply-add): Turing and Volta 8 tensor cores × 64; Ampere
  // 4 × 256; Hopper 4 × 512; Blackwell 4 × 1024; CDNA2 4 × 128; CDNA3 4 × 256 (white papers).
  const std::map<std::string, std::int64_t> per_clock{{"turing", 1024}, {"volta", 1024}, {"ampere", 2048},
                                                      {"hopper", 4096}, {"cdna2", 1024}, {"blackwell", 8192},
                                                      {"cdna3", 2048},  {"cdna4", 4096}, {"ada", 1024}};
  // GA102 has half of an A100's tensor cores; accumulating in fp32, GeForce runs them at half rate (white papers).
  const std::map<std::string, std::int64_t> of_chip{
      {"a40", 1024}, {"a6000", 1024}, {"a10", 1024}, {"rtx-3090", 512}, {"rtx-4090", 512}};
  const std::vector<std::string> names = gpu_names();
  for (const char* name : {"t4",
                           "v100-sxm-16gb",
                           "v100-sxm-32gb",
                           "a100-sxm-40gb",
                           "a100-sxm-80gb",
                           "a100-pcie-80gb",
                           "h100-sxm-80gb",
                           "h100-sxm-96gb",
                           "h200-sxm-141gb",
                           "h800-sxm-80gb",
                           "b200-sxm-180gb",
                           "gb200",
                           "mi250x",
                           "mi300x",
                           "a800",
                           "h100-pcie-80gb",
                           "h100-nvl",
                           "gh200",
                           "b300-sxm-270gb",
                           "gb300",
                           "mi325x",
                           "mi350x",
                           "mi355x",
                           "l40s",
                           "l4",
                           "h20",
                           "a40",
                           "a6000",
                           "a10",
                           "rtx-3090",
                           "rtx-4090"})
    CHECK_MESSAGE(std::find(names.begin(), names.end(), name) != names.end(), name);
  for (const std::string& name : names) {
    CAPTURE(name);
    const Gpu gpu = value_of(load_gpu(name));
    CHECK(gpu.name == name);
    const auto own = of_chip.find(name);
    const std::int64_t derived = (own != of_chip.end() ? own->second : per_clock.at(gpu.architecture)) *
                                 gpu.multiprocessors * gpu.tensor_clock_mhz * 1'000'000;
    // The data sheet of L40S states fp8 and tf32 at 2520 MHz, 16 bits at 2490.
    const std::int64_t per_mille = name == "l40s" ? 13 : 3;
    CHECK(within(gpu.peak(DType::fp16).value, derived, 3));
    // Halving the width doubles the rate, on every generation that has both.
    if (gpu.peak(DType::tf32).value > 0)
      CHECK(within(gpu.peak(DType::tf32).value * 2, gpu.peak(DType::fp16).value, per_mille));
    if (gpu.peak(DType::fp8).value > 0)
      CHECK(within(gpu.peak(DType::fp8).value, gpu.peak(DType::fp16).value * 2, per_mille));
    if (gpu.peak(DType::bf16).value > 0) CHECK(gpu.peak(DType::bf16) == gpu.peak(DType::fp16));
    CHECK(gpu.usable_memory < gpu.memory);
    CHECK(gpu.usable_memory.value > gpu.memory.value / 10 * 9);
    CHECK(gpu.context_memory.value > 0);
    CHECK(!gpu.sources.empty());
  }
  const Gpu a100 = value_of(load_gpu("a100-sxm-80gb"));
  CHECK(a100.peak(DType::bf16).value == 312'000'000'000'000);
  CHECK(a100.peak(DType::fp8).value == 0);
  CHECK(a100.memory.value == 80LL << 30);
  CHECK(a100.memory_bandwidth.value == 2'039'000'000'000);
}

TEST_CASE("the validation tables' clusters are in the catalogue, build, and give what the tables say") {
  struct Row {
    const char* name;
    const char* gpu;
    int gpus_per_node;
    double scale_up;     // GB/s per GPU, one direction; PCIe where nothing else joins them
    int gigabit_a_node;  // Gb/s
  };
  // shared table of clusters; per-GPU NVLink = links × 25 GB/s (NVLink 2 to 4) or 50 GB/s (NVLink 5).
  const std::vector<Row> rows{{"selene", "a100-sxm-80gb", 8, 12 * 25, 1600},
                              {"dgx-a100", "a100-sxm-80gb", 8, 12 * 25, 1600},
                              {"selene-a100-40gb", "a100-sxm-40gb", 8, 300, 1600},
                              {"dgx2-v100", "v100-sxm-32gb", 16, 6 * 25, 800},
                              {"dgx-1-v100", "v100-sxm-16gb", 8, 6 * 25, 400},
                              {"jean-zay-a100", "a100-sxm-80gb", 8, 300, 400},
                              {"jean-zay-a100-early", "a100-sxm-80gb", 8, 300, 400},
                              {"vtrain-a100", "a100-sxm-80gb", 8, 300, 800},
                              {"megascale-a100", "a100-sxm-80gb", 8, 300, 1600},
                              {"a100-roce-4node", "a100-sxm-80gb", 8, 300, 1600},
                              {"a100-roce-1600g", "a100-sxm-80gb", 8, 300, 1600},
                              {"aws-p4de", "a100-sxm-80gb", 8, 300, 400},
                              {"dgx-h100", "h100-sxm-80gb", 8, 18 * 25, 3200},
                              {"h100-3200g", "h100-sxm-80gb", 8, 450, 3200},
                              {"aws-p5", "h100-sxm-80gb", 8, 450, 3200},
                              {"rsc-h100", "h100-sxm-80gb", 8, 450, 3200},
                              {"gcp-a3-mega", "h100-sxm-80gb", 8, 450, 1600},
                              {"grand-teton-h100", "h100-sxm-96gb", 8, 450, 3200},
                              {"h200-3200g", "h200-sxm-141gb", 8, 450, 3200},
                              {"hgx-h200", "h200-sxm-141gb", 8, 450, 3200},
                              {"hgx-b200", "b200-sxm-180gb", 8, 18 * 50, 3200},
                              {"dgx-b200", "b200-sxm-180gb", 8, 900, 3200},
                              {"aws-p6-b200", "b200-sxm-180gb", 8, 900, 3200},
                              {"gb200-nvl72", "gb200", 4, 900, 1600},
                              {"gb300-nvl72", "gb300", 4, 900, 3200},
                              {"dgx-b300", "b300-sxm-270gb", 8, 900, 6400},
                              {"azure-ndv5-h100", "h100-sxm-80gb", 8, 450, 3200},
                              {"oci-h100-roce", "h100-sxm-80gb", 8, 450, 3200},
                              {"hgx-mi300x", "mi300x", 8, 7 * 64, 3200},
                              {"hgx-mi325x", "mi325x", 8, 7 * 64, 3200},
                              {"hgx-mi350x", "mi350x", 8, 7 * 76.8, 3200},
                              {"hgx-mi355x", "mi355x", 8, 7 * 76.8, 3200},
                              {"l40s-pcie", "l40s", 8, 32, 0},
                              {"ibm-a100-400g", "a100-sxm-80gb", 8, 300, 400},
                              {"ibm-h100-800g", "h100-sxm-80gb", 8, 450, 800}};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const ClusterSpec spec = value_of(load_cluster(row.name));
    CHECK(spec.name == row.name);
    CHECK(spec.gpu == row.gpu);
    CHECK(spec.gpus_per_node == row.gpus_per_node);
    const bool pcie = spec.scale_up.kind == ScaleUpKind::pcie;
    CHECK((pcie ? spec.pcie_bandwidth : spec.scale_up.bandwidth).value == std::llround(row.scale_up * 1e9));
    CHECK(spec.scale_out.nic_bandwidth.value * spec.scale_out.nics_per_node * 8 ==
          row.gigabit_a_node * 1'000'000'000LL);
    CHECK(!spec.sources.empty());
  }
  for (const std::string& name : cluster_names()) {
    CAPTURE(name);
    const ClusterSpec spec = value_of(load_cluster(name));
    for (const int nodes : {1, std::min(2, spec.nodes), spec.nodes}) {
      const auto t = built(spec, nodes);
      CHECK(route(*t, 0, t->devices() - 1).empty() == (t->devices() == 1));
    }
  }
}

TEST_CASE("an inline cluster is laid over the named one") {
  const ClusterSpec spec =
      value_of(cluster_from("cluster: {type: selene, nodes: 16, scale_out: {nic_bandwidth: 400 Gb/s}, "
                            "gpu_definition: {memory: 96 GiB}}\n"));
  CHECK(spec.name == "selene");
  CHECK(spec.nodes == 16);
  CHECK(spec.scale_out.nic_bandwidth == gigabytes(50));
  CHECK(spec.scale_out.nics_per_node == 8);  // kept
  const Gpu gpu = value_of(gpu_of(spec));
  CHECK(gpu.name == "a100-sxm-80gb");
  CHECK(gpu.memory.value == 96LL << 30);
  CHECK(gpu.multiprocessors == 108);
  // What is laid over says nothing of usable memory: it follows, in the same share of the board.
  CHECK(gpu.usable_memory.value == (96LL << 30) * 81049 / 81920);
}

TEST_CASE("a run has one node of a cluster of the catalogue, or as many as its GPUs need") {
  CHECK(value_of(load_cluster("dgx-h100")).nodes == 2048);
  CHECK(value_of(cluster_from("cluster: dgx-h100\n")).nodes == 1);
  CHECK(value_of(cluster_from("cluster: {type: dgx-h100, gpus: 17}\n")).nodes == 3);
  CHECK(value_of(cluster_from("cluster: {type: dgx-h100, nodes: 5, gpus: 8}\n")).nodes == 5);
  // A file of one's own: what it says, and one where it only names an entry of the catalogue.
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "orrery_cluster_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "four.yaml") << "{type: dgx-h100, nodes: 4}\n";
  std::ofstream(folder / "some.yaml") << "{type: dgx-h100, gpu: ./mine.yaml}\n";
  std::ofstream(folder / "mine.yaml") << "{type: h100-sxm-80gb, memory: 90 GiB}\n";
  CHECK(value_of(cluster_from("cluster: " + (folder / "four.yaml").string() + "\n")).nodes == 4);
  const ClusterSpec some = value_of(cluster_from("cluster: " + (folder / "some.yaml").string() + "\n"));
  CHECK(some.nodes == 1);
  CHECK(value_of(gpu_of(some)).memory.value == 90LL << 30);  // ./mine.yaml is beside the file that says it
  std::filesystem::remove_all(folder);
}

TEST_CASE("gpu_definition: another GPU by name or type, figures laid over, or a GPU of one's own") {
  const auto gpu = [](const std::string& cluster) { return value_of(gpu_of(value_of(cluster_from(cluster)))); };
  for (const char* text : {"cluster: {type: dgx-a100, gpu_definition: h100-sxm-80gb}\n",
                           "cluster: {type: dgx-a100, gpu_definition: {type: h100-sxm-80gb}}\n",
                           "cluster: {type: dgx-a100, gpu: h100-sxm-80gb}\n"}) {
    CAPTURE(text);
    CHECK(gpu(text).name == "h100-sxm-80gb");
    CHECK(gpu(text).architecture == "hopper");
    CHECK(value_of(cluster_from(text)).gpu == "h100-sxm-80gb");
  }
  const Gpu more =
      gpu("cluster: {type: dgx-a100, gpu_definition: {type: h100-sxm-80gb, memory: 96 GB, "
          "memory_bandwidth: 4 TB/s}}\n");
  CHECK(more.usable_memory.value == 96'000'000'000LL * 81008 / 81920);
  CHECK(more.memory_bandwidth.value == 4'000'000'000'000);
  CHECK(more.changed == std::vector<std::string>{"memory_bandwidth"});
  CHECK(gpu("cluster: {type: dgx-a100, gpu_definition: {type: h100-sxm-80gb, dense_peak: {bf16: 900 TFLOP/s}}}\n")
            .changed == std::vector<std::string>{"dense_peak"});
  // Whole by itself: nothing of the A100 is left in it.
  const Gpu own =
      gpu("cluster: {type: dgx-a100, gpu_definition: {architecture: ampere, multiprocessors: 128, dense_peak: "
          "{fp32: 82.6 TFLOP/s, bf16: 165.2 TFLOP/s}, memory: 24 GiB, memory_bandwidth: 1008 GB/s}}\n");
  CHECK(own.name == "inline");
  CHECK(own.lineage.empty());
  CHECK(own.peak(DType::int8).value == 0);
  CHECK(own.usable_memory.value == (24LL << 30) * 985 / 1000);
  CHECK(render(cluster_from("cluster: {type: dgx-a100, gpu_definition: {type: nonsense}}\n").errors())
            .starts_with("s.yaml:1:50: cluster.gpu_definition.type: unknown GPU 'nonsense'; known: "));
  CHECK(cluster_from("cluster: {type: dgx-a100, gpu: t4, gpu_definition: {type: gb200}}\n").errors().at(0).message ==
        "'gb200', but cluster.gpu is 't4': give one of them");
  CHECK(cluster_from("cluster: {type: dgx-a100, gpu_definition: {usable_memory: 81 GiB}}\n").errors().at(0).path ==
        "cluster.gpu_definition.usable_memory");
}

TEST_CASE("a cluster of the user's own needs no catalogue entry") {
  const ClusterSpec spec =
      value_of(cluster_from("cluster: {gpu: t4, nodes: 1, gpus_per_node: 4, pcie_bandwidth: 16 GB/s, "
                            "scale_up: {kind: pcie}}\n"));
  const auto t = built(spec, 1);
  CHECK(route_text(*t, 1, 2) == "node0.gpu1->node0.host node0.host->node0.gpu2");
}

TEST_CASE("a cluster written out in full reads back the same") {
  const auto again = [](const ClusterSpec& spec) {
    const std::string text = dump_yaml(cluster_fields(), &spec);
    const Result<YamlTree> tree = read_yaml_text(text, "again.yaml");
    if (!tree) FAIL(render(tree.errors()));
    const ClusterSpec read = value_of(read_cluster(*tree, tree->root(), ""));
    CHECK(dump_yaml(cluster_fields(), &read) == text);
  };
  for (const std::string& name : cluster_names()) again(value_of(load_cluster(name)));
  again(value_of(
      cluster_from("cluster: {gpu: t4, gpu_definition: {memory: 24 GiB}, gpus_per_node: 2, graph: {switches: [s], "
                   "cables: [{from: node0.gpu0, to: s, bandwidth: 1 GB/s}, {from: s, to: node0.gpu1, "
                   "bandwidth: 2 GB/s, latency: 1.5 us, level: scale_up}]}}\n")));
}

TEST_CASE("a GPU of the user's own, whole or laid over another") {
  const Gpu whole =
      value_of(gpu_from("{multiprocessors: 10, memory: 1 GiB, usable_memory: 1000 MiB, memory_bandwidth: 1 GB/s, "
                        "dense_peak: {fp32: 1 TFLOP/s}}\n"));
  CHECK(whole.name.empty());
  CHECK(whole.peak(DType::fp32).value == 1'000'000'000'000);
  CHECK(whole.peak(DType::fp16).value == 0);
  const Gpu more = value_of(gpu_from("{type: h100-sxm-80gb, dense_peak: {fp8: 2 PFLOP/s}}\n"));
  CHECK(more.name == "h100-sxm-80gb");
  CHECK(more.peak(DType::fp8).value == 2'000'000'000'000'000);
  CHECK(more.peak(DType::bf16).value == 989'400'000'000'000);
}

TEST_CASE("mistakes are named where they stand") {
  CHECK(render(cluster_from("cluster: selen\n").errors())
            .starts_with("s.yaml:1:10: cluster.type: unknown cluster 'selen'; known: a100-roce-1600g,"));
  CHECK(render(cluster_from("cluster: selen\n").errors()).ends_with("help: did you mean 'selene'?\n"));
  CHECK(render(cluster_from("cluster: {type: selene, gpu: h100}\n").errors())
            .starts_with("s.yaml:1:30: cluster.gpu: unknown GPU 'h100'; known: a10, a100-pcie-80gb, "));
  CHECK(render(cluster_from("cluster: {type: selene, scale_out: {nics_per_node: 3}}\n").errors())
            .starts_with("s.yaml:1:52: cluster.scale_out.nics_per_node: must divide the 8 GPUs of a node, got 3\n"));
  CHECK(render(cluster_from("cluster: {type: selene, scale_out: {nic_bandwidth: 25}}\n").errors())
            .starts_with("s.yaml:1:52: cluster.scale_out.nic_bandwidth: "));  // no unit
  CHECK(cluster_from("cluster: {type: selene, nodez: 3}\n").errors().at(0).help == "did you mean 'nodes'?");
  CHECK(gpu_from("{type: a100-sxm-80gb, usable_memory: 81 GiB}\n").errors().at(0).message ==
        "must not be more than memory");
  CHECK(gpu_from("{multiprocessors: 10}\n").errors().size() == 3);  // memory, bandwidth, fp32 peak
  CHECK(!load_gpu("./no/such/file.yaml").ok());
}

}  // namespace orrery::hardware::catalogue_test
