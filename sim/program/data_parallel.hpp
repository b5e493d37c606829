// Communication of the gradient groups: which collectives go with which pass, as the ZeRO stage and the overlap say.
//
//   ZeRO 0     all_reduce of gradients, in buckets beside the last micro-batch's backward, or after it
//   ZeRO 1     reduce_scatter of gradients likewise, all_gather of parameters beside the first forward, or after the
//              optimizer
//   ZeRO 2     reduce_scatter after each layer's B (or bucket of layers), every micro-batch; all_gather as ZeRO 1.
//   Stacks
//              that accumulate whole gradients first run it as ZeRO 1 (gradient_shards: at_end), or reduce behind the
//              last of a run of passes of one stage (each_group)
//   ZeRO 3     all_gather before each layer in every F and B, reduce_scatter after each layer's B, every micro-batch
//
// Hybrid sharding (layout.shard_degree): gathers and scatters stay among the ranks that spread one copy of the shards;
// behind each reduce_scatter the shard of the gradient is all-reduced among its replicas, on a lane of its own, beside
// the next reduce_scatter (torch/distributed/fsdp/_fully_shard/_fsdp_collectives.py, foreach_reduce: all_reduce_stream
// waits for reduce_scatter_stream; megatron/core/distributed/param_and_grad_buffer.py, start_grad_sync). So ZeRO 0 is
// the case of shards spread over one rank.
//
// Two copies of the model (DualPipe, Chimera): the rank that holds the same stages for the other copy is one more
// replica of each rank's gradients, or of their shards. In schedules of one's own the two may end with their stages in
// different orders: then they are summed at the end of the step.
//
// A parameter gather that overlaps with the next step's forward is placed at the start of this step: in the steady
// state of training each step begins with the gather of the one before.
#pragma once
#include <array>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "offloading.hpp"

namespace orrery::program {

// Of the routed experts of a model, among the ranks that hold the same ones, or of all else.
class DataParallel {
 public:
  DataParallel(layout::Parameters of, const StepInput& input, const Ranks& ranks, const Devices& devices,
               Communication& communication, StageCosts& stages, Builder& builder);
  void keep_on_host(Offloading& offloading) { offloading_ = &offloading; }  // gradients go there once they are reduced

  // Every collective of the groups in a step: what the folding must find alike. To be asked before form_groups().
  std::vector<ObservedCall> observed();
  void form_groups();  // once the devices are known
  // Of an overlapped operation: of its forward or of its backward half.
  std::vector<DataCall> calls(DeviceIndex device, const schedule::Operation& operation, bool forward_half, bool first,
                              bool last);
  const std::vector<DeviceIndex>& group(DeviceIndex device, bool replicas) const {
    return (replicas ? replicas_ : shards_).of_device(device);
  }
  // Whether gradients leave for the host beside the passes: not, where they are reduced behind them.
  bool sends_in_passes() const {
    const bool shared = sharded() || replicated();
    return input_.layout.shards_gradients(of_) || !shared ||
           (input_.stack.communication.overlap_data && !(replicated() && sums_replicas_late_));
  }
  // What remains for the end of the step, in order.
  struct EndCall {
    bool gather, replicas;
    TemplateId task;
  };
  std::vector<EndCall> at_end(DeviceIndex device);

 private:
  struct Key {
    std::int32_t shard, replicas, host;  // the groups the device is in; Offloading::class_of
    int stage, pipe;
    schedule::OpKind kind;
    bool first, last;
    auto operator<=>(const Key&) const = default;
  };
  struct Groups {
    std::vector<std::vector<DeviceIndex>> members;  // of each group in which a device is
    std::vector<std::size_t> of;                    // [device] which of them
    void form(const Devices& devices, const std::vector<std::vector<std::int32_t>>& groups,
              const std::vector<std::int32_t>& group_of);
    const std::vector<DeviceIndex>& of_device(DeviceIndex device) const { return members[of[device]]; }
  };
  std::vector<DataCall> make_calls(const Key& key);
  std::int64_t bucket_bytes() const;  // beyond all where gradients are one bucket
  void gather_layers(const Key& key, layout::PassKind kind, std::vector<DataCall>& calls);
  void gather_buckets(const Key& key, std::vector<DataCall>& calls);
  void reduce_units(const Key& key, layout::PassKind kind, std::vector<DataCall>& calls);
  void reduce_buckets(const Key& key, layout::PassKind kind, std::vector<DataCall>& calls);
  void send_out(const Key& key, std::int64_t parameters, std::uint32_t position, std::vector<DataCall>& calls);
  void send_layers(const Key& key, layout::PassKind kind, std::vector<DataCall>& calls);
  void reduce(const Key& key, std::int64_t parameters, std::uint32_t position, std::vector<DataCall>& calls);
  TemplateId collective(std::int32_t group, Collective kind, Bytes bytes, std::int64_t at_start, std::int64_t at_end);
  std::uint32_t behind(const Key& key, layout::PassKind kind, std::uint32_t steps);
  std::vector<EndCall> end_calls(int pipeline_rank, std::int32_t shard, std::int32_t replicas);
  bool sharded() const { return there() && input_.layout.shards(of_) > 1; }
  bool replicated() const { return replicated_; }
  bool there() const { return of_ == layout::Parameters::dense || input_.graph->spec.experts.count > 0; }
  const Ranks::Sharing& sharing() const { return ranks_.sharing(of_); }

  layout::Parameters of_;
  const StepInput& input_;
  const Ranks& ranks_;
  const Devices& devices_;
  Communication& communication_;
  StageCosts& stages_;
  Builder& builder_;
  Offloading* offloading_ = nullptr;
  bool replicated_, sums_replicas_late_;
  Groups shards_, replicas_;
  std::vector<ObservedCall>* observing_ = nullptr;  // where collective() notes calls instead of making tasks
  std::map<Key, std::vector<DataCall>> calls_;
  std::map<std::tuple<std::int32_t, Collective, std::int64_t, std::int64_t, std::int64_t>, TemplateId> templates_;
};

using DataParallels = std::array<DataParallel, layout::kParameterKinds.size()>;

}  // namespace orrery::program
