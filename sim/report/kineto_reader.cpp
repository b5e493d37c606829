// Reads what PyTorch's profiler writes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/read_file.hpp"
#include "orrery/core/gzip.hpp"
#include "orrery/report/trace_diff.hpp"

namespace orrery::report {
namespace {

using nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{2} << 30;

Diagnostic wrong(const std::string& file, std::string message, std::string help) {
  Diagnostic d;
  d.place.file = file;
  d.message = std::move(message), d.help = std::move(help);
  return d;
}

struct Span {
  std::int64_t begin = 0, end = 0;
};

std::int64_t nanoseconds_of(const json& event, const char* key) {
  const auto it = event.find(key);
  const double ns = it == event.end() || !it->is_number() ? 0 : it->get<double>() * 1000 + 0.5;
  return std::abs(ns) < 9e18 ? static_cast<std::int64_t>(ns) : 0;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  Result<TracedRank> read(const json& trace) {
    if (!trace.is_object() || !trace.contains("traceEvents") || !trace["traceEvents"].is_array())
      return wrong(path_, "is no trace: it has no list traceEvents",
                   "take what PyTorch's profiler or `orrery run --trace-format kineto` writes");
    TracedRank rank;
    rank.from = path_;
    if (const auto it = trace.find("distributedInfo"); it != trace.end() && it->is_object() && it->contains("rank")) {
      const json& said = (*it)["rank"];
      if (!said.is_number_integer() || said < 0 || said > std::numeric_limits<std::int32_t>::max())
        return wrong(path_, "distributedInfo.rank: " + said.dump() + " is no rank, expected an integer of at least 0",
                     "leave distributedInfo out for rank 0");
      rank.rank = said.get<std::int32_t>();
    }
    for (const json& event : trace["traceEvents"]) look_at(event);
    if (kernels_.empty() && trace.contains("otherData"))
      return wrong(
          path_, "is a trace to look at, one process a rank, and has no kernels of one rank",
          "compare what `orrery run --trace FOLDER --trace-format kineto` writes, or give the scenario itself");
    if (kernels_.empty())
      return wrong(path_, "has no kernels: it was made without a GPU",
                   "record ProfilerActivity.CUDA too: torch.profiler.profile(activities=[CPU, CUDA])");
    if (steps_.empty())
      return wrong(path_, "has no steps (ProfilerStep)",
                   "call the profiler's step() behind each training step, or let `orrery run --trace-format kineto` "
                   "write the trace");
    take_steps(rank);
    if (rank.kernels.empty())
      return wrong(path_, "has no kernels in its steps",
                   "wait for the GPU (torch.cuda.synchronize) before the profiler's step()");
    return rank;
  }

 private:
  static bool is(const json& event, const char* key, std::string_view value) {
    const auto it = event.find(key);
    return it != event.end() && it->is_string() && it->get_ref<const std::string&>() == value;
  }
  void look_at(const json& event) {
    if (!event.is_object() || !is(event, "ph", "X") || !event.contains("name") || !event["name"].is_string()) return;
    const std::string& name = event["name"].get_ref<const std::string&>();
    const Span span{nanoseconds_of(event, "ts"), nanoseconds_of(event, "ts") + nanoseconds_of(event, "dur")};
    std::int64_t correlation = -1;
    if (const auto args = event.find("args"); args != event.end() && args->is_object())
      if (const auto it = args->find("correlation"); it != args->end() && it->is_number_integer())
        correlation = it->get<std::int64_t>();
    if (is(event, "cat", "kernel") || is(event, "cat", "gpu_memcpy") || is(event, "cat", "gpu_memset"))
      kernels_.push_back({{name, kernel_kind(name), span.begin, span.end}, correlation});
    else if ((is(event, "cat", "cuda_runtime") || is(event, "cat", "cuda_driver")) && correlation >= 0)
      launched_[correlation] = span.begin;
    else if (name.starts_with("ProfilerStep") && is(event, "cat", "user_annotation"))
      steps_.push_back(span);
  }
  // By when it was launched; what nobody launched, by when it began.
  void take_steps(TracedRank& rank) {
    std::sort(steps_.begin(), steps_.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
    if (steps_.size() > 1) steps_.pop_back();
    rank.steps = static_cast<int>(steps_.size());
    const std::int64_t from = steps_.front().begin, to = steps_.back().end;
    for (auto& [kernel, correlation] : kernels_) {
      const auto launch = launched_.find(correlation);
      const std::int64_t at = launch == launched_.end() ? kernel.begin : launch->second;
      if (from <= at && at < to) rank.kernels.push_back(std::move(kernel));
    }
  }

  const std::string& path_;
  std::vector<std::pair<TracedKernel, std::int64_t>> kernels_;
  std::map<std::int64_t, std::int64_t> launched_;
  std::vector<Span> steps_;
};

}  // namespace

// HolisticTraceAnalysis, hta/common/trace_symbol_table and breakdown analysis: ^nccl or ncclKernel; Memcpy, Memset.
KernelKind kernel_kind(std::string_view name) {
  if (name.starts_with("nccl") || name.find("ncclKernel") != std::string_view::npos || name.starts_with("rccl"))
    return KernelKind::communication;
  if (name.starts_with("Memcpy") || name.starts_with("Memset")) return KernelKind::memory;
  return KernelKind::compute;
}

Result<TracedRank> read_kineto(const std::string& path) {
  Result<std::string> text = read_bytes(path, kMostBytes);
  if (!text.ok()) return text.errors();
  if (is_gzip(*text)) text = gunzip(*text, path, kMostBytes);
  if (!text.ok()) return text.errors();
  const json trace = json::parse(*text, nullptr, false);
  if (trace.is_discarded()) return wrong(path, "is no JSON: it may be cut off", "write or copy it again");
  return Reader(path).read(trace);
}

}  // namespace orrery::report
