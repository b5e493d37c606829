#include "mesh_cycles.hpp"

#include <algorithm>

namespace orrery::network {
namespace {

using hardware::DeviceId;

class Search {
 public:
  Search(const std::vector<DeviceId>& members, const hardware::Topology& topology)
      : size_(members.size()), free_(size_ * size_) {
    std::int64_t unit = 0;
    std::vector<hardware::LinkId> route;
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t j = 0; j < size_; ++j) {
        route.clear();
        topology.route(members[i], members[j], route);
        if (route.size() != 1) continue;
        const std::int64_t bandwidth = topology.links()[static_cast<std::size_t>(route[0])].bandwidth.value;
        free_[i * size_ + j] = bandwidth;
        if (unit == 0 || bandwidth < unit) unit = bandwidth;
      }
    }
    for (std::int64_t& links : free_) links = unit > 0 ? links / unit : 0;
  }

  // The largest number of cycles up to what every member's links allow, within a budget of steps.
  std::vector<std::vector<std::size_t>> run() {
    std::int64_t most = static_cast<std::int64_t>(size_);
    for (std::size_t i = 0; i < size_; ++i) {
      std::int64_t degree = 0;
      for (std::size_t j = 0; j < size_; ++j) degree += free_[i * size_ + j];
      most = std::min(most, degree / 2);
    }
    for (wanted_ = static_cast<std::size_t>(std::max<std::int64_t>(most, 0)); wanted_ > 0; --wanted_) {
      budget_ = 1'000'000;
      cycles_.assign(1, {0});
      visited_.assign(size_, false);
      visited_[0] = true;
      if (extend()) return cycles_;
    }
    return {};
  }

 private:
  std::int64_t& free(std::size_t i, std::size_t j) { return free_[i * size_ + j]; }
  void take(std::size_t i, std::size_t j, std::int64_t links) {
    free(i, j) -= links;
    free(j, i) -= links;
  }

  bool extend() {
    if (--budget_ < 0) return false;
    const std::size_t last = cycles_.back().back();
    if (cycles_.back().size() == size_) {
      if (free(last, 0) < 1) return false;
      take(last, 0, 1);
      if (cycles_.size() == wanted_) return true;
      const std::vector<bool> visited = visited_;
      cycles_.push_back({0});
      visited_.assign(size_, false);
      visited_[0] = true;
      if (extend()) return true;
      cycles_.pop_back();
      visited_ = visited;
      take(last, 0, -1);
      return false;
    }
    for (std::size_t next = 1; next < size_; ++next) {
      if (visited_[next] || free(last, next) < 1) continue;
      visited_[next] = true;
      take(last, next, 1);
      cycles_.back().push_back(next);
      if (extend()) return true;
      cycles_.back().pop_back();
      take(last, next, -1);
      visited_[next] = false;
    }
    return false;
  }

  std::size_t size_, wanted_ = 0;
  std::vector<std::int64_t> free_;  // links left between two members, in units of the thinnest
  std::vector<std::vector<std::size_t>> cycles_;
  std::vector<bool> visited_;
  std::int64_t budget_ = 0;
};

}  // namespace

std::vector<std::vector<DeviceId>> mesh_cycles(const std::vector<DeviceId>& members,
                                               const hardware::Topology& topology) {
  std::vector<std::vector<DeviceId>> result;
  for (const auto& cycle : Search(members, topology).run()) {
    std::vector<DeviceId> walk;
    for (const std::size_t index : cycle) walk.push_back(members[index]);
    result.push_back(walk);
    std::reverse(walk.begin() + 1, walk.end());
    result.push_back(walk);
  }
  if (result.empty()) result = {members};
  return result;
}

}  // namespace orrery::network
