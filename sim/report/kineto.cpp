// A rank's own trace as PyTorch's profiler (Kineto) writes it. What HolisticTraceAnalysis asks of it: a blank behind
// "rank":, a stream in the arguments of each kernel, communication kernels whose names begin with nccl, and, as there
// is a ProfilerStep, a launch with the correlation of each kernel.
#include <fmt/format.h>

#include <algorithm>

#include "core/json.hpp"
#include "trace_arguments.hpp"

namespace orrery::report {
namespace {

using program::Category;
using program::kNone;

constexpr std::int64_t kComputeStream = 7;  // PyTorch's default stream on most builds
constexpr std::int64_t kProcess = 10'000;   // of the host program: its rank behind it

std::string nccl_name(Collective kind) {
  if (kind == Collective::dispatch) return "deep_ep::dispatch";
  constexpr std::array<std::string_view, 6> names{"AllReduce", "AllGather", "ReduceScatter",
                                                  "AllToAll",  "Broadcast", "SendRecv"};
  return fmt::format("ncclDevKernel_{}", names[static_cast<std::size_t>(kind)]);
}

class Kineto {
 public:
  Kineto(const RunResult& run, program::DeviceIndex device, const std::function<void(std::string_view)>& write)
      : run_(run),
        rank_(run.program.devices[device].ranks.front()),
        gpu_(gpu_of(run, rank_)),
        writer_(write, head()),
        slices_(slices_of(SliceSource(run, TraceDetail::operators), device, {})) {}

  TraceSummary write() {
    label(kProcess + rank_, "CPU", 0);
    label(gpu_, fmt::format("GPU {}", gpu_), 1);
    step();
    for (const Slice& slice : slices_.slices)
      if (is_kernel(slice)) kernel(slice);
    writer_.close();
    return {writer_.events(), {rank_}, 0};
  }

 private:
  static std::int64_t gpu_of(const RunResult& run, std::int32_t rank) {
    const auto& placed = run.placement.devices;
    return placed.empty() ? 0 : placed[static_cast<std::size_t>(rank)] % run.placement.per_node;
  }
  std::string head() const {
    const nlohmann::ordered_json device{
        {"id", gpu_}, {"name", run_.gpu_name}, {"totalGlobalMem", run_.usable_memory.value}};
    return fmt::format(
        "\"schemaVersion\": 1,\n\"deviceProperties\": [{}],\n\"distributedInfo\": {{\"backend\": \"nccl\", \"rank\": "
        "{}, "
        "\"world_size\": {}}},\n\"displayTimeUnit\": \"ms\",\n\"baseTimeNanoseconds\": 0,\n\"traceName\": {}",
        dump(device, -1), rank_, run_.gpus, dump(nlohmann::ordered_json("orrery: " + run_.title), -1));
  }
  void label(std::int64_t pid, std::string_view text, int position) {
    writer_.raw(fmt::format(R"({{"ph":"M","pid":{},"tid":0,"ts":0,"name":"process_labels","args":{{"labels":"{}"}}}})",
                            pid, text));
    writer_.raw(
        fmt::format(R"({{"ph":"M","pid":{},"tid":0,"ts":0,"name":"process_sort_index","args":{{"sort_index":{}}}}})",
                    pid, position));
  }
  // The step that is reported, on the host's thread.
  void step() {
    const std::int64_t end = nanoseconds(run_.timeline.makespan.value);
    const std::int64_t begin = nanoseconds(run_.timeline.makespan.value - run_.timeline.step_time.value);
    writer_.raw(fmt::format(
        R"({{"ph":"X","cat":"user_annotation","name":"ProfilerStep#0","pid":{0},"tid":{0},"ts":{1},"dur":{2},"args":{{"External id":0}}}})",
        kProcess + rank_, Microseconds{begin}, Microseconds{end - begin}));
  }
  static bool is_kernel(const Slice& s) {
    return s.track != kPasses && s.track != kWaits && s.category != Category::host && s.category != Category::bubble &&
           s.category != Category::cpu_optimizer;
  }
  Collective collective_of(const Slice& s) const {
    if (s.part != kNone) return run_.program.parts[s.part].collective;
    const program::Range calls = run_.program.template_of(s.task).calls;
    if (calls.count > 0) return run_.program.calls[calls.first].collective;
    return s.category == Category::pipeline_comm ? Collective::send_receive : Collective::all_reduce;
  }
  // The kernel, and its launch at the same instant: Orrery does not say when each was launched.
  void kernel(const Slice& s) {
    const std::int64_t stream = kComputeStream + static_cast<std::int64_t>(s.track) - 1;
    const std::int64_t correlation = ++correlation_;
    const bool moves = is_transfer(s.category);
    arguments_.clear();
    arguments_.add("External id", correlation);
    arguments_.add("device", gpu_);
    arguments_.add("context", 1);
    arguments_.add("stream", stream);
    arguments_.add("correlation", correlation);
    if (moves) arguments_.add_text("Collective name", name_of(collective_of(s)));
    arguments_of(run_, s, arguments_);
    writer_.raw(
        fmt::format(R"({{"ph":"X","cat":"kernel","name":"{}","pid":{},"tid":{},"ts":{},"dur":{},"args":{{{}}}}})",
                    moves ? nccl_name(collective_of(s)) : std::string(s.name), gpu_, stream, Microseconds{s.start},
                    Microseconds{s.end - s.start}, arguments_.text()));
    writer_.raw(fmt::format(
        R"({{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":{0},"tid":{0},"ts":{1},"dur":0.001,"args":{{"External id":{2},"correlation":{2}}}}})",
        kProcess + rank_, Microseconds{s.start}, correlation));
  }

  const RunResult& run_;
  std::int32_t rank_;
  std::int64_t gpu_;
  TraceWriter writer_;
  DeviceSlices slices_;
  TraceArguments arguments_;
  std::int64_t correlation_ = 0;
};

}  // namespace

TraceSummary write_kineto(const RunResult& run, program::DeviceIndex device,
                          const std::function<void(std::string_view)>& write) {
  return Kineto(run, device, write).write();
}

}  // namespace orrery::report
