// Communication of the gradient groups: which collectives go with which pass, as the ZeRO stage and the overlap say.
//
//   ZeRO 0    all_reduce of gradients, in buckets beside the last micro-batch's backward, or after it
//   ZeRO 1, 2 reduce_scatter of gradients likewise, all_gather of parameters beside the first forward, or after the
//   optimizer ZeRO 3    all_gather before each layer in every F and B, reduce_scatter after each layer's B, every
//   micro-batch
//
// A parameter gather that overlaps with the next step's forward is placed at the start of this step: in the steady
// state of training each step begins with the gather of the one before.
#pragma once
#include <map>
#include <tuple>
#include <vector>

#include "stage_costs.hpp"

namespace orrery::program {

class DataParallel {
 public:
  DataParallel(const StepPlan& plan, const Ranks& ranks, const Devices& devices, Communication& communication,
               StageCosts& stages, Builder& builder);

  std::vector<DataCall> calls(DeviceIndex device, const schedule::Operation& operation, bool first, bool last);
  const std::vector<DeviceIndex>& group(DeviceIndex device) const { return groups_[device]; }
  // What remains for the end of the step: sizes of the collectives of one device, per stage it holds.
  struct AtEnd {
    std::vector<TemplateId> reduce, gather;
  };
  AtEnd at_end(DeviceIndex device);

 private:
  struct Key {
    std::int32_t group;
    int stage;
    schedule::OpKind kind;
    bool first, last;
    auto operator<=>(const Key&) const = default;
  };
  std::vector<DataCall> make_calls(const Key& key);
  void gather_layers(const Key& key, layout::PassKind kind, std::vector<DataCall>& calls);
  void gather_buckets(const Key& key, std::vector<DataCall>& calls);
  void reduce_layers(const Key& key, layout::PassKind kind, std::vector<DataCall>& calls);
  void reduce_buckets(const Key& key, layout::PassKind kind, std::vector<DataCall>& calls);
  TemplateId collective(std::int32_t group, Collective kind, Bytes bytes, std::int64_t at_start, std::int64_t at_end);
  std::uint32_t shift(int stage, layout::PassKind kind);
  bool grouped() const { return ranks_.gradient.groups[0].size() > 1; }

  const StepPlan& plan_;
  const Ranks& ranks_;
  const Devices& devices_;
  Communication& communication_;
  StageCosts& stages_;
  Builder& builder_;
  std::vector<std::vector<DeviceIndex>> groups_;  // [device]
  std::map<Key, std::vector<DataCall>> calls_;
  std::map<std::tuple<std::int32_t, Collective, std::int64_t, std::int64_t, std::int64_t>, TemplateId> templates_;
};

}  // namespace orrery::program
