#include <fmt/format.h>

#include <array>
#include <cmath>

#include "fit_bytes.hpp"
#include "orrery/planning/amounts.hpp"

namespace orrery::planning {
namespace {

struct Format {
  const char* name;
  int bits, exponent, fraction;  // of integers: none, and the bits beside the sign
};
constexpr std::array<Format, 6> kFormats{{{"fp32", 32, 8, 23},
                                          {"fp16", 16, 5, 10},
                                          {"bf16", 16, 8, 7},
                                          {"fp8 (E4M3)", 8, 4, 3},
                                          {"fp8 (E5M2)", 8, 5, 2},
                                          {"int8", 8, 0, 7}}};

AnswerTable formats(double parameters) {
  AnswerTable table{"formats",
                    "Number formats, and what the weights take in each",
                    {{"format", "format", false},
                     {"bits", "bits"},
                     {"exponent_bits", "exponent"},
                     {"fraction_bits", "fraction"},
                     {"bytes", "bytes"},
                     {"weights_bytes", "weights"},
                     {"saved", "of fp32 saved"}}};
  const auto whole = [](int n) { return AnswerCell{std::int64_t{n}, std::to_string(n)}; };
  for (const Format& f : kFormats)
    table.rows.push_back({cell(f.name),
                          whole(f.bits),
                          whole(f.exponent),
                          whole(f.fraction),
                          whole(f.bits / 8),
                          {parameters * f.bits / 8, gigabytes_text(parameters * f.bits / 8)},
                          {1 - f.bits / 32.0, fmt::format("{:.0f} %", 100 - f.bits / 0.32)}});
  return table;
}

AnswerPart bytes_part(const FitQuestion& q, const PerParameter& b, double usable) {
  AnswerPart part{"", ""};
  const auto add = [&](const char* key, const char* label, double bytes) {
    if (bytes > 0)
      part.figures.push_back({key, bytes * q.parameters, label, gigabytes_text(bytes * q.parameters),
                              fmt::format("{:g} byte{} a parameter", bytes, bytes == 1 ? "" : "s")});
  };
  add("weights_bytes", "weights", b.weights);
  add("gradients_bytes", "gradients", b.gradients);
  add("optimizer_bytes", "optimizer state", b.optimizer);
  const double total = b.total() * q.parameters;
  part.figures.push_back({"total_bytes", total, "in all", gigabytes_text(total)});
  part.figures.push_back(
      {"usable_bytes", usable, "a GPU has", gigabytes_text(usable), "usable, without the CUDA context"});
  return part;
}

void add_verdict(const FitQuestion& q, const PerParameter& b, double usable, AnswerPart& part, Answer& answer) {
  const double total = b.total() * q.parameters;
  const double over = total - usable;
  const bool tier = over > 0 && over <= static_cast<double>(q.cpu_memory.value);
  const std::string words = over <= 0 ? "on one GPU" : tier ? "with CPU memory as second tier" : "not on one GPU";
  part.figures.push_back({"answer", words, "fits", words});
  answer.yes = over <= 0 || tier;
  if (tier)
    part.figures.push_back({"pcie_seconds_a_pass", over / q.pcie_bytes_per_s, "PCIe takes a pass",
                            fmt::format("{:.3g} s", over / q.pcie_bytes_per_s),
                            fmt::format("{} at {:g} GB/s", gigabytes_text(over), q.pcie_bytes_per_s / 1e9)});
  const double gpus = std::max(1.0, std::ceil(total / usable));
  part.figures.push_back({"gpus_that_hold_it", gpus, "GPUs that hold it", fmt::format("{:.0f}", gpus),
                          "everything sharded, without activations"});
}

}  // namespace

Result<Answer> fit_model(const FitQuestion& q, Catalogue& catalogue) {
  const auto bytes = bytes_of(q);
  if (!bytes.ok()) return bytes.errors();
  const Result<double> usable = usable_bytes(q, catalogue);
  if (!usable.ok()) return usable.errors();
  Answer answer{"orrery.fit/1",
                fmt::format("{} parameters{} in {} on {}, {}", count_text(q.parameters),
                            q.model.empty() ? "" : " (" + q.model + ")", q.precision, q.gpu.name, name_of(q.purpose))};
  AnswerPart part = bytes_part(q, *bytes, *usable);
  add_verdict(q, *bytes, *usable, part, answer);
  answer.parts.push_back(std::move(part));
  AnswerPart tables{"", "", {}, {formats(q.parameters)}};
  if (q.purpose != Purpose::inference) tables.tables.push_back(strategies(q, *bytes, *usable));
  if (AnswerTable remedies = changes(q, *bytes, *usable); !remedies.rows.empty())
    tables.tables.push_back(std::move(remedies));
  answer.parts.push_back(std::move(tables));
  if (q.purpose == Purpose::inference) {
    answer.notes.emplace_back("Weights alone: keys and values of the tokens that are served come on top.");
    return answer;
  }
  if (q.precision != "fp32") answer.notes.emplace_back("With 16-bit gradients 16 bytes a parameter in place of 18.");
  if (q.precision == "fp32")
    answer.notes.push_back(fmt::format("The notes add about 8 bytes a parameter for activations: 24 in all, {}.",
                                       gigabytes_text(24 * q.parameters)));
  if (q.model.empty()) {
    answer.notes.emplace_back(
        "Activations depend on layers: give --model in place of --parameters for the exact ledger.");
    return answer;
  }
  auto layouts = fitting_layouts(q, catalogue);
  if (!layouts.ok()) return layouts.errors();
  answer.parts.push_back(*std::move(layouts));
  return answer;
}

}  // namespace orrery::planning
