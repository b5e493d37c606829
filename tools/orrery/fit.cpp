// orrery fit: whether a model fits into the memory of a GPU, and what it takes if not. Exit code 1: it does not.
#include "orrery/planning/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "answer.hpp"
#include "orrery/core/field_table.hpp"
#include "orrery/core/file.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/mix.hpp"
#include "orrery/planning/rule_of_thumb.hpp"
#include "questions.hpp"

namespace orrery::cli {
namespace {

using namespace planning;

struct FitCommand {
  std::string model, parameters, gpu, gpu_memory, cpu_memory, precision, purpose, plot;
  double pcie = 25, price = -1;
  int gpus = 8, sequence_length = 0, micro_batch = 1;
  bool rule_of_thumb = false, json = false, force = false;
  Questions questions{{"a GPU of the catalogue", "--rule-of-thumb"}};
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
  if (o.gpu_memory.empty() && !o.cpu_memory.empty())
    return wrong_option("--gpu-memory", "is missing: --cpu-memory is a second tier", "such as --gpu-memory 32GB");
  const auto parameters = read_count(o.parameters, {"--parameters", "20B", 1e3});
  const auto gpu = memory_of("--gpu-memory", o.gpu_memory), cpu = memory_of("--cpu-memory", o.cpu_memory);
  if (!parameters.ok()) return parameters.errors();
  if (!gpu.ok()) return gpu.errors();
  if (!cpu.ok()) return cpu.errors();
  return thumb_fit({*parameters, *gpu, *cpu, purpose, o.precision});
}

Result<hardware::Gpu> gpu_of(const FitCommand& o) {
  if (o.gpu.empty()) return wrong_option("--gpu", "is missing", "such as --gpu v100-sxm-32gb (orrery list gpus)");
  auto gpu = hardware::load_gpu(o.gpu);
  if (gpu.ok()) return gpu;
  Diagnostics errors = gpu.errors();
  for (Diagnostic& e : errors)
    if (e.place.file.empty()) e.path = "--gpu";
  return errors;
}

// 2048 tokens, or as many as the model has positions for.
std::int64_t usual_length(const std::string& name) {
  constexpr std::int64_t kUsual = 2048;
  const auto model = model::load_model(name);
  return model.ok() && model->max_positions > 0 ? std::min(kUsual, model->max_positions) : kUsual;
}

Result<Answer> by_bytes(const FitCommand& o, Purpose purpose) {
  if (o.model.empty() == o.parameters.empty())
    return wrong_option("--model", o.model.empty() ? "is missing" : "and --parameters are both said",
                        "write one of them: --model llama2-7b or --parameters 20B");
  const auto gpu = gpu_of(o);
  if (!gpu.ok()) return gpu.errors();
  const auto parameters =
      o.model.empty() ? read_count(o.parameters, {"--parameters", "20B", 1e3}) : size_of_model(o.model);
  if (!parameters.ok()) return parameters.errors();
  const auto cpu = memory_of("--cpu-memory", o.cpu_memory);
  if (!cpu.ok()) return cpu.errors();
  FitQuestion question{o.model, *parameters, *gpu, purpose};
  question.precision = !o.precision.empty() ? o.precision : gpu->peak(DType::bf16).value > 0 ? "bf16" : "fp16";
  question.gpus = o.gpus;
  question.cpu_memory = *cpu;
  question.pcie_bytes_per_s = o.pcie * 1e9;
  question.sequence_length = o.sequence_length > 0 ? o.sequence_length : usual_length(o.model);
  question.micro_batch = o.micro_batch;
  if (o.price > 0) question.price_usd_per_hour = o.price;
  return fit_model(question);
}

Result<Answer> answer_to(const FitCommand& o, const Arguments& arguments) {
  const auto purpose = purpose_of(o.purpose);
  if (!purpose.ok()) return purpose.errors();
  if (Diagnostics errors = o.questions.out_of_place(o.rule_of_thumb ? 1 : 0, arguments); !errors.empty()) return errors;
  if (o.price == 0) return wrong_option("--price", "is 0, allowed is more than 0", "such as --price 2.50");
  if (o.rule_of_thumb) return by_rule_of_thumb(o, *purpose);
  return by_bytes(o, *purpose);
}

int run(const FitCommand& o, const Arguments& arguments, const Console& console) {
  const auto answer = answer_to(o, arguments);
  if (answer.ok() && !o.plot.empty())
    if (const int code = plot_answer(o.plot, *answer, o.force, console); code != kOk) return code;
  if (answer.ok() && is_standard_output(o.plot)) return answer->yes ? kOk : kNo;
  return print_answer(answer, o.json, console);
}

}  // namespace

Action add_fit(Arguments& app, const Console& console) {
  auto o = std::make_shared<FitCommand>();
  constexpr std::pair<const char*, std::size_t> kOnly[] = {
      {"--model", 0},       {"--gpu", 0},  {"--gpus", 0},  {"--sequence-length", 0},
      {"--micro-batch", 0}, {"--pcie", 0}, {"--price", 0}, {"--gpu-memory", 1}};
  for (const auto& [option, question] : kOnly) o->questions.add(option, {question});
  app.add_flag("--rule-of-thumb", o->rule_of_thumb, "the course notes' arithmetic and words");
  app.add_option("--model", o->model, "model (orrery list models): the exact ledger, and layouts that fit");
  app.add_option("--parameters", o->parameters, "parameters instead of a model: 20B");
  app.add_option("--gpu", o->gpu, "GPU (orrery list gpus)");
  app.add_option("--gpus", o->gpus, "of the table of sharding strategies").range(1, 1 << 20);
  app.add_option("--sequence-length", o->sequence_length,
                 "tokens of a sequence, of activations; 2048, or what the model has positions for")
      .range(1, 1 << 24);
  app.add_option("--micro-batch", o->micro_batch, "sequences of a micro-batch, of activations").range(1, 1 << 16);
  app.add_option("--for", o->purpose, "training, fine_tuning or inference");
  app.add_option("--precision", o->precision, "of the weights: fp32, fp16, bf16, fp8, int8");
  app.add_option("--gpu-memory", o->gpu_memory, "of the GPU, with --rule-of-thumb: 32GB");
  app.add_option("--cpu-memory", o->cpu_memory, "second tier beside it: 32GB");
  app.add_option("--pcie", o->pcie, "GB/s that reach it").range(0.1, 1000.0);
  app.add_option("--price", o->price, "dollars for one GPU and hour, in place of the GPU's").range(0.0, 1e6);
  app.add_option("--plot", o->plot, "write bytes by class, sharding and formats as SVG (- for standard output)");
  app.add_flag("--force", o->force, "replace an existing picture");
  app.add_flag("--json", o->json, "one JSON object instead of the text");
  app.footer("Exit code: 0 it fits; 1 it does not; 2 the input is wrong.");
  return [o, app, &console] { return run(*o, app, console); };
}

}  // namespace orrery::cli
