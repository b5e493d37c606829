// What the parts of a cluster put together: vertices and cables, numbered in the order they are added.
#pragma once
#include <vector>

#include "orrery/core/random.hpp"
#include "orrery/hardware/topology.hpp"

namespace orrery::hardware {

struct Assembly {
  std::vector<Link> links;
  VertexId vertices = 0;

  VertexId add_vertices(int count) {
    const VertexId first = vertices;
    vertices += count;
    return first;
  }
  void expect_cables(std::int64_t count) { links.reserve(links.size() + 2 * static_cast<std::size_t>(count)); }
  LinkId next() const { return static_cast<LinkId>(links.size()); }
  // Link id is from → to, id + 1 the way back.
  LinkId add_cable(VertexId from, VertexId to, BytesPerSecond bandwidth, LinkLevel level, Time there, Time back) {
    const LinkId id = next();
    links.push_back({bandwidth, there, level, from, to});
    links.push_back({bandwidth, back, level, to, from});
    return id;
  }
};

// The hash of ECMP and Valiant.
constexpr std::uint64_t mix(std::int32_t from, std::int32_t to) {
  return mix64((static_cast<std::uint64_t>(static_cast<std::uint32_t>(from)) << 32U) + static_cast<std::uint32_t>(to) +
               0x9E3779B97F4A7C15U);
}

}  // namespace orrery::hardware
