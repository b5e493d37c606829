// The schedule of a scenario, or why it cannot be.
#include <fmt/format.h>

#include "core/read_file.hpp"
#include "orrery/schedule/csv.hpp"
#include "orrery/schedule/placement.hpp"
#include "orrery/schedule/replay.hpp"
#include "rules.hpp"
#include "running.hpp"

namespace orrery::scenario {
namespace {

// The schedule of schedule.file, if it is one of this many ranks, stages and micro-batches.
Result<schedule::Schedule> schedule_of_file(const Scenario& s) {
  Result<std::string> text = read_file(s.schedule.file, kMaxFileBytes);
  if (!text.ok()) {
    Diagnostics errors = text.errors();  // at the place that names the file
    for (Diagnostic& e : errors) e = broken("schedule.file", e.place.file + ": " + e.message);
    return errors;
  }
  Result<schedule::Schedule> made = schedule::from_csv(*text, s.schedule.file);
  if (!made.ok()) return made;
  const schedule::Placement& p = made->placement;
  Diagnostics errors;
  const auto expect = [&](std::int64_t has, std::int64_t wants, const char* what, const char* why) {
    if (has != wants)
      errors.push_back(broken(
          "schedule.file", fmt::format("{} has {} {}, the scenario {} ({})", s.schedule.file, has, what, wants, why)));
  };
  expect(p.ranks, s.layout.pipeline, "ranks", "layout.pipeline");
  expect(static_cast<std::int64_t>(p.stages) * p.pipes, static_cast<std::int64_t>(s.layout.stages()) * p.pipes,
         "stages", "layout.pipeline · layout.virtual");
  expect(made->micro_batches, s.micro_batches(), "micro-batches", "global_batch / (data · micro_batch)");
  if (!errors.empty()) return errors;
  if (schedule::mirrors(p).empty())
    return Diagnostics{broken(
        "schedule.file", fmt::format("the two copies of the model in {} must stand on pairs of ranks that hold the "
                                     "same stages: their gradients are summed between the two",
                                     s.schedule.file))};
  return made;
}

// A schedule of a fixed number of chunks needs the model cut into as many stages.
Diagnostics check_stages(const Scenario& s, const schedule::Schedule& made) {
  if (made.placement.stages == s.layout.stages()) return {};
  Diagnostic d =
      broken("layout.virtual", fmt::format("{} holds {} chunks of the model on each rank, not {}", made.name,
                                           made.placement.stages / made.placement.ranks, s.layout.virtual_stages));
  d.help = fmt::format("layout: {{virtual: {}}}", made.placement.stages / made.placement.ranks);
  return {d};
}

Diagnostics at_schedule(Diagnostics errors) {
  for (Diagnostic& e : errors)
    if (e.path.rfind("schedule", 0) != 0) e.path = "schedule.type";
  return errors;
}

}  // namespace

schedule::ScheduleRequest schedule_request(const Scenario& s, std::int64_t micro_batches) {
  schedule::ScheduleRequest request;
  request.name = s.schedule.type;
  request.ranks = s.layout.pipeline;
  request.chunks = s.layout.virtual_stages;
  request.micro_batches = static_cast<int>(micro_batches);
  request.group = s.schedule.group;
  request.memory_cap = s.schedule.memory_cap;
  return request;
}

Diagnostics check_messages(const Scenario& s, const schedule::Schedule& made) {
  if (s.stack.communication.messages != layout::MessageMode::rendezvous || s.layout.pipeline == 1) return {};
  const schedule::StageTimes times = schedule::uniform_times(made.placement.stages, 1, 1, 1);
  const auto spans = layout::partition_layers(s.model, s.layout);
  const bool known = spans.ok() && static_cast<int>(spans->size()) == made.placement.stages;
  const layout::StageGraph stages =
      known ? layout::stages_of(s.model, *spans) : layout::stage_chain(made.placement.stages);
  const schedule::Replay replay = schedule::replay(made, stages, times, schedule::MessageMode::rendezvous);
  if (replay.deadlock.empty()) return {};
  Diagnostic d = broken(s.schedule.file.empty() ? "schedule.type" : "schedule.file",
                        fmt::format("{} deadlocks with the blocking messages of {}: {}", made.name, s.stack.name,
                                    schedule::to_string(replay.deadlock.front())));
  d.help = "choose a stack with asynchronous messages, or say stack: {type: " + s.stack.type +
           ", communication: {messages: asynchronous}}";
  return {d};
}

bool is_searched(const Scenario& s) {
  return s.schedule.file.empty() && s.schedule.type == "zb_auto";
}

Result<schedule::Schedule> stand_in_schedule(const Scenario& s) {
  schedule::ScheduleRequest request = schedule_request(s, s.micro_batches());
  if (Diagnostics errors = schedule::check_request(request); !errors.empty()) return at_schedule(std::move(errors));
  request.name = "1f1b", request.micro_batches = 1;
  return schedule::make_schedule(request);
}

Result<schedule::Schedule> make_schedule(const Scenario& s, std::int64_t micro_batches,
                                         const schedule::StageTimes& times) {
  if (!s.schedule.file.empty()) return schedule_of_file(s);
  schedule::ScheduleRequest request = schedule_request(s, micro_batches);
  request.times = times;
  Result<schedule::Schedule> made = schedule::make_schedule(request);
  if (!made.ok()) return at_schedule(made.errors());
  if (Diagnostics errors = check_stages(s, *made); !errors.empty()) return errors;
  return made;
}

}  // namespace orrery::scenario
