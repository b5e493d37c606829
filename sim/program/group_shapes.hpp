// Process groups that see the same network. A call is planned from the routes among the members of its group alone:
// where those of another group are the same but for which links they cross, its plan is, too. So one group of a shape
// is planned, and the others take its phases on links of their own.
#pragma once
#include <cstdint>
#include <vector>

#include "communication.hpp"

namespace orrery::program {

struct GroupShapes {
  // Without `with_links`, no phase is asked for on the links of another group.
  GroupShapes(const ProcessGroups& among, const NetworkKey& network, bool with_links);

  std::vector<std::int32_t> of;     // [group] its shape, numbered in order of first appearance
  std::vector<std::int32_t> first;  // [shape] the first group of it
  std::size_t shape(std::size_t group) const { return static_cast<std::size_t>(of[group]); }
  bool is_first(std::size_t group) const { return static_cast<std::size_t>(first[shape(group)]) == group; }

  // The links of a phase of its shape's first group, as indices in the list of links of each group of the shape.
  std::vector<network::LinkUse> indexed(std::size_t shape, const std::vector<network::LinkUse>& of_first) const;
  // And as links of a group: appended, sorted.
  void append(std::size_t group, const std::vector<network::LinkUse>& indexed,
              std::vector<network::LinkUse>& uses) const;

 private:
  const hardware::LinkId* links_of(std::size_t group) const { return links_.data() + begin_[group]; }
  std::vector<std::size_t> begin_;       // [group], and the end; of links_
  std::vector<hardware::LinkId> links_;  // of the routes among the members, in order of first appearance
};

}  // namespace orrery::program
