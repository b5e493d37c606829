// The points of a space, numbered: the last dimension varies fastest. Keys of the scenario that are set directly cost a
// store each; for every choice of the others the scenario is read once.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "orrery/sweep/space.hpp"
#include "sweep/keys.hpp"

namespace orrery::sweep {

using Digits = std::vector<std::int32_t>;  // [dimension] which value

class Points {
 public:
  static Result<Points> make(const Space& space, const YamlTree& tree, Catalogue& catalogue);

  std::int64_t count() const { return count_; }
  std::size_t dimensions() const { return axes_.size(); }
  const Key& key(std::size_t dimension) const { return axes_[dimension].key; }
  const std::string& text(std::size_t dimension, std::int32_t digit) const {
    return axes_[dimension].texts[static_cast<std::size_t>(digit)];
  }
  Digits digits(std::int64_t point) const;
  // The next point; which is the first dimension that changed.
  std::size_t advance(Digits& digits) const;
  // Ascending, layouts that differ in keys alone which no pass reads follow each other, and what they have in common is
  // made once: a number for each point.
  std::int64_t kin(std::int64_t point) const;
  // The number of the choice of what must be read: points of one share it.
  std::int64_t reading(const Digits& digits) const;
  // The scenario as it is read for them, or what is wrong with it. Not safe to share between threads.
  std::shared_ptr<const Result<scenario::Scenario>> read(const Digits& digits);
  // Sets the direct keys from dimension `from` on, and layout.data where it follows from the others (0: it cannot).
  void set(const Digits& digits, std::size_t from, scenario::Scenario& scenario) const;
  // KEY=VALUE of each dimension, and layout.data where it follows and the file says another.
  std::vector<std::string> assignments(const Digits& digits, std::int64_t data) const;
  bool data_follows() const { return data_follows_; }

 private:
  struct Axis {
    Key key;
    bool direct = false, in_passes = true;
    std::vector<std::string> texts;
    std::vector<FieldValue> values;  // direct
  };
  std::vector<Axis> axes_;
  std::int64_t count_ = 1;
  bool data_follows_ = false, data_said_ = false, default_schedule_ = false;
  std::shared_ptr<const YamlTree> tree_;
  Catalogue* catalogue_ = nullptr;
  std::int64_t last_reading_ = -1;
  std::shared_ptr<const Result<scenario::Scenario>> last_;
};

}  // namespace orrery::sweep
