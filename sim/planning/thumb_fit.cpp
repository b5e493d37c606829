#include <fmt/format.h>

#include <cmath>

#include "orrery/planning/amounts.hpp"
#include "orrery/planning/rule_of_thumb.hpp"

namespace orrery::planning {
namespace {

struct Class {
  const char *key, *label;
  double bytes = 0;  // a parameter
};

// Bytes of a stored weight; 0 = no format of the notes.
double bytes_of(const std::string& precision) {
  if (precision == "fp32") return 4;
  if (precision == "fp16" || precision == "bf16") return 2;
  return precision == "int8" ? 1 : 0;
}

// Training in fp32: 4 + 4 + 8 + about 8. Fine-tuning in 16 bits: weights, gradients at one byte (a slip), and Adam's
// master copy and moments.
Result<std::vector<Class>> classes_of(const ThumbFit& fit) {
  const std::string precision = !fit.precision.empty()             ? fit.precision
                                : fit.purpose == Purpose::training ? "fp32"
                                                                   : "fp16";
  const double weight = bytes_of(precision);
  const bool half = precision == "fp16" || precision == "bf16";
  if (weight == 0)
    return wrong_option("--precision", fmt::format("'{}' is not in the notes: fp32, fp16, bf16, int8", precision),
                        "without --rule-of-thumb fp8 is known too");
  if (fit.purpose == Purpose::inference) return std::vector<Class>{{"weights_bytes", "weights", weight}};
  if (fit.purpose == Purpose::fine_tuning && half)
    return std::vector<Class>{
        {"weights_bytes", "weights", 2}, {"gradients_bytes", "gradients", 1}, {"optimizer_bytes", "Adam", 12}};
  if (precision == "fp32")
    return std::vector<Class>{{"weights_bytes", "weights", 4},
                              {"gradients_bytes", "gradients", 4},
                              {"optimizer_bytes", "Adam", 8},
                              {"activations_bytes", "activations and temporaries, about", 8}};
  return wrong_option("--precision",
                      fmt::format("the notes have no rule for {} in {}", name_of(fit.purpose), precision),
                      fit.purpose == Purpose::training ? "write --precision fp32, or leave --rule-of-thumb out"
                                                       : "write --precision fp16");
}

void add_more_gpus(const ThumbFit& fit, const ThumbTable& table, double total, AnswerPart& part, Answer& answer) {
  const auto one = static_cast<double>(fit.gpu_memory.value);
  const double more = std::max(0.0, std::floor(total / one) - 1), needed = std::ceil(total / one) - 1;
  part.figures.push_back({"more_gpus", more, "GPUs it takes", fmt::format("{:.1f} more GPUs", more)});
  part.figures.push_back({"more_gpus_that_hold_it", needed, "", ""});
  for (const ThumbGpu& gpu : table.gpus)
    if (gpu.memory == fit.gpu_memory) {
      const double usd = (more + 1) * gpu.price_usd_per_hour;
      part.figures.push_back({"cost_usd_per_hour", usd, "price", money_text(usd) + "/hr",
                              fmt::format("({:.0f} + 1) x ${:.2f}, {}", more, gpu.price_usd_per_hour, gpu.name)});
    }
  if (needed > more)
    answer.notes.push_back(fmt::format("Slip: {:.0f} GPUs hold {}, less than {}: it takes {:.0f} more, not {:.0f}.",
                                       more + 1, gigabytes_text((more + 1) * one), gigabytes_text(total), needed,
                                       more));
  if (part.figures.back().key != "cost_usd_per_hour")
    answer.notes.push_back(fmt::format("No price: the notes' table has no GPU with {}.", gigabytes_text(one)));
}

void add_slips(const ThumbFit& fit, double total, Answer& answer) {
  if (fit.purpose == Purpose::fine_tuning && total / fit.parameters == 15)
    answer.notes.push_back(fmt::format(
        "Slip: the notes count the gradients at one byte a parameter. In 16 bits they take two, in fp32 four: "
        "{} or {}.",
        gigabytes_text(16 * fit.parameters), gigabytes_text(18 * fit.parameters)));
  if (fit.purpose == Purpose::training)
    answer.notes.push_back(fmt::format("Slip: one note has 80 bytes a parameter ({}) to train in fp32, the others 24.",
                                       gigabytes_text(80 * fit.parameters)));
}

}  // namespace

const char* name_of(Purpose purpose) {
  constexpr const char* names[] = {"training", "fine_tuning", "inference"};
  return names[static_cast<std::size_t>(purpose)];
}

Result<Answer> thumb_fit(const ThumbFit& fit, Catalogue& catalogue) {
  const auto table = load_thumb_table(catalogue);
  if (!table.ok()) return table.errors();
  const auto classes = classes_of(fit);
  if (!classes.ok()) return classes.errors();
  Answer answer{"orrery.fit/1", fmt::format("By the notes' rule of thumb: {} parameters, {}",
                                            count_text(fit.parameters), name_of(fit.purpose))};
  AnswerPart part;
  double total = 0;
  for (const Class& c : *classes) {
    const double bytes = c.bytes * fit.parameters;
    total += bytes;
    part.figures.push_back({c.key, bytes, c.label, gigabytes_text(bytes),
                            fmt::format("{:g} byte{} a parameter", c.bytes, c.bytes == 1 ? "" : "s")});
  }
  part.figures.push_back({"total_bytes", total, "in all", gigabytes_text(total)});
  if (fit.gpu_memory.value > 0) {
    const auto gpu = static_cast<double>(fit.gpu_memory.value), both = gpu + static_cast<double>(fit.cpu_memory.value);
    const std::string words = total <= gpu    ? "Yes, fits on the GPU"
                              : total <= both ? "Yes, but fit needs both CPU and GPU"
                                              : "Nope, does not fit available memory";
    part.figures.push_back({"answer", words, "fits", words});
    answer.yes = total <= both;
    if (!answer.yes) add_more_gpus(fit, *table, total, part, answer);
  }
  add_slips(fit, total, answer);
  answer.parts.push_back(std::move(part));
  return answer;
}

}  // namespace orrery::planning
