// Indexed heap of predicted completions: the earliest on top, predictions changed in place.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace orrery::network {

class CompletionHeap {
 public:
  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  std::int64_t top_time() const { return heap_.front().time; }
  std::int32_t top_id() const { return heap_.front().id; }

  void prefetch(std::int32_t id) const {
    if (static_cast<std::size_t>(id) < position_.size()) __builtin_prefetch(&position_[static_cast<std::size_t>(id)]);
  }

  // Inserts an id, or moves it to a new time.
  void set(std::int32_t id, std::int64_t time) {
    const std::size_t position = place(id, time);
    if (position > 0 && time < heap_[(position - 1) / 4].time) {
      sift_up(position);
    } else {
      sift_down(position);
    }
  }

  // As set(), but leaves the order to the next restore(); for changing a large part of the heap at once.
  void set_unordered(std::int32_t id, std::int64_t time) { place(id, time); }
  void restore() {
    for (std::size_t i = heap_.size() / 4 + 1; i-- > 0;) sift_down(i);
  }

  void pop() {
    position_[static_cast<std::size_t>(heap_.front().id)] = -1;
    heap_.front() = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return;
    position_[static_cast<std::size_t>(heap_.front().id)] = 0;
    sift_down(0);
  }

 private:
  struct Entry {
    std::int64_t time;
    std::int32_t id;
  };

  std::size_t place(std::int32_t id, std::int64_t time) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= position_.size()) position_.resize(index + 1, -1);
    if (position_[index] < 0) {
      position_[index] = static_cast<std::int32_t>(heap_.size());
      heap_.push_back({time, id});
    } else {
      heap_[static_cast<std::size_t>(position_[index])].time = time;
    }
    return static_cast<std::size_t>(position_[index]);
  }

  void put(std::size_t position, Entry entry) {
    heap_[position] = entry;
    position_[static_cast<std::size_t>(entry.id)] = static_cast<std::int32_t>(position);
  }

  void sift_up(std::size_t position) {
    const Entry moved = heap_[position];
    while (position > 0 && moved.time < heap_[(position - 1) / 4].time) {
      put(position, heap_[(position - 1) / 4]);
      position = (position - 1) / 4;
    }
    put(position, moved);
  }

  void sift_down(std::size_t position) {
    if (position >= heap_.size()) return;
    const Entry moved = heap_[position];
    const std::size_t start = position;
    for (;;) {
      const std::size_t first = 4 * position + 1;
      if (first >= heap_.size()) break;
      std::size_t least = first;
      for (std::size_t child = first + 1; child < first + 4 && child < heap_.size(); ++child) {
        if (heap_[child].time < heap_[least].time) least = child;
      }
      if (heap_[least].time >= moved.time) break;
      put(position, heap_[least]);
      position = least;
    }
    if (position != start) put(position, moved);
  }

  std::vector<Entry> heap_;
  std::vector<std::int32_t> position_;  // of each id in heap_; -1 = not in it
};

}  // namespace orrery::network
