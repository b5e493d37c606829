// orrery fit: whether a model fits into the memory of a GPU, and what it takes if not. Exit code 1: it does not.
#include <fmt/format.h>

#include <memory>

#include "answer.hpp"
#include "cli.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/rule_of_thumb.hpp"

namespace orrery::cli {
namespace {

using namespace planning;

struct FitCommand {
  std::string parameters, gpu_memory, cpu_memory, precision, purpose;
  bool rule_of_thumb = false, json = false;
};

Result<Purpose> purpose_of(const std::string& text) {
  for (const Purpose purpose : {Purpose::training, Purpose::fine_tuning, Purpose::inference})
    if (text == name_of(purpose)) return purpose;
  return wrong_option("--for", text.empty() ? "is missing" : fmt::format("'{}' is not known", text),
                      "write --for training, --for fine_tuning or --for inference");
}

Result<Bytes> memory_of(const char* option, const std::string& text) {
  Bytes bytes{};
  if (text.empty()) return bytes;
  if (const std::string what = parse_quantity(FieldType::bytes, text, bytes.value); !what.empty())
    return wrong_option(option, fmt::format("'{}' {}", text, what), fmt::format("such as {} 32GB", option));
  return bytes;
}

Result<Answer> by_rule_of_thumb(const FitCommand& o, Purpose purpose) {
  if (o.parameters.empty()) return wrong_option("--parameters", "is missing", "such as --parameters 20B");
  const auto parameters = read_count(o.parameters, {"--parameters", "20B", 1e3});
  const auto gpu = memory_of("--gpu-memory", o.gpu_memory), cpu = memory_of("--cpu-memory", o.cpu_memory);
  if (!parameters.ok()) return parameters.errors();
  if (!gpu.ok()) return gpu.errors();
  if (!cpu.ok()) return cpu.errors();
  return thumb_fit({*parameters, *gpu, *cpu, purpose, o.precision});
}

Result<Answer> answer_to(const FitCommand& o) {
  const auto purpose = purpose_of(o.purpose);
  if (!purpose.ok()) return purpose.errors();
  if (o.rule_of_thumb) return by_rule_of_thumb(o, *purpose);
  return wrong_option("--rule-of-thumb", "is missing",
                      "such as orrery fit --rule-of-thumb --parameters 20B --gpu-memory 32GB --for inference");
}

}  // namespace

Action add_fit(Arguments& app, const Console& console) {
  auto o = std::make_shared<FitCommand>();
  app.add_flag("--rule-of-thumb", o->rule_of_thumb, "the course notes' arithmetic and words");
  app.add_option("--parameters", o->parameters, "parameters: 20B");
  app.add_option("--for", o->purpose, "training, fine_tuning or inference");
  app.add_option("--precision", o->precision, "of the weights: fp32, fp16, bf16, int8");
  app.add_option("--gpu-memory", o->gpu_memory, "of the GPU: 32GB");
  app.add_option("--cpu-memory", o->cpu_memory, "beside it: 32GB");
  app.add_flag("--json", o->json, "one JSON object instead of the text");
  app.footer("Exit code: 0 it fits; 1 it does not; 2 the input is wrong.");
  return [o, &console] { return print_answer(answer_to(*o), o->json, console); };
}

}  // namespace orrery::cli
