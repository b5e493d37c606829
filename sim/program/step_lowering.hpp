// Puts a step together: what ranks there are and which are alike, what each runs and when, and the figures of it.
// Devices, teams and what the pipeline asks for are in step_lowering.cpp, the step itself and its bounds in lower.cpp.
#pragma once
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "costs.hpp"
#include "overlap.hpp"
#include "pipeline_lowering.hpp"
#include "step_end.hpp"

namespace orrery::program {

class StepLowering {
 public:
  StepLowering(const StepInput& input, const LowerOptions& options, const StepParts& parts);

  Result<LoweredStep> lower();
  Footprint footprint();
  void expect(const Footprint& size) { builder_.expect_tasks(size.tasks); }
  StepExamination examine();
  const std::vector<std::int32_t>& fold_class() const { return devices_.fold_class; }

 private:
  Devices folded(const StepParts& parts);
  TeamLevels levels() const;
  bool meets(layout::Dimension along, bool in_all) const;
  bool sums_together() const;
  std::vector<ObservedCall> observed_calls();
  void add_devices();
  std::vector<std::int32_t> joined_in_passes(std::int32_t rank) const;
  std::vector<Team> teams() const;
  PipelineInput pipeline_input();
  void say_who_meets(PipelineInput& input);
  void add_copies(DeviceIndex device, const schedule::Operation& op, bool forward_half, std::vector<DataCall>& calls);
  TemplateId message(DeviceIndex from, DeviceIndex to, std::int32_t edge, bool forward);
  int steps() const;
  StepStart start_of_step(const PipelineEnds& before);
  void sum_up(LoweredStep& step);
  void sum_up_stages(LoweredStep& step);

  std::size_t devices() const { return devices_.representative.size(); }

  const StepInput& input_;
  const LowerOptions& options_;
  const layout::StageGraph& graph_;
  Builder builder_;
  const Ranks& ranks_;
  Communication& communication_;
  StageCosts& stages_;
  std::optional<Offloading> offloading_;  // where anything is kept on the hosts
  DataParallels data_;
  StepEnd end_;
  Devices devices_;
  std::map<std::tuple<const ProcessGroups*, std::int32_t, std::int64_t, bool>, TemplateId> messages_;
  std::optional<TemplateId> overhead_;
  OverlappedPasses overlapped_;
};

}  // namespace orrery::program
