#include "fold.hpp"

#include <algorithm>
#include <unordered_map>

#include "orrery/core/hash.hpp"

namespace orrery::program {
namespace {

// Numbers equal keys alike, in order of first appearance.
template <class Key, class Hash = std::hash<Key>>
class Numbers {
 public:
  std::int64_t of(const Key& key) {
    return number_.try_emplace(key, static_cast<std::int64_t>(number_.size())).first->second;
  }
  std::int64_t count() const { return static_cast<std::int64_t>(number_.size()); }

 private:
  std::unordered_map<Key, std::int64_t, Hash> number_;
};

struct HashOfWords {
  std::size_t operator()(const std::vector<std::int64_t>& words) const {
    Hash hash;
    for (const std::int64_t word : words) hash.add(word);
    return hash.value();
  }
};
using Words = Numbers<std::vector<std::int64_t>, HashOfWords>;

// What the ranks see of the groups of a relation: numbers of (role, kind of group), mostly one each.
class Sight {
 public:
  Sight(const Relation& relation, const std::vector<std::int64_t>& colour) : first_(colour.size(), -1) {
    Words kinds;
    std::vector<std::int64_t> key;
    for (std::size_t g = 0; g < relation.groups->size(); ++g) {
      const auto& group = (*relation.groups)[g];
      key.clear();
      for (const std::int32_t rank : group) key.push_back(colour[static_cast<std::size_t>(rank)]);
      if (!relation.ordered) std::sort(key.begin(), key.end());
      key.push_back(relation.cost.empty() ? 0 : relation.cost[g]);
      const std::int64_t kind = 2 * kinds.of(key);
      for (std::size_t i = 0; i < group.size(); ++i) see(group[i], kind + (relation.ordered && i > 0 ? 1 : 0));
    }
  }

  // Colours told apart by what their ranks see, in order of first appearance; how many there are.
  std::int64_t refine(std::vector<std::int64_t>& colour) const {
    Words finer;
    std::vector<std::int64_t> key;
    for (std::size_t r = 0; r < colour.size(); ++r) {
      key.assign({first_[r]});
      if (const auto more = more_.find(r); more != more_.end())
        key.insert(key.end(), more->second.begin(), more->second.end());
      std::sort(key.begin(), key.end());
      key.push_back(colour[r]);
      colour[r] = finer.of(key);
    }
    return finer.count();
  }

 private:
  void see(std::int32_t rank, std::int64_t number) {
    const auto r = static_cast<std::size_t>(rank);
    if (first_[r] < 0)
      first_[r] = number;
    else
      more_[r].push_back(number);
  }

  std::vector<std::int64_t> first_;  // [rank] -1 = it is in no group
  std::unordered_map<std::size_t, std::vector<std::int64_t>> more_;
};

}  // namespace

// Each relation refines the colours that the ones before it left, until a round of all of them refines none: the
// coarsest partition is the same in whatever order they do.
std::vector<std::int32_t> fold_classes(const std::vector<std::int64_t>& initial,
                                       const std::vector<Relation>& relations) {
  std::vector<std::int64_t> colour;
  Numbers<std::int64_t> first;
  for (const std::int64_t kind : initial) colour.push_back(first.of(kind));
  for (std::int64_t classes = -1, now = first.count(); classes != now;) {
    classes = now;
    for (const Relation& relation : relations) now = Sight(relation, colour).refine(colour);
  }
  return {colour.begin(), colour.end()};
}

}  // namespace orrery::program
