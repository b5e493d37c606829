// What the parts of a cluster put together: vertices and cables, numbered in the order they are added.
#pragma once
#include <vector>

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
  LinkId next() const { return static_cast<LinkId>(links.size()); }
  // Link id is from → to, id + 1 the way back.
  LinkId add_cable(VertexId from, VertexId to, BytesPerSecond bandwidth, LinkLevel level, Time there, Time back) {
    const LinkId id = next();
    links.push_back({bandwidth, there, level, from, to});
    links.push_back({bandwidth, back, level, to, from});
    return id;
  }
};

// A mixing function with good avalanche (SplitMix64, Steele et al., OOPSLA 2014): the hash of ECMP and Valiant.
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}
constexpr std::uint64_t mix(std::int32_t from, std::int32_t to) {
  return mix((static_cast<std::uint64_t>(static_cast<std::uint32_t>(from)) << 32U) | static_cast<std::uint32_t>(to));
}

}  // namespace orrery::hardware
