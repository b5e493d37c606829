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

// How much longer the busiest pipeline rank works than the average one, as a part of the step.
struct Imbalance {
  std::int32_t pipeline_rank = 0;
  int pipeline_ranks = 0;
  double of_step = 0, over_mean = 0;
};
Imbalance imbalance(const RunResult& run) {
  std::int32_t last = 0;
  for (const program::Device& d : run.program.devices) last = std::max(last, d.pipeline_rank);
  std::vector<std::int64_t> busy(static_cast<std::size_t>(last) + 1, 0);
  for (std::size_t d = 0; d < run.split.size(); ++d) {
    std::int64_t sum = 0;
    for (auto c = Category::compute; c <= Category::expert_comm; c = static_cast<Category>(static_cast<int>(c) + 1))
      sum += run.split[d][static_cast<std::size_t>(c)];
    std::int64_t& most = busy[static_cast<std::size_t>(run.program.devices[d].pipeline_rank)];
    most = std::max(most, sum);
  }
  double mean = 0;
  for (const std::int64_t b : busy) mean += static_cast<double>(b) / static_cast<double>(busy.size());
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

std::string bubble_limit(const RunResult& run, double part) {
  const Imbalance uneven = imbalance(run);
  if (uneven.pipeline_ranks == 1)
    return fmt::format("Waiting takes {} of the step: the GPUs wait for the slowest among them.", percent_text(part));
  if (uneven.of_step > part / 2)
    return fmt::format(
        "The pipeline bubble takes {} of the step, mostly because stages are unequal: pipeline rank {} works {} "
        "longer than the average; moving layers away from it would shrink it.",
        percent_text(part), uneven.pipeline_rank, percent_text(uneven.over_mean));
  return fmt::format(
      "The pipeline bubble takes {} of the step ({} micro-batches over {} pipeline ranks): more micro-batches or "
      "virtual stages would shrink it.",
      percent_text(part), micro_batches(run), uneven.pipeline_ranks);
}

std::string category_limit(const RunResult& run, const Metrics& m, Category category) {
  const double part = share(m, category);
  const std::string text = percent_text(part);
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
    case Category::host:
      return fmt::format("The host takes {} of the step: larger kernels or fewer launches would shrink it.", text);
    case Category::bubble:
      return bubble_limit(run, part);
    case Category::compute:
      break;
  }
  internal_error("arithmetic is no loss");
}

}  // namespace

std::string what_limits(const RunResult& run, const Metrics& m) {
  if (!m.fits) return memory_limit(run, m);
  auto largest = Category::recompute;
  for (std::size_t c = 1; c < program::kCategories; ++c)
    if (share(m, static_cast<Category>(c)) > share(m, largest)) largest = static_cast<Category>(c);
  // Where less than a twentieth is to be won, the arithmetic itself is the limit; HFU over its share is its rate.
  if (share(m, largest) < 0.05) {
    const double arithmetic = share(m, Category::compute) + share(m, Category::recompute);
    return fmt::format(
        "Arithmetic: it fills {} of the step, at {} of the GPUs' peak rate; nothing else takes more than {} ({}).",
        percent_text(arithmetic), percent_text(m.hfu / arithmetic), percent_text(share(m, largest)),
        program::kCategoryNames[static_cast<std::size_t>(largest)]);
  }
  return category_limit(run, m, largest);
}

}  // namespace orrery::report
