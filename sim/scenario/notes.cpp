#include "notes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orrery/core/show.hpp"
#include "orrery/model/flops.hpp"
#include "orrery/scenario/simulate.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::scenario {
namespace {

// How the run was simulated, where that needs a reason.
std::vector<std::string> notes_of(const Run& run, const program::LoweredStep& step, bool fold) {
  std::vector<std::string> notes;
  if (!run.why_network().empty()) notes.push_back(run.why_network() + ".");
  if (step.ranks == 1 || !fold) return notes;
  if (run.input().mode == program::NetworkMode::flows) {
    notes.emplace_back(
        "Every rank is played: under flows, ranks that are alike by themselves may meet different traffic on their "
        "links, so none stands for another.");
  } else if (!step.splits.empty()) {
    std::string text;
    for (const std::string& split : step.splits) text += (text.empty() ? "" : ", ") + split;
    notes.push_back("Ranks of one place in the pipeline are played apart where they differ: " + text + ".");
  }
  return notes;
}

// Megatron-LM and DeepSpeed block with a few schedules only; how others would exchange is ours to say.
std::string note_on_messages(const Scenario& s) {
  if (s.layout.pipeline == 1 || s.stack.communication.messages != layout::MessageMode::rendezvous) return {};
  const auto& kinds = schedule::schedule_kinds();
  const std::string name = s.schedule.type.substr(0, s.schedule.type.find('('));
  const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.name == name; });
  const bool alone = name == "interleaved_1f1b" && s.layout.virtual_stages == 1;
  if (kind == kinds.end() || (kind->exchanges_block && !alone)) return {};
  return fmt::format(
      "The messages of {} block, and it runs 1f1b, interleaved_1f1b (of several chunks) and gpipe only: the exchanges "
      "of "
      "{} are an assumption; stack.communication.messages: asynchronous waits for none.",
      s.stack.name.empty() ? s.stack.type : s.stack.name, s.schedule.type);
}

// Of a job that is larger than a domain.
std::string note_on_segments(const hardware::ClusterSpec& c) {
  const hardware::ScaleUp& up = c.scale_up;
  if (up.segment == 0 || up.nodes_per_domain != up.segment || c.nodes <= up.segment) return {};
  return fmt::format(
      "The job is larger than a domain of {} and takes {} nodes ({} GPUs) of each (cluster.scale_up.segment; 0: all of "
      "them).",
      c.name, up.segment, up.segment * c.gpus_per_node);
}

// Of a model whose tokens meet a part of it.
std::string note_on_experts(const model::ModelSpec& m) {
  const auto billions = [](std::int64_t n) { return static_cast<double>(n) / 1e9; };
  std::string note = fmt::format(
      "{} has {:.2f} B parameters, {:.2f} B of them active: a token goes to {} of {} experts", m.name,
      billions(model::parameter_count(m)), billions(model::active_parameters(m)), m.experts.top_k, m.experts.count);
  if (m.experts.shared > 0) note += fmt::format(" and to {} shared", m.experts.shared);
  if (m.prediction_layers > 0)
    note +=
        fmt::format("; beside these {:.2f} B that predict further tokens", billions(model::prediction_parameters(m)));
  return note + ".";
}

}  // namespace

void take_notes(const Run& of, const program::LoweredStep& lowered, const Places& places, bool fold,
                report::RunResult& run) {
  const Scenario& s = of.scenario();
  run.notes = notes_of(of, lowered, fold);
  run.simulation_notes = run.notes.size();
  if (s.model.experts.count > 0) run.notes.push_back(note_on_experts(s.model));
  if (const std::string note = note_on_segments(s.cluster); !note.empty()) run.notes.push_back(note);
  for (std::string& note : rerouted(s, places)) run.notes.push_back(std::move(note));
  run.notes.insert(run.notes.end(), s.notes.begin(), s.notes.end());
  if (of.input().layout.zero != s.layout.zero)
    run.notes.push_back(fmt::format(
        "{} keeps {} whole through the step and reduces once: only the optimizer is sharded, as with zero: optimizer.",
        s.stack.name, s.layout.zero == layout::Zero::parameters ? "parameters and gradients" : "gradients"));
  if (const std::string note = note_on_messages(s); !note.empty()) run.notes.push_back(note);
  for (const Diagnostic& idle : idle_keys(s))
    run.notes.push_back(safe_to_show(idle.path + " " + idle.message, Shown::one_line) + ".");
}

}  // namespace orrery::scenario
