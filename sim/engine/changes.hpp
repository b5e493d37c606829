// Changes of a device's memory in the order of the timeline.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "orrery/engine/account.hpp"
#include "participation.hpp"

namespace orrery::engine {

struct Change {
  std::int64_t time;
  std::int64_t bytes;    // > 0 allocates, < 0 frees
  std::int64_t owner;    // stage, micro-batch and pipe of the operation; −1 = none of a schedule
  std::uint32_t tensor;  // index of Tensors
  program::MemoryClass memory_class;
  friend bool operator==(const Change&, const Change&) = default;
};

// The distinct (class, bytes) of a Program's effects: tensors that may stand for each other.
class Tensors {
 public:
  explicit Tensors(const program::Program& program);
  std::size_t count() const { return all_.size(); }
  std::uint32_t of_effect(std::uint32_t effect) const { return of_effect_[effect]; }

 private:
  std::vector<std::pair<program::MemoryClass, std::int64_t>> all_;
  std::vector<std::uint32_t> of_effect_;
};

// Change::owner of what an operation does, or the backward half of it.
std::int64_t owner_of(const program::Program& program, program::OperationId operation, bool backward);

// By task id.
void collect_changes(const program::Program& program, const Timeline& timeline, const ByDevice& by,
                     const Tensors& tensors, program::DeviceIndex device, std::vector<Change>& out);
// By time; at one instant frees come first, and the order of the rest is that of their contents, so that it does not
// depend on how the step is cut into tasks.
void sort_changes(std::vector<Change>& changes);

// A line for each activation of a device that is used before it is made or after it is freed, made twice or never
// freed (memory_books.cpp).
std::vector<std::string> audit_tensors(const program::Program& program, const Timeline& timeline);
// A line for each device whose peak is not what its classes, its states and its reserved memory allow.
std::vector<std::string> audit_peaks(const program::Program& program, const std::vector<DeviceMemory>& memory);

}  // namespace orrery::engine
