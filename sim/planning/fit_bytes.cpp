#include "fit_bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "orrery/cost/stack.hpp"
#include "orrery/planning/amounts.hpp"

namespace orrery::planning {
namespace {

AnswerCell gigabytes(double bytes) {
  return {bytes, gigabytes_text(bytes)};
}

struct Sharding {
  const char *name, *what;
  bool weights, gradients, optimizer;  // sharded
  double held(const PerParameter& b, double n) const {
    return b.weights / (weights ? n : 1) + b.gradients / (gradients ? n : 1) + b.optimizer / (optimizer ? n : 1);
  }
  // Bytes sent by each GPU a step, a ring: (n − 1)/n of what is gathered or scattered. DDP sums gradients (twice), ZeRO
  // scatters them and gathers weights once, ZeRO-3 in each pass.
  double sent(const PerParameter& b, double n) const {
    const double once = (n - 1) / n;
    return once * (!optimizer ? 2 * b.gradients : b.gradients + (weights ? 2 : 1) * b.weights);
  }
};
constexpr Sharding kShardings[] = {{"DDP", "nothing", false, false, false},
                                   {"ZeRO-1", "optimizer state", false, false, true},
                                   {"ZeRO-2", "and gradients", false, true, true},
                                   {"ZeRO-3, FSDP", "and parameters", true, true, true}};

struct Change {
  std::string name, also;
  double gpus = 1, held = 0;
};

// The fewest GPUs: w + g + o/n ≤ room, so n ≥ sharded/(room − whole); none where what stays whole is too much.
void add_shardings(const FitQuestion& q, const PerParameter& b, double usable, std::vector<Change>& all) {
  const double room = usable / q.parameters;
  for (const Sharding& s : kShardings) {
    const double whole = s.held(b, 1e300), sharded = b.total() - whole;
    if (!s.optimizer || whole >= room) continue;
    const double n = std::max(2.0, std::ceil(sharded / (room - whole) - 1e-9));
    all.push_back({fmt::format("{} over {:.0f} GPUs", s.name, n),
                   fmt::format("{} sent a step", gigabytes_text(s.sent(b, n) * q.parameters)), n,
                   s.held(b, n) * q.parameters});
  }
}

void add_formats(const FitQuestion& q, const PerParameter& b, double usable, std::vector<Change>& all) {
  if (b.weights > 2 && 2 * q.parameters <= usable)
    all.push_back({"fp16 or bf16", "fewer bits of the weights", 1, 2 * q.parameters});
  if (b.weights > 1 && q.parameters <= usable)
    all.push_back({"int8", "quality after quantisation is not told here", 1, q.parameters});
  const double over = b.weights * q.parameters - usable;
  all.push_back({fmt::format("{} of CPU memory", gigabytes_text(over)),
                 fmt::format("{:.3g} s over PCIe a pass", over / q.pcie_bytes_per_s), 1, usable});
}

}  // namespace

Result<double> usable_bytes(const FitQuestion& q, Catalogue& catalogue) {
  const auto usable = static_cast<double>(q.gpu.usable_memory.value - q.gpu.context_memory.value);
  if (q.purpose == Purpose::inference) return usable;
  const auto stack = cost::load_stack(q.stack, catalogue);
  if (!stack.ok()) return stack.errors();
  return usable - static_cast<double>(stack->libraries.outside.value);
}

// Adam. Mixed precision, fp8 too, keeps 16-bit weights, fp32 gradients and masters and moments of 12 bytes.
Result<PerParameter> bytes_of(const FitQuestion& q) {
  const bool eight = q.precision == "fp8" || q.precision == "int8",
             half = q.precision == "fp16" || q.precision == "bf16";
  if (!eight && !half && q.precision != "fp32")
    return wrong_option("--precision",
                        fmt::format("'{}' is not known, allowed are fp32, fp16, bf16, fp8, int8", q.precision),
                        "such as --precision bf16");
  if (q.purpose == Purpose::inference) return PerParameter{q.precision == "fp32" ? 4.0 : half ? 2.0 : 1.0};
  if (q.precision == "int8")
    return wrong_option("--precision", "nothing is trained in int8", "write --precision bf16, or --for inference");
  return q.precision == "fp32" ? PerParameter{4, 4, 8} : PerParameter{2, 4, 12};
}

AnswerTable strategies(const FitQuestion& q, const PerParameter& b, double usable) {
  AnswerTable table{"strategies",
                    fmt::format("Data parallel over {} GPUs, bytes of each without activations", q.gpus),
                    {{"strategy", "strategy", false},
                     {"gpu_bytes", "held"},
                     {"fits", "fits", false},
                     {"sent_bytes", "sent a step"},
                     {"sharded", "what is sharded", false}}};
  for (const Sharding& s : kShardings) {
    const double held = q.parameters * s.held(b, q.gpus);
    const bool fits = held <= usable;
    table.rows.push_back({cell(s.name),
                          gigabytes(held),
                          {fits, fits ? "yes" : "no"},
                          gigabytes(q.parameters * s.sent(b, q.gpus)),
                          cell(s.what)});
  }
  return table;
}

AnswerTable changes(const FitQuestion& q, const PerParameter& b, double usable) {
  const double price = q.price_usd_per_hour.value_or(q.gpu.price_usd_per_hour);
  AnswerTable table{"changes",
                    "What would make it fit, without activations, the cheapest by the hour first",
                    {{"change", "change", false}, {"gpus", "GPUs"}, {"gpu_bytes", "held"}}};
  if (price > 0) table.columns.push_back({"usd_per_hour", "an hour"});
  table.columns.push_back({"also", "and", false});
  const double total = b.total() * q.parameters;
  if (total <= usable) return table;
  std::vector<Change> all;
  q.purpose == Purpose::inference ? add_formats(q, b, usable, all) : add_shardings(q, b, usable, all);
  const double n = std::ceil(total / usable - 1e-9);
  all.push_back({fmt::format("tensor × pipeline over {:.0f} GPUs", n), "activations sent in every pass", n, total / n});
  std::stable_sort(all.begin(), all.end(), [](const Change& x, const Change& y) { return x.gpus < y.gpus; });
  for (const Change& c : all) {
    auto& row = table.rows.emplace_back();
    row = {cell(c.name), {c.gpus, fmt::format("{:.0f}", c.gpus)}, gigabytes(c.held)};
    if (price > 0) row.push_back({price * c.gpus, money_text(price * c.gpus)});
    row.push_back(cell(c.also));
  }
  return table;
}

}  // namespace orrery::planning
