// Which algorithm and protocol a collective library would take.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "group.hpp"
#include "orrery/core/collective.hpp"
#include "orrery/network/tuning.hpp"

namespace orrery::network {

struct Choice {
  std::string algorithm, protocol;
  bool operator==(const Choice&) const = default;
};

// Fills in what the caller left open (empty names).
class Tuner {
 public:
  Tuner(Collective kind, const Group& group, const Tuning& tuning, const Choice& asked);
  ~Tuner();
  // All it may take for a call of so many bytes.
  std::vector<Choice> open(Bytes bytes) const;
  // What it takes, first for this size, then for half and twice of it; where that is reduction in the switch, the ring
  // beside it.
  std::vector<Choice> takes(Bytes bytes) const;
  // Whether it takes what the other takes, at every size.
  bool like(const Tuner& other) const;

 private:
  struct Facts;
  bool decided() const { return !asked_.algorithm.empty() && !asked_.protocol.empty(); }
  template <typename Each>
  void for_open(Bytes bytes, Each&& each) const;

  Collective kind_;
  const Group& group_;
  const Tuning& tuning_;
  Choice asked_;
  std::unique_ptr<Facts> facts_;
};

}  // namespace orrery::network
