#include "size.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/core/memory.hpp"
#include "orrery/program/footprint.hpp"
#include "running.hpp"

namespace orrery::scenario {
namespace {

struct Mode {
  bool flows = false, every_rank = false, fuse = true;
};

// What is slow for a part of the step has passes played step by step.
bool any_passes(const Scenario& s) {
  return std::ranges::any_of(s.cluster.perturb, &hardware::Perturbation::passes);
}

Mode mode_of(const Scenario& s, const RunOptions& options) {
  return {network_mode(s).mode == program::NetworkMode::flows, options.every_rank, options.fuse && !any_passes(s)};
}

// What a name says of the schedule before it is made; a file is taken for one of whole backward passes.
schedule::ScheduleKind kind_of(const Scenario& s) {
  const std::string name = s.schedule.type.substr(0, s.schedule.type.find('('));
  const auto& kinds = schedule::schedule_kinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.name == name; });
  return found == kinds.end() ? schedule::ScheduleKind{} : *found;
}

int steps_of(const Scenario& s, bool split, const RunOptions& options) {
  if (options.steps > 0) return options.steps;
  return program::post_validates(s.stack.optimizer, s.layout, split) ? program::kStepsToSettle : 1;
}

program::Footprint estimate(const Scenario& s, const RunOptions& options, const Mode& mode, std::int64_t micro_batches,
                            program::Footprint (*of)(const program::StepSize&) = program::footprint_of) {
  const layout::PassOptions pass = pass_options(s);
  const cost::Stack stack = running_stack(s);
  const model::ModelSpec model = model::pad_vocab(s.model, s.layout.tensor);
  const layout::Layout layout = running_layout(s);
  const schedule::ScheduleKind kind = kind_of(s);
  program::TeamShape folded = program::folded_teams();
  if (!pass.routing.alike() && layout.expert > 1) {  // each member of a team is played, and its teams are alike
    folded = program::teams_of_all_ranks(layout);
    folded.teams = 1;
  }
  return of({model, layout, pass, stack, layout.stages(), kind.copies, micro_batches, kind.split_backward, mode.flows,
             mode.fuse, steps_of(s, kind.split_backward, options),
             mode.flows || mode.every_rank ? program::teams_of_all_ranks(layout) : folded, s.training.offload});
}

constexpr double kMostTasks = 2.0e9;  // their numbers have 32 bits, and so have those of edges and participants

double bytes_of(const program::Footprint& f, Made made) {
  return made == Made::run ? f.bytes : f.bytes - f.accounts;
}

bool is_small(const program::Footprint& f, const RunOptions& options, Made made) {
  constexpr double kSmall = 256e6;  // bytes: not worth asking the machine
  const double fine = options.memory_limit ? static_cast<double>(options.memory_limit->value) : kSmall;
  return bytes_of(f, made) < fine && f.tasks <= kMostTasks;
}

std::string gibibytes(double bytes) {
  return fmt::format("{:.3g} GiB", bytes / 1073741824.0);
}

// The first thing without which the run would fit is named.
struct Cause {
  std::string path, help;
};

Cause cause_of(const Scenario& s, const RunOptions& options, Made made, double limit) {
  const Mode mode = mode_of(s, options);
  const auto fits = [&](const Mode& other, std::int64_t micro_batches) {
    return bytes_of(estimate(s, options, other, micro_batches), made) <= limit;
  };
  const std::int64_t m = s.micro_batches(), few = std::min<std::int64_t>(m, 4 * s.layout.pipeline);
  if (mode.flows && fits({false, options.every_rank, options.fuse}, m))
    return {"network", "network: steady plays ranks that are alike once"};
  if (options.every_rank && fits({mode.flows, false, options.fuse}, m))
    return {"--every-rank", "without it, ranks that are alike are played once, with the same result"};
  if (options.fuse && any_passes(s) && fits({mode.flows, options.every_rank, true}, m))
    return {"perturb", "without `from` and `until`, passes are played whole: say what is slow for all of the step"};
  if (!options.fuse && fits({mode.flows, options.every_rank, true}, m))
    return {"--unfused", "without it, passes are played whole, with the same result"};
  if (few < m && fits({false, false, true}, few)) return {"training.global_batch", likely_mistake(s)};
  return {"layout", "fewer ranks, stages or micro-batches need less"};
}

}  // namespace

// Tokens are a multiple of the sequence length, mostly beyond any number of sequences that a step has.
std::string likely_mistake(const Scenario& s) {
  const Training& t = s.training;
  if (t.global_batch % t.sequence_length == 0 && t.global_batch / t.sequence_length >= s.layout.data)
    return fmt::format("is it given in tokens? It counts sequences: {} tokens are {} sequences of {}", t.global_batch,
                       t.global_batch / t.sequence_length, t.sequence_length);
  return fmt::format(
      "it counts sequences, not tokens: {} of them are {} micro-batches one after the other on each pipeline; fewer, "
      "or "
      "a larger training.micro_batch, need less",
      t.global_batch, s.micro_batches());
}

program::Footprint footprint(const Scenario& s, const RunOptions& options) {
  return estimate(s, options, mode_of(s, options), s.micro_batches());
}

bool surely_small(const Scenario& s, const RunOptions& options, Made made) {
  Mode mode = mode_of(s, options);
  mode.every_rank = true;  // no more than these are played, however they fold
  return is_small(estimate(s, options, mode, s.micro_batches(), program::footprint_at_most), options, made);
}

Diagnostics check_size(const Scenario& s, const RunOptions& options, const std::optional<program::Footprint>& known,
                       Made made) {
  if (!known &&
      is_small(estimate(s, options, mode_of(s, options), s.micro_batches(), program::footprint_at_most), options, made))
    return {};
  const program::Footprint size = known ? *known : footprint(s, options);
  if (is_small(size, options, made)) return {};
  const double limit = static_cast<double>(options.memory_limit.value_or(default_memory_limit()).value);
  const double bytes = bytes_of(size, made);
  if (bytes <= limit && size.tasks <= kMostTasks) return {};
  const Cause cause = cause_of(s, options, made, std::min(limit, 100 * kMostTasks));
  Diagnostic error;
  error.path = cause.path;
  error.message =
      bytes <= limit
          ? fmt::format("the step has about {:.2g} tasks, more than can be numbered", size.tasks)
          : fmt::format("the run needs about {} of memory ({:.2g} tasks), more than the limit of {} ({})",
                        gibibytes(bytes), size.tasks, gibibytes(limit),
                        options.memory_limit ? "--memory-limit" : "60 % of what is free; --memory-limit sets another");
  error.help = cause.help;
  return {error};
}

}  // namespace orrery::scenario
