// What copies between the GPU of a rank and the memory of its host take, and an update on the host. Like communication
// calls: network.mode ideal, each copy alone; steady, all GPUs of the nodes copy that way at once, max-min on the
// topology; flows, whatever is in flight shares the links.
#pragma once
#include <vector>

#include "ranks.hpp"

namespace orrery::program {

class HostPaths {
 public:
  HostPaths(const StepInput& input, const Ranks& ranks);

  // [rank] equal numbers = alike in all that is asked for below; of each rank its own where links are shared in flows.
  const std::vector<std::int32_t>& classes() const { return class_; }
  CallCost copy(std::int32_t of_class, bool to_host, Bytes bytes) const;
  // The host reads and writes so much for a rank, while it does so for all others on the node.
  Time update(std::int32_t of_class, Bytes traffic) const;

 private:
  struct Way {
    std::vector<network::LinkUse> uses;
    Time latency{};
    double rate = 0;  // with all others; 0 = that of its links
    hardware::LinkId limit = -1;
  };
  bool stands(const Way& way) const;
  std::vector<Way> ways(const StepInput& input, const std::vector<std::int32_t>& on, bool to_host) const;

  NetworkMode mode_;
  std::shared_ptr<const hardware::Topology> topology_;
  BytesPerSecond memory_{};            // of a node, for updates
  std::vector<Way> to_, from_;         // [class]
  std::vector<std::int64_t> sharing_;  // [class] ranks on the node
  std::vector<std::int32_t> class_;    // [rank]
};

// An error for each of a few ranks whose GPU has no way to its host left.
Diagnostics check_host_ways(const StepInput& input);

}  // namespace orrery::program
