// The end of a step: gradients, their norm, the optimizer, parameters, and what of it rides the next step's pipeline.
//
// The norm of all gradients (for clipping, and to skip a step that overflowed) needs every rank. Either the optimizer
// of each waits for it, so that the ranks begin the next step together; or, with post-validation (Qi et al. 2023, Zero
// Bubble Pipeline Parallelism, section 4), a partial norm goes from stage to stage, each stage updates its parameters
// once it has that of the stages before, and the full norm goes back from the last stage to the first during the
// warm-up of the next step, where each stage checks its update before its first backward pass. Updates found wrong are
// rolled back; that is rare and not played.
#pragma once
#include <optional>
#include <vector>

#include "data_parallel.hpp"

namespace orrery::program {

class StepEnd {
 public:
  StepEnd(const StepInput& input, const layout::StageGraph& graph, const Ranks& ranks, const Devices& devices,
          Communication& communication, StageCosts& stages, DataParallels& data, Builder& builder);

  void keep_on_host(Offloading& offloading) { offloading_ = &offloading; }
  std::vector<ObservedCall> observed() const;  // the calls it makes
  // Adds what follows the last operation of each device; ends.tail is then the last task of its step.
  void lower(PipelineEnds& ends);
  // Post-validation, in the step that follows: per device what its first backward pass waits for; empty without.
  std::vector<TaskId> validate(const PipelineEnds& ends);

 private:
  Bytes shared_bytes(std::size_t index) const;
  Bytes replicated_bytes(int pipeline_rank) const;
  void reduce_replicated(PipelineEnds& ends);
  void reduce_gradients(PipelineEnds& ends);
  void reduce_shared(PipelineEnds& ends);
  void sum_gradient_norm(PipelineEnds& ends);
  void sum_stage_norm(const ProcessGroups& among, const std::vector<std::int32_t>& group_of, PipelineEnds& ends);
  void pass_partial_norms(PipelineEnds& ends);
  void run_optimizer(PipelineEnds& ends);
  TemplateId optimizer_task(DeviceIndex device);
  void gather_parameters(PipelineEnds& ends);
  void join(const std::vector<DeviceIndex>& group, TemplateId task, Activity activity, PipelineEnds& ends);
  TaskId norm_message(DeviceIndex from, DeviceIndex to, bool forward);
  std::vector<DeviceIndex> at_pipeline_rank(int rank) const;
  DeviceIndex at_pipeline(DeviceIndex device, int pipeline_rank) const;
  std::size_t devices() const { return devices_.representative.size(); }

  const StepInput& input_;
  const std::vector<GpuRef> kinds_;
  const layout::StageGraph& graph_;
  const Ranks& ranks_;
  const Devices& devices_;
  Communication& communication_;
  StageCosts& stages_;
  DataParallels& data_;
  Builder& builder_;
  Offloading* offloading_ = nullptr;
  std::optional<TemplateId> both_updated_;
  std::map<std::pair<std::int32_t, std::int32_t>, TemplateId> optimizer_;  // by pipeline rank and speed
  std::map<std::pair<std::int32_t, bool>, TemplateId> norm_tasks_;         // [pair of ranks, forward]
};

}  // namespace orrery::program
