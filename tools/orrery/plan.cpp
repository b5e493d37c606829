// orrery plan: what a training run takes, from its model and tokens, from a budget, or from a scenario.
#include <fmt/format.h>

#include <memory>

#include "answer.hpp"
#include "cli.hpp"
#include "orrery/planning/amounts.hpp"
#include "orrery/planning/rule_of_thumb.hpp"

namespace orrery::cli {
namespace {

using namespace planning;

struct PlanCommand {
  std::string model, parameters, tokens, gpu;
  double efficiency = 0.5, bytes_per_token = 4;
  bool rule_of_thumb = false, json = false;
};

Diagnostics missing(const char* option, const char* like) {
  return {wrong_option(option, "is missing", std::string("such as ") + like)};
}

// --parameters 405B, or nothing.
Result<std::optional<double>> parameters_of(const PlanCommand& o) {
  if (o.parameters.empty()) return std::optional<double>();
  const auto count = read_count(o.parameters, {"--parameters", "405B", 1e3});
  if (!count.ok()) return count.errors();
  return std::optional<double>(*count);
}

Result<Answer> by_rule_of_thumb(const PlanCommand& o) {
  if (o.tokens.empty()) return missing("--tokens", "--tokens 15T");
  if (o.model.empty() && o.parameters.empty()) return missing("--model", "--model llama3.1-405b, or --parameters 405B");
  const auto parameters = parameters_of(o);
  const auto tokens = read_tokens(o.tokens, o.bytes_per_token);
  if (!parameters.ok()) return parameters.errors();
  if (!tokens.ok()) return tokens.errors();
  return thumb_plan({o.model, *parameters, *tokens, o.gpu, o.efficiency});
}

Result<Answer> answer_to(const PlanCommand& o) {
  if (!(o.efficiency > 0 && o.efficiency <= 1))
    return wrong_option("--efficiency", fmt::format("is {:g}, allowed is more than 0 and at most 1", o.efficiency),
                        "--efficiency 0.5: half of the peak");
  if (o.rule_of_thumb) return by_rule_of_thumb(o);
  return missing("--rule-of-thumb", "orrery plan --rule-of-thumb --model llama3.1-405b --tokens 15T --gpu a100");
}

}  // namespace

Action add_plan(Arguments& app, const Console& console) {
  auto o = std::make_shared<PlanCommand>();
  app.add_flag("--rule-of-thumb", o->rule_of_thumb, "the course notes' arithmetic, with their table of t4, v100, a100");
  app.add_option("--model", o->model, "model (orrery list models)");
  app.add_option("--parameters", o->parameters, "parameters instead of a model: 405B");
  app.add_option("--tokens", o->tokens, "tokens to train on: 15T; or the size of the text: 60TB");
  app.add_option("--bytes-per-token", o->bytes_per_token, "of text, where --tokens is a size")
      .range(0.1, 100.0);
  app.add_option("--gpu", o->gpu, "GPU");
  app.add_option("--efficiency", o->efficiency, "part of the peak that is reached");
  app.add_flag("--json", o->json, "one JSON object instead of the text");
  return [o, &console] { return print_answer(answer_to(*o), o->json, console); };
}

}  // namespace orrery::cli
