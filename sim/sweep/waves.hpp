// The points of a sweep in waves: those that can be played, each with the points that would give the same.
#pragma once
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "orrery/sweep/sweep.hpp"
#include "scenario/parts.hpp"
#include "sweep/points.hpp"

namespace orrery::sweep {

// 128 bits of hash: among 10⁹ keys two are equal by chance once in 10²⁰.
struct FoldKey {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const FoldKey&, const FoldKey&) = default;
};
struct HashOfKey {
  std::size_t operator()(const FoldKey& key) const { return static_cast<std::size_t>(key.low); }
};

// Rows of one wave whose scenarios differ only in keys that do not matter: the first that is not refused is played,
// the others are duplicates of it.
struct Group {
  FoldKey key;
  std::shared_ptr<const Result<scenario::Scenario>> base;
  std::vector<std::size_t> rows;  // in the wave
  bool refused = false;           // each of them, once it was tried
};

struct Wave {
  std::vector<Row> rows;
  std::vector<Group> groups;
};

class Waves {
 public:
  Waves(Points points, const Options& options);
  // False at the end of the space. What can be told of a point without playing it is in its row.
  bool next(Wave& wave);
  // The key was played: its next points are duplicates.
  void played(const FoldKey& key) { seen_.insert(key); }

  const Points& points() const { return points_; }
  std::int64_t total() const { return total_; }
  std::int64_t taken() const { return taken_; }

 private:
  void take(const Digits& digits, std::size_t from, std::int64_t point, Wave& wave);
  std::string contradiction() const;
  FoldKey fold_key(const Digits& digits, std::int64_t reading) const;

  Points points_;
  const Options& options_;
  std::vector<std::vector<scenario::IdleCondition>> idle_;  // [dimension]
  std::vector<std::int64_t> sample_;                        // or those that were asked for
  std::unordered_set<FoldKey, HashOfKey> seen_;
  std::unordered_map<FoldKey, std::size_t, HashOfKey> in_wave_;  // index of Wave::groups
  Digits digits_;
  std::size_t from_ = 0;
  std::int64_t at_ = 0, total_ = 0, taken_ = 0;
  std::int64_t reading_ = -1;
  std::shared_ptr<const Result<scenario::Scenario>> base_;
  scenario::Scenario scenario_;  // of the point at hand
};

}  // namespace orrery::sweep
