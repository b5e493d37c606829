// What was read from the files that come with Orrery, each file once a catalogue, whoever asks for it.
#pragma once
#include <any>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <typeindex>
#include <utility>

#include "orrery/core/error.hpp"

namespace orrery {

// Loaders of the rooms (load_gpu, load_stack, …) keep here what they read. Safe to share between threads. A file that
// changes afterwards is not read again: take a new catalogue.
class Catalogue {
 public:
  // The value of type T of a file: what `read` gives the first time, errors too. `read` may ask for other files.
  template <class T>
  Result<T> once(const std::string& file, const std::function<Result<T>()>& read) {
    const std::scoped_lock lock(reading_);
    const std::pair key{std::type_index(typeid(T)), file};
    auto at = values_.find(key);
    if (at == values_.end()) {
      Result<T> value = read();
      at = values_.emplace(key, std::move(value)).first;
    }
    return std::any_cast<const Result<T>&>(at->second);
  }
  std::size_t files() const { return values_.size(); }  // read so far

  // The one of this process, for all who bring none of their own.
  static Catalogue& shared();

 private:
  std::recursive_mutex reading_;
  std::map<std::pair<std::type_index, std::string>, std::any> values_;
};

}  // namespace orrery
