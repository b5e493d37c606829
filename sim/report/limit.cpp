#include <fmt/format.h>

#include <algorithm>

#include "text_parts.hpp"

namespace orrery::report {
namespace {

using program::Category;
using program::MemoryClass;

double share(const Metrics& m, Category category) {
  return m.mean_s[static_cast<std::size_t>(category)] / m.step_time_s;
}

std::string memory_limit(const RunResult& run, const Metrics& m) {
  const auto device = static_cast<std::size_t>(m.worst_device);
  const program::MemoryByClass& held = run.memory[device].at_peak;
  const auto most = static_cast<std::size_t>(std::max_element(held.begin(), held.end()) - held.begin());
  const auto kind = static_cast<MemoryClass>(most);
  const bool state = kind == MemoryClass::weights || kind == MemoryClass::gradients || kind == MemoryClass::optimizer;
  const std::string remedy = kind == MemoryClass::activations
                                 ? "recomputing more, a smaller micro-batch or more tensor ranks would shrink them"
                             : state
                                 ? "more tensor or pipeline ranks, or sharding over the data ranks, would shrink them"
                                 : "fewer or smaller ones at once would help";
  return fmt::format("Memory: the fullest GPU needs {} more than it has; the most of it, {}, is {}: {}.",
                     bytes_text(-m.headroom), bytes_text(held[most]), program::kMemoryClassNames[most], remedy);
}

// As it is on the critical path: what is not there could take nothing and the step were no shorter.
double critical_share(const RunResult& run, Category category) {
  return static_cast<double>(run.critical.of[static_cast<std::size_t>(category)]) /
         static_cast<double>(run.timeline.step_time.value);
}

// What a loss weighs. Waiting for another device is on no path: what is waited for is.
double weight(const RunResult& run, const Metrics& m, Category category) {
  return category == Category::bubble ? share(m, category) : critical_share(run, category);
}

bool slow(const RunResult& run, const program::Device& device) {
  return std::any_of(device.ranks.begin(), device.ranks.end(), [&](std::int32_t rank) {
    return std::binary_search(run.slow_ranks.begin(), run.slow_ranks.end(), rank);
  });
}

// How much longer the busiest pipeline rank works than the average one, as a part of the step.
struct Imbalance {
  std::int32_t pipeline_rank = 0;
  int pipeline_ranks = 0;
  double of_step = 0, over_mean = 0;
};
Imbalance imbalance(const RunResult& run) {
  std::int32_t last = 0;
  for (const program::Device& d : run.program.devices) last = std::max(last, d.pipeline_rank());
  std::vector<std::int64_t> busy(static_cast<std::size_t>(last) + 1, -1);  // -1: all of its devices are slow
  for (std::size_t d = 0; d < run.split.size(); ++d) {
    if (slow(run, run.program.devices[d])) continue;  // its stage is none the longer for it
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < program::kCategories; ++i)
      if (const auto c = static_cast<Category>(i); is_work(c) || (is_transfer(c) && !is_beside_passes(c)))
        sum += run.split[d][i];
    std::int64_t& most = busy[static_cast<std::size_t>(run.program.devices[d].pipeline_rank())];
    most = std::max(most, sum);
  }
  double mean = 0;
  const auto known = std::count_if(busy.begin(), busy.end(), [](std::int64_t b) { return b >= 0; });
  for (const std::int64_t b : busy)
    if (b >= 0) mean += static_cast<double>(b) / static_cast<double>(known);
  const auto longest = std::max_element(busy.begin(), busy.end());
  const double excess = static_cast<double>(*longest) - mean;
  return {static_cast<std::int32_t>(longest - busy.begin()), static_cast<int>(busy.size()),
          excess / static_cast<double>(run.timeline.step_time.value), mean > 0 ? excess / mean : 0};
}

int micro_batches(const RunResult& run) {
  int count = 0;
  for (const program::Operation& op : run.program.operations)
    if (op.activity <= program::Activity::overlapped) count = std::max(count, op.micro_batch + 1);
  return count;
}

// What the step would be without something, as a part of the step that it would be shorter by.
double cost_of(const RunResult& run, Time without) {
  if (without.value == 0) return 0;
  return 1 - static_cast<double>(without.value) / static_cast<double>(run.timeline.step_time.value);
}

// What is slow or down costs what the step is shorter by without it.
std::string straggler_text(const RunResult& run) {
  constexpr std::size_t kNamed = 3;
  std::string who;
  const std::size_t n = run.perturbations.size();
  for (std::size_t i = 0; i < std::min(n, kNamed); ++i)
    who += (i == 0 ? "" : i + 1 == n ? " and " : ", ") + run.perturbations[i];
  if (n > kNamed) who += fmt::format(" and {} more", n - kNamed);
  return fmt::format("{} cost{} {} of the step: without {} the step would take {}.", who, n == 1 ? "s" : "",
                     percent_text(cost_of(run, run.unperturbed)), n == 1 ? "it" : "them",
                     time_text(run.unperturbed.value));
}

std::string bubble_limit(const RunResult& run, double part) {
  const Imbalance uneven = imbalance(run);
  if (uneven.pipeline_ranks == 1)
    return fmt::format("Waiting takes {} of the step: the GPUs wait for the slowest among them.", percent_text(part));
  if (cost_of(run, run.asynchronous) > part / 2)
    return fmt::format(
        "Waiting takes {} of the step, mostly because messages block: a sender waits until its receiver takes what it "
        "sends. With asynchronous ones (stack.communication.messages) the step takes {}, {} less.",
        percent_text(part), time_text(run.asynchronous.value), percent_text(cost_of(run, run.asynchronous)));
  if (uneven.of_step > part / 2)
    return fmt::format(
        "The pipeline bubble takes {} of the step, mostly because stages are unequal: pipeline rank {} works {} "
        "longer than the average; moving layers away from it would shrink it.",
        percent_text(part), uneven.pipeline_rank, percent_text(uneven.over_mean));
  // More of them launch more: no advice where the host is critical itself.
  if (const double host = critical_share(run, Category::host); host >= 0.1)
    return fmt::format(
        "The pipeline bubble takes {} of the step ({} micro-batches over {} pipeline ranks), and the host {} of its "
        "critical path: fewer pipeline ranks or virtual stages would shrink the one, larger kernels the other.",
        percent_text(part), micro_batches(run), uneven.pipeline_ranks, percent_text(host));
  return fmt::format(
      "The pipeline bubble takes {} of the step ({} micro-batches over {} pipeline ranks): more micro-batches or "
      "virtual stages would shrink it.",
      percent_text(part), micro_batches(run), uneven.pipeline_ranks);
}

std::string host_limit(const RunResult& run, const std::string& text) {
  const std::int64_t host = run.critical.of[static_cast<std::size_t>(Category::host)];
  if (run.critical.step_overhead > host / 2)
    return fmt::format(
        "The host takes {} of the step, mostly before its first kernel ({}): more tokens a step, or less to prepare, "
        "would shrink it.",
        text, time_text(run.critical.step_overhead));
  if (run.critical.blocking_launches > host / 2)
    return fmt::format(
        "The host takes {} of the step, mostly in launches that the GPU stands still for: larger kernels, fewer of "
        "them, or a host that launches ahead would shrink it.",
        text);
  return fmt::format("The host takes {} of the step: larger kernels or fewer launches would shrink it.", text);
}

std::string category_limit(const RunResult& run, const Metrics& m, Category category) {
  const double part = share(m, category), critical = critical_share(run, category);
  const std::string text = critical - part < 0.0005 ? percent_text(part)
                                                    : fmt::format("{} of the critical path and {}",
                                                                  percent_text(critical), percent_text(part));
  switch (category) {
    case Category::recompute:
      return m.headroom > run.usable_memory.value / 10
                 ? fmt::format(
                       "Recomputing activations takes {} of the step, and {} are free: keeping more of them would "
                       "shrink it.",
                       text, bytes_text(m.headroom))
                 : fmt::format("Recomputing activations takes {} of the step: the memory to keep them is what lacks.",
                               text);
    case Category::optimizer:
      return fmt::format(
          "The optimizer takes {} of the step: more tokens a step, or fewer parameters a GPU, would shrink it.", text);
    case Category::tensor_comm:
      return fmt::format(
          "Tensor-parallel communication takes {} of the step: a smaller tensor degree, a faster link inside the "
          "node, or overlap with compute would shrink it.",
          text);
    case Category::context_comm:
      return fmt::format(
          "Context-parallel communication takes {} of the step: a smaller context degree or more work to hide it "
          "behind would shrink it.",
          text);
    case Category::expert_comm:
      return fmt::format(
          "The all-to-all of the experts takes {} of the step: keeping experts closer together would shrink it.", text);
    case Category::data_comm:
      return fmt::format(
          "Data-parallel communication takes {} of the step: overlap with compute, more tokens a step, or a faster "
          "network would shrink it.",
          text);
    case Category::pipeline_comm:
      return fmt::format(
          "Messages between pipeline stages take {} of the step: fewer stages, or a faster link between them, would "
          "shrink it.",
          text);
    case Category::offload_comm:
      return fmt::format(
          "Copies to and from the memory of the hosts take {} of the step: a smaller share in training.offload, more "
          "tokens a step, or a faster link to the host would shrink it.",
          text);
    case Category::cpu_optimizer:
      return fmt::format(
          "The optimizer on the hosts takes {} of the step: a smaller share in training.offload.optimizer, more ranks "
          "that share the states, or more tokens a step would shrink it.",
          text);
    case Category::host:
      return host_limit(run, text);
    case Category::bubble:
      return bubble_limit(run, part);
    case Category::compute:
      break;
  }
  internal_error("arithmetic is no loss");
}

}  // namespace

std::string what_limits(const RunResult& run, const Metrics& m) {
  if (!m.fits()) return memory_limit(run, m);
  auto largest = Category::recompute;
  for (std::size_t c = 1; c < program::kCategories; ++c)
    if (weight(run, m, static_cast<Category>(c)) > weight(run, m, largest)) largest = static_cast<Category>(c);
  const double most = weight(run, m, largest), straggler = cost_of(run, run.unperturbed);
  // The others wait for a straggler: much of their waiting is its cost.
  if (straggler >= 0.05 && straggler >= (largest == Category::bubble ? most / 2 : most)) return straggler_text(run);
  const std::string besides = straggler >= 0.0005 ? " " + straggler_text(run) : "";
  // Where less than a twentieth is to be won, the arithmetic itself is the limit; HFU over its share is its rate.
  if (most < 0.05) {
    const double arithmetic = share(m, Category::compute) + share(m, Category::recompute);
    return fmt::format(
               "Arithmetic: it fills {} of the step, at {} of the GPUs' peak rate; nothing else takes more than {} "
               "({}).",
               percent_text(arithmetic), percent_text(m.hfu / arithmetic), percent_text(most),
               program::kCategoryNames[static_cast<std::size_t>(largest)]) +
           besides;
  }
  return category_limit(run, m, largest) + besides;
}

}  // namespace orrery::report
