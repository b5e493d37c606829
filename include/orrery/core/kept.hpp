// Values that are made once for each key and kept for whoever asks again: what the steps of a sweep have in common.
#pragma once
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>

#include "orrery/core/hash.hpp"

namespace orrery {

// Where to look for a key: `void add_to(Hash&) const` of it, which need not tell all keys apart.
template <class Key>
struct HashOfKey {
  std::size_t operator()(const Key& key) const {
    Hash hash;
    key.add_to(hash);
    return static_cast<std::size_t>(hash.value());
  }
};

// Keys are compared whole. Of about `most` of them the values are kept, those asked for last; whoever has a value keeps
// it alive. Not for two threads at once.
template <class Key, class Value, class HashOf = HashOfKey<Key>>
class Kept {
 public:
  explicit Kept(std::size_t most = 4096) : most_(most) {}

  // What `make` gives (a shared_ptr) the first time; nothing is not kept.
  template <class Make>
  std::shared_ptr<Value> of(const Key& key, const Make& make) {
    if (const auto at = recent_.find(key); at != recent_.end()) return at->second;
    const auto before = older_.find(key);
    std::shared_ptr<Value> value = before == older_.end() ? std::shared_ptr<Value>(make()) : before->second;
    if (!value) return value;
    made_ += before == older_.end() ? 1 : 0;
    if (recent_.size() >= most_) {
      older_ = std::move(recent_);
      recent_ = {};
    }
    recent_.emplace(key, value);
    return value;
  }
  std::size_t made() const { return made_; }

 private:
  using Values = std::unordered_map<Key, std::shared_ptr<Value>, HashOf>;
  Values recent_, older_;
  std::size_t most_, made_ = 0;
};

// Part of a key that is one object for all who share it.
template <class T>
void add_pointer(Hash& hash, const std::shared_ptr<T>& pointer) {
  hash.add(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(pointer.get())));
}

}  // namespace orrery
