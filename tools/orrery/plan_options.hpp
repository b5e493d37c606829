// What orrery plan was asked, and which of its options belong to which question.
#pragma once
#include <string>
#include <vector>

#include "memory_limit.hpp"
#include "questions.hpp"

namespace orrery::cli {

// The places of the questions in PlanCommand::questions.
enum class PlanQuestion : std::size_t { table, rule_of_thumb, scenario, cluster, budget };

struct PlanCommand {
  std::string model, parameters, tokens, mix, gpu, table, budget, deadline, law = "chinchilla", scenario, preparation,
                                                                            plot, report, cluster, gpus, batch_tokens;
  std::vector<std::string> sets;
  // Below 0: not said.
  double efficiency = -1, price = -1;
  double bytes_per_token = 4, evaluation = 0, restarts = 0, data_quality = 1;
  int power = 0, sequence_length = 0, play = 0, seed = 1;
  bool rule_of_thumb = false, json = false, force = false;
  MemoryLimit memory_limit;
  Questions questions{
      {"--table", "--rule-of-thumb", "--scenario", "--cluster", "a budget (--budget, --deadline, --parameters)"}};

  PlanQuestion question() const;
  // Options of other questions, and figures that cannot be.
  Diagnostics mistakes(const Arguments& arguments) const;
};

void add_plan_options(Arguments& app, PlanCommand& command);

}  // namespace orrery::cli
