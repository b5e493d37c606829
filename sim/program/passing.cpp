#include "passing.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "step_lowering.hpp"

namespace orrery::program {
namespace {

StepInput input_of(const StepInput& input, const Passing::State& state) {
  StepInput now = input;
  now.passing = {};
  now.topology = state.topology;
  now.speed.resize(state.speed.size(), 1.0);
  for (std::size_t r = 0; r < state.speed.size(); ++r) now.speed[r] *= state.speed[r];
  return now;
}

// The states of a step: 0 is that outside of all that passes.
struct Lowered {
  std::vector<StepInput> inputs;
  std::vector<StepParts> parts;
};

// Ranks are alike that are so in every state: what one of them tells apart is told apart in the others, until none does
// any more.
void find_classes(const Passing& passing, const LowerOptions& options, Lowered& of) {
  std::vector<std::int32_t> classes = passing.apart;
  for (std::size_t unchanged = 0, s = 0; unchanged < of.parts.size(); s = (1 + s) % of.parts.size()) {
    of.parts[s].classes = classes;
    std::vector<std::int32_t> now = StepLowering(of.inputs[s], options, of.parts[s]).fold_class();
    unchanged = now == classes ? unchanged + 1 : 0;
    classes = std::move(now);
  }
}

// What of a Program is read for each of its tasks in each state.
class Joining {
 public:
  Joining(Program& program, std::size_t states) : program_(program), states_(states) {
    times_.resize(program.tasks() * states);
    transfers_.resize(program.transfers.empty() ? 0 : times_.size());
    for (TaskId task = 0; task < program.tasks(); ++task) {
      times_[task * states] = program.template_of(task).duration.value;
      if (!transfers_.empty()) transfers_[task * states] = program.template_of(task).transfer;
    }
  }

  void add(std::size_t s, const Program& lowered, const Passing::State& state) {
    check(lowered.tasks() == program_.tasks() && lowered.predecessors == program_.predecessors &&
              lowered.participant_begin == program_.participant_begin,
          "a step has the same tasks whatever is slow in it");
    std::vector<char> stands;  // [template] one of its calls
    for (const TaskTemplate& t : lowered.templates) {
      const auto calls = std::span(lowered.calls).subspan(t.calls.first, t.calls.count);
      stands.push_back(std::ranges::any_of(calls, [](const Call& call) { return call.stands; }) ? 1 : 0);
    }
    for (TaskId task = 0; task < program_.tasks(); ++task) {
      bool down = stands[lowered.task_template[task]] != 0;
      for (std::uint32_t i = program_.participant_begin[task]; i < program_.participant_begin[task + 1]; ++i) {
        const std::int32_t rank = program_.devices[program_.participants[i].device].ranks.front();
        down = down || state.stands[static_cast<std::size_t>(rank)] != 0;
      }
      times_[task * states_ + s] = (down ? Stretches::kStands : lowered.template_of(task).duration).value;
    }
    if (!transfers_.empty()) add_transfers(s, lowered);
  }

  Stretches stretches() const {
    Stretches result;
    result.states = static_cast<std::uint32_t>(states_);
    std::map<std::pair<std::vector<std::int64_t>, std::vector<std::uint32_t>>, std::uint32_t> known;
    std::pair<std::vector<std::int64_t>, std::vector<std::uint32_t>> row;
    const auto alike = [](const auto& all) {
      return std::ranges::all_of(all, [&](const auto& one) { return one == all.front(); });
    };
    for (TaskId task = 0; task < program_.tasks(); ++task) {
      const auto first = static_cast<std::ptrdiff_t>(task * states_),
                 last = first + static_cast<std::ptrdiff_t>(states_);
      row.first.assign(times_.begin() + first, times_.begin() + last);
      if (!transfers_.empty()) row.second.assign(transfers_.begin() + first, transfers_.begin() + last);
      const auto number = static_cast<std::uint32_t>(known.size());
      result.pace.push_back(alike(row.first) && alike(row.second) ? kNone
                                                                  : known.try_emplace(row, number).first->second);
      if (result.pace.back() != number) continue;
      for (const std::int64_t t : row.first) result.takes.push_back({t});
      result.transfers.insert(result.transfers.end(), row.second.begin(), row.second.end());
    }
    return result;
  }

 private:
  // Those that move the same bytes over the same links are the same.
  void add_transfers(std::size_t s, const Program& lowered) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> known;
    for (TaskId task = 0; task < program_.tasks(); ++task) {
      const std::uint32_t own = program_.template_of(task).transfer, now = lowered.template_of(task).transfer;
      check((own == kNone) == (now == kNone), "a transfer is one whatever is slow");
      const auto [it, fresh] = known.try_emplace({own, now}, own);
      if (fresh && own != kNone && program_.transfers[own].phases != lowered.transfers[now].phases) {
        it->second = static_cast<std::uint32_t>(program_.transfers.size());
        program_.transfers.push_back(lowered.transfers[now]);
      }
      transfers_[task * states_ + s] = it->second;
    }
  }

  Program& program_;
  std::size_t states_;
  std::vector<std::int64_t> times_;       // [task · states + state]
  std::vector<std::uint32_t> transfers_;  // likewise; empty where none share links
};

std::vector<Stretches::LinkRate> changed(const hardware::Topology& from, const hardware::Topology& to) {
  std::vector<Stretches::LinkRate> rates;
  for (std::size_t l = 0; l < from.links().size(); ++l)
    if (const hardware::Link& link = to.links()[l]; link.stands || link.bandwidth != from.links()[l].bandwidth)
      rates.push_back({static_cast<hardware::LinkId>(l), link.stands ? BytesPerSecond{} : link.bandwidth});
  return rates;
}

Result<Lowered> states_of(const StepInput& input, const LowerOptions& options, StepParts parts, Costs& costs) {
  Lowered of;
  of.inputs.push_back(input);
  of.parts.push_back(std::move(parts));
  for (const Passing::State& state : input.passing.states) of.inputs.push_back(input_of(input, state));
  for (std::size_t s = 1; s < of.inputs.size(); ++s) {
    Result<StepParts> made = checked_parts(of.inputs[s], of.parts.front().stages->of.cut->of.stage_of, costs.parts());
    if (!made.ok()) return made.errors();
    made->costs = stage_costs(of.inputs[s], *made, costs.parts(), options.inside);
    made->planned = of.parts.front().costs;
    of.parts.push_back(std::move(made).value());
  }
  return of;
}

}  // namespace

// Passes are played step by step: how far one is when a stretch ends is then a matter of one kernel or call. Which
// message of a team is the slowest is another matter in each.
Result<LoweredStep> lower_passing(const StepInput& input, const LowerOptions& asked, StepParts parts, Costs& costs) {
  LowerOptions options = asked;
  options.fuse = false;
  options.level = Levelling::none;
  Result<Lowered> of = states_of(input, options, std::move(parts), costs);
  if (!of.ok()) return of.errors();
  find_classes(input.passing, options, *of);
  StepLowering lowering(of->inputs.front(), options, of->parts.front());
  if (options.admit) {
    Footprint size = lowering.footprint();  // two Programs at a time, and the times of each task
    size.bytes = 2 * size.bytes + size.tasks * sizeof(std::int64_t) * 2 * static_cast<double>(of->inputs.size());
    if (Diagnostics refused = options.admit(size); !refused.empty()) return refused;
  }
  Result<LoweredStep> step = lowering.lower();
  if (!step.ok()) return step;
  Joining joining(step->program, of->inputs.size());
  std::vector<std::vector<Stretches::LinkRate>> links(1);
  std::size_t s = 0;
  for (const Passing::State& state : input.passing.states) {
    ++s;
    const Result<LoweredStep> now = StepLowering(of->inputs[s], options, of->parts[s]).lower();
    if (!now.ok()) return now.errors();
    joining.add(s, now->program, state);
    links.push_back(changed(*input.topology, *of->inputs[s].topology));
  }
  step->program.stretches = joining.stretches();
  step->program.stretches.begin = input.passing.begin;
  step->program.stretches.state = input.passing.state;
  step->program.stretches.links = std::move(links);
  return step;
}

}  // namespace orrery::program
