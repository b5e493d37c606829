// All that is known about a run once it has been played: what the tables, the JSON and the trace are made from.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "orrery/engine/critical_path.hpp"
#include "orrery/hardware/topology.hpp"
#include "orrery/program/kernel_book.hpp"
#include "orrery/reliability/goodput.hpp"

namespace orrery::report {

// Where the ranks run, and over how many scale-up domains (NVLink; mostly a node) the groups of each kind reach at
// most.
struct PlacementResult {
  std::string type = "packed";
  layout::PerDimension<int> domains = layout::for_each_dimension(1);
  std::vector<hardware::DeviceId> devices = {};  // [rank]
  int per_node = 1;                              // GPUs
};

// One family of transfers that met others on its links: what they took and what they would have taken alone, summed
// over the transfers of a rank in a step, mean over the ranks.
struct SharedTransfers {
  program::Category category = program::Category::tensor_comm;
  Collective collective = Collective::all_reduce;
  double took_s = 0, alone_s = 0;
  hardware::LinkLevel level = hardware::LinkLevel::other;  // where most of the difference arose
  std::string link;                                        // of that level, what cost most the rank that lost most
  double oversubscription = 0;  // of that level: bandwidth of the NICs over its own; 0 = no such figure
};

// How much of the links of one level is in use: bytes per second that move over the capacity of the links the run uses.
struct LevelUse {
  hardware::LinkLevel level = hardware::LinkLevel::other;
  double mean = 0;  // over the step
  struct Sample {
    std::int64_t time = 0;  // ps, from then on
    double fraction = 0;
  };
  std::vector<Sample> samples;  // where asked for
};
std::string_view name_of(hardware::LinkLevel level);  // scale_up, nic, leaf, spine, core, other

// The step played many times, GPUs as fast as they were drawn (section `variation`).
struct VariedSteps {
  std::int64_t steps = 0;
  double gpus = 0, from_step_to_step = 0;  // the spreads
  double mean_s = 0;
  Time p50{}, p95{}, p99{}, slowest{};
  // Ranks that the others waited for, with the part of the steps, most first: of each step the one that waits least for
  // others' work.
  std::vector<std::pair<std::int32_t, double>> waited_for;
};

// What unlike loads and capacities of routed experts do to the step.
struct ExpertLoads {
  double load_factor = 1;   // rows of the fullest rank over the mean, mean over the layers
  double dropped = 0;       // of the copies of tokens
  Time balanced{};          // the step with every expert given as many and nothing dropped; 0 = not played
  Bytes balanced_memory{};  // peak of its fullest GPU
  bool there = false;
};

// Something that is slow or down for a part of the step. Times are after the start of the step.
struct Fault {
  std::string what;  // in words: "GPU 3 at 0.5 of its speed"
  Time from{};
  std::optional<Time> until = {};
  Time without{};  // the step but for it; 0 = not played
  struct Late {
    std::size_t device = 0;
    bool itself = false;   // its GPU is the slow one; the others wait
    Time most{};           // that a task of it ends later
    Time from{}, until{};  // when the first task that is late should have ended, and when the last ends
  };
  std::vector<Late> late = {};  // the devices that are, by the time they are
};

// A pool of a cluster of unlike nodes.
struct PoolResult {
  std::string name, gpu;
  std::int64_t ranks = 0;
  std::vector<int> stages;     // pipeline ranks that it has ranks of
  double bubble_fraction = 0;  // of its GPUs' time
  double work_fraction = 0;    // compute, recompute and optimizer
  std::int64_t headroom = 0;   // bytes on its fullest GPU; negative: it does not fit
};

// What stands in the memory of the hosts (training.offload), and what the step copies there and back.
struct HostUse {
  struct Node {
    int number = 0;
    std::int64_t bytes = 0;         // peaks of its ranks together
    program::MemoryByClass held{};  // sums to them
  };
  Node fullest;
  Bytes usable{};                                    // of a node
  std::vector<engine::HostMemory> of_device;         // [device] of one rank
  std::map<std::string, double> to_host, from_host;  // bytes of a step over all ranks, by what is copied
};

struct RunResult {
  // What ran.
  std::string title;          // one line: model, GPUs, layout, schedule
  std::string scenario_json;  // the resolved scenario, every default written out
  std::string gpu_name;
  std::string network_mode;  // ideal | steady | flows
  PlacementResult placement;
  std::vector<std::string> warnings;
  std::int64_t gpus = 0;
  std::int64_t tokens = 0;                  // per step
  std::int64_t sequences = 0;               // per step
  std::vector<std::int64_t> micro_batches;  // [replica] where some have more than others; else empty
  double peak_flops_per_second = 0;         // of one GPU, dense, of the GEMM dtype
  Bytes usable_memory{};                    // of one GPU; of unlike ones the largest
  Bytes context_memory{};                   // CUDA context and libraries, outside the allocator
  program::StepFlops flops;                 // of the step, all GPUs; the model's as training.flops counts them
  program::KernelBook kernels;              // of the step, all GPUs
  program::LayerSteps layer;                // the operators of one layer
  std::int64_t parameters = 0;              // of the model
  std::int64_t head_parameters = 0;         // of what is counted apart: heads of an encoder beside the token table
  std::string model_kind;                   // decoder, encoder, encoder_decoder
  std::string kind_text;                    // the kind with its layers, in words; empty = a decoder
  std::string setting;  // what readers compare runs by: sharding, recomputation, number format, size
  std::vector<std::pair<std::string, std::string>> sources;  // of the inputs: which, from where

  // What happened.
  program::Footprint expected;  // what the program was estimated to take before it was made
  program::Program program;
  std::vector<program::StageSummary> stages;
  engine::Timeline timeline;
  std::vector<engine::Breakdown> split;      // [device]
  std::vector<engine::DeviceMemory> memory;  // [device]
  std::vector<std::int64_t> reserved;        // [device] bytes, caching allocator
  engine::CriticalPath critical;
  engine::ScheduleBubbles schedule_bubbles;
  std::uint64_t timeline_hash = 0;
  std::vector<std::string> books;       // empty = they balance
  std::vector<SharedTransfers> shared;  // those that lost time, most first
  std::vector<LevelUse> link_use;       // network mode flows; by level
  std::vector<std::string> notes;       // how it was simulated, and why so
  std::size_t simulation_notes = 0;     // so many of the first are of interest to developers of Orrery alone

  std::optional<VariedSteps> varied = {};          // where the scenario says how unlike GPUs and steps are
  std::optional<reliability::Plan> long_run = {};  // where the scenario says what stops one

  // The step played again without one thing a user can change; 0 = not played.
  std::vector<std::string> perturbations;  // in words: "GPU 70 at 0.7 of its speed"
  std::vector<std::int32_t> slow_ranks;    // on GPUs slower than the fastest of the run
  std::vector<Fault> faults;               // those of them that pass
  Time unperturbed{};                      // without all of them
  Time asynchronous{};                     // with asynchronous messages in place of blocking ones
  ExpertLoads experts;
  std::vector<PoolResult> pools;  // where GPUs are unlike

  Bytes usable_on(std::size_t device) const { return {usable_memory.value - program.devices[device].lacks}; }
  std::optional<HostUse> hosts = {};
};

// Whether the step runs in the memory of the GPUs. By releasing: the GPU refuses, PyTorch's allocator gives back the
// segments it has cached without live blocks and asks again, which stops the device and is slow. What decides is what
// is allocated and the segments that live blocks split.
enum class Verdict : std::uint8_t { fits, fits_by_releasing, does_not_fit };
std::string_view name_of(Verdict verdict);

// Figures derived from the above, the same in text, JSON and tests.
struct Metrics {
  double step_time_s = 0;
  double bubble_fraction = 0;
  double mfu = 0, hfu = 0;
  double hfu_korthikanti = 0;  // of the FLOPs as Korthikanti et al. eq. 8 counts them (program::StepFlops)
  double tokens_per_s = 0, tokens_per_s_per_gpu = 0;
  std::array<Int128, program::kCategories> total{};   // ps, summed over all ranks (10^5 ranks x 100 s pass 2^63)
  std::array<double, program::kCategories> mean_s{};  // per rank; sums to the step time
  std::int64_t worst_device = 0;                      // the one with the largest reserved + context
  std::int64_t headroom = 0;                          // usable − (reserved + context) there
  Verdict verdict = Verdict::fits;
  bool fits() const { return verdict != Verdict::does_not_fit; }
};
Metrics metrics_of(const RunResult& run);

// The book of rates: empty, or that a step runs more FLOPs than its GPUs can.
std::vector<std::string> audit_rates(const RunResult& run);

std::string to_json(const RunResult& run);  // schema "orrery.run/1", one object, ends with a newline

struct TextStyle {
  bool colour = false;
  int width = 100;
  bool verbose = false;  // how it was simulated, too
  bool art = false;      // a timeline and bars of memory, for a terminal
};
std::string to_text(const RunResult& run, const TextStyle& style);
std::string books_text(const RunResult& run);  // --audit

}  // namespace orrery::report
