// A list of plain values that keeps the first few of them in itself: for what is mostly short and copied by the
// million.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <utility>

namespace orrery {

template <class T, std::uint32_t Few>
class ShortList {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  ShortList() = default;
  ShortList(std::initializer_list<T> values) {
    reserve(values.size());
    for (const T& value : values) push_back(value);
  }
  ShortList(const ShortList& from) {
    reserve(from.size_);
    size_ = from.size_;
    std::memcpy(static_cast<void*>(data()), from.data(), size_ * sizeof(T));
  }
  ShortList(ShortList&& from) noexcept
      : many_(std::move(from.many_)), room_(std::exchange(from.room_, Few)), size_(std::exchange(from.size_, 0)) {
    if (!many_) std::memcpy(few_, from.few_, size_ * sizeof(T));
  }
  ShortList& operator=(ShortList from) noexcept {
    many_ = std::move(from.many_), room_ = from.room_, size_ = from.size_;
    if (!many_) std::memcpy(few_, from.few_, size_ * sizeof(T));
    return *this;
  }
  ~ShortList() = default;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& back() { return data()[size_ - 1]; }
  const T& front() const { return *data(); }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }

  void reserve(std::size_t room) {
    if (room > room_) grow(room);
  }
  void push_back(const T& value) {
    const T kept = value;  // it may be one of these
    if (size_ == room_) grow(std::size_t{2} * room_);
    std::memcpy(static_cast<void*>(data() + size_++), &kept, sizeof(T));
  }
  friend bool operator==(const ShortList& a, const ShortList& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  T* data() { return many_ ? many_.get() : reinterpret_cast<T*>(few_); }
  const T* data() const { return many_ ? many_.get() : reinterpret_cast<const T*>(few_); }
  void grow(std::size_t room) {
    std::unique_ptr<T[]> more(new T[room]);
    std::memcpy(static_cast<void*>(more.get()), data(), size_ * sizeof(T));
    many_ = std::move(more), room_ = static_cast<std::uint32_t>(room);
  }

  std::unique_ptr<T[]> many_;  // all of them, where they are not few
  std::uint32_t room_ = Few, size_ = 0;
  alignas(T) std::byte few_[Few * sizeof(T)];
};

}  // namespace orrery
